"""The part of one wire's `Session` in a session that moves (`Resumable`)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wirehop.core.resumable import Resumable


class Membership:
    """The number of its wire, and what ran on that. Numbers from `since` on were accepted on this wire or still are to
    come; of those below, `again` are the ones that were repeated here."""

    __slots__ = ("again", "is_trial", "resumable", "since", "wire")

    def __init__(self, resumable: "Resumable", wire: int, *, is_trial: bool) -> None:
        self.resumable = resumable
        self.wire = wire
        self.is_trial = is_trial
        self.since = resumable.numbers.next
        self.again: set[int] | None = None

    def is_new(self, number: int) -> bool:
        """Whether the number, accepted before, has not run on this wire: on one wire each runs at most once."""
        if number >= self.since or (self.again is not None and number in self.again):
            return False
        if self.again is None:
            self.again = set()
        self.again.add(number)
        return True
