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

The machine leads from state to state. Its parts: `Links` has the wires, `ClientCommands` what is said on them,
`ClientSubscriptions` the channels, `ClientPresence` who is in them, `ServerCalls` what the server asks.

Inputs take `now`; outputs are drained with `take()`; `deadline()` says when to call `tick(now)`. Jitter is injected.
"""

from collections.abc import Callable

from msgspec import Raw
from msgspec.structs import replace

from wirehop.client.backoff import Backoff
from wirehop.client.calls import ServerCalls
from wirehop.client.commands import ClientCommands
from wirehop.client.link import SECONDS, Link, LinkState
from wirehop.client.links import Links
from wirehop.client.messages import ClientPush, ClientReply
from wirehop.client.outgoing import Outgoing
from wirehop.client.outputs import (
    ClientOutput,
    CloseWire,
    Moved,
    Pong,
    RefreshWanted,
    StateChanged,
    Synced,
    Transmit,
    TrialFailed,
)
from wirehop.client.presence import ClientPresence
from wirehop.client.states import CLIENT_TABLE, ClientInput, ClientState
from wirehop.client.subscription import ClientSubscription
from wirehop.client.subscriptions import ClientSubscriptions
from wirehop.core import codes
from wirehop.core.messages import (
    CONNECT_ID,
    Command,
    ConnectRequest,
    Error,
    Move,
    Position,
    Wh,
)

REFRESH_SHARE = 0.8
"""Of a session's time to live, after which a fresh token is wanted."""


