"""What passed: counted for each connection and direction, and kept for a look where somebody wants one."""

from collections import deque
from typing import Final, Literal

from msgspec import Struct

Direction = Literal["up", "down"]
OPENING_BYTES: Final = 4_096


class Traffic(Struct):
    """One direction. `pieces`: what came at once, which is a message where messages are some milliseconds apart."""

    bytes: int = 0
    pieces: int = 0

    def add(self, size: int) -> None:
        """A piece has come."""
        self.bytes += size
        self.pieces += 1


class Recorded(Struct, frozen=True):
    """A piece: when (seconds since 1970), on which connection, which way. Of a connection numbers rise."""

    at: float
    link: int
    direction: Direction
    data: bytes


class Recording:
    """The newest pieces, `limit` bytes at most; what is older goes, and `dropped` counts it. Of each connection among
    them the first bytes each way stay."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.limit = limit
        self.dropped = 0
        self.pieces: deque[Recorded] = deque()
        self.openings: dict[tuple[int, Direction], bytes] = {}
        self._size = 0
        self._left: dict[int, int] = {}  # pieces by connection

    def add(self, piece: Recorded) -> None:
        """Keep it. Of a piece larger than the limit its beginning."""
        if len(piece.data) > self.limit:
            piece = Recorded(piece.at, piece.link, piece.direction, piece.data[: self.limit])
        opening = self.openings.get((piece.link, piece.direction), b"")
        if len(opening) < OPENING_BYTES:
            self.openings[piece.link, piece.direction] = (opening + piece.data)[:OPENING_BYTES]
        self.pieces.append(piece)
        self._size += len(piece.data)
        self._left[piece.link] = self._left.get(piece.link, 0) + 1
        while self._size > self.limit:
            self._drop()

    def clear(self) -> None:
        """Begin anew."""
        self.pieces.clear()
        self.openings.clear()
        self._left.clear()
        self._size = self.dropped = 0

    def _drop(self) -> None:
        oldest = self.pieces.popleft()
        self._size -= len(oldest.data)
        self.dropped += 1
        self._left[oldest.link] -= 1
        if not self._left[oldest.link]:
            del self._left[oldest.link]
            self.openings.pop((oldest.link, "up"), None)
            self.openings.pop((oldest.link, "down"), None)
