"""One client's conversation: connect, commands, subscriptions, heartbeat, end.

Theory. Commands come in, replies and pushes go out. What the machine cannot know (who this is, what history holds, what
the application says) it asks for with a numbered `Call`, and goes on when the answer with that number comes; a number
that is no longer open is ignored, so nothing has to be undone. Commands on one channel run one after the other, in the
order in which they came; commands on different channels do not wait for each other.

    NEW        ─connect→        CONNECTING   (anything else: CLOSED with 3501; nothing in time: CLOSED with 3502)
    CONNECTING ─admitted→       CONNECTED    (refused: CLOSED)
    CONNECTED  ─command→        CONNECTED    (protocol broken: CLOSED)
    any        ─end, lost→      CLOSED

Inputs take `now` where time matters. Outputs are drained with `take()`; `deadline()` says when to call `tick(now)`.
"""

from collections import deque
from enum import Enum, auto

from msgspec import UNSET, Raw, Struct

from wirehop.core import codes
from wirehop.core.codes import Code, Kind
from wirehop.core.effects import (
    Admitted,
    Answer,
    Attach,
    Authenticate,
    Authorize,
    Call,
    Close,
    Count,
    Detach,
    Enter,
    Failure,
    Grant,
    Leave,
    Output,
    PageRead,
    ReadPage,
    Received,
    Request,
    Send,
    SendMissed,
    SendTail,
)
from wirehop.core.limits import Limits
from wirehop.core.messages import (
    PING,
    ClientInfo,
    Command,
    ConnectResult,
    ConnectWh,
    Position,
    Push,
    Reply,
    Unsubscribe,
)
from wirehop.core.numbers import CommandNumbers
from wirehop.core.replies import channel_of, is_pong, kind_of, refusal, request_of, result_reply
from wirehop.core.slot import Dropped, Lost, Missed, Read, Slot, SlotOutput, SlotState, Started, Tail
from wirehop.core.subscription import Subscription, SubscriptionState
from wirehop.core.table import Table


class SessionState(Enum):
    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


class SessionInput(Enum):
    CONNECT = auto()
    ADMIT = auto()
    COMMAND = auto()
    END = auto()


_S, _I = SessionState, SessionInput
SESSION_TABLE: Table[SessionState, SessionInput] = Table(
    "session",
    {
        (_S.NEW, _I.CONNECT): (_S.CONNECTING,),
        (_S.NEW, _I.COMMAND): (_S.CLOSED,),
        (_S.NEW, _I.END): (_S.CLOSED,),
        (_S.CONNECTING, _I.ADMIT): (_S.CONNECTED,),
        (_S.CONNECTING, _I.COMMAND): (_S.CONNECTING, _S.CLOSED),
        (_S.CONNECTING, _I.END): (_S.CLOSED,),
        (_S.CONNECTED, _I.COMMAND): (_S.CONNECTED, _S.CLOSED),
        (_S.CONNECTED, _I.END): (_S.CLOSED,),
        (_S.CLOSED, _I.COMMAND): (_S.CLOSED,),
        (_S.CLOSED, _I.END): (_S.CLOSED,),
    },
)


class Heartbeat(Struct, frozen=True):
    """A ping every `interval` seconds; where `wants_pong`, its answer must come within `patience` seconds (3012)."""

    interval: float
    patience: float
    wants_pong: bool


class Terms(Struct, frozen=True):
    """What a kind of wire brings to a session: bounds, heartbeat (None: the wire looks after itself), names to give out.

    `secret` and `node` go into the connect result of wires that need them for what travels upwards.
    """

    limits: Limits
    heartbeat: Heartbeat | None
    version: str = ""
    node: str = ""


class _Open(Struct, frozen=True):
    """A call that is open: for a command (`id`, `kind`), or for a subscription."""

    command_id: int
    kind: str
    channel: str
    subscription: Subscription | None = None


