"""One subscription on one wire: catching up, live, lagging.

Theory. A slot has been *sent* everything up to a position. It starts somewhere (a position to recover from, or the
top), reads history from there, and goes live when nothing is missing between what it was sent and what is published
now. Publications that arrive meanwhile are not stored here: the slot remembers the range of offsets it heard of
(their bytes stand once, in the fan-out's tail shared by all) and asks for that range when history has been read.
Where history and the heard range do not meet, it reads again. Live, it notices a gap or a foreign epoch by the offset
alone and goes back to catching up. A wire that is full makes it lag: it hears nothing until the wire drains, and then
catches up from its position.

Classes differ in one point each: `latest` treats history that does not reach back as "all values", `signal` has no
history at all: it is live or it drops.

    NEW         ─start→      CATCHING_UP (signal: LIVE, or LAGGING on a full wire)
    CATCHING_UP ─page→       LIVE · CATCHING_UP (read again) · LAGGING (wire full) · CLOSED (lost)
    LIVE        ─gap→        CATCHING_UP (signal: LIVE)
    LIVE        ─pause→      LAGGING
    LAGGING     ─drain→      CATCHING_UP (signal: LIVE)
    any         ─stop→       CLOSED

The fan-out advances `next` (docs/architecture.md): that one integer says whether the slot is live and where. Live slots
that wait for the same offset share it in a cohort; a machine that sets its own `next` leaves. `out`, `lane` and `owner`
belong to the fan-out; the machine never looks at them.
"""

from enum import Enum, auto
from typing import Protocol

from msgspec import Struct

from wirehop.core.limits import Limits
from wirehop.core.messages import Position, Publication
from wirehop.core.recovery import HistoryPage
from wirehop.core.table import Table


class SlotState(Enum):
    NEW = auto()
    CATCHING_UP = auto()
    LIVE = auto()
    LAGGING = auto()
    CLOSED = auto()


class SlotInput(Enum):
    START = auto()
    PAGE = auto()
    GAP = auto()
    PAUSE = auto()
    DRAIN = auto()
    STOP = auto()


_S, _I = SlotState, SlotInput
SLOT_TABLE: Table[SlotState, SlotInput] = Table(
    "slot",
    {
        (_S.NEW, _I.START): (_S.CATCHING_UP, _S.LIVE, _S.LAGGING),
        (_S.NEW, _I.STOP): (_S.CLOSED,),
        (_S.CATCHING_UP, _I.PAGE): (_S.LIVE, _S.CATCHING_UP, _S.LAGGING, _S.CLOSED),
        (_S.CATCHING_UP, _I.PAUSE): (_S.CATCHING_UP,),
        (_S.CATCHING_UP, _I.DRAIN): (_S.CATCHING_UP,),
        (_S.CATCHING_UP, _I.GAP): (_S.CATCHING_UP,),
        (_S.CATCHING_UP, _I.STOP): (_S.CLOSED,),
        (_S.LIVE, _I.GAP): (_S.CATCHING_UP, _S.LIVE),
        (_S.LIVE, _I.PAUSE): (_S.LAGGING,),
        (_S.LIVE, _I.STOP): (_S.CLOSED,),
        (_S.LAGGING, _I.GAP): (_S.LAGGING,),
        (_S.LAGGING, _I.PAUSE): (_S.LAGGING,),
        (_S.LAGGING, _I.DRAIN): (_S.CATCHING_UP, _S.LIVE),
        (_S.LAGGING, _I.STOP): (_S.CLOSED,),
        (_S.CLOSED, _I.STOP): (_S.CLOSED,),
    },
)

NOT_LIVE = -1


class Read(Struct, frozen=True):
    """Read history after `since` (None: only the top, or in a `latest` channel all values)."""

    since: Position | None
    limit: int
    max_bytes: int


class Started(Struct, frozen=True):
    """The first answer, once: where the slot starts and what it was given."""

    recovered: bool
    publications: tuple[Publication, ...]
    position: Position


class Missed(Struct, frozen=True):
    """Publications that a slot which had fallen behind is sent now."""

    publications: tuple[Publication, ...]


class Tail(Struct, frozen=True):
    """The publications `first` to `last` from the shared tail are sent now."""

    first: int
    last: int


class Dropped(Struct, frozen=True):
    """`count` publications of the `signal` class were not sent because the wire was full."""

    count: int


class Lost(Struct, frozen=True):
    """What was missed cannot be had any more. `was_slow`: the wire was too slow; else the log has a gap or is a new
    one."""

    was_slow: bool


SlotOutput = Read | Started | Missed | Tail | Dropped | Lost


class Writable(Protocol):
    """Where the fan-out writes to."""

    def write(self, data: bytes) -> object: ...


class Cohort(Protocol):
    """Live slots that wait for the same offset, as the fan-out keeps them."""

    next: int

    def leave(self, slot: "Slot") -> None:
        """The slot goes its own way from here."""
        ...


