"""The poll wire's downward half: items in numbered batches, each given again until it is acknowledged.

Theory. A poll asks; its answer is one batch. The answer may be lost, and so may the poll; so a batch, once given, is
frozen and keeps its number, and every poll that does not acknowledge it gets it again, unchanged. What arrives
meanwhile waits for the next batch. Polls carry a rising number: one that is older than the newest seen is a
straggler, and gets nothing.

Items are opaque; only their size counts. The machine holds no poll: `poll` says what to answer now, or that the poll
may be held.
"""

from collections.abc import Sequence

from msgspec import Struct


class Give(Struct, frozen=True):
    """Answer with this batch."""

    number: int
    items: Sequence[bytes]


class Hold(Struct, frozen=True):
    """There is nothing: hold the poll, or answer it empty."""


class Straggler(Struct, frozen=True):
    """A newer poll was seen: answer this one empty."""


class BadAck(Struct, frozen=True):
    """It acknowledges a batch that was never given: the client is confused, the session must end."""


class Batches:
    """At most `max_bytes` wait for the next batch beside its first item; then `is_full`, and the wire counts as
    congested."""

    __slots__ = ("_frozen", "_number", "_size", "_waiting", "max_bytes", "newest_poll")

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.newest_poll = 0
        self._number = 0
        self._frozen: list[bytes] | None = None  # given, not acknowledged
        self._waiting: list[tuple[bytes, int]] = []
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be added."""
        return self._size >= self.max_bytes

    @property
    def has_something(self) -> bool:
        """Whether a poll would be answered with a batch now."""
        return self._frozen is not None or bool(self._waiting)

    def add(self, item: bytes, size: int | None = None) -> None:
        """One more item for the next batch."""
        size = len(item) if size is None else size
        self._waiting.append((item, size))
        self._size += size

    def poll(self, number: int, ack: int) -> Give | Hold | Straggler | BadAck:
        """A poll arrived."""
        if ack > self._number:
            return BadAck()
        if self._frozen is not None and ack == self._number:
            self._frozen = None
        if number < self.newest_poll:
            return Straggler()
        self.newest_poll = number
        return self.give()

    def give(self) -> Give | Hold:
        """What the newest poll is answered with now."""
        if self._frozen is None:
            if not self._waiting:
                return Hold()
            self._frozen = self._next()
            self._number += 1
        return Give(self._number, self._frozen)

    def _next(self) -> list[bytes]:
        """The first item that waits, and as many more as fit."""
        size = count = 0
        for _, item_size in self._waiting:
            if count and size + item_size > self.max_bytes:
                break
            size += item_size
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        self._size -= size
        return [item for item, _ in taken]
