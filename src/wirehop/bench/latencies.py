"""Latencies as counts in steps of 10 µs: any number of them in the same memory.

It knows durations in nanoseconds; answers are milliseconds. What lies above two seconds counts as two seconds.
"""

from typing import Final

STEP: Final = 10_000
STEPS: Final = 200_000


class Latencies:
    """Recorded one by one, asked at the end."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self._counts = [0] * (STEPS + 1)
        self.count = 0

    def record(self, nanoseconds: int) -> None:
        """Count one."""
        self.count += 1
        self._counts[min(nanoseconds // STEP, STEPS) if nanoseconds > 0 else 0] += 1

    def percentile(self, share: float) -> float:
        """The latency that `share` (0 to 1) of all are not above, in ms; 0 where nothing was recorded."""
        wanted, passed = share * self.count, 0
        for step, count in enumerate(self._counts):
            passed += count
            if count and passed >= wanted:
                return (step + 1) * STEP / 1e6
        return 0.0

    def shape(self, bins: int) -> list[int]:
        """Counts in `bins` equal parts of the time from zero to the 99.5th percentile; later ones are left out."""
        last = max(bins, int(self.percentile(0.995) * 1e6 / STEP))
        found = [0] * bins
        for step, count in enumerate(self._counts[:last]):
            found[step * bins // last] += count
        return found
