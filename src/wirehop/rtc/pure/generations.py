"""The generations of a pair's offers: whose each is, which is the newest, and which comes next.

Odd ones are of the participant whose id is the lesser, even ones of the other, so that one number names one offer.
"""

from wirehop.rtc.pure.signals import MOST_GENERATION


class Generations:
    """`made` is the newest of our offers, `sent` the same as far as the two peer connections of now are concerned;
    `heard` the newest offer of the other side's peer connection, taken or not."""

    __slots__ = ("_is_greater", "heard", "made", "sent")

    def __init__(self, *, is_greater: bool) -> None:
        self._is_greater = is_greater
        self.made = self.sent = self.heard = 0

    def is_of_theirs(self, gen: int) -> bool:
        """Whether it can be an offer of the other side."""
        return 0 < gen <= MOST_GENERATION and gen % 2 == self._is_greater

    def is_new(self, gen: int) -> bool:
        """Whether an offer of theirs is newer than the one before; it is the newest from now on."""
        if gen <= self.heard:
            return False
        self.heard = gen
        return True

    @property
    def known(self) -> int:
        """The newest that we know."""
        return max(self.made, self.heard)

    @property
    def of_these_two(self) -> int:
        """The newest of the two peer connections of now."""
        return max(self.sent, self.heard)

    def make(self, agreed: int) -> int:
        """The one of our next offer, after what is known and what was agreed on."""
        after = max(self.known, agreed) + 1
        self.made = self.sent = after + 1 if self.is_of_theirs(after) else after
        return self.made

    def meet_another(self) -> None:
        """The other side has another peer connection."""
        self.heard = self.sent = 0
