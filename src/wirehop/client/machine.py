"""The client's conversation: connect, subscribe from a position, receive once and in order, come back after a loss.

Theory. The position belongs to the client. For each channel it keeps (epoch, offset) of what it has received; after a
lost wire it connects anew and subscribes from there, and the server says whether everything missed came along. What
it has it drops. Commands that were in flight when a wire was lost fail with 120: whether they were carried out is not
known.

    IDLE       ─connect→      OPENING
    OPENING    ─opened→       CONNECTING     (lost: WAITING)
    CONNECTING ─connected→    CONNECTED      (refused: CLOSED or WAITING; lost: WAITING)
    CONNECTED  ─lost→         WAITING        (a final code: CLOSED)
    WAITING    ─deadline→     OPENING
    any        ─close→        CLOSED

Inputs take `now`; outputs are drained with `take()`; `deadline()` says when to call `tick(now)`. Jitter is injected.
"""

from collections.abc import Callable

from msgspec.structs import replace

from wirehop.client.messages import ClientConnectResult, ClientPush, ClientReply
from wirehop.client.outputs import (
    Answered,
    ClientOutput,
    CloseWire,
    Delivered,
    MessageArrived,
    OpenWire,
    Pong,
    PresenceChanged,
    StateChanged,
    Subscribed,
    Transmit,
    Unsubscribed,
)
from wirehop.client.states import CLIENT_TABLE, ClientInput, ClientState
from wirehop.client.subscription import ClientSubscription, ClientSubscriptionState
from wirehop.core import codes
from wirehop.core.messages import (
    CONNECT_ID,
    Command,
    ConnectRequest,
    Disconnect,
    Error,
    Position,
    UnsubscribeRequest,
    Wh,
)

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
STABLE_SECONDS = 10.0
"""A connection that lived this long resets the backoff."""
SILENCE = 1.5
"""A wire that is silent for so many heartbeats is lost."""


