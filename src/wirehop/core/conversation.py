"""What outlives a wire: which of a client's wires is current, which are on trial, how long it waits for another.

Theory. A client that changes its wire opens the new one beside the old: a *trial*, which has all it needs and runs
nothing. Only when the client says, on the trial itself, that it hears it (`confirm`), the trial becomes *current* and
all older wires are fenced: nothing that still comes from them is executed. So there is one current wire at any moment,
a wire is left only for one that is known to work, and whoever shows a token without hearing the answer moves nothing.
Wires have rising numbers; the first one is current at once, because there is none to take over from.

    NEW       ─open→     ATTACHED   its first wire
    ATTACHED  ─open→     ATTACHED   a trial more
    ATTACHED  ─confirm→  ATTACHED   that wire is current now, or was
    ATTACHED  ─lost→     ATTACHED (a trial) · DETACHED (the current wire) · ENDED (nobody ever confirmed, no trial)
    DETACHED  ─open→     DETACHED   a trial
    DETACHED  ─confirm→  ATTACHED
    DETACHED  ─lost→     DETACHED · ENDED (the last trial, with no window left)
    DETACHED  ─time→     DETACHED · ENDED
    any       ─end→      ENDED

A session that nobody confirmed has no window: its client never heard of it. An open trial counts as a wire, also
with a window of 0.
"""

from enum import Enum, auto

from msgspec import Struct

from wirehop.core.errors import LocalProtocolError
from wirehop.core.table import Table

TRIALS = 2
"""Open at a time; one more drops the oldest."""
TRIAL_SECONDS = 10.0
"""For a trial to be confirmed; then it is dropped."""


class ConversationState(Enum):
    NEW = auto()
    ATTACHED = auto()
    DETACHED = auto()
    ENDED = auto()


class ConversationInput(Enum):
    OPEN = auto()
    CONFIRM = auto()
    LOST = auto()
    TIME = auto()
    END = auto()


_S, _I = ConversationState, ConversationInput
CONVERSATION_TABLE: Table[ConversationState, ConversationInput] = Table(
    "conversation",
    {
        (_S.NEW, _I.OPEN): (_S.ATTACHED,),
        (_S.NEW, _I.END): (_S.ENDED,),
        (_S.ATTACHED, _I.OPEN): (_S.ATTACHED,),
        (_S.ATTACHED, _I.CONFIRM): (_S.ATTACHED,),
        (_S.ATTACHED, _I.LOST): (_S.ATTACHED, _S.DETACHED, _S.ENDED),
        (_S.ATTACHED, _I.TIME): (_S.ATTACHED,),
        (_S.ATTACHED, _I.END): (_S.ENDED,),
        (_S.DETACHED, _I.OPEN): (_S.DETACHED,),
        (_S.DETACHED, _I.CONFIRM): (_S.DETACHED, _S.ATTACHED),
        (_S.DETACHED, _I.LOST): (_S.DETACHED, _S.ENDED),
        (_S.DETACHED, _I.TIME): (_S.DETACHED, _S.ENDED),
        (_S.DETACHED, _I.END): (_S.ENDED,),
        (_S.ENDED, _I.CONFIRM): (_S.ENDED,),
        (_S.ENDED, _I.LOST): (_S.ENDED,),
        (_S.ENDED, _I.TIME): (_S.ENDED,),
        (_S.ENDED, _I.END): (_S.ENDED,),
    },
)


class Fenced(Struct, frozen=True):
    """The wire was current and is so no more: nothing from it is executed, and it is closed with 3600."""

    wire: int


class TrialDropped(Struct, frozen=True):
    """The trial is over without having been confirmed; it is closed with 3600."""

    wire: int


class Moved(Struct, frozen=True):
    """The wire is current now: what it held runs, and what others would have been told goes to it."""

    wire: int


class WentAway(Struct, frozen=True):
    """There is no current wire; the session waits until `until` for another."""

    until: float


class Ended(Struct, frozen=True):
    """For good: nobody can come back to it."""


ConversationOutput = Fenced | TrialDropped | Moved | WentAway | Ended


