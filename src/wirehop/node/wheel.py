"""One timer for everybody: deadlines in coarse buckets, and one `call_later` for the next bucket.

A timer per connection would cost more memory than the connection. An entry may be added again with an earlier deadline
without being removed: the one who is called looks at the clock and asks for the next time. Who is over says so, and is
let go of soon: else a session that lasted a moment would be kept until its heartbeat.
"""

import heapq
import logging
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger("wirehop.node")
DISMISSED = 1000
"""So many that are over may be kept until their deadline, or an eighth of all; then they are looked for."""


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
        self._dismissed: set[Timed] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, timed: Timed, at: float) -> None:
        """Call `timed.tick` once, at `at` or a little later."""
        self._count += 1
        bucket = int(at / self._resolution) + 1
        entries = self._buckets.get(bucket)
        if entries is None:
            self._buckets[bucket] = [timed]
            heapq.heappush(self._order, bucket)
            self._arm()
        else:
            entries.append(timed)

    def dismiss(self, timed: Timed) -> None:
        """Do not call `timed` again, whatever it has asked for."""
        self._dismissed.add(timed)
        if len(self._dismissed) >= DISMISSED and len(self._dismissed) >= self._count // 8:
            self.sweep()

    def sweep(self) -> None:
        """Let go of everybody who was dismissed. It looks at all entries."""
        gone, self._dismissed = self._dismissed, set()
        for number, entries in self._buckets.items():
            self._buckets[number] = [timed for timed in entries if timed not in gone]
        self._count = sum(map(len, self._buckets.values()))

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
            entries = self._buckets.pop(heapq.heappop(self._order))
            self._count -= len(entries)
            for timed in entries:
                if timed in self._dismissed:
                    self._dismissed.discard(timed)
                    continue
                try:
                    timed.tick(now)
                except Exception:  # one that is broken does not stop the clocks of all others
                    log.exception("a deadline could not be handled")
        self._arm()