class Slot:
    """The machine. Inputs return what follows from them, in order.

    `delivery` is the class of the channel; `since` the position to recover from, None to start at the top.
    """

    __slots__ = (
        "_attempts",
        "_heard_epoch",
        "_heard_first",
        "_heard_last",
        "_is_paused",
        "_next",
        "_offset",
        "_was_slow",
        "channel",
        "cohort",
        "delivery",
        "epoch",
        "is_started",
        "lane",
        "out",
        "owner",
        "since",
        "state",
    )
    out: Writable
    owner: object

    def __init__(self, channel: str, delivery: str, *, since: Position | None = None) -> None:
        self.channel = channel
        self.delivery = delivery
        self.since = since
        self.state = SlotState.NEW
        self.is_started = False  # whether `Started` has been given
        self.epoch = "" if since is None else since.epoch
        self.cohort: Cohort | None = None
        self.lane: object = None  # of the fan-out, once it is attached
        self._next = NOT_LIVE
        self._offset = 0 if since is None else since.offset  # sent up to here, while not live
        self._heard_epoch = ""
        self._heard_first = 0  # the range heard of while catching up; 0: nothing, -1: it has a hole
        self._heard_last = 0
        self._attempts = 0
        self._is_paused = False
        self._was_slow = False

    @property
    def next(self) -> int:
        """Live: the offset that comes next (0 in `signal` channels); else -1. In a cohort it stands there."""
        return self._next if self.cohort is None else self.cohort.next

    @next.setter
    def next(self, value: int) -> None:
        cohort, self.cohort = self.cohort, None
        self._next = value
        if cohort is not None:
            cohort.leave(self)

    @property
    def position(self) -> Position:
        """What the wire was sent so far."""
        return Position(self.epoch, self.next - 1 if self.next > 0 else self._offset)

    def start(self, limits: Limits, *, is_paused: bool = False) -> list[SlotOutput]:
        """Begin. `is_paused`: the wire is full at the moment."""
        SLOT_TABLE.enter(self.state, SlotInput.START)
        self._is_paused = is_paused
        if self.delivery == "signal":
            self.is_started = True
            self.state = SlotState.LAGGING if is_paused else SlotState.LIVE
            self.next = NOT_LIVE if is_paused else 0
            return [Started(recovered=False, publications=(), position=Position("", 0))]
        self.state = SlotState.CATCHING_UP
        return [self._read(limits)]

    def page(self, page: HistoryPage, limits: Limits, *, tail_from: int) -> list[SlotOutput]:
        """History has been read. `tail_from`: the lowest offset of the page's epoch that the shared tail still
        holds."""
        SLOT_TABLE.enter(self.state, SlotInput.PAGE)
        if self._is_paused:  # what was read is read again when the wire drains
            self._forget_heard()
            self.state = SlotState.LAGGING
            return []
        if not self.is_started:
            return self._first_page(page, limits, tail_from=tail_from)
        if page.top.epoch != self.epoch or (not page.is_complete and self.delivery != "latest"):
            self.state = SlotState.CLOSED
            return [Lost(self._was_slow and page.top.epoch == self.epoch)]
        out: list[SlotOutput] = [Missed(page.publications)] if page.publications else []
        if page.publications:
            self._offset = page.publications[-1].offset
        if page.has_more:
            self._attempts = 0
            return [*out, self._read(limits)]
        self._offset = max(self._offset, page.top.offset) if page.is_complete else page.top.offset
        return out + self._merge(limits, tail_from)

    def would_read_again(self, page: HistoryPage, limits: Limits, *, tail_from: int) -> bool:
        """Whether this page, the first one, leads to nothing but another read."""
        _, _, is_cut, position = self._beginning(page)
        if self._is_paused or is_cut or self._attempts + 1 >= limits.merge_attempts:
            return False
        return self._must_read_again(position, tail_from)

    def published(self, first: int, last: int, epoch: str, limits: Limits, *, count: int = 1) -> list[SlotOutput]:
        """The publications `first` to `last` (all 0 in `signal` channels) were published and did not take the fast
        lane."""
        if self.state is SlotState.LAGGING:
            return [Dropped(count)] if self.delivery == "signal" else []
        if self.state is SlotState.CATCHING_UP:
            self._hear(first, last, epoch)
            return []
        if self.state is not SlotState.LIVE:
            return []
        if self.delivery == "signal":
            return [Tail(0, 0)]
        if epoch == self.epoch and first <= self.next <= last:
            first, self.next = self.next, last + 1
            return [Tail(first, last)]
        if epoch == self.epoch and last < self.next:
            return []  # an old range: it came with history
        return self.gap(limits)

    def gap(self, limits: Limits) -> list[SlotOutput]:
        """Something is missing after what was sent (a jump in offsets, a foreign epoch, a top above ours)."""
        SLOT_TABLE.enter(self.state, SlotInput.GAP)
        if self.state is not SlotState.LIVE or self.delivery == "signal":
            return []
        self._leave_live(SlotState.CATCHING_UP)
        self._was_slow = False
        self._attempts = 0
        return [self._read(limits)]

    def behind(self, offset: int, limits: Limits) -> list[SlotOutput]:
        """A `Tail` that was asked for is not at hand any more: it was sent up to `offset`, and reads from there."""
        if self.state is SlotState.LAGGING:
            self._offset = min(self._offset, offset)
        if self.state is not SlotState.LIVE:
            return []
        found = self.gap(limits)
        self._offset = offset
        return [self._read(limits)] if found else []

    def pause(self) -> None:
        """The wire is full."""
        SLOT_TABLE.enter(self.state, SlotInput.PAUSE)
        self._is_paused = True
        if self.state is SlotState.LIVE:
            self._leave_live(SlotState.LAGGING)
            self._was_slow = True

    def drain(self, limits: Limits) -> list[SlotOutput]:
        """The wire takes bytes again."""
        SLOT_TABLE.enter(self.state, SlotInput.DRAIN)
        self._is_paused = False
        if self.state is not SlotState.LAGGING:
            return []
        if self.delivery == "signal":
            self.state = SlotState.LIVE
            self.next = 0
            return []
        self.state = SlotState.CATCHING_UP
        self._attempts = 0
        return [self._read(limits)]

    def stop(self) -> None:
        """The subscription has ended. Nothing follows."""
        if self.next > 0:
            self._offset = self.next - 1  # `position` still says what was sent
        self.state = SlotState.CLOSED
        self.next = NOT_LIVE

    # ---- inside --------------------------------------------------------------------------------------------------

    def _read(self, limits: Limits) -> Read:
        if self.is_started:
            return Read(Position(self.epoch, self._offset), limits.page_publications, limits.page_bytes)
        if self.delivery == "latest":  # the channel's key limit bounds the count
            return Read(self.since, -1, limits.recovery_bytes)
        if self.since is None:
            return Read(None, 0, 0)
        return Read(self.since, limits.recovery_publications, limits.recovery_bytes)

    def _first_page(self, page: HistoryPage, limits: Limits, *, tail_from: int) -> list[SlotOutput]:
        recovered, publications, is_cut, position = self._beginning(page)
        self.epoch, self._offset = position.epoch, position.offset
        if is_cut:
            self.is_started = True
            return [Started(recovered, publications, position), self._read(limits)]
        self._attempts += 1
        if self._must_read_again(position, tail_from):
            if self._attempts >= limits.merge_attempts:
                self.state = SlotState.CLOSED
                return [Lost(was_slow=False)]
            self._forget_heard()
            return [self._read_first_again(limits)]
        self.is_started = True
        return [Started(recovered, publications, position), *self._go_live()]

    def _beginning(self, page: HistoryPage) -> tuple[bool, tuple[Publication, ...], bool, Position]:
        """What the first page makes of the slot: whether it recovers, what is given, whether more follows, and where it
        stands then."""
        recovered = self.since is not None and page.is_complete
        if self.delivery == "latest":
            publications = page.publications
        else:
            recovered = recovered and not page.has_more
            publications = page.publications if recovered else ()
        is_cut = self.delivery == "latest" and page.has_more
        offset = publications[-1].offset if publications and (is_cut or self.delivery == "log") else page.top.offset
        return recovered, publications, is_cut, Position(page.top.epoch, offset)

    def _read_first_again(self, limits: Limits) -> Read:
        if self.since is not None:
            self.epoch, self._offset = self.since.epoch, self.since.offset
        return self._read(limits)

    def _merge(self, limits: Limits, tail_from: int) -> list[SlotOutput]:
        self._attempts += 1
        if self._must_read_again(Position(self.epoch, self._offset), tail_from):
            if self._attempts >= limits.merge_attempts:
                self.state = SlotState.CLOSED
                return [Lost(self._was_slow)]
            self._forget_heard()
            return [self._read(limits)]
        return self._go_live()

    def _must_read_again(self, sent: Position, tail_from: int) -> bool:
        """Whether what was heard does not follow what was sent, or is no longer in the shared tail."""
        if self._heard_first == 0:
            return False
        if self._heard_first < 0 or self._heard_epoch != sent.epoch:
            return True
        return self._heard_last > sent.offset and max(self._heard_first, tail_from) > sent.offset + 1

    def _go_live(self) -> list[SlotOutput]:
        first, last = self._offset + 1, self._heard_last
        self._forget_heard()
        self.state = SlotState.LIVE
        self._attempts = 0
        if last < first:
            self.next = first
            return []
        self.next = last + 1
        return [Tail(first, last)]

    def _hear(self, first: int, last: int, epoch: str) -> None:
        """Remember a range that was published meanwhile. A hole, or another epoch, spoils it: history is read again."""
        if self._heard_first == 0:
            self._heard_first, self._heard_last, self._heard_epoch = first, last, epoch
        elif self._heard_first > 0 and epoch == self._heard_epoch and first <= self._heard_last + 1:
            self._heard_last = max(self._heard_last, last)
        else:
            self._heard_first = -1

    def _forget_heard(self) -> None:
        self._heard_first = self._heard_last = 0

    def _leave_live(self, state: SlotState) -> None:
        if self.next > 0:
            self._offset = self.next - 1
        self.next = NOT_LIVE
        self.state = state
        self._forget_heard()
