"""Time that moves only when told to, and identifiers that count."""


class ManualClock:
    """Implements `abc.Clock`. Starts at 1000.0 s, Unix time 1,700,000,000."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return 1_700_000_000.0 + self._now - 1000.0

    def advance(self, seconds: float) -> float:
        """Turn it; the new time. Never backwards."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds
        return self._now


class CountingIds:
    """Implements `abc.Ids`: `id-000001`, `id-000002` … The same in every run."""

    def __init__(self, prefix: str = "id") -> None:
        self._prefix = prefix
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count:06d}"
