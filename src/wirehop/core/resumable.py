"""What of a client's session outlives its wires, and how it passes from one wire to the next.

Theory. A `Session` is the machine of one wire; several of them may belong to one `Resumable`: the current one and those
on trial. What must not be lost with a wire stands here: the tokens, the numbers of the commands, the replies that were
not acknowledged, the order of commands on a channel, calls to the client, and, while there is no wire, what the client
is subscribed to. Which wire counts is decided by `Conversation`; here is what follows from it:

- a wire that is *fenced* lets its subscriptions go without a leave, finishes the commands that it has begun (their
  replies go to the current wire), and is closed with 3600;
- the wire that becomes *current* enters and leaves what differs in presence, and is asked again what the client owes;
- without a wire, subscriptions are kept with their expiry and no slot (`Absence`), until the window is over.

How it passes from node to node is `Ownership`'s matter.

Inputs come through the sessions; `settle(now)` follows every input and carries out what sessions left to be done.
Outputs are drained with `take()`; `deadline()` says when to call `tick(now)`.
"""

from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from wirehop.core import codes
from wirehop.core.absence import Absence, Kept
from wirehop.core.calls import Calls
from wirehop.core.codes import Code
from wirehop.core.conversation import Conversation, ConversationOutput, Ended, Fenced, Moved, TrialDropped, WentAway
from wirehop.core.handles import Handles
from wirehop.core.handover import HandedCopy
from wirehop.core.limits import Limits
from wirehop.core.membership import Membership
from wirehop.core.messages import Command, Reply
from wirehop.core.numbers import CommandNumbers
from wirehop.core.once import REPLY_BYTES, OnceOnly
from wirehop.core.order import CommandOrder
from wirehop.core.ownership import Copied, Ownership

if TYPE_CHECKING:
    from wirehop.core.session import Session

BYE_SECONDS = 2.0
"""How long a `bye` waits for commands before it that are missing."""
WIRE_ONLY = frozenset({codes.SLOW, codes.WRITE_ERROR, codes.FORCE_RECONNECT, codes.NO_PONG, codes.SUPERSEDED})
"""Closes that say something of the wire; any other one ends the session."""


class Answered(Struct, frozen=True):
    """A command that runs once has its reply, and the session was handed over: the new owner wants it."""

    reply: Reply


class Promoted(Struct, frozen=True):
    """The session is the current one now. `before` is the one that was, if it still had a wire."""

    session: "Session"
    before: "Session | None"


class Detached(Struct, frozen=True):
    """There is no current wire; `last` was it."""

    last: "Session"


class Gone(Struct, frozen=True):
    """The session is over for good. It leaves the presence of these channels. `is_elsewhere`: only a copy is over, or
    the session is another node's now."""

    code: Code
    reason: str
    leaves: tuple[str, ...]
    is_elsewhere: bool = False


class Departed(Struct, frozen=True):
    """The session leaves the presence of a channel."""

    channel: str


ResumableOutput = Promoted | Detached | Gone | Departed | Answered


