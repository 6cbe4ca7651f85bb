"""One buffer of publications on its way to the slots of a channel, in steps.

A walk is planned when it begins: cohorts that wait for its first offset, then slots that are told one by one. Who
leaves a cohort before it was reached is told at the end; an offset that a slot has had already means nothing to its
machine.
"""

from typing import TYPE_CHECKING

from wirehop.codecs.frame import Frame
from wirehop.core.slot import Slot

if TYPE_CHECKING:
    from wirehop.hub.channel import Channel
    from wirehop.hub.cohort import Cohort


class Walk:
    """`first` to `last` are its offsets in `epoch` (0, 0 in `signal` channels); `after` is what comes next."""

    __slots__ = ("_told", "after", "cohorts", "epoch", "first", "frames", "last", "missed", "slots")

    def __init__(self, channel: "Channel", frames: list[Frame]) -> None:
        self.frames = frames
        self.first = frames[0].publication.offset
        self.last = frames[-1].publication.offset
        self.after = self.last + 1 if self.last else 0
        self.epoch = frames[0].epoch
        self.cohorts: list[Cohort] = []  # not reached yet, the next one last
        self.slots: list[Slot] = []  # to be told one by one
        self.missed: list[Slot] = []  # joined them meanwhile
        self._told = 0
        for audience in channel.lanes.values():
            audience.begin(self)
        self.cohorts.reverse()

    def take(self, most: int) -> list[Slot]:
        """The next slots to be told; none: nobody is left."""
        if self._told == len(self.slots) and self.missed:
            self.slots, self._told = list(self.missed), 0
            self.missed.clear()
        taken = self.slots[self._told : self._told + most]
        self._told += len(taken)
        return taken

    @property
    def is_through(self) -> bool:
        """Whether everybody was reached."""
        return not self.cohorts and self._told == len(self.slots) and not self.missed
