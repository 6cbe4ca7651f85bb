"""One channel on this node: its slots by lane, the publications of this loop turn, and the shared tail."""

from collections import deque
from collections.abc import Iterator
from typing import cast

from wirehop.codecs.frame import Frame, Lane
from wirehop.core.slot import Slot, SlotState
from wirehop.hub.cohort import Cohort


class Channel:
    """Slots of one channel, in a cohort for each lane.

    The tail holds frames for slots that are catching up, shared by all of them: `tail_bytes` of payload at most, the
    oldest go first (the slot then reads history again).
    """

    __slots__ = (
        "_catching_up",
        "_tail",
        "_tail_size",
        "lanes",
        "name",
        "pending",
        "size",
        "turn",
        "watchers",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.lanes: dict[Lane, Cohort] = {}
        self.watchers: dict[Slot, None] | None = None  # slots that want joins and leaves
        self.pending: list[list[Frame]] = []  # published in this loop turn, not yet flushed: buffers in the making
        self.size = 0  # bytes of payload in the last of them
        self.turn: list[Frame] = []  # what is being flushed right now
        self._catching_up: set[Slot] = set()
        self._tail: deque[Frame] | None = None
        self._tail_size = 0

    @property
    def is_empty(self) -> bool:
        return not self.lanes

    def slots(self) -> list[Slot]:
        """All slots."""
        return [slot for cohort in self.lanes.values() for slot in cohort.slots()]

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
        cohort = self.lanes.get(cast(Lane, slot.lane))
        if cohort is not None:
            cohort.settle(slot)
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