class ClientMachine:
    """The machine. `request` is the connect request; `is_numbered` on wires that repeat commands (polls).

    `jitter()` gives a number in [0, 1) for each attempt.
    """

    def __init__(self, request: ConnectRequest, *, jitter: Callable[[], float], is_numbered: bool = False) -> None:
        self.state = ClientState.IDLE
        self.result: ClientConnectResult | None = None
        self.subscriptions: dict[str, ClientSubscription] = {}
        self._request = replace(request, wh=Wh()) if is_numbered else request
        self._is_numbered = is_numbered
        self._jitter = jitter
        self._out: list[ClientOutput] = []
        self._next_id = 1
        self._connect_id = 0
        self._asked: dict[int, str] = {}  # id of a subscribe command → channel
        self._calls: dict[int, int] = {}  # id of a command → call
        self._waiting: list[tuple[int, Command]] = []  # requests made before the connection was there
        self._next_call = 1
        self._attempt = 0
        self._since = 0.0
        self._retry_at: float | None = None
        self._silent_at: float | None = None
        self._ask_at: float | None = None  # when to ask again for subscriptions that failed for the moment

    # ---- what drives it ----------------------------------------------------------------------------------------------

    def take(self) -> list[ClientOutput]:
        """What has come of the inputs since the last call, in order."""
        out, self._out = self._out, []
        return out

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        return min((at for at in (self._retry_at, self._silent_at, self._ask_at) if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            CLIENT_TABLE.enter(self.state, ClientInput.RETRY)
            self._open()
        elif self._silent_at is not None and now >= self._silent_at:
            self._out.append(CloseWire())
            self.lost(codes.NO_PONG.number, "nothing came for 1.5 heartbeats", now)
        elif self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            wanted = [each for each in self.subscriptions.values() if each.state is ClientSubscriptionState.WANTED]
            if wanted:
                self._out.append(Transmit(tuple(self._ask(subscription) for subscription in wanted)))

    def connect(self) -> None:
        """Begin."""
        CLIENT_TABLE.enter(self.state, ClientInput.CONNECT)
        self._open()

    def close(self) -> None:
        """End for good."""
        if self.state is ClientState.CLOSED:
            return
        self._out.append(CloseWire())
        self._end(codes.CLOSED.number, "closed by the application")

    def opened(self, now: float) -> None:
        """The wire is open: connect and all subscribes go in one piece."""
        CLIENT_TABLE.enter(self.state, ClientInput.OPENED)
        self.state = ClientState.CONNECTING
        self._since = now
        self._next_id = 1
        commands = [Command(CONNECT_ID if self._is_numbered else self._take_id(), connect=self._request)]
        self._connect_id = commands[0].id
        commands += [self._ask(subscription) for subscription in self.subscriptions.values()]
        self._out.append(Transmit(tuple(commands)))

    def lost(self, code: int, reason: str, now: float) -> None:
        """The wire is gone, with a code if it had one (a WebSocket close, say)."""
        if self.state not in (ClientState.OPENING, ClientState.CONNECTING, ClientState.CONNECTED):
            return
        self._fail_calls()
        self.result = None
        self._silent_at = self._ask_at = None
        for subscription in self.subscriptions.values():
            subscription.state = ClientSubscriptionState.WANTED
        self._asked.clear()
        if not codes.may_reconnect(code):
            self._end(code, reason)
            return
        if self.state is ClientState.CONNECTED and now - self._since >= STABLE_SECONDS:
            self._attempt = 0
        most = min(LONGEST_DELAY, 2 * FIRST_DELAY * 2**self._attempt)
        delay = FIRST_DELAY + self._jitter() * (most - FIRST_DELAY)
        self._attempt = min(self._attempt + 1, 16)
        self._retry_at = now + delay
        self.state = ClientState.WAITING
        self._out.append(StateChanged(self.state, code, reason, delay))

    def received(self, reply: ClientReply, now: float) -> None:
        """One line from the server."""
        if self.state not in (ClientState.CONNECTING, ClientState.CONNECTED):
            return
        self._heard(now)
        if reply.push is not None:
            self._pushed(reply.push, now)
        elif reply.is_ping:
            if self.result is not None and self.result.pong:
                self._out.append(Pong())
        elif reply.id == self._connect_id:
            self._admitted(reply, now)
        elif reply.id in self._asked:
            self._subscribed(self._asked.pop(reply.id), reply, now)
        elif reply.id in self._calls:
            self._out.append(Answered(self._calls.pop(reply.id), reply))

    # ---- what the application asks
    # -------------------------------------------------------------------------------------

    def subscribe(self, channel: str, *, position: Position | None = None, join_leave: bool = False) -> None:
        """Want the channel, from `position` if one is known. Again: nothing happens."""
        if channel in self.subscriptions:
            return
        subscription = ClientSubscription(channel, position=position, join_leave=join_leave)
        self.subscriptions[channel] = subscription
        if self.state in (ClientState.CONNECTING, ClientState.CONNECTED):
            self._out.append(Transmit((self._ask(subscription),)))

    def unsubscribe(self, channel: str) -> None:
        """Do not want it any more."""
        if self.subscriptions.pop(channel, None) is None:
            return
        self._asked = {id_: asked for id_, asked in self._asked.items() if asked != channel}
        if self.state in (ClientState.CONNECTING, ClientState.CONNECTED):
            self._out.append(Transmit((Command(self._take_id(), unsubscribe=UnsubscribeRequest(channel)),)))

    def request(self, command: Command) -> int:
        """Ask something (the id is filled in here); the number under which `Answered` comes.

        Without a connection it waits for one; at most 256 wait, then the answer is error 106.
        """
        call, self._next_call = self._next_call, self._next_call + 1
        if self.state is ClientState.CONNECTED:
            self._transmit(call, command)
        elif self.state is ClientState.CLOSED:
            self._out.append(Answered(call, _failed(codes.OUTCOME_UNKNOWN, "the client is closed")))
        elif len(self._waiting) >= 256:
            self._out.append(Answered(call, _failed(codes.LIMIT_EXCEEDED, "256 requests wait for a connection")))
        else:
            self._waiting.append((call, command))
        return call

    def abandon(self, call: int) -> None:
        """The application does not wait for this request any more. One that was not sent yet never is."""
        self._waiting = [held for held in self._waiting if held[0] != call]
        self._calls = {id_: open_call for id_, open_call in self._calls.items() if open_call != call}

    # ---- inside
    # --------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.state = ClientState.OPENING
        self._out += [StateChanged(self.state), OpenWire()]

    def _take_id(self) -> int:
        number, self._next_id = self._next_id, self._next_id + 1
        return number

    def _ask(self, subscription: ClientSubscription) -> Command:
        number = self._take_id()
        self._asked[number] = subscription.channel
        return subscription.ask(number)

    def _transmit(self, call: int, command: Command) -> None:
        number = self._take_id()
        if command.send is None:
            self._calls[number] = call
        self._out.append(Transmit((replace(command, id=number),)))
        if command.send is not None:
            self._out.append(Answered(call, ClientReply()))

    def _heard(self, now: float) -> None:
        if self.result is not None and self.result.ping:
            self._silent_at = now + SILENCE * self.result.ping

    def _admitted(self, reply: ClientReply, now: float) -> None:
        self._connect_id = -1  # answered: another reply with this id means nothing
        if reply.error is not None or reply.connect is None:
            error = reply.error or Error(codes.INTERNAL.number, codes.INTERNAL.text, temporary=True)
            self._out.append(CloseWire())
            if error.temporary:
                self.lost(codes.CLOSED.number, error.message, now)
            else:
                self._end(error.code, error.message)
            return
        CLIENT_TABLE.enter(self.state, ClientInput.ADMITTED)
        self.result = reply.connect
        self.state = ClientState.CONNECTED
        self._heard(now)
        self._out.append(StateChanged(self.state))
        waiting, self._waiting = self._waiting, []
        for call, command in waiting:
            self._transmit(call, command)

    def _subscribed(self, channel: str, reply: ClientReply, now: float) -> None:
        subscription = self.subscriptions.get(channel)
        if subscription is None:
            return
        if reply.error is not None:
            self._refused(subscription, reply.error, now)
            return
        result = reply.subscribe
        if result is None:
            return
        recovered = result.recovered if subscription.was_live else None
        fresh = subscription.granted(epoch=result.epoch, offset=result.offset, publications=result.publications)
        self._out.append(Subscribed(channel, recovered, subscription.position))
        self._out += [Delivered(channel, publication) for publication in fresh]

    def _refused(self, subscription: ClientSubscription, error: Error, now: float) -> None:
        if error.temporary:
            subscription.state = ClientSubscriptionState.WANTED
            self._ask_at = now + FIRST_DELAY + self._jitter()
            return
        del self.subscriptions[subscription.channel]
        subscription.state = ClientSubscriptionState.ENDED
        self._out.append(Unsubscribed(subscription.channel, error.code, error.message))

    def _pushed(self, push: ClientPush, now: float) -> None:
        subscription = self.subscriptions.get(push.channel)
        if push.disconnect is not None:
            self._disconnected(push.disconnect, now)
        elif push.message is not None:
            self._out.append(MessageArrived(push.message.data))
        elif subscription is None:
            return
        elif push.pub is not None:
            if subscription.state is ClientSubscriptionState.LIVE and subscription.received(push.pub):
                self._out.append(Delivered(push.channel, push.pub))
        elif push.unsubscribe is not None:
            if subscription.state is ClientSubscriptionState.LIVE:  # else it speaks of one that was let go before
                self._ended(subscription, push.unsubscribe.code, push.unsubscribe.reason)
        elif push.join is not None or push.leave is not None:
            self._out.append(PresenceChanged(push.channel, push.join, push.leave))

    def _disconnected(self, disconnect: Disconnect, now: float) -> None:
        self._out.append(CloseWire())
        self.lost(disconnect.code, disconnect.reason, now)

    def _ended(self, subscription: ClientSubscription, code: int, reason: str) -> None:
        row = codes.find(code)
        if row is not None and row.retry is codes.Retry.RECONNECT:
            self._out.append(Transmit((self._ask(subscription),)))
            return
        del self.subscriptions[subscription.channel]
        self._out.append(Unsubscribed(subscription.channel, code, reason))

    def _fail_calls(self) -> None:
        for call in self._calls.values():
            self._out.append(Answered(call, _failed(codes.OUTCOME_UNKNOWN)))
        self._calls.clear()

    def _end(self, code: int, reason: str) -> None:
        self._fail_calls()
        for call, _ in self._waiting:
            self._out.append(Answered(call, _failed(codes.OUTCOME_UNKNOWN, reason)))
        self._waiting = []
        self.state = ClientState.CLOSED
        self._retry_at = self._silent_at = self._ask_at = None
        self._out.append(StateChanged(self.state, code, reason))


def _failed(code: codes.Code, message: str = "") -> ClientReply:
    return ClientReply(error=Error(code.number, message or code.text, temporary=False))