class ClientMachine:
    """The machine. `request` is the connect request; `jitter()` gives a number in [0, 1) for each attempt."""

    def __init__(self, request: ConnectRequest, *, jitter: Callable[[], float]) -> None:
        self.state = ClientState.IDLE
        self.outgoing = Outgoing()
        self.token = ""  # the newest of the session
        self._request = request
        self._jitter = jitter
        self._out: list[ClientOutput] = []
        self._links = Links(self._out)
        self._channels = ClientSubscriptions(self.outgoing, self._out, jitter=jitter)
        self._presence = ClientPresence(self._channels.by_channel, self.outgoing, self._out)
        self._commands = ClientCommands(self.outgoing, self._links, self._channels, self._presence, self._out)
        self._calls = ServerCalls(self.outgoing, self._out)
        self._backoff = Backoff(jitter)
        self._connected_at = 0.0
        self._refreshing = 0
        self._is_synced = True
        self._retry_at: float | None = None
        self._refresh_at: float | None = None
        self._move_at: float | None = None
        self._move = Move()

    # ---- what drives it ----------------------------------------------------------------------------------------------

    def take(self) -> list[ClientOutput]:
        """What has come of the inputs since the last call, in order."""
        if self.outgoing.is_empty is not self._is_synced:
            self._is_synced = self.outgoing.is_empty
            self._out.append(Synced(self._is_synced))
        out = self._out.copy()
        self._out.clear()  # its parts have it too
        return out

    @property
    def subscriptions(self) -> dict[str, ClientSubscription]:
        """The channels that are wanted."""
        return self._channels.by_channel

    @property
    def wire(self) -> int:
        """The number of the current wire; 0 for none."""
        return 0 if self._links.current is None else self._links.current.number

    @property
    def client(self) -> str:
        """The session's public id; empty before the first connect result."""
        current = self._links.current
        return "" if current is None or current.result is None else current.result.client

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        due = [self._retry_at, self._channels.ask_at, self._refresh_at, self._move_at, *self._links.deadlines()]
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            CLIENT_TABLE.enter(self.state, ClientInput.RETRY)
            self._open()
        for link, code, reason in self._links.tick(now):
            self._out.append(CloseWire(link.number))
            self.lost(link.number, code, reason, now)
        if self._channels.ask_at is not None and now >= self._channels.ask_at:
            self._channels.ask_at = None
            self._commands.flush()
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            self._out.append(RefreshWanted())
        if self._move_at is not None and now >= self._move_at:
            self._move_at = None
            self.move(self._move.to, now, reason=self._move.reason or "the server asks for it")

    def connect(self) -> None:
        """Begin."""
        CLIENT_TABLE.enter(self.state, ClientInput.CONNECT)
        self._open()

    def close(self) -> None:
        """End for good."""
        if self.state is ClientState.CLOSED:
            return
        if self.token:
            for link in self._links.heard():
                self._commands.bye(link)
        self._links.close_all(is_bye=True)
        self._end(codes.CLOSED.number, "closed by the application")

    def move(self, to: tuple[str, ...], now: float, *, reason: str = "") -> None:
        """Go on over another wire, beside the current one until that is confirmed. Nothing happens without a session
        that can move, or while another move is on its way."""
        if self._links.current is None or not self.token or self._links.trial is not None:
            return
        self._links.close_left()  # before a third is opened
        self._links.open(self.token, to, is_move=True, reason=reason)

    def opened(self, wire: int, now: float) -> None:
        """The wire is open: connect, and where the session is a new one, all subscribes behind it."""
        link = self._links.get(wire)
        if link is None or link.state is not LinkState.OPENING:
            return
        CLIENT_TABLE.enter(self.state, ClientInput.OPENED)
        link.state, link.due = LinkState.CONNECTING, now + SECONDS
        if self._links.current is None:
            self.state = ClientState.CONNECTING
        if link.shown:
            named = self._channels.stated()
            link.stated = tuple(named)
            wh = Wh(acked=self.outgoing.acked, token=link.shown, positions=named)
            self._out.append(Transmit(wire, (Command(CONNECT_ID, connect=replace(self._request, wh=wh)),)))
            return
        request = replace(self._request, wh=Wh(), subs=self._channels.by_server())
        self._out.append(Transmit(wire, (Command(CONNECT_ID, connect=request), *self._channels.ask_for_all())))

    def lost(self, wire: int, code: int, reason: str, now: float) -> None:
        """The wire is gone, with a code if it had one (a WebSocket close, say)."""
        link = self._links.lose(wire)
        if link is None or link.state is LinkState.LEFT:
            return
        if self._links.current is not None:
            self._trial_failed(link, code, reason)
            return
        was_current, trial = link.state is LinkState.CURRENT, self._links.trial
        self._channels.ask_at = self._refresh_at = self._move_at = None
        if code == codes.SUPERSEDED.number and was_current and trial is None and not self._links.may_have_moved:
            self._forget_session()  # somebody else (a duplicated tab) goes on with it
        elif not codes.may_reconnect(code) and code != codes.SUPERSEDED.number:
            self._end(code, reason)
            return
        if not self.token:
            self._forget_session()
        if was_current and self.state is ClientState.CONNECTED:
            self._backoff.lasted(now - self._connected_at)
        if trial is not None and trial.state is LinkState.TRIAL and code == codes.SUPERSEDED.number:
            return  # the server has taken the new one; its answer is on the way
        if trial is not None:
            self.state = ClientState.OPENING if trial.state is LinkState.OPENING else ClientState.CONNECTING
            self._out.append(StateChanged(self.state, code, reason))
            return
        delay = self._backoff.next()
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
            self._commands.answered(link, reply, now)

    # ---- what the application asks -----------------------------------------------------------------------------------

    def subscribe(self, channel: str, *, position: Position | None = None, join_leave: bool = False) -> None:
        """Want the channel, from `position` if one is known. Again: nothing happens."""
        if self._channels.want(channel, position, join_leave=join_leave):
            self._commands.flush(with_connect=True)

    def unsubscribe(self, channel: str) -> None:
        """Do not want it any more."""
        if self._channels.leave(channel, has_wire=len(self._links) > 0):
            self._commands.flush(with_connect=True)

    def request(self, command: Command) -> int:
        """Ask something (the id is filled in here); the number under which `Answered` comes.

        Without a connection it waits for one. Where too much waits (10,000 commands, 1 MiB) the answer is error 106.
        """
        return self._commands.request(command, is_closed=self.state is ClientState.CLOSED)

    def abandon(self, call: int) -> None:
        """The application does not wait for this request any more. One that was not sent yet never is."""
        self.outgoing.abandon(call)

    def answer(self, number: int, data: Raw | None, error: Error | None = None) -> None:
        """The answer to a call of the server."""
        self._calls.answer(number, data, error)
        self._commands.flush()

    def use_token(self, token: str) -> None:
        """The credential for the next connects."""
        self._request = replace(self._request, token=token)

    def refreshed(self, token: str) -> None:
        """A fresh token for the session, and for every connect from now on."""
        self.use_token(token)
        if self._links.current is not None:
            self._refreshing = self._commands.refresh(self._links.current, token)

    # ---- wires -------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.state = ClientState.OPENING
        self._out.append(StateChanged(self.state))
        self._links.open(self.token)

    def _trial_failed(self, link: Link, code: int, reason: str) -> None:
        self._out.append(TrialFailed(link.number, code, reason))
        self._commands.flush()

    def _admitted(self, link: Link, reply: ClientReply, now: float) -> None:
        if reply.error is not None or reply.connect is None:
            error = reply.error or Error(codes.INTERNAL.number, codes.INTERNAL.text, temporary=True)
            self._out.append(CloseWire(link.number))
            if error.temporary or self._links.current is not None:
                self.lost(link.number, codes.CLOSED.number, error.message, now)
            else:
                self._end(error.code, error.message)
            return
        link.result = reply.connect
        link.heard(now)
        wh = reply.connect.wh
        is_resumed = bool(link.shown) and wh is not None and wh.resumed
        if link.shown and not is_resumed and self._links.current is not None:
            self._links.close(link, is_bye=True)  # the old wire is all there is of the session
            self.token = ""
            self._trial_failed(link, codes.INSUFFICIENT_STATE_CLOSE.number, "the server does not know the session")
            return
        self.token = wh.token if wh is not None else ""
        link.attach = wh.attach if wh is not None else 0
        if is_resumed and wh is not None:
            link.state, link.due = LinkState.TRIAL, now + SECONDS
            link.ended = dict(wh.ended)
            for channel, result in wh.subs.items():
                self._channels.goes_on(link, channel, result)
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
        self._channels.begins(link, reply.connect)
        if link.attach and self.token:
            self._confirm(link)
        self._commands.flush()

    def _confirm(self, link: Link) -> None:
        self._links.confirming(link)
        self._commands.confirm(link)

    def _confirmed(self, link: Link, reply: ClientReply, now: float) -> None:
        """The answer to the confirming ping: of the first wire, or of one that takes over with it."""
        link.confirm = 0
        if reply.error is not None:
            self._out.append(CloseWire(link.number))
            self.lost(link.number, codes.CLOSED.number, reply.error.message, now)
            return
        accepted = reply.wh.next if reply.wh is not None else 1
        if link.state is not LinkState.TRIAL:
            self._commands.accepted(accepted)
            return
        CLIENT_TABLE.enter(self.state, ClientInput.ADMITTED)
        self.outgoing.start_at(accepted)
        self._commands.accepted(accepted)
        self._become_current(link, now)
        self._out.append(Moved(link.number, is_resumed=True))
        self._channels.settle(link)
        self._commands.again(link)
        self._commands.flush()
        self._commands.read_presence()

    def _become_current(self, link: Link, now: float) -> None:
        self._links.take_over(link, now)
        if link.result is not None and link.result.expires and link.result.ttl:
            self._refresh_at = now + REFRESH_SHARE * link.result.ttl
        if self.state is not ClientState.CONNECTED:
            self.state, self._connected_at = ClientState.CONNECTED, now
            self._out.append(StateChanged(self.state))

    def _forget_session(self, token: str = "") -> None:
        """The session is over: what is wanted and what waits is for the next one."""
        self.token = token
        self._calls.begin_anew()
        self._commands.begin_anew()

    def _refreshed(self, reply: ClientReply, now: float) -> None:
        self._refreshing = 0
        if reply.refresh is not None and reply.refresh.expires and reply.refresh.ttl:
            self._refresh_at = now + REFRESH_SHARE * reply.refresh.ttl

    # ---- pushes ------------------------------------------------------------------------------------------------------

    def _pushed(self, link: Link, push: ClientPush, now: float) -> None:
        if push.disconnect is not None:
            self._out.append(CloseWire(link.number))
            self.lost(link.number, push.disconnect.code, push.disconnect.reason, now)
        elif push.wh is not None and push.wh.move is not None:
            self._move = push.wh.move
            self._move_at = now + self._jitter() * push.wh.move.spread_ms / 1000
        elif push.message is not None:
            self._calls.arrived(push)
        elif push.pub is not None:
            self._channels.published(link, push.channel, push.pub)
        elif link.state is LinkState.LEFT:
            return  # what is said of subscriptions is the current wire's
        elif push.subscribe is not None:
            self._channels.begun(link, push.channel, push.subscribe)
        elif push.refresh is not None:
            self._refresh_at = now + REFRESH_SHARE * push.refresh.ttl if push.refresh.expires else None
        elif push.unsubscribe is not None:
            if self._channels.ended(push.channel, push.unsubscribe.code, push.unsubscribe.reason):
                self._commands.flush()
        elif push.join is not None or push.leave is not None:
            self._presence.changed(push.channel, push.join, push.leave)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def _end(self, code: int, reason: str) -> None:
        self._commands.end(reason)
        self._links.close_all()
        self.state = ClientState.CLOSED
        self._retry_at = self._refresh_at = self._move_at = None
        self._out.append(StateChanged(self.state, code, reason))
