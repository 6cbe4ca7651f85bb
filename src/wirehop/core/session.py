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

from msgspec import Raw

from wirehop.core import codes
from wirehop.core.absence import Kept
from wirehop.core.codes import Code, Kind
from wirehop.core.effects import (
    Admitted,
    Answer,
    Authenticate,
    Call,
    Close,
    Count,
    Failure,
    Grant,
    Output,
    Received,
    Refreshed,
    Request,
    Send,
    SubRefresh,
)
from wirehop.core.greeting import Greeting
from wirehop.core.handover import HandOver
from wirehop.core.limits import Limits, channel_problem
from wirehop.core.membership import Membership
from wirehop.core.messages import (
    PING,
    Command,
    Position,
    Push,
    Refresh,
    RefreshResult,
    Reply,
    SubRefreshResult,
    SubscribeResult,
    Wh,
)
from wirehop.core.order import CommandOrder
from wirehop.core.replies import channel_of, is_pong, kind_of, refusal, request_of, result_reply, seconds_left
from wirehop.core.resumable import WIRE_ONLY, Resumable
from wirehop.core.slot import Slot
from wirehop.core.states import SessionState
from wirehop.core.subscription import Subscription
from wirehop.core.subscription_host import OpenCall
from wirehop.core.subscriptions import Subscriptions
from wirehop.core.terms import Terms

NEVER = float("inf")
NOT_SUBSCRIBED = "the session is not subscribed to this channel"


