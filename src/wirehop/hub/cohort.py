"""Live slots that miss nothing and wait for the same offset: that offset stands here once.

A delivery to them is one write each, or one batch, and touches nothing of theirs. A slot's machine leaves by itself
when it sets its own `next` (a gap, a full wire, the end). A cohort is small enough to be served in one go, so that a
big channel is served in slices: `next` is right for each slot at any moment in between.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wirehop.abc import Batch, BatchSender
from wirehop.core.slot import Slot, Writable

if TYPE_CHECKING:
    from wirehop.hub.audience import Audience

MOST = 1000
"""Slots in one cohort: about 5 ms of sending, at 5 us each."""


class Cohort:
    """`live` maps each slot to where it is written. `missed` is where slots are noted that leave while a publication is
    on its way to this cohort; None at other times."""

    __slots__ = ("audience", "batch", "live", "missed", "next")

    def __init__(self, audience: "Audience", next_: int) -> None:
        self.audience = audience
        self.next = next_
        self.live: dict[Slot, Writable] = {}
        self.batch: Batch | None = None
        self.missed: list[Slot] | None = None

    def join(self, slot: Slot) -> None:
        """The slot waits for what the others wait for."""
        self.live[slot] = slot.out
        slot.cohort = self
        if self.batch is not None:
            self.batch.add(slot.out)

    def leave(self, slot: Slot) -> None:
        """`core.slot.Cohort`: the slot goes its own way from here."""
        out = self.live.pop(slot)
        self.audience.others[slot] = None
        if self.batch is not None:
            self.batch.remove(out)
        if self.missed is not None:
            self.missed.append(slot)
        if not self.live:
            self.audience.drop(self)

    def write(self, data: bytes, sender: BatchSender | None, failed: Callable[[Exception], None]) -> None:
        """Write to all, as one batch where they are many. `failed` is called for each wire that could not be written
        to."""
        if sender is not None:
            size = len(self.live)
            if self.batch is None and size >= sender.smallest:
                self.batch = sender.batch()
                for out in self.live.values():
                    self.batch.add(out)
            elif self.batch is not None and size * 2 < sender.smallest:
                self.disperse()
        if self.batch is not None:
            self.batch.write(data)
            return
        for out in list(self.live.values()):  # a write may take its own slot out
            try:  # costs nothing unless it fails; one broken wire must not keep the others from their message
                out.write(data)
            except Exception as error:
                failed(error)

    def disperse(self) -> None:
        """Give the batch back, and its memory."""
        if self.batch is not None:
            self.batch.close()
            self.batch = None
