"""One channel on this node: its slots by lane, the publications of this loop turn, and the shared tail."""

from collections import deque
from collections.abc import Iterator
from typing import cast

from wirehop.codecs.frame import Frame, Lane
from wirehop.core.slot import Slot, SlotState
from wirehop.hub.audience import Audience
from wirehop.hub.walk import Walk


class Channel:
    """Slots of one channel, an audience for each lane.

    Publications wait in `pending` for the end of the loop turn, or for the walk that is under way; the first `due`
    buffers of them may set out. The tail holds frames for slots that are catching up, shared by all of them:
    `tail_bytes` of payload at most, the oldest go first (the slot then reads history again).
    """

    __slots__ = (
        "_catching_up",
        "_tail",
        "_tail_size",
        "due",
        "is_scheduled",
        "lanes",
        "name",
        "pending",
        "published",
        "size",
        "walk",
        "watchers",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.lanes: dict[Lane, Audience] = {}
        self.watchers: dict[Slot, None] | None = None  # slots that want joins and leaves
        self.pending: list[list[Frame]] = []  # published, and not yet on the way: buffers in the making
        self.size = 0  # bytes of payload in the last of them
        self.is_scheduled = False  # whether a flush is to come
        self.due = 0
        self.walk: Walk | None = None  # what is on its way right now
        self.published = 0  # publications since the channel has slots here
        self._catching_up: set[Slot] = set()
        self._tail: deque[Frame] | None = None
        self._tail_size = 0

    @property
    def is_empty(self) -> bool:
        return not self.lanes

    @property
    def count(self) -> int:
        """How many slots."""
        return sum(map(len, self.lanes.values()))

    @property
    def is_moving(self) -> bool:
        """Whether publications are on their way, so that slots may stand at different offsets."""
        return bool(self.pending) or self.walk is not None

    @property
    def turn(self) -> list[Frame]:
        """What is on its way right now."""
        return [] if self.walk is None else self.walk.frames

    def give_up(self) -> bool:
        """Leave the walk under way as it is; whether another one is due."""
        self.walk = None
        for audience in self.lanes.values():
            for cohort in audience.cohorts:
                cohort.missed = None
        return self.due > 0

    def has(self, slot: Slot) -> bool:
        """Whether the slot is attached."""
        audience = self.lanes.get(cast(Lane, slot.lane))
        return audience is not None and slot in audience

    def slots(self) -> list[Slot]:
        """All slots."""
        return [slot for audience in self.lanes.values() for slot in audience.slots()]

    def keep(self, frames: list[Frame], max_bytes: int) -> None:
        """Add frames to the tail."""
        if self._tail is None:
            self._tail = deque()
        for frame in frames:
            self._tail.append(frame)
            self._tail_size += len(frame.publication.data)
        while self._tail_size > max_bytes and len(self._tail) > 1:
            self._tail_size -= len(self._tail.popleft().publication.data)

    def settle(self, slot: Slot) -> None:
        """The slot's machine has moved. The tail lives as long as somebody is catching up; who is live joins the
        others."""
        if slot.state is SlotState.CATCHING_UP:
            self._catching_up.add(slot)
            return
        self._catching_up.discard(slot)
        audience = self.lanes.get(cast(Lane, slot.lane))
        if audience is not None:
            audience.settle(slot)
        if not self._catching_up:
            self._tail = None
            self._tail_size = 0

    @property
    def has_tail(self) -> bool:
        """Whether somebody is catching up, so that frames are worth keeping."""
        return bool(self._catching_up)

    def range(self, first: int, last: int, epoch: str | None) -> list[Frame]:
        """The frames with these offsets in `epoch` (None: the newest of each) that the tail or this turn holds."""
        held = {frame.publication.offset: frame for frame in self._at_hand() if epoch in (None, frame.epoch)}
        return [held[offset] for offset in range(first, last + 1) if offset in held]

    def tail_from(self, epoch: str) -> int:
        """The lowest offset of `epoch` that is at hand; 0 for none."""
        for frame in self._at_hand():
            if frame.epoch == epoch:
                return frame.publication.offset
        return 0

    def _at_hand(self) -> Iterator[Frame]:
        yield from self._tail or ()
        yield from self.turn
        for frames in self.pending:
            yield from frames