class Session:
    """The machine. `client` is its public id, `secret` the handle of wires whose commands travel apart."""

    __slots__ = (
        "_calls",
        "_expires_at",
        "_greeting",
        "_held",
        "_held_bytes",
        "_next_call",
        "_order",
        "_out",
        "_ping_at",
        "_pong_by",
        "_stale_at",
        "_subscriptions",
        "client",
        "info",
        "is_paused",
        "membership",
        "secret",
        "state",
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
        self._subscriptions = Subscriptions(self)
        self._out: list[Output] | None = None
        self._calls: dict[int, OpenCall] | None = None  # an emptied dictionary keeps its memory, None has none
        self._next_call = 1
        self._order = CommandOrder()
        self._held: list[tuple[Command, int]] | None = None  # behind a pending connect
        self._held_bytes = 0
        self.membership: Membership | None = None  # of a session that moves, for clients with `wh`
        self._stale_at: float | None = now + terms.limits.connect_seconds
        self._ping_at: float | None = None
        self._pong_by: float | None = None
        self._expires_at: float | None = None
        self._greeting: Greeting | None = None  # what the connect result is made of

    @property
    def subscriptions(self) -> dict[str, Subscription]:
        """What the session is subscribed to, or has asked for, by channel."""
        return self._subscriptions.by_channel

    # ---- what drives it ------------------------------------------------------------------------------------------

    def take(self) -> list[Output]:
        """What has come of the inputs since the last call, in order."""
        out, self._out = self._out, None
        return out or []

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        if self.state is SessionState.CLOSED:
            return None
        due = NEVER
        for at in (self._stale_at, self._ping_at, self._pong_by):
            if at is not None and at < due:
                due = at
        limits = self.terms.limits
        if self.membership is not None and self.membership.resumable.numbers.gap_since is not None:
            due = min(due, self.membership.resumable.numbers.gap_since + limits.gap_seconds)
        for at in (self._expires_at, self._subscriptions.expires_at):
            if at is not None:
                due = min(due, at + limits.expiry_grace_seconds)
        return None if due == NEVER else due

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
        elif self._expires_at is not None and now >= self._expires_at + self.terms.limits.expiry_grace_seconds:
            self.end(codes.CONNECTION_EXPIRED)
        else:
            if self._subscriptions.expires_at is not None and self.is_connected:
                self._subscriptions.tick(now)
            if self._ping_at is not None and now >= self._ping_at:
                self._ping(now)

    def receive(self, command: Command, now: float, size: int = 0) -> None:
        """A command arrived; `size` is its length in bytes."""
        self._pong_by = None  # whatever it is, the peer is alive
        if self.state is SessionState.CONNECTED:
            self._accept(command, now, size)
        elif self.state is SessionState.NEW:
            self._connect(command)
        elif self.state is SessionState.CONNECTING:
            self.hold(command, size)
        elif self.membership is not None:
            self.membership.accept_late(command, now, size)

    def heard(self) -> None:
        """The peer showed that it is alive (a pong frame, say)."""
        self._pong_by = None

    def answer(self, number: int, answer: Answer, now: float) -> None:
        """The answer to call `number`. One that is not open (any more) is ignored."""
        calls = self._calls
        call = calls.pop(number, None) if calls is not None else None
        if call is None:
            return
        if not calls:
            self._calls = None
        if call.kind == "connect":
            self._admitted(answer, now)
        elif call.subscription is not None:
            self._subscriptions.answered(call.subscription, number, answer, now)
        elif call.kind in ("refresh", "sub_refresh"):
            self._refreshed(call, answer, now)
        elif isinstance(answer, Failure):
            self.fail(call.command_id, answer)
            self.release(call.channel, now)
        else:
            self._reply(result_reply(call.command_id, answer, has_wh=self.membership is not None))
            self.release(call.channel, now)

    def published(self, slot: Slot, first: int, last: int, epoch: str, now: float, *, count: int = 1) -> None:
        """The publications `first` to `last`, `count` of them, are out and did not take this slot's fast lane."""
        self._subscriptions.published(slot, first, last, epoch, now, count=count)

    def compare(self, slot: Slot, top: Position, now: float) -> None:
        """The broker says where the channel's log ends: a live slot that stands elsewhere has missed something."""
        self._subscriptions.compare(slot, top, now)

    def behind(self, slot: Slot, offset: int, now: float) -> None:
        """A `SendTail` could not be carried out: the shared tail, which is bounded, has lost what follows `offset`."""
        self._subscriptions.behind(slot, offset, now)

    def push(self, push: Push) -> None:
        """Something without an offset that is for the client."""
        if self.state is SessionState.CONNECTED:
            self.send(Reply(push=push))

    def paused(self) -> None:
        """The wire is full."""
        self.is_paused = True
        self._subscriptions.pause()

    def resumed(self, now: float) -> None:
        """The wire takes bytes again: its slots catch up, one after the other."""
        self.is_paused = False
        self._subscriptions.resume(now)

    def subscribe(self, channel: str, grant: Grant, now: float, *, since: Position | None = None) -> None:
        """Subscribe from the server's side, from `since` on (None: from now on). Nothing happens where the session has
        the channel already, or as many as it may."""
        if self.state is SessionState.CONNECTED:
            self._subscriptions.open_by_server(channel, grant, since, now)

    def refresh(self, ttl: float, now: float) -> None:
        """The session expires `ttl` seconds from now; 0: never. The client is told."""
        if self.state is SessionState.CONNECTED:
            self._extend(ttl, now)
            self.send(Reply(push=Push(refresh=Refresh(ttl > 0, seconds_left(ttl)))))

    def unsubscribe(self, channel: str, code: Code, now: float) -> None:
        """End a subscription from the server's side; the client is told with `code`."""
        subscription = self.subscriptions.get(channel)
        if subscription is not None:
            self._subscriptions.end(subscription, code, now)

    def end(self, code: Code, reason: str = "") -> None:
        """End the session; the client is told with `code`."""
        if self.state is SessionState.CLOSED:
            return
        if self.membership is None:
            self._shut()
        else:
            is_over = code not in WIRE_ONLY and not self.membership.is_trial
            self._leave(code, reason or code.text, is_over=is_over)
        self.tell(Close(code, reason or code.text))

    def lost(self, reason: str = "", *, is_clean: bool = False) -> None:
        """The wire is gone; there is nobody to tell. `is_clean`: the client has closed it in order, which ends a
        session that moves unless it has another wire."""
        if self.state is SessionState.CLOSED:
            return
        membership = self.membership
        if membership is None:
            self._shut()
        else:
            is_over = is_clean and not membership.is_trial and not membership.resumable.has_trial
            self._leave(codes.CLOSED, reason, is_over=is_over)

    # ---- a session that moves (`Resumable`) ------------------------------------------------------------------------

    def join(self, resumable: Resumable, token: str, now: float, *, is_resumed: bool) -> None:
        """While it connects: the session is one of `resumable`, which its token was of (`is_resumed`) or which is
        new."""
        greeting = self._greeting
        assert greeting is not None
        greeting.token, greeting.is_resumed = token, is_resumed
        self.client = resumable.client
        self.membership = resumable.join(self, token, now, is_resumed=is_resumed)
        if is_resumed and greeting.wh is not None:
            self.membership.known = greeting.wh.acked

    @property
    def has_output(self) -> bool:
        """Whether `take` would give something."""
        return self._out is not None

    @property
    def wants_to_move(self) -> Wh | None:
        """What a client whose session moves said with the connect command that is awaited."""
        return None if self._greeting is None else self._greeting.wh

    @property
    def wire(self) -> int:
        """The number of its wire; 0 for clients without `wh`."""
        return 0 if self.membership is None else self.membership.wire

    @property
    def is_trial(self) -> bool:
        """Whether the wire is not the current one yet: what comes is held, and what has no offset goes elsewhere."""
        return self.membership is not None and self.membership.is_trial

    @property
    def expires_at(self) -> float | None:
        """When it ends unless it is refreshed; None: never."""
        return self._expires_at

    def kept(self) -> dict[str, Kept]:
        """What goes on over another wire."""
        return self._subscriptions.kept()

    def promoted(self, is_in: set[str], now: float) -> set[str]:
        """The wire is current now. `is_in`: in whose presence the session is; in whose it is now."""
        assert self.membership is not None
        self.membership.promoted()
        return self._subscriptions.promoted(is_in)

    def await_again(self, channel: str, kept: Kept, now: float) -> bool:
        """The wire is current now, and its client did not name this one, in whose presence it is. Whether it only
        does not know of it, and will ask again."""
        if self.membership is None or (kept.is_open and self.membership.has_heard(kept.number)):
            return False
        self._subscriptions.await_again(channel, kept, now)
        return True

    def supersede(self) -> None:
        """Another wire is current, or this one was not confirmed: let go of everything but the commands that run."""
        if self.state is not SessionState.CLOSED:
            self._let_go()
            self.tell(Close(codes.SUPERSEDED, codes.SUPERSEDED.text))

    def shut_with(self, code: Code, reason: str) -> None:
        """The session is over on all its wires."""
        if self.state is not SessionState.CLOSED:
            self._let_go()
            self.tell(Close(code, reason))

    def run_next(self, command: Command, now: float) -> None:
        """Run a command that waited for another one on its channel."""
        if self.state is SessionState.CONNECTED or (self.membership is not None and command.publish is not None):
            self.run(command, now)

    def _leave(self, code: Code, reason: str, *, is_over: bool) -> None:
        assert self.membership is not None
        self.membership.resumable.left(self, code, reason, is_over=is_over)
        self._let_go()

    def _let_go(self) -> None:
        """Shut, but for the commands that run once: their replies are wanted. The others make way on their channels."""
        assert self.membership is not None
        calls = {number: call for number, call in (self._calls or {}).items() if call.kind in ("publish", "rpc")}
        if not self.membership.is_trial:
            for number, call in (self._calls or {}).items():
                if call.channel and number not in calls:
                    self.membership.resumable.gave_up(self, call.channel)
        self._shut(leaves=False)
        self._calls = calls or None

    def taken_over(self, number: int, over: HandOver | None, now: float) -> None:
        """The answer to a `TakeOver`: the session, or None where somebody else was first or the owner does not
        answer."""
        if self.membership is not None and (self._calls or {}).pop(number, None) is not None:
            self.membership.taken_over(over, now)

    # ---- connect ---------------------------------------------------------------------------------------------------

    def _connect(self, command: Command) -> None:
        if command.connect is None or command.id == 0:
            self.end(codes.BAD_REQUEST_CLOSE, "the first command must be connect, with an id")
            return
        self.state = SessionState.CONNECTING
        self._stale_at = None
        self._greeting = Greeting(command.id, command.connect.subs, command.connect.wh)
        self.call(Authenticate(command.connect), OpenCall(command.id, "connect", ""))

    def hold(self, command: Command, size: int) -> None:
        """It waits until the wire takes commands."""
        self._held_bytes += size
        if self._held_bytes > self.terms.limits.held_bytes:
            self.end(
                codes.BAD_REQUEST_CLOSE,
                f"more than {self.terms.limits.held_bytes} bytes before the wire takes commands",
            )
            return
        if self._held is None:
            self._held = []
        self._held.append((command, size))

    def _admitted(self, answer: Answer, now: float) -> None:
        if not isinstance(answer, Admitted):
            self._refuse_connect(answer)
            return
        self.user, self.info = answer.user, answer.info
        greeting = self._greeting
        assert greeting is not None
        greeting.admitted = answer
        if (
            greeting.wh is not None and self.membership is None
        ):  # nobody keeps it: it has numbers, and ends with its wire
            self.join(Resumable(self.client, answer.user, self.terms.limits, 0.0), "", now, is_resumed=False)
        if not answer.subs and not greeting.is_resumed:
            self.opened({}, now)
            self.run_held(now)
            return
        resumable = self.membership.resumable if self.membership is not None else None
        openings = greeting.openings(answer.subs, resumable, now)
        if len(openings) > self.terms.limits.channels:
            self.end(codes.CHANNEL_LIMIT, f"a session has at most {self.terms.limits.channels} subscriptions")
        else:
            self._subscriptions.open_with_session(openings, now)

    def not_opened(self, channel: str) -> None:
        """`SubscriptionHost`: a subscription of the resumed session cannot go on from where the client is."""
        if self._greeting is not None:
            self._greeting.ended[channel] = codes.INSUFFICIENT_STATE.number

    def opened(self, subs: dict[str, SubscribeResult], now: float) -> None:
        """`SubscriptionHost`: the subscriptions that the session begins with have started. It is connected now."""
        greeting = self._greeting
        assert greeting is not None
        admitted, self._greeting = greeting.admitted, None
        assert admitted is not None
        self.state = SessionState.CONNECTED
        self._extend(admitted.ttl, now)
        heartbeat = self.terms.heartbeat
        if heartbeat is not None:
            self._ping_at = now + heartbeat.interval
        result = greeting.result(
            self.terms, client=self.client, secret=self.secret, subs=subs, membership=self.membership
        )
        self.send(Reply(id=greeting.command_id, connect=result))

    def run_held(self, now: float) -> None:
        """`SubscriptionHost`: now the commands that came behind the connect, or while the wire was on trial."""
        held, self._held, self._held_bytes = self._held or [], None, 0
        for command, size in held:
            if self.state is SessionState.CONNECTED:
                self._accept(command, now, size)

    def _refuse_connect(self, answer: Answer) -> None:
        failure = answer if isinstance(answer, Failure) else Failure(codes.INTERNAL)
        if failure.code.kind is Kind.ERROR:
            self.send(refusal(self._greeting.command_id if self._greeting else 0, failure))
            self.end(codes.CLOSED, failure.message or failure.code.text)
        else:
            self.end(failure.code, failure.message)

    # ---- commands --------------------------------------------------------------------------------------------------

    def _accept(self, command: Command, now: float, size: int) -> None:
        if self.membership is not None:
            self.membership.accept(command, now, size)
        elif not is_pong(command):
            self.run(command, now)

    def run(self, command: Command, now: float) -> None:
        """Start the command, or let it wait for the one that runs on its channel."""
        kind = kind_of(command)
        if kind in ("", "connect") or (command.id == 0 and kind != "send"):
            self.end(codes.BAD_REQUEST_CLOSE, f"not expected here: {kind or 'an unknown command'}, id {command.id}")
            return
        channel = channel_of(command)
        if channel is not None and (problem := channel_problem(channel, self.terms.limits)):
            self.fail(command.id, Failure(codes.BAD_REQUEST, problem))
            return
        order = self._order if self.membership is None else self.membership.resumable.order
        if len(self._calls or ()) + order.waiting >= self.terms.limits.pending_commands:
            self.fail(command.id, Failure(codes.TOO_MANY_REQUESTS))
        elif channel is None or not order.must_wait(channel, command):
            self._start(command, kind, channel or "", now)

    def _start(self, command: Command, kind: str, channel: str, now: float) -> None:
        if kind == "subscribe":
            self._subscriptions.subscribe(command, now, replaces=self.membership is not None)
        elif kind == "unsubscribe":
            self._subscriptions.unsubscribe(command, now)
        elif kind == "ping":
            next_number = None if self.membership is None else self.membership.resumable.numbers.next
            self.send(result_reply(command.id, next_number, has_wh=next_number is not None))
        elif kind == "send":
            assert command.send is not None
            self.tell(Received(command.send.data))
        else:
            request = request_of(command)
            if isinstance(request, SubRefresh):
                channel = request.channel
            if request is None:
                self.fail(command.id, Failure(codes.NOT_AVAILABLE))
            elif isinstance(request, SubRefresh) and channel not in self.subscriptions:
                self.fail(command.id, Failure(codes.PERMISSION_DENIED, NOT_SUBSCRIBED))
            else:
                self.call(request, OpenCall(command.id, kind, channel))

    def release(self, channel: str, now: float) -> None:
        """`SubscriptionHost`: the command on this channel is done, the next may start."""
        if self.membership is not None:
            self.membership.resumable.finished(self, channel, now)
            return
        for command in self._order.finish(channel):
            if self.state is SessionState.CONNECTED:
                self.run(command, now)

    # ---- what the subscriptions say through it (`SubscriptionHost`) ----------------------------------------------

    @property
    def limits(self) -> Limits:
        """The bounds of this session."""
        return self.terms.limits

    @property
    def is_connected(self) -> bool:
        """Whether commands are taken."""
        return self.state is SessionState.CONNECTED

    def call(self, request: Request, opened: OpenCall) -> int:
        """Ask the world; the number of the call."""
        number = self._next_call
        self._next_call += 1
        if self._calls is None:
            self._calls = {}
        self._calls[number] = opened
        if opened.channel and opened.kind not in ("page", "sub_refresh"):
            (self._order if self.membership is None else self.membership.resumable.order).begin(opened.channel)
        self.tell(Call(number, request))
        return number

    def fail(self, command_id: int, failure: Failure) -> None:
        """Answer a command with an error, or end the session where the code says so."""
        if failure.code.kind is not Kind.ERROR:
            self.end(failure.code, failure.message)
        elif command_id:
            self._reply(refusal(command_id, failure))
        else:
            self.tell(Count(f"send_{failure.code.name}", 1))

    def _reply(self, reply: Reply) -> None:
        """Answer a command: where the session has moved meanwhile, on the current wire."""
        if self.membership is None or self.membership.is_trial:
            self.send(reply)
        else:
            self.membership.resumable.answered(self, reply)

    def send(self, reply: Reply) -> None:
        """Say it to the client."""
        self.tell(Send(reply))

    def tell(self, output: Output) -> None:
        """Tell the world something that wants no answer."""
        if self._out is None:
            self._out = [output]
        else:
            self._out.append(output)

    # ---- expiry ----------------------------------------------------------------------------------------------------

    def _extend(self, ttl: float, now: float) -> None:
        self._expires_at = now + ttl if ttl > 0 else None

    def _refreshed(self, call: OpenCall, answer: Answer, now: float) -> None:
        """The answer to a refresh of the session, or of a subscription."""
        subscription = self.subscriptions.get(call.channel)
        if not isinstance(answer, Refreshed):
            failure = answer if isinstance(answer, Failure) else Failure(codes.INTERNAL)
            if failure.code.kind is Kind.UNSUBSCRIBE:
                if subscription is not None:
                    self._subscriptions.end(subscription, failure.code, now)
                failure = Failure(codes.EXPIRED, failure.message)
            self.fail(call.command_id, failure)
            return
        expires, ttl = answer.ttl > 0, seconds_left(answer.ttl)
        if call.kind == "refresh":
            self._extend(answer.ttl, now)
            result = RefreshResult(self.client, self.terms.version, expires, ttl)
            self.send(Reply(id=call.command_id, refresh=result))
        elif subscription is None:
            self.fail(call.command_id, Failure(codes.PERMISSION_DENIED, NOT_SUBSCRIBED))
        else:
            self._subscriptions.extend(subscription, answer.ttl, now)
            self.send(Reply(id=call.command_id, sub_refresh=SubRefreshResult(expires, ttl)))

    # ---- small things --------------------------------------------------------------------------------------------

    def _ping(self, now: float) -> None:
        heartbeat = self.terms.heartbeat
        assert heartbeat is not None
        self.send(PING)
        self._ping_at = now + heartbeat.interval
        if heartbeat.wants_pong and self._pong_by is None:  # the first unanswered ping is what counts
            self._pong_by = now + heartbeat.patience

    def _gap_is_old(self, now: float) -> bool:
        since = self.membership.resumable.numbers.gap_since if self.membership is not None else None
        return since is not None and now >= since + self.terms.limits.gap_seconds

    def _shut(self, *, leaves: bool = True) -> None:
        self.state = SessionState.CLOSED
        self._subscriptions.shut(leaves=leaves)
        self._calls = None
        self._order = CommandOrder()
        self._held = self._greeting = None
        self._stale_at = self._ping_at = self._pong_by = self._expires_at = None