class Resumable:
    """`client` is the session's public id, `window` the seconds that it waits for a wire."""

    __slots__ = (
        "_bye_by",
        "_given_up",
        "_left",
        "_out",
        "_ownership",
        "absence",
        "calls",
        "client",
        "current",
        "handles",
        "last",
        "limits",
        "numbers",
        "once",
        "order",
        "trials",
        "user",
        "wires",
    )

    def __init__(self, client: str, user: str, limits: Limits, window: float) -> None:
        self.client = client
        self.user = user
        self.limits = limits
        self.wires = Conversation(window)
        self.handles = Handles()
        self.numbers = CommandNumbers(max_count=limits.pending_commands, max_bytes=limits.held_bytes)
        self.once = OnceOnly(max_bytes=limits.held_bytes)
        self.order = CommandOrder()
        self.current: Session | None = None
        self.last = 0  # the number of the wire that is current, or was
        self.trials: dict[int, Session] | None = None
        self.absence: Absence | None = None  # while there is no wire
        self.calls: Calls | None = None  # to the client
        self._left: list[tuple[Session, Code, str, bool]] | None = None
        self._given_up: list[tuple[Session, str]] | None = None
        self._bye_by: float | None = None
        self._ownership: Ownership | None = None
        self._out: list[ResumableOutput] | None = None

    # ---- what drives it ----------------------------------------------------------------------------------------------

    def take(self) -> list[ResumableOutput]:
        """What has come of the inputs since the last call, in order."""
        out, self._out = self._out, None
        return out or []

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        due = [self.wires.deadline(), self._bye_by]
        if self._ownership is not None:
            due.append(self._ownership.deadline())
        if self.current is None and self.absence is not None:
            due.append(self.absence.deadline(self.limits.expiry_grace_seconds))
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Time has passed."""
        grace, absence = self.limits.expiry_grace_seconds, self.absence if self.current is None else None
        if self._bye_by is not None and now >= self._bye_by:
            self.end(codes.CLOSED, "the client said bye")
        elif absence is not None and absence.has_expired(now, grace):
            self.end(codes.CONNECTION_EXPIRED)
        else:
            for channel in absence.expired(now, grace) if absence is not None else ():
                self.unsubscribe(channel, codes.SUBSCRIPTION_EXPIRED)
            self.wires.tick(now)
            if self._ownership is not None:
                self._ownership.tick(now)
        self.settle(now)

    @property
    def is_over(self) -> bool:
        """Whether nobody can come back to it."""
        return self.wires.is_over

    @property
    def has_trial(self) -> bool:
        """Whether a wire is open and not confirmed."""
        return bool(self.trials)

    # ---- wires -------------------------------------------------------------------------------------------------------

    def join(self, session: "Session", token: str, now: float, *, is_resumed: bool) -> Membership:
        """A session on a new wire, with its fresh token."""
        wire = self.wires.open(now, is_heard=is_resumed)
        self.handles.issue(token)
        is_trial = self.wires.current != wire
        if not is_trial:
            self.current, self.last = session, wire
        else:
            if self.trials is None:
                self.trials = {}
            self.trials[wire] = session
        self.settle(now)
        return Membership(self, session, wire, is_trial=is_trial)

    def confirm(self, wire: int, now: float) -> None:
        """The client says on this wire that it hears it."""
        self.handles.prove(wire)
        self.wires.confirm(wire, now)
        self.settle(now)

    def left(self, session: "Session", code: Code, reason: str, *, is_over: bool) -> None:
        """The session is closing, and with it all (`is_over`) or only its wire; nothing was let go yet. `settle` does
        the rest."""
        if self.current is session:
            self.absence = Absence(session.kept(), expires_at=session.expires_at)
            self.current = None
        if self._left is None:
            self._left = []
        self._left.append((session, code, reason, is_over))

    def settle(self, now: float) -> None:
        """Carry out what the last input has led to."""
        while True:
            left, self._left = self._left, None
            last: Session | None = None
            code, reason = codes.CLOSED, "nobody came back within the window"
            for session, code, reason, is_over in left or ():
                if is_over:
                    self.end(code, reason)
                elif not self.is_over:
                    last = session
                    if self.trials is not None:
                        self.trials.pop(session.wire, None)
                    self.wires.lost(session.wire, now)
            outputs = self.wires.take()
            self._follow(outputs, last, code, reason, now)
            given_up, self._given_up = self._given_up, None
            for session, channel in given_up or ():
                self.finished(session, channel, now)
            if not outputs and not self._left and not given_up:
                return

    def _follow(
        self, outputs: list[ConversationOutput], last: "Session | None", code: Code, reason: str, now: float
    ) -> None:
        before: Session | None = None
        for output in outputs:
            match output:
                case Fenced():
                    before = self.current
                case TrialDropped(wire):
                    dropped = self.trials.pop(wire, None) if self.trials is not None else None
                    if dropped is not None:
                        dropped.supersede()
                case Moved(wire):
                    self._promote(wire, before, now)
                case WentAway():
                    self.order.keep_once_only()
                    if last is not None:
                        self._tell(Detached(last))
                case Ended():
                    self._finish(code, reason)

    def end(self, code: Code, reason: str = "") -> None:
        """End it for good, on all its wires."""
        if self.is_over:
            return
        sessions = [*(self.trials or {}).values(), *([self.current] if self.current is not None else [])]
        if self.current is not None:
            self.absence = Absence(self.current.kept())
        self.wires.end()
        self.wires.take()
        for session in sessions:
            session.shut_with(code, reason or code.text)
        self._finish(code, reason or code.text)

    def _promote(self, wire: int, before: "Session | None", now: float) -> None:
        session = self.trials.pop(wire) if self.trials is not None else None
        assert session is not None
        if not self.trials:
            self.trials = None
        kept = self.kept()
        self.current, self.absence, self._bye_by, self.last = session, None, None, wire
        if before is not None:
            before.supersede()
            self.order.keep_once_only()
        self.numbers.restart_gap(now)
        is_in = {channel for channel, each in kept.items() if each.grant.presence}
        stays = session.promoted(is_in, now)
        for channel in is_in - stays:
            if not session.await_again(channel, kept[channel], now):
                self._tell(Departed(channel))
        for push in self.calls.open.values() if self.calls is not None else ():
            session.push(push)
        self._tell(Promoted(session, before))
        session.run_held(now)

    def _finish(self, code: Code, reason: str) -> None:
        kept = self.absence.kept if self.absence is not None and self.origin is None else {}
        self.current = self.trials = self.absence = self.calls = self._bye_by = None
        leaves = tuple(channel for channel, each in kept.items() if each.grant.presence)
        self._tell(Gone(code, reason, leaves, is_elsewhere=self.origin is not None))

    # ---- from node to node -------------------------------------------------------------------------------------------

    @classmethod
    def copied(cls, copy: HandedCopy, owner: str, limits: Limits, now: float) -> "Resumable":
        """A copy of a session that is another node's: wires may be on trial here, nothing is executed."""
        self = cls(copy.client, copy.user, limits, copy.window)
        self.wires = Conversation.elsewhere(copy.window, next_wire=copy.attach, now=now)
        self._ownership = Ownership(self, Copied(owner))
        self._ownership.renew(copy, now)
        return self

    @property
    def ownership(self) -> Ownership:
        """Whose it is, and how it changes hands."""
        if self._ownership is None:
            self._ownership = Ownership(self)
        return self._ownership

    @property
    def origin(self) -> Copied | None:
        """The node whose it is, while that is not this one."""
        return None if self._ownership is None else self._ownership.origin

    def let_go(self) -> None:
        """It was told to another node, whose it is now: fence what is here."""
        sessions = [*(self.trials or {}).values(), *([self.current] if self.current is not None else [])]
        self.current = self.trials = self.absence = self.calls = self._bye_by = None
        for session in sessions:
            session.supersede()
        self.order.keep_once_only()
        self.wires.end()
        self.wires.take()
        self._tell(Gone(codes.SUPERSEDED, "another node has it now", (), is_elsewhere=True))

    # ---- subscriptions -----------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, Kept]:
        """What the client is subscribed to."""
        if self.current is not None:
            return self.current.kept()
        return {} if self.absence is None else self.absence.kept

    @property
    def ended(self) -> dict[str, int]:
        """Subscriptions that ended while there was no wire, with their codes."""
        return {} if self.absence is None else self.absence.ended

    @property
    def expires_at(self) -> float | None:
        """When it ends unless it is refreshed; None: never."""
        if self.current is not None:
            return self.current.expires_at
        return None if self.absence is None else self.absence.expires_at

    def unsubscribe(self, channel: str, code: Code) -> bool:
        """End a subscription while there is no wire; the client hears of it when it comes back."""
        if self.current is not None or self.absence is None:
            return False
        kept = self.absence.unsubscribe(channel, code)
        if kept is not None and kept.grant.presence:
            self._tell(Departed(channel))
        return kept is not None

    # ---- commands ----------------------------------------------------------------------------------------------------

    def acknowledge(self, acked: tuple[int, ...]) -> None:
        """The client has these replies: all numbers up to the first, and each of the others."""
        self.once.acknowledge(acked)

    def begin(self, number: int) -> bool:
        """A command that runs once is accepted. False: too many are not acknowledged."""
        if len(self.once) + self.numbers.waiting >= self.limits.pending_commands:
            if self.wires.is_confirmed:
                return False
            self.once.forget_oldest()  # nobody can come back for them
        self.once.begin(number)
        return True

    def answered(self, session: "Session", reply: Reply) -> None:
        """A command of the session has its reply. If it runs once, the reply is kept and goes to the current wire."""
        if self.is_over:
            self._tell(Answered(reply))
            return
        size = REPLY_BYTES
        if reply.rpc is not None and isinstance(reply.rpc.data, Raw):
            size += len(bytes(reply.rpc.data))
        self.once.answered(reply.id, reply, size)
        if self.current is not None and (self.current is session or reply.id in self.once):
            self.current.send(reply)

    def gave_up(self, session: "Session", channel: str) -> None:
        """The command that ran on a channel was let go of with its wire, because its client asks again."""
        if self._given_up is None:
            self._given_up = []
        self._given_up.append((session, channel))

    def finished(self, session: "Session", channel: str, now: float) -> None:
        """The command that ran on a channel is done: the next one starts, on the current wire where there is one."""
        runner = self.current or session
        for command in self.order.finish(channel):
            runner.run_next(command, now)

    def bye(self, command: Command, now: float) -> None:
        """The client will not come back. Commands before this one that are missing have 2 s."""
        if command.id <= self.numbers.next or command.id in self.numbers:
            self._bye_by = now
        else:
            self._bye_by = now + BYE_SECONDS

    def check_bye(self) -> None:
        """Commands have come: nothing may be missing before a `bye` any more."""
        if self._bye_by is not None and self.numbers.gap_since is None:
            self.end(codes.CLOSED, "the client said bye")

    # ---- calls to the client -----------------------------------------------------------------------------------------

    def call(self, method: str, data: Raw) -> int:
        """Ask the client; the number under which it answers."""
        if self.calls is None:
            self.calls = Calls()
        number, push = self.calls.begin(method, data)
        if self.current is not None:
            self.current.push(push)
        return number

    def called(self, number: int) -> bool:
        """The client has answered, or nobody waits any more. False for a number that is not open."""
        return self.calls is not None and self.calls.finish(number)

    def _tell(self, output: ResumableOutput) -> None:
        if self._out is None:
            self._out = []
        self._out.append(output)
