"""The client's conversation: one session over one wire after the other, nothing lost, nothing twice, all in order.

Theory. The position belongs to the client: for each channel it keeps (epoch, offset) of what it has received, and drops
what it has, whichever wire brings it. Commands have numbers and are kept until they are answered (`Outgoing`). A new
wire is opened with the session's newest token, beside the old one where that still works (a *move*) or after it was
lost: it is on trial until the server has answered the confirming ping; then what is not answered is sent again there,
and the old wire is read to its end. Where the server does not know the session any more a new one begins: channels go
on from their positions, and what was in flight fails with 120, unless doing it twice does no harm.

    IDLE       ─connect→      OPENING
    OPENING    ─opened→       CONNECTING     (lost: WAITING)
    CONNECTING ─admitted→     CONNECTED      (refused: CLOSED or WAITING; lost: WAITING)
    CONNECTED  ─lost→         WAITING        (a final code: CLOSED; another wire is on its way: OPENING, CONNECTING)
    WAITING    ─deadline→     OPENING
    any        ─close→        CLOSED

Inputs take `now`; outputs are drained with `take()`; `deadline()` says when to call `tick(now)`. Jitter is injected.
"""

from collections.abc import Callable

from msgspec import Raw, json
from msgspec.structs import replace

from wirehop.client.link import LEFT_SECONDS, SECONDS, Link, LinkState
from wirehop.client.messages import ClientPush, ClientReply, ClientSubscribeResult
from wirehop.client.outgoing import Outgoing, Sent, marked
from wirehop.client.outputs import (
    Answered,
    CallArrived,
    ClientOutput,
    CloseWire,
    Delivered,
    MessageArrived,
    Moved,
    OpenWire,
    Pong,
    PresenceChanged,
    RefreshWanted,
    StateChanged,
    Subscribed,
    Synced,
    Transmit,
    TrialFailed,
    Unsubscribed,
)
from wirehop.client.states import CLIENT_TABLE, ClientInput, ClientState
from wirehop.client.subscription import ClientSubscription, ClientSubscriptionState
from wirehop.core import codes
from wirehop.core.messages import (
    CONNECT_ID,
    Command,
    CommandWh,
    ConnectRequest,
    Error,
    Join,
    Leave,
    Move,
    PingRequest,
    Position,
    PresenceRequest,
    RefreshRequest,
    RpcRequest,
    UnsubscribeRequest,
    Wh,
)

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
STABLE_SECONDS = 10.0
"""A connection that lived this long resets the backoff."""
REFRESH_SHARE = 0.8
"""Of a session's time to live, after which a fresh token is wanted."""
ANSWER = "wh.answer"
_LIVE, _WANTED, _ASKED = ClientSubscriptionState.LIVE, ClientSubscriptionState.WANTED, ClientSubscriptionState.ASKED


