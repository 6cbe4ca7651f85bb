"""One timer for everybody: deadlines in coarse buckets, and one `call_later` for the next bucket.

A timer per connection would cost more memory than the connection. An entry may be added again with an earlier deadline
without being removed: the one who is called looks at the clock and asks for the next time.
"""

import heapq
import logging
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger("wirehop.node")


class Timed(Protocol):
    """Who can be called at a deadline."""

    def tick(self, now: float) -> None: ...


class Wheel:
    """Buckets of `resolution` seconds; nobody is called early, and at most one resolution late.

    `call_later(delay, callback)` arms the one timer; `now()` reads the clock.
    """

    def __init__(
        self,
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
        *,
        resolution: float = 0.05,
    ) -> None:
        self._now = now
        self._call_later = call_later
        self._resolution = resolution
        self._buckets: dict[int, list[Timed]] = {}
        self._order: list[int] = []
        self._armed: int | None = None

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, timed: Timed, at: float) -> None:
        """Call `timed.tick` once, at `at` or a little later."""
        bucket = int(at / self._resolution) + 1
        entries = self._buckets.get(bucket)
        if entries is None:
            self._buckets[bucket] = [timed]
            heapq.heappush(self._order, bucket)
            self._arm()
        else:
            entries.append(timed)

    def _arm(self) -> None:
        if self._order and (self._armed is None or self._order[0] < self._armed):
            bucket = self._armed = self._order[0]
            self._call_later(max(0.0, bucket * self._resolution - self._now()), lambda: self._fire(bucket))

    def _fire(self, bucket: int) -> None:
        if bucket != self._armed:
            return  # an earlier deadline came after this timer was set, and armed its own
        now = self._now()
        self._armed = None
        while self._order and self._order[0] * self._resolution <= now:
            for timed in self._buckets.pop(heapq.heappop(self._order)):
                try:
                    timed.tick(now)
                except Exception:  # one that is broken does not stop the clocks of all others
                    log.exception("a deadline could not be handled")
        self._arm()
