"""Slots of one channel and one lane: the live ones in cohorts, and the others.

Between publications all cohorts wait for the same offset of the same log. While a publication is on its way
(`walk`), those that it has not reached yet wait for it, and a slot that comes in is put among those that it has.
"""

from wirehop.codecs.frame import Lane
from wirehop.core.slot import Slot, SlotState
from wirehop.hub import cohort as cohorts
from wirehop.hub.cohort import Cohort
from wirehop.hub.walk import Walk


class Audience:
    """`next` is the offset in the log `epoch` that live slots wait for, or will when the present walk is through."""

    __slots__ = ("cohorts", "epoch", "lane", "next", "others")

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.epoch = ""
        self.next = 0
        self.cohorts: tuple[Cohort, ...] = ()
        self.others: dict[Slot, None] = {}

    def __len__(self) -> int:
        return sum(len(cohort.live) for cohort in self.cohorts) + len(self.others)

    def __contains__(self, slot: Slot) -> bool:
        return slot in self.others or (isinstance(slot.cohort, Cohort) and slot.cohort.audience is self)

    def slots(self) -> list[Slot]:
        """All of them."""
        return [*(slot for cohort in self.cohorts for slot in cohort.live), *self.others]

    def add(self, slot: Slot) -> None:
        """A new slot; it is let in among the live ones by `settle`."""
        self.others[slot] = None

    def remove(self, slot: Slot) -> bool:
        """Forget the slot; whether it was here."""
        if isinstance(slot.cohort, Cohort) and slot.cohort.audience is self:
            slot.next = slot.cohort.next  # it leaves, and keeps its place
        was_here = slot in self.others
        self._forget(slot)
        return was_here

    def settle(self, slot: Slot) -> None:
        """Let the slot in if it is live where the others are."""
        if slot.cohort is not None or slot.state is not SlotState.LIVE or not self.lane.is_shared:
            return
        if slot not in self.others:
            return
        if not self.cohorts:
            self.epoch, self.next = slot.epoch, slot.next
        if slot.next == self.next and slot.epoch == self.epoch:
            self._forget(slot)
            self._with_room().join(slot)

    def begin(self, walk: Walk) -> None:
        """A publication sets out: whoever waits for it takes the fast lane, the others go through their machines."""
        if self.next == walk.first and self.epoch == walk.epoch and self.cohorts:
            self._gather()
            self.next = walk.after
            for cohort in self.cohorts:
                if cohort.next == walk.first:
                    cohort.missed = walk.missed
                    walk.cohorts.append(cohort)
                else:  # what they waited for could not be encoded
                    walk.slots.extend(cohort.live)
            walk.slots.extend(self.others)
        else:
            walk.slots.extend(self.slots())

    def drop(self, empty: Cohort) -> None:
        """A cohort has lost its last slot."""
        empty.disperse()
        self.cohorts = tuple(cohort for cohort in self.cohorts if cohort is not empty)

    def _forget(self, slot: Slot) -> None:
        self.others.pop(slot, None)
        if not self.others:
            self.others = {}  # an emptied dictionary keeps its memory, a new one has none

    def _with_room(self) -> Cohort:
        """A cohort that waits for `next` and has room."""
        for cohort in reversed(self.cohorts):
            if len(cohort.live) < cohorts.MOST and cohort.missed is None and cohort.next == self.next:
                return cohort
        cohort = Cohort(self, self.next)
        self.cohorts = (*self.cohorts, cohort)
        return cohort

    def _gather(self) -> None:
        """Where leaving has thinned the cohorts to less than half, fill them again: few big batches cost less than many
        small ones. Each slot is moved once for every one that left."""
        count = len(self.cohorts)
        if count == 1 or sum(len(cohort.live) for cohort in self.cohorts) * 2 > cohorts.MOST * (count - 1):
            return
        thinned, self.cohorts = self.cohorts, ()
        for cohort in thinned:
            cohort.disperse()
            if cohort.next != self.next:
                self.cohorts = (*self.cohorts, cohort)
                continue
            for slot in cohort.live:
                self._with_room().join(slot)