class Session:
    """The machine. `client` is its public id, `secret` the handle of wires whose commands travel apart."""

    __slots__ = (
        "_busy",
        "_calls",
        "_connect_id",
        "_draining",
        "_held",
        "_held_bytes",
        "_next_call",
        "_numbers",
        "_out",
        "_ping_at",
        "_pong_by",
        "_stale_at",
        "client",
        "info",
        "is_paused",
        "secret",
        "state",
        "subscriptions",
        "terms",
        "user",
    )

    def __init__(self, client: str, terms: Terms, *, now: float, secret: str = "") -> None:
        self.client = client
        self.secret = secret
        self.terms = terms
        self.state = SessionState.NEW
        self.user = ""
        self.info: Raw | None = None
        self.is_paused = False
        self.subscriptions: dict[str, Subscription] = {}
        self._out: list[Output] = []
        self._calls: dict[int, _Open] = {}
        self._next_call = 1
        self._busy: dict[str, deque[Command]] | None = None  # channel → commands that wait for the running one
        self._held: list[tuple[Command, int]] | None = None  # behind a pending connect
        self._held_bytes = 0
        self._draining: list[Subscription] | None = None
        self._numbers: CommandNumbers | None = None
        self._connect_id = 0
        self._stale_at: float | None = now + terms.limits.connect_seconds
        self._ping_at: float | None = None
        self._pong_by: float | None = None

    # ---- what drives it ------------------------------------------------------------------------------------------

    def take(self) -> list[Output]:
        """What has come of the inputs since the last call, in order."""
        out, self._out = self._out, []
        return out

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        due = [at for at in (self._stale_at, self._ping_at, self._pong_by) if at is not None]
        if self._numbers is not None and self._numbers.gap_since is not None:
            due.append(self._numbers.gap_since + self.terms.limits.gap_seconds)
        return min(due, default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.state is SessionState.CLOSED:
            return
        if self._stale_at is not None and now >= self._stale_at:
            self.end(codes.STALE)
        elif self._pong_by is not None and now >= self._pong_by:
            self.end(codes.NO_PONG)
        elif self._gap_is_old(now):
            self.end(codes.INSUFFICIENT_STATE_CLOSE, "a gap in the command numbers stayed open")
        elif self._ping_at is not None and now >= self._ping_at:
            self._ping(now)

    def receive(self, command: Command, now: float, size: int = 0) -> None:
        """A command arrived; `size` is its length in bytes."""
        self._pong_by = None  # whatever it is, the peer is alive
        if self.state is SessionState.CONNECTED:
            self._accept(command, now, size)
        elif self.state is SessionState.NEW:
            self._connect(command)
        elif self.state is SessionState.CONNECTING:
            self._hold(command, size)

    def heard(self) -> None:
        """The peer showed that it is alive (a pong frame, say)."""
        self._pong_by = None

    def answer(self, number: int, answer: Answer, now: float) -> None:
        """The answer to call `number`. One that is not open (any more) is ignored."""
        call = self._calls.pop(number, None)
        if call is None:
            return
        if call.kind == "connect":
            self._admitted(answer, now)
        elif call.subscription is not None:
            self._subscription_answer(call.subscription, number, answer, now)
        elif isinstance(answer, Failure):
            self._fail(call.command_id, answer)
            self._release(call.channel, now)
        else:
            self._send(result_reply(call.command_id, answer, has_wh=self._numbers is not None))
            self._release(call.channel, now)

    def published(self, slot: Slot, first: int, last: int, epoch: str, now: float) -> None:
        """The publications `first` to `last` were published and did not take the fast lane of this slot."""
        subscription = self.subscriptions.get(slot.channel)
        if subscription is not None and subscription.slot is slot:
            self._follow(subscription, slot.published(first, last, epoch, self.terms.limits), now)

    def compare(self, slot: Slot, top: Position, now: float) -> None:
        """The broker says where the channel's log ends: a live slot that stands elsewhere has missed something."""
        subscription = self.subscriptions.get(slot.channel)
        if subscription is None or subscription.slot is not slot or slot.state is not SlotState.LIVE:
            return
        if slot.delivery != "signal" and slot.position != top:
            self._follow(subscription, slot.gap(self.terms.limits), now)

    def push(self, push: Push) -> None:
        """Something without an offset that is for the client."""
        if self.state is SessionState.CONNECTED:
            self._send(Reply(push=push))

    def paused(self) -> None:
        """The wire is full."""
        self.is_paused = True
        self._draining = None
        for subscription in self.subscriptions.values():
            if subscription.slot is not None:
                subscription.slot.pause()

    def resumed(self, now: float) -> None:
        """The wire takes bytes again: its slots catch up, one after the other."""
        self.is_paused = False
        self._draining = [held for held in self.subscriptions.values() if held.slot is not None]
        self._drain(now)

    def unsubscribe(self, channel: str, code: Code, now: float) -> None:
        """End a subscription from the server's side; the client is told with `code`."""
        subscription = self.subscriptions.get(channel)
        if subscription is not None:
            self._end_subscription(subscription, code, now)

    def end(self, code: Code, reason: str = "") -> None:
        """End the session; the client is told with `code`."""
        if self.state is SessionState.CLOSED:
            return
        self._shut()
        self._out.append(Close(code, reason or code.text))

    def lost(self) -> None:
        """The wire is gone; there is nobody to tell."""
        if self.state is not SessionState.CLOSED:
            self._shut()

    # ---- connect ---------------------------------------------------------------------------------------------------

    def _connect(self, command: Command) -> None:
        if command.connect is None or command.id == 0:
            self.end(codes.BAD_REQUEST_CLOSE, "the first command must be connect, with an id")
            return
        if command.connect.wh is not None:
            limits = self.terms.limits
            self._numbers = CommandNumbers(max_count=limits.pending_commands, max_bytes=limits.held_bytes)
        self.state = SessionState.CONNECTING
        self._stale_at = None
        self._connect_id = command.id
        self._call(Authenticate(command.connect), _Open(command.id, "connect", ""))

    def _hold(self, command: Command, size: int) -> None:
        self._held_bytes += size
        if self._held_bytes > self.terms.limits.held_bytes:
            self.end(
                codes.BAD_REQUEST_CLOSE,
                f"more than {self.terms.limits.held_bytes} bytes before the connect result",
            )
            return
        if self._held is None:
            self._held = []
        self._held.append((command, size))

    def _admitted(self, answer: Answer, now: float) -> None:
        if not isinstance(answer, Admitted):
            self._refuse_connect(answer)
            return
        self.state = SessionState.CONNECTED
        self.user, self.info = answer.user, answer.info
        heartbeat = self.terms.heartbeat
        result = ConnectResult(
            client=self.client,
            version=self.terms.version,
            data=UNSET if answer.data is None else answer.data,
            ping=0 if heartbeat is None else max(1, round(heartbeat.interval)),
            pong=heartbeat is not None and heartbeat.wants_pong,
            session=self.secret,
            node=self.terms.node if self.secret else "",
            wh=None if self._numbers is None else ConnectWh(self._numbers.next, self.terms.limits.pending_commands),
        )
        if heartbeat is not None:
            self._ping_at = now + heartbeat.interval
        self._send(Reply(id=self._connect_id, connect=result))
        held, self._held, self._held_bytes = self._held or [], None, 0
        for command, size in held:
            if self.state is SessionState.CONNECTED:
                self._accept(command, now, size)

    def _refuse_connect(self, answer: Answer) -> None:
        failure = answer if isinstance(answer, Failure) else Failure(codes.INTERNAL)
        if failure.code.kind is Kind.ERROR:
            self._send(refusal(self._connect_id, failure))
            self.end(codes.CLOSED, failure.message or failure.code.text)
        else:
            self.end(failure.code, failure.message)

    # ---- commands --------------------------------------------------------------------------------------------------

    def _accept(self, command: Command, now: float, size: int) -> None:
        if is_pong(command):
            return
        if self._numbers is None:
            self._run(command, now)
            return
        try:
            ready = self._numbers.accept(command, size, now)
        except OverflowError:
            self.end(codes.BAD_REQUEST_CLOSE, "too many commands wait for a gap in their numbers")
            return
        for each in ready:
            if self.state is SessionState.CONNECTED:
                self._run(each, now)

    def _run(self, command: Command, now: float) -> None:
        """Start the command, or let it wait for the one that runs on its channel."""
        kind = kind_of(command)
        if kind in ("", "connect") or (command.id == 0 and kind != "send"):
            self.end(codes.BAD_REQUEST_CLOSE, f"not expected here: {kind or 'an unknown command'}, id {command.id}")
            return
        channel = channel_of(command)
        if channel is not None and (problem := self._channel_problem(channel)):
            self._fail(command.id, Failure(codes.BAD_REQUEST, problem))
            return
        waiting = self._busy.get(channel) if self._busy is not None and channel is not None else None
        if len(self._calls) + (len(waiting) if waiting else 0) >= self.terms.limits.pending_commands:
            self._fail(command.id, Failure(codes.TOO_MANY_REQUESTS))
        elif waiting is not None:
            waiting.append(command)
        else:
            self._start(command, kind, channel or "", now)

    def _start(self, command: Command, kind: str, channel: str, now: float) -> None:
        if kind == "subscribe":
            self._subscribe(command, now)
        elif kind == "unsubscribe":
            self._unsubscribe(command, now)
        elif kind == "ping":
            next_number = self._numbers.next if self._numbers is not None else None
            self._send(result_reply(command.id, next_number, has_wh=next_number is not None))
        elif kind == "send":
            assert command.send is not None
            self._out.append(Received(command.send.data))
        else:
            request = request_of(command)
            if request is None:
                self._fail(command.id, Failure(codes.NOT_AVAILABLE))
            else:
                self._call(request, _Open(command.id, kind, channel))

    def _channel_problem(self, channel: str) -> str:
        if not channel:
            return "a channel has a name"
        if len(channel) > self.terms.limits.channel_bytes or len(channel.encode()) > self.terms.limits.channel_bytes:
            return f"a channel's name has at most {self.terms.limits.channel_bytes} bytes"
        if not channel.isprintable():
            return "a channel's name has no control characters"
        return ""

    def _release(self, channel: str, now: float) -> None:
        """The command on this channel is done: the next may start."""
        if self._busy is None or channel not in self._busy:
            return
        waiting = self._busy.pop(channel)
        while waiting and channel not in self._busy and self.state is SessionState.CONNECTED:
            command = waiting.popleft()
            self._start(command, kind_of(command), channel, now)
        if waiting and channel in self._busy:
            self._busy[channel].extend(waiting)

    # ---- subscriptions ---------------------------------------------------------------------------------------------

    def _subscribe(self, command: Command, now: float) -> None:
        request = command.subscribe
        assert request is not None
        held = self.subscriptions.get(request.channel)
        if held is not None and self._numbers is None:
            self._fail(command.id, Failure(codes.ALREADY_SUBSCRIBED))
            return
        if held is not None:  # a client that numbers its commands may say it again: the slot is replaced
            self._end_subscription(held, None, now)
        if len(self.subscriptions) >= self.terms.limits.channels:
            limit = self.terms.limits.channels
            self._fail(command.id, Failure(codes.LIMIT_EXCEEDED, f"a session has at most {limit} subscriptions"))
            return
        subscription = Subscription(request, command.id)
        self.subscriptions[request.channel] = subscription
        self._call(Authorize(request), _Open(command.id, "subscribe", request.channel, subscription))

    def _subscription_answer(self, subscription: Subscription, number: int, answer: Answer, now: float) -> None:
        if subscription.state is SubscriptionState.ENDED:
            return
        slot = subscription.slot
        if isinstance(answer, Grant) and slot is None:
            slot = subscription.granted(answer)
            self._out.append(Attach(slot, subscription.watches))
            self._follow(subscription, slot.start(self.terms.limits, is_paused=self.is_paused), now)
        elif isinstance(answer, PageRead) and slot is not None and number == subscription.read:
            subscription.read = 0
            outputs = slot.page(answer.page, self.terms.limits, tail_from=answer.tail_from)
            self._follow(subscription, outputs, now)
            self._drain(now)
        elif isinstance(answer, Failure) and subscription.state is not SubscriptionState.OPEN:
            command_id = subscription.command_id
            self._end_subscription(subscription, None, now)
            self._fail(command_id, answer)
        elif isinstance(answer, Failure):
            self._end_subscription(subscription, codes.INSUFFICIENT_STATE, now)

    def _follow(self, subscription: Subscription, outputs: list[SlotOutput], now: float) -> None:
        """Carry out what the slot says."""
        slot = subscription.slot
        assert slot is not None
        for output in outputs:
            match output:
                case Read():
                    request = ReadPage(subscription.channel, output.since, output.limit, output.max_bytes)
                    subscription.read = self._call(
                        request, _Open(subscription.command_id, "page", subscription.channel, subscription)
                    )
                case Started():
                    self._started(subscription, output, now)
                case Missed(publications):
                    self._out.append(SendMissed(slot, publications))
                case Tail(first, last):
                    self._out.append(SendTail(slot, first, last))
                case Dropped(count):
                    self._out.append(Count("signal_slow", count))
                case Lost(was_slow):
                    self._slot_lost(subscription, was_slow, now)

    def _started(self, subscription: Subscription, started: Started, now: float) -> None:
        result = subscription.started(started)
        if result is None:
            command_id = subscription.command_id
            self._end_subscription(subscription, None, now)
            self._fail(command_id, Failure(codes.UNRECOVERABLE_POSITION))
            return
        self._send(Reply(id=subscription.command_id, subscribe=result))
        grant = subscription.grant
        if grant is not None and grant.presence:
            self._out.append(Enter(subscription.channel, self._client_info(grant)))
        self._release(subscription.channel, now)

    def _client_info(self, grant: Grant) -> ClientInfo:
        return ClientInfo(
            user=self.user,
            client=self.client,
            conn_info=UNSET if self.info is None else self.info,
            chan_info=UNSET if grant.info is None else grant.info,
        )

    def _slot_lost(self, subscription: Subscription, was_slow: bool, now: float) -> None:
        if was_slow:
            self.end(codes.SLOW, f"history of {subscription.channel} no longer reaches back to what was sent")
        elif subscription.state is SubscriptionState.OPEN:
            self._end_subscription(subscription, codes.INSUFFICIENT_STATE, now)
        else:
            command_id = subscription.command_id
            self._end_subscription(subscription, None, now)
            self._fail(command_id, Failure(codes.INTERNAL))

    def _unsubscribe(self, command: Command, now: float) -> None:
        assert command.unsubscribe is not None
        subscription = self.subscriptions.get(command.unsubscribe.channel)
        if subscription is not None:
            self._end_subscription(subscription, None, now)
        self._send(result_reply(command.id, "unsubscribed"))

    def _end_subscription(self, subscription: Subscription, code: Code | None, now: float) -> None:
        """End it; `code`: tell the client with a push."""
        self._forget(subscription)
        if code is not None:
            self._send(Reply(push=Push(subscription.channel, unsubscribe=Unsubscribe(code.number, code.text))))
        if subscription.state is not SubscriptionState.ENDED:
            subscription.end()
        self._release(subscription.channel, now)
        self._drain(now)

    def _forget(self, subscription: Subscription) -> None:
        was_open = subscription.state is SubscriptionState.OPEN
        if self.subscriptions.get(subscription.channel) is subscription:
            del self.subscriptions[subscription.channel]
        if subscription.slot is not None:
            self._out.append(Detach(subscription.slot))
        if was_open and subscription.grant is not None and subscription.grant.presence:
            self._out.append(Leave(subscription.channel, self.client))
        subscription.end()

    def _drain(self, now: float) -> None:
        """Let the next slot that fell behind catch up, unless one does already or the wire is full again."""
        while self._draining and not self.is_paused and self.state is SessionState.CONNECTED:
            slot = self._draining[-1].slot
            if slot is not None and slot.state is SlotState.CATCHING_UP and self._draining[-1].read:
                slot.drain(self.terms.limits)
                return
            subscription = self._draining.pop()
            if slot is not None and slot.state is SlotState.LAGGING:
                self._draining.append(subscription)
                self._follow(subscription, slot.drain(self.terms.limits), now)
                if slot.delivery == "signal" and self._draining:
                    self._draining.pop()

    # ---- small things ----------------------------------------------------------------------------------------------

    def _call(self, request: Request, opened: _Open) -> int:
        number = self._next_call
        self._next_call += 1
        self._calls[number] = opened
        if opened.channel and opened.kind != "page":
            if self._busy is None:
                self._busy = {}
            self._busy.setdefault(opened.channel, deque())
        self._out.append(Call(number, request))
        return number

    def _fail(self, command_id: int, failure: Failure) -> None:
        if failure.code.kind is not Kind.ERROR:
            self.end(failure.code, failure.message)
        elif command_id:
            self._send(refusal(command_id, failure))
        else:
            self._out.append(Count(f"send_{failure.code.name}", 1))

    def _send(self, reply: Reply) -> None:
        self._out.append(Send(reply))

    def _ping(self, now: float) -> None:
        heartbeat = self.terms.heartbeat
        assert heartbeat is not None
        self._send(PING)
        self._ping_at = now + heartbeat.interval
        if heartbeat.wants_pong:
            self._pong_by = now + heartbeat.patience

    def _gap_is_old(self, now: float) -> bool:
        since = self._numbers.gap_since if self._numbers is not None else None
        return since is not None and now >= since + self.terms.limits.gap_seconds

    def _shut(self) -> None:
        self.state = SessionState.CLOSED
        for subscription in list(self.subscriptions.values()):
            self._forget(subscription)
        self._calls.clear()
        self._busy = self._held = self._draining = None
        self._stale_at = self._ping_at = self._pong_by = None