class Conversation:
    """The machine. `window` is how many seconds it waits without a wire; `current` the number of the wire that counts,
    0 for none."""

    __slots__ = ("_out", "_trials", "current", "is_confirmed", "newest", "state", "until", "window")

    def __init__(self, window: float) -> None:
        self.window = window
        self.state = ConversationState.NEW
        self.current = 0
        self.newest = 0
        self.is_confirmed = False  # once by its client
        self.until: float | None = None  # while detached
        self._trials: dict[int, float] | None = None  # until when, the oldest first
        self._out: list[ConversationOutput] | None = None

    @classmethod
    def elsewhere(cls, window: float, *, next_wire: int, now: float) -> "Conversation":
        """One whose current wire is at another node: the first wire here has the number `next_wire`, and is a trial.
        Without a trial it is over."""
        self = cls(window)
        self.state, self.newest, self.is_confirmed = ConversationState.DETACHED, next_wire - 1, True
        self.until = now
        return self

    def skip_to(self, wire: int) -> None:
        """The next wire has this number: those before it were opened at another node."""
        self.newest = max(self.newest, wire - 1)

    @property
    def trials(self) -> tuple[int, ...]:
        """The wires that are open and not confirmed, the oldest first."""
        return tuple(self._trials or ())

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state is ConversationState.ENDED

    def take(self) -> list[ConversationOutput]:
        """What has come of the inputs since the last call, in order."""
        out, self._out = self._out, None
        return out or []

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        if self._trials is None and self.until is None:
            return None
        due = list((self._trials or {}).values())
        if self.until is not None and not self._trials:
            due.append(self.until)
        return min(due, default=None)

    def open(self, now: float, *, is_heard: bool = False) -> int:
        """A new wire; its number. `is_heard`: its client showed a token of this session, so it has heard of it."""
        if self.state is ConversationState.ENDED:
            raise LocalProtocolError("conversation", "ENDED", "open")
        CONVERSATION_TABLE.enter(self.state, ConversationInput.OPEN)
        self.newest += 1
        self.is_confirmed = self.is_confirmed or is_heard
        if self.state is ConversationState.NEW:
            self.state = ConversationState.ATTACHED
            self.current = self.newest
            return self.newest
        if self._trials is None:
            self._trials = {}
        self._trials[self.newest] = now + TRIAL_SECONDS
        if len(self._trials) > TRIALS:
            self._drop(next(iter(self._trials)))
        return self.newest

    def confirm(self, wire: int, now: float) -> bool:
        """The client says on `wire` that it hears it. False for one that was left behind: nothing of it counts."""
        CONVERSATION_TABLE.enter(self.state, ConversationInput.CONFIRM)
        if self.state is ConversationState.ENDED:
            return False
        if wire == self.current:
            self.is_confirmed = True
            return True
        if self._trials is None or wire not in self._trials:
            return False
        self._forget(wire)
        for older in [each for each in self.trials if each < wire]:
            self._drop(older)
        if self.current:
            self._tell(Fenced(self.current))
        self.state, self.current, self.until, self.is_confirmed = ConversationState.ATTACHED, wire, None, True
        self._tell(Moved(wire))
        return True

    def runs(self, wire: int) -> bool:
        """Whether what comes from this wire is executed."""
        return wire == self.current and self.state is ConversationState.ATTACHED

    def lost(self, wire: int, now: float) -> None:
        """The wire is gone."""
        CONVERSATION_TABLE.enter(self.state, ConversationInput.LOST)
        if wire in self.trials:
            self._forget(wire)
            self._end_if_over(now)
        elif wire == self.current and self.state is ConversationState.ATTACHED:
            self.current = 0
            if not self.is_confirmed and not self._trials:
                self.end()
                return
            self.state = ConversationState.DETACHED
            self.until = now + (self.window if self.is_confirmed else 0.0)
            self._tell(WentAway(self.until))
            self._end_if_over(now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        CONVERSATION_TABLE.enter(self.state, ConversationInput.TIME)
        for wire in [each for each, due in (self._trials or {}).items() if now >= due]:
            self._drop(wire)
        self._end_if_over(now)

    def end(self) -> None:
        """For good: a bye, a disconnect, a limit."""
        CONVERSATION_TABLE.enter(self.state, ConversationInput.END)
        if self.state is ConversationState.ENDED:
            return
        for wire in self.trials:
            self._drop(wire)
        self.state, self.current, self.until = ConversationState.ENDED, 0, None
        self._tell(Ended())

    # ---- inside --------------------------------------------------------------------------------------------------

    def _tell(self, output: ConversationOutput) -> None:
        if self._out is None:
            self._out = []
        self._out.append(output)

    def _forget(self, wire: int) -> None:
        """The wire is no trial any more."""
        assert self._trials is not None
        del self._trials[wire]
        if not self._trials:
            self._trials = None

    def _drop(self, wire: int) -> None:
        self._forget(wire)
        self._tell(TrialDropped(wire))

    def _end_if_over(self, now: float) -> None:
        is_alone = self.state is ConversationState.DETACHED and not self._trials
        if is_alone and self.until is not None and now >= self.until:
            self.end()
