"""The narrowest place of a link: what passes it takes its turn. Pure; seconds and bytes."""


class Bottleneck:
    """One direction of a link, shared by all connections. `rate` in bytes a second; 0: none."""

    __slots__ = ("_free", "queue", "rate")

    def __init__(self) -> None:
        self.rate = 0
        self.queue = 0
        self._free = 0.0

    def set(self, rate: int, queue: int) -> None:
        """Another width; a limit that is new begins empty."""
        if rate != self.rate:
            self._free = 0.0
        self.rate, self.queue = rate, queue

    def backlog(self, now: float) -> float:
        """Bytes that wait."""
        return max(0.0, self._free - now) * self.rate

    def wait(self, now: float) -> float:
        """Seconds until the queue has room again; 0: it has."""
        over = self.backlog(now) - self.queue
        return over / self.rate if self.rate and over > 0 else 0.0

    def enter(self, now: float, size: int) -> float:
        """When so many bytes are through."""
        if not self.rate:
            return now
        self._free = max(now, self._free) + size / self.rate
        return self._free