class ClientMachine:
    """The machine. `request` is the connect request; `jitter()` gives a number in [0, 1) for each attempt."""

    def __init__(self, request: ConnectRequest, *, jitter: Callable[[], float]) -> None:
        self.state = ClientState.IDLE
        self.subscriptions: dict[str, ClientSubscription] = {}
        self.outgoing = Outgoing()
        self.token = ""  # the newest of the session
        self._request = request
        self._jitter = jitter
        self._out: list[ClientOutput] = []
        self._links: dict[int, Link] = {}
        self._current: Link | None = None
        self._last_wire = 0
        self._asked: dict[int, str] = {}  # number of a subscribe command → channel
        self._reading: dict[int, str] = {}  # number of a presence command of the machine's own → channel
        self._leaving: list[str] = []  # channels to unsubscribe from when there is no trial
        self._deferred: list[ClientReply] = []  # to (un)subscribes, while a trial is open
        self._refreshing = 0
        self._called = 0  # the newest call of the server
        self._last_call = 0
        self._attempt = 0
        self._is_synced = True
        self._retry_at: float | None = None
        self._ask_at: float | None = None  # when to ask again for subscriptions that failed for the moment
        self._refresh_at: float | None = None
        self._move_at: float | None = None
        self._may_have_moved = False  # a newer wire than the current one was confirmed, and its answer may be lost
        self._move = Move()

    # ---- what drives it ----------------------------------------------------------------------------------------------

    def take(self) -> list[ClientOutput]:
        """What has come of the inputs since the last call, in order."""
        if self.outgoing.is_empty is not self._is_synced:
            self._is_synced = self.outgoing.is_empty
            self._out.append(Synced(self._is_synced))
        out, self._out = self._out, []
        return out

    @property
    def wire(self) -> int:
        """The number of the current wire; 0 for none."""
        return 0 if self._current is None else self._current.number

    @property
    def client(self) -> str:
        """The session's public id; empty before the first connect result."""
        return "" if self._current is None or self._current.result is None else self._current.result.client

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        due = [self._retry_at, self._ask_at, self._refresh_at, self._move_at]
        for link in self._links.values():
            due += [link.due, link.silent_at]
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            CLIENT_TABLE.enter(self.state, ClientInput.RETRY)
            self._open()
        for link in list(self._links.values()):
            self._check(link, now)
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            self._flush()
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            self._out.append(RefreshWanted())
        if self._move_at is not None and now >= self._move_at:
            self._move_at = None
            self.move(self._move.to, now, reason=self._move.reason or "the server asks for it")

    def _check(self, link: Link, now: float) -> None:
        if link.state is LinkState.LEFT:
            if link.due is not None and now >= link.due:
                self._close(link)
        elif link.due is not None and now >= link.due:
            self._out.append(CloseWire(link.number))
            self.lost(link.number, 0, f"no answer within {SECONDS:g} s", now)
        elif link.silent_at is not None and now >= link.silent_at:
            self._out.append(CloseWire(link.number))
            self.lost(link.number, codes.NO_PONG.number, "nothing came for 1.5 heartbeats", now)

    def connect(self) -> None:
        """Begin."""
        CLIENT_TABLE.enter(self.state, ClientInput.CONNECT)
        self._open()

    def close(self) -> None:
        """End for good."""
        if self.state is ClientState.CLOSED:
            return
        current = self._current
        if current is not None and self.token:
            bye = Command(self.outgoing.next, ping=PingRequest(), wh=CommandWh(bye=True))
            commands = marked([bye], attach=self._attach(current), acked=self.outgoing.acked)
            self._out.append(Transmit(current.number, commands))
        for link in list(self._links.values()):
            self._close(link, is_bye=link is current)
        self._end(codes.CLOSED.number, "closed by the application")

    def move(self, to: tuple[str, ...], now: float, *, reason: str = "") -> None:
        """Go on over another wire, beside the current one until that is confirmed. Nothing happens without a session
        that can move, or while another move is on its way."""
        if (
            self._current is None
            or not self.token
            or self._trial is not None
            or self.state is not ClientState.CONNECTED
        ):
            return
        for link in list(self._links.values()):
            if link.state is LinkState.LEFT:  # before a third is opened
                self._close(link)
        self._open_link(to, is_move=True, reason=reason)

    def opened(self, wire: int, now: float) -> None:
        """The wire is open: connect, and where the session is a new one, all subscribes behind it."""
        link = self._links.get(wire)
        if link is None or link.state is not LinkState.OPENING:
            return
        CLIENT_TABLE.enter(self.state, ClientInput.OPENED)
        link.state, link.due, link.since = LinkState.CONNECTING, now + SECONDS, now
        if self._current is None:
            self.state = ClientState.CONNECTING
        held = list(self.subscriptions.values())
        if link.shown:
            named = {each.channel: each.stated for each in held if each.was_live and each.state is _LIVE}
            link.stated = tuple(named)
            wh = Wh(acked=self.outgoing.acked, token=link.shown, positions=named)
            self._out.append(Transmit(wire, (Command(CONNECT_ID, connect=replace(self._request, wh=wh)),)))
            return
        subs = {each.channel: each.request() for each in held if each.is_by_server and each.position is not None}
        commands = [Command(CONNECT_ID, connect=replace(self._request, wh=Wh(), subs=subs))]
        commands += [self._ask(each) for each in held if not each.is_by_server]
        self._out.append(Transmit(wire, tuple(commands)))

    def lost(self, wire: int, code: int, reason: str, now: float) -> None:
        """The wire is gone, with a code if it had one (a WebSocket close, say)."""
        link = self._links.pop(wire, None)
        if link is None or link.state is LinkState.LEFT:
            return
        if self._current is not None and link is not self._current:
            self._trial_failed(link, code, reason, now)
            return
        was_current = link is self._current
        self._current = None
        self._ask_at = self._refresh_at = self._move_at = None
        if code == codes.SUPERSEDED.number and was_current and self._trial is None and not self._may_have_moved:
            self._forget_session()  # somebody else (a duplicated tab) goes on with it
        elif not codes.may_reconnect(code) and code != codes.SUPERSEDED.number:
            self._end(code, reason)
            return
        if not self.token:
            self._forget_session()
        if was_current and self.state is ClientState.CONNECTED and now - link.since >= STABLE_SECONDS:
            self._attempt = 0
        trial = self._trial
        if trial is not None and trial.state is LinkState.TRIAL and code == codes.SUPERSEDED.number:
            return  # the server has taken the new one; its answer is on the way
        if trial is not None:
            self._deferred = []  # what they answer is sent again
            self.state = ClientState.OPENING if trial.state is LinkState.OPENING else ClientState.CONNECTING
            self._out.append(StateChanged(self.state, code, reason))
            return
        self._wait(code, reason, now)

    def _wait(self, code: int, reason: str, now: float) -> None:
        most = min(LONGEST_DELAY, 2 * FIRST_DELAY * 2**self._attempt)
        delay = FIRST_DELAY + self._jitter() * (most - FIRST_DELAY)
        self._attempt = min(self._attempt + 1, 16)
        self._retry_at = now + delay
        self.state = ClientState.WAITING
        self._out.append(StateChanged(self.state, code, reason, delay))

    def received(self, wire: int, reply: ClientReply, now: float) -> None:
        """One line from the server."""
        link = self._links.get(wire)
        if link is None or link.state is LinkState.OPENING:
            return
        if link.state is not LinkState.LEFT:
            link.heard(now)
        if reply.push is not None:
            self._pushed(link, reply.push, now)
        elif reply.is_ping:
            if link.result is not None and link.result.pong:
                self._out.append(Pong(wire))
        elif reply.id == CONNECT_ID:
            if link.state is LinkState.CONNECTING:
                self._admitted(link, reply, now)
        elif reply.id == link.confirm:
            self._confirmed(link, reply, now)
        elif reply.id == self._refreshing:
            self._refreshed(reply, now)
        else:
            self._answered(link, reply, now)

    # ---- what the application asks -----------------------------------------------------------------------------------

    def subscribe(self, channel: str, *, position: Position | None = None, join_leave: bool = False) -> None:
        """Want the channel, from `position` if one is known. Again: nothing happens."""
        if channel in self.subscriptions:
            return
        self.subscriptions[channel] = ClientSubscription(channel, position=position, join_leave=join_leave)
        self._flush(with_connect=True)

    def unsubscribe(self, channel: str) -> None:
        """Do not want it any more."""
        subscription = self.subscriptions.pop(channel, None)
        if subscription is None:
            return
        is_asked = channel in self._asked.values()
        self._asked = {number: asked for number, asked in self._asked.items() if asked != channel}
        if is_asked or (subscription.state is _LIVE and self._links):
            self._leaving.append(channel)
            self._flush(with_connect=True)

    def request(self, command: Command) -> int:
        """Ask something (the id is filled in here); the number under which `Answered` comes.

        Without a connection it waits for one. Where too much waits (10,000 commands, 1 MiB) the answer is error 106.
        """
        self._last_call += 1
        call = self._last_call
        if self.state is ClientState.CLOSED:
            self._out.append(Answered(call, _failed(codes.OUTCOME_UNKNOWN, "the client is closed")))
        elif not self.outgoing.add(call, command):
            self._out.append(Answered(call, _failed(codes.LIMIT_EXCEEDED, "too many requests wait for a connection")))
        else:
            self._flush()
        return call

    def abandon(self, call: int) -> None:
        """The application does not wait for this request any more. One that was not sent yet never is."""
        self.outgoing.abandon(call)

    def answer(self, number: int, data: Raw | None, error: Error | None = None) -> None:
        """The answer to a call of the server."""
        body = b'{"call":%d,' % number
        body += b'"error":' + json.encode(error) if error is not None else b'"data":' + bytes(data or b"null")
        if not self.outgoing.add(0, Command(rpc=RpcRequest(ANSWER, Raw(body + b"}")))):
            self._called = min(self._called, number - 1)  # it is asked again after a move
        self._flush()

    def use_token(self, token: str) -> None:
        """The credential for the next connects."""
        self._request = replace(self._request, token=token)

    def refreshed(self, token: str) -> None:
        """A fresh token for the session, and for every connect from now on."""
        self.use_token(token)
        if self._current is not None and self.state is ClientState.CONNECTED:
            self._refreshing = self.outgoing.unnumbered()
            self._transmit(self._current, [Command(self._refreshing, refresh=RefreshRequest(token))])

    # ---- wires -------------------------------------------------------------------------------------------------------

    @property
    def _trial(self) -> Link | None:
        """The wire that is on its way to be the current one."""
        return next((link for link in self._links.values() if link.is_new), None)

    def _open(self) -> None:
        self.state = ClientState.OPENING
        self._out.append(StateChanged(self.state))
        self._open_link((), is_move=False, reason="")

    def _open_link(self, to: tuple[str, ...], *, is_move: bool, reason: str) -> None:
        self._last_wire += 1
        self._links[self._last_wire] = Link(self._last_wire, shown=self.token)
        self._out.append(OpenWire(self._last_wire, to, is_move, reason))

    def _close(self, link: Link, *, is_bye: bool = False) -> None:
        self._links.pop(link.number, None)
        self._out.append(CloseWire(link.number, is_bye))

    def _trial_failed(self, link: Link, code: int, reason: str, now: float) -> None:
        self._out.append(TrialFailed(link.number, code, reason))
        self._apply_deferred(now)
        self._flush()

    def _apply_deferred(self, now: float) -> None:
        """No trial is open any more: what the old wire said to subscribes counts after all."""
        deferred, self._deferred = self._deferred, []
        for reply in deferred:
            if self._current is not None:
                self._answered(self._current, reply, now)

    def _admitted(self, link: Link, reply: ClientReply, now: float) -> None:
        if reply.error is not None or reply.connect is None:
            error = reply.error or Error(codes.INTERNAL.number, codes.INTERNAL.text, temporary=True)
            self._out.append(CloseWire(link.number))
            if error.temporary or self._current is not None:
                self.lost(link.number, codes.CLOSED.number, error.message, now)
            else:
                self._end(error.code, error.message)
            return
        link.result = reply.connect
        link.heard(now)
        wh = reply.connect.wh
        is_resumed = bool(link.shown) and wh is not None and wh.resumed
        if link.shown and not is_resumed and self._current is not None:
            self._close(link, is_bye=True)  # the old wire is all there is of the session
            self.token = ""
            self._trial_failed(link, codes.INSUFFICIENT_STATE_CLOSE.number, "the server does not know the session", now)
            return
        self.token = wh.token if wh is not None else ""
        link.attach = wh.attach if wh is not None else 0
        if is_resumed and wh is not None:
            link.state, link.due = LinkState.TRIAL, now + SECONDS
            link.ended = dict(wh.ended)
            for channel, result in wh.subs.items():
                self._goes_on(link, channel, result)
            self._confirm(link)
            return
        if link.shown:
            self._forget_session(token=self.token)
        CLIENT_TABLE.enter(self.state, ClientInput.ADMITTED)
        if wh is not None and wh.limit:
            self.outgoing.limit = wh.limit
        self._become_current(link, now)
        if link.shown:
            self._out.append(Moved(link.number, is_resumed=False))
        for channel, result in reply.connect.subs.items():
            self._given(link, channel, result)
        for subscription in list(self.subscriptions.values()):
            if subscription.is_by_server and subscription.channel not in reply.connect.subs:
                self._drop(subscription, codes.UNSUBSCRIBED.number, "the server does not subscribe it any more")
        if link.attach and self.token:
            self._confirm(link)
        self._flush()

    def _confirm(self, link: Link) -> None:
        self._may_have_moved = self._may_have_moved or link.state is LinkState.TRIAL
        link.confirm = self.outgoing.unnumbered()
        self._transmit(link, [Command(link.confirm, ping=PingRequest())])

    def _confirmed(self, link: Link, reply: ClientReply, now: float) -> None:
        """The answer to the confirming ping: of the first wire, or of one that takes over with it."""
        link.confirm = 0
        if reply.error is not None:
            self._out.append(CloseWire(link.number))
            self.lost(link.number, codes.CLOSED.number, reply.error.message, now)
            return
        accepted = reply.wh.next if reply.wh is not None else 1
        if link.state is LinkState.TRIAL:
            CLIENT_TABLE.enter(self.state, ClientInput.ADMITTED)
            self._deferred = []
            self.outgoing.start_at(accepted)
            self._accepted(self.outgoing.accepted(accepted))
            self._become_current(link, now)
            self._out.append(Moved(link.number, is_resumed=True))
            self._settle_subscriptions(link)
            self._send_again(link)
            self._flush()
            self._read_presence()
        else:
            self._accepted(self.outgoing.accepted(accepted))

    def _become_current(self, link: Link, now: float) -> None:
        old, self._current = self._current, link
        self._may_have_moved = False
        if old is not None:
            old.state, old.due, old.silent_at = LinkState.LEFT, now + LEFT_SECONDS, None
        link.state, link.due, link.since = LinkState.CURRENT, None, now
        result = link.result
        if result is not None and result.expires and result.ttl:
            self._refresh_at = now + REFRESH_SHARE * result.ttl
        if self.state is not ClientState.CONNECTED:
            self.state = ClientState.CONNECTED
            self._out.append(StateChanged(self.state))

    def _settle_subscriptions(self, link: Link) -> None:
        """What was named and does not go on has ended, or is asked for anew."""
        going = link.result.wh.subs if link.result is not None and link.result.wh is not None else {}
        for channel in link.stated:
            subscription = self.subscriptions.get(channel)
            if channel not in going and subscription is not None and subscription.state is _LIVE:
                code = link.ended.get(channel, codes.INSUFFICIENT_STATE.number)
                self._ended(subscription, code, "it ended meanwhile")
        for subscription in self.subscriptions.values():
            if subscription.state is _LIVE and subscription.channel not in link.epochs:
                subscription.state = _WANTED

    def _send_again(self, link: Link) -> None:
        """What is not answered goes again, with its number; a subscribe from where its channel stands now."""
        for number, channel in self._asked.items():
            subscription, sent = self.subscriptions.get(channel), self.outgoing.sent.get(number)
            if subscription is not None and sent is not None:
                sent.command = subscription.ask(number)
        self._transmit(link, self.outgoing.again())

    def _forget_session(self, token: str = "") -> None:
        """The session is over: numbers begin anew, and what was in flight is not known to be done."""
        safe, lost = self.outgoing.begin_anew()
        self.token = token
        self.outgoing.put_back(safe)
        self._asked, self._reading, self._leaving, self._called = {}, {}, [], 0
        for sent in lost:
            if sent.call:
                self._out.append(Answered(sent.call, _failed(codes.OUTCOME_UNKNOWN)))
        for subscription in self.subscriptions.values():
            subscription.state = _WANTED

    # ---- commands ----------------------------------------------------------------------------------------------------

    def _attach(self, link: Link) -> int:
        """What to name on a wire until the server has answered the confirming ping."""
        return link.attach if link.confirm else 0

    def _transmit(self, link: Link, commands: list[Command]) -> None:
        if commands:
            marks = marked(commands, attach=self._attach(link), acked=self.outgoing.acked)
            self._out.append(Transmit(link.number, marks))

    def _flush(self, *, with_connect: bool = False) -> None:
        """Send what may go: nothing while a trial takes over, and of (un)subscribes nothing while one is open."""
        trial, link = self._trial, self._current
        if with_connect and link is None and trial is not None and trial.state is LinkState.CONNECTING:
            link = None if trial.shown else trial
            trial = None
        if link is None or (trial is not None and trial.confirm):
            return
        commands: list[Command] = []
        if trial is None:
            leaving, self._leaving = self._leaving, []
            commands += [self.outgoing.number(Command(unsubscribe=UnsubscribeRequest(each))) for each in leaving]
            is_connected = self.state is ClientState.CONNECTED
            if self._ask_at is None:
                wanted = [each for each in self.subscriptions.values() if each.state is _WANTED]
                commands += [self._ask(each) for each in wanted if is_connected or not each.is_by_server]
        if self.state is ClientState.CONNECTED:
            commands += self.outgoing.ready()
        self._transmit(link, commands)

    def _ask(self, subscription: ClientSubscription) -> Command:
        command = self.outgoing.number(subscription.ask(0))
        self._asked[command.id] = subscription.channel
        return command

    def _answered(self, link: Link, reply: ClientReply, now: float) -> None:
        number = reply.id
        sent = self.outgoing.sent.get(number)
        if sent is None:
            return
        if sent.command.subscribe is not None or sent.command.unsubscribe is not None:
            if link.state is LinkState.LEFT:
                return  # it is sent again on the current wire
            if link is self._current and self._trial is not None:
                self._deferred.append(reply)
                return
        _, before = self.outgoing.answered(number)
        self._accepted(before)
        if number in self._asked:
            self._subscribed(link, self._asked.pop(number), reply, now)
        elif number in self._reading:
            self._presence_read(self._reading.pop(number), reply)
        elif sent.call:
            self._out.append(Answered(sent.call, reply))
        self._flush()

    def _accepted(self, sends: list[Sent]) -> None:
        """Sends, which get no reply, have reached the server."""
        self._out += [Answered(sent.call, ClientReply()) for sent in sends if sent.call]

    def _refreshed(self, reply: ClientReply, now: float) -> None:
        self._refreshing = 0
        if reply.refresh is not None and reply.refresh.expires and reply.refresh.ttl:
            self._refresh_at = now + REFRESH_SHARE * reply.refresh.ttl

    # ---- channels ----------------------------------------------------------------------------------------------------

    def _goes_on(self, link: Link, channel: str, result: ClientSubscribeResult) -> None:
        """A subscription of the resumed session, on the wire that is on trial."""
        if channel in self.subscriptions or channel not in link.stated:
            self._given(link, channel, result)
        link.epochs[channel] = result.epoch

    def _given(self, link: Link, channel: str, result: ClientSubscribeResult) -> None:
        """What a connect result says of a channel: one of ours, or one that the server subscribes the session to."""
        subscription = self.subscriptions.get(channel)
        if subscription is None:
            subscription = self.subscriptions[channel] = ClientSubscription(channel, is_by_server=True)
        self._grant(link, subscription, result)

    def _grant(self, link: Link, subscription: ClientSubscription, result: ClientSubscribeResult) -> None:
        recovered = result.recovered if subscription.was_live and result.was_recovering else None
        if subscription.was_live and subscription.position is not None and not result.was_recovering:
            recovered = False
        link.epochs[subscription.channel] = result.epoch
        fresh = subscription.granted(epoch=result.epoch, offset=result.offset, publications=result.publications)
        channel = subscription.channel
        self._out.append(Subscribed(channel, recovered, subscription.position, subscription.is_by_server))
        self._out += [Delivered(channel, publication) for publication in fresh]

    def _subscribed(self, link: Link, channel: str, reply: ClientReply, now: float) -> None:
        subscription = self.subscriptions.get(channel)
        if subscription is None:
            return
        if reply.error is not None:
            self._refused(subscription, reply.error, now)
        elif reply.subscribe is not None:
            self._grant(link, subscription, reply.subscribe)
            if subscription.join_leave and subscription.members is None:
                self._read_presence(subscription)

    def _refused(self, subscription: ClientSubscription, error: Error, now: float) -> None:
        if error.temporary:
            subscription.state = _WANTED
            self._ask_at = now + FIRST_DELAY + self._jitter()
            return
        self._drop(subscription, error.code, error.message)

    def _drop(self, subscription: ClientSubscription, code: int, reason: str) -> None:
        del self.subscriptions[subscription.channel]
        subscription.state = ClientSubscriptionState.ENDED
        self._out.append(Unsubscribed(subscription.channel, code, reason))

    def _ended(self, subscription: ClientSubscription, code: int, reason: str) -> None:
        row = codes.find(code)
        if row is not None and row.retry is codes.Retry.RECONNECT:
            subscription.state = _WANTED
        else:
            self._drop(subscription, code, reason)

    # ---- pushes ------------------------------------------------------------------------------------------------------

    def _pushed(self, link: Link, push: ClientPush, now: float) -> None:
        is_left = link.state is LinkState.LEFT
        if push.disconnect is not None:
            self._out.append(CloseWire(link.number))
            self.lost(link.number, push.disconnect.code, push.disconnect.reason, now)
        elif push.wh is not None and push.wh.move is not None:
            self._move = push.wh.move
            self._move_at = now + self._jitter() * push.wh.move.spread_ms / 1000
        elif push.message is not None:
            self._message(push)
        elif push.pub is not None:
            self._publication(link, push)
        elif is_left:
            return  # what is said of subscriptions is the current wire's
        elif push.subscribe is not None:
            begun = push.subscribe
            result = ClientSubscribeResult(epoch=begun.epoch, offset=begun.offset, recoverable=begun.recoverable)
            self._given(link, push.channel, result)
        elif push.refresh is not None:
            self._refresh_at = now + REFRESH_SHARE * push.refresh.ttl if push.refresh.expires else None
        elif push.unsubscribe is not None:
            subscription = self.subscriptions.get(push.channel)
            if subscription is not None and subscription.state is _LIVE:  # else it speaks of one that was let go before
                self._ended(subscription, push.unsubscribe.code, push.unsubscribe.reason)
                self._flush()
        elif push.join is not None or push.leave is not None:
            self._presence_changed(push.channel, push.join, push.leave)

    def _message(self, push: ClientPush) -> None:
        assert push.message is not None
        if push.wh is None or not push.wh.call:
            self._out.append(MessageArrived(push.message.data))
        elif push.wh.call > self._called:  # else it was asked before, and is or will be answered
            self._called = push.wh.call
            self._out.append(CallArrived(push.wh.call, push.wh.method, push.message.data))

    def _publication(self, link: Link, push: ClientPush) -> None:
        subscription = self.subscriptions.get(push.channel)
        if push.pub is None or subscription is None or subscription.state is not _LIVE:
            return
        position = subscription.position
        if push.pub.offset and position is not None and link.epochs.get(push.channel) != position.epoch:
            return  # of a log that is not there any more
        if subscription.received(push.pub):
            self._out.append(Delivered(push.channel, push.pub))

    # ---- presence ----------------------------------------------------------------------------------------------------

    def _presence_changed(self, channel: str, join: Join | None, leave: Leave | None) -> None:
        subscription = self.subscriptions.get(channel)
        rev = (join.rev if join is not None else 0) or (leave.rev if leave is not None else 0)
        if subscription is None or (rev and rev <= subscription.rev):
            return
        subscription.rev = max(subscription.rev, rev)
        if subscription.members is not None:
            if join is not None:
                subscription.members[join.info.client] = join.info
            elif leave is not None:
                subscription.members.pop(leave.info.client, None)
        self._out.append(PresenceChanged(channel, join, leave))

    def _read_presence(self, only: ClientSubscription | None = None) -> None:
        """Read who is there, where joins and leaves are watched: some of them may have been missed."""
        for subscription in [only] if only is not None else list(self.subscriptions.values()):
            if subscription.join_leave and subscription.state is _LIVE and self._current is not None:
                command = self.outgoing.number(Command(presence=PresenceRequest(subscription.channel)))
                self._reading[command.id] = subscription.channel
                self._transmit(self._current, [command])

    def _presence_read(self, channel: str, reply: ClientReply) -> None:
        subscription = self.subscriptions.get(channel)
        if subscription is None or reply.presence is None or reply.presence.rev < subscription.rev:
            return
        now, before = reply.presence.presence, subscription.members
        subscription.members, subscription.rev = dict(now), reply.presence.rev
        if before is None:
            return
        rev = reply.presence.rev
        self._out += [PresenceChanged(channel, Join(now[each], rev), None) for each in now if each not in before]
        self._out += [PresenceChanged(channel, None, Leave(before[each], rev)) for each in before if each not in now]

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _end(self, code: int, reason: str) -> None:
        for call in self.outgoing.calls():
            self._out.append(Answered(call, _failed(codes.OUTCOME_UNKNOWN, reason)))
        for link in list(self._links.values()):
            self._close(link)
        self._current = None
        self._asked, self._reading, self._leaving, self._deferred = {}, {}, [], []
        self.state = ClientState.CLOSED
        self._retry_at = self._ask_at = self._refresh_at = self._move_at = None
        self._out.append(StateChanged(self.state, code, reason))


def _failed(code: codes.Code, message: str = "") -> ClientReply:
    return ClientReply(error=Error(code.number, message or code.text, temporary=False))
