"""Slots of one channel and one lane: those that are live at the same offset, and the others.

Live slots that miss nothing all wait for the same offset, so that offset stands here once: a delivery to them is one
write each, and touches nothing of theirs. A slot's machine leaves by itself when it sets its own `next` (a gap, a
full wire, the end); the fan-out lets it in again when the two agree.
"""

from wirehop.codecs.frame import Lane
from wirehop.core.slot import Slot, SlotState, Writable


class Cohort:
    """`live` maps each live slot to where it is written; `next` is the offset in the log `epoch` that they all wait
    for."""

    __slots__ = ("epoch", "lane", "live", "next", "others")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.epoch = ""
        self.next = 0
        self.live: dict[Slot, Writable] = {}
        self.others: dict[Slot, None] = {}

    def __bool__(self) -> bool:
        return bool(self.live or self.others)

    def slots(self) -> list[Slot]:
        """All of them."""
        return [*self.live, *self.others]

    def add(self, slot: Slot) -> None:
        """A new slot; it is let in among the live ones by `settle`."""
        self.others[slot] = None

    def remove(self, slot: Slot) -> bool:
        """Forget the slot; whether it was here."""
        if slot.cohort is self:
            slot.next = self.next  # it leaves, and keeps its place
        return self.others.pop(slot, self) is None

    def leave(self, slot: Slot) -> None:
        """`core.slot.Cohort`: the slot goes its own way from here."""
        del self.live[slot]
        self.others[slot] = None

    def settle(self, slot: Slot) -> None:
        """Let the slot in if it is live where the others are."""
        if slot.cohort is not None or slot.state is not SlotState.LIVE or not self.lane.is_shared:
            return
        if not self.live:
            self.epoch, self.next = slot.epoch, slot.next
        if slot.next == self.next and slot.epoch == self.epoch and slot in self.others:
            del self.others[slot]
            self.live[slot] = slot.out
            slot.cohort = self
