"""The test picture: drawn as planes of a YUV 4:2:0 frame, and its clock read back out of a frame that has come.

Two rows of sixteen black and white cells hold the time in milliseconds, modulo 2**24, and a checksum of it; they are
large enough to outlive any codec. Below them are the same clock for people, and a bar that moves. The browser tests'
camera has the same cells.
"""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame

CELLS_PER_ROW = 16
CLOCK_BITS = 24
CLOCK_SPAN = 1 << CLOCK_BITS
"""Milliseconds after which the clock begins anew: 4.66 hours."""
CHECK_BITS = 8
_BLACK, _WHITE, _MIDDLE = 16, 235, 128
_GLYPHS = {  # 3 × 5 bits, lines from the top
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", ":": "02020", ".": "00002",
}  # fmt: skip


def checksum(stamp: int) -> int:
    """Eight bits that tell a clock from what only looks like one."""
    return (stamp ^ (stamp >> 8) ^ (stamp >> 16) ^ 0xA5) & 0xFF


def stamp_of(seconds: float) -> int:
    """The clock's value at this Unix time."""
    return int(seconds * 1000) % CLOCK_SPAN


class Picture:
    """Draws the planes of one size, in one colour (red, green, blue)."""

    def __init__(self, width: int, height: int, colour: tuple[int, int, int]) -> None:
        if width % CELLS_PER_ROW or height % 2 or height < width // 3 or width < 4 * CELLS_PER_ROW:
            raise ValueError(
                f"{width} × {height}: the width must be a multiple of 16, the height even and a third of it"
            )
        red, green, blue = colour
        self.width, self.height = width, height
        self._luma = round(16 + 0.257 * red + 0.504 * green + 0.098 * blue)
        self._chroma = (
            round(128 - 0.148 * red - 0.291 * green + 0.439 * blue),
            round(128 + 0.439 * red - 0.368 * green - 0.071 * blue),
        )
        self._side = width // CELLS_PER_ROW

    def luma(self, seconds: float, line_size: int) -> bytes:
        """The brightness plane at this Unix time; each line has `line_size` bytes."""
        stamp, gap = stamp_of(seconds), bytes(line_size - self.width)
        code = stamp | checksum(stamp) << CLOCK_BITS
        rows = []
        for first in range(0, CLOCK_BITS + CHECK_BITS, CELLS_PER_ROW):
            cells = [_WHITE if code >> (first + cell) & 1 else _BLACK for cell in range(CELLS_PER_ROW)]
            rows += [b"".join(bytes([cell]) * self._side for cell in cells) + gap] * self._side
        plain = bytes([self._luma]) * self.width + gap
        rows += [plain] * (self.height - len(rows))
        self._write(rows, _words(seconds), gap)
        self._bar(rows, seconds, gap)
        return b"".join(rows)

    def chroma(self, which: int, line_size: int) -> bytes:
        """The first or second colour plane. Behind the cells is no colour."""
        gap = bytes(line_size - self.width // 2)
        grey = bytes([_MIDDLE]) * (self.width // 2) + gap
        plain = bytes([self._chroma[which]]) * (self.width // 2) + gap
        return grey * self._side + plain * (self.height // 2 - self._side)

    def _write(self, rows: list[bytes], words: str, gap: bytes) -> None:
        scale = max(1, self.width // 64)
        left = (self.width - 4 * scale * len(words)) // 2
        begin = 2 * self._side + scale
        ink, paper = bytes([_WHITE]) * scale, bytes([self._luma]) * scale
        for line in range(5):
            text = b"".join(
                b"".join(ink if int(_GLYPHS[char][line]) >> bit & 1 else paper for bit in (2, 1, 0)) + paper
                for char in words
            )
            margin = bytes([self._luma])
            row = margin * left + text + margin * (self.width - left - len(text)) + gap
            for at in range(begin + line * scale, min(begin + (line + 1) * scale, self.height)):
                rows[at] = row

    def _bar(self, rows: list[bytes], seconds: float, gap: bytes) -> None:
        left = int(seconds % 2 / 2 * (self.width - self._side))
        paper = bytes([self._luma])
        row = paper * left + bytes([_WHITE]) * self._side + paper * (self.width - self._side - left) + gap
        height = max(2, self._side // 4)
        rows[-height:] = [row] * height


def _words(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 10) % 10}"


def read_clock(frame: "VideoFrame") -> int | None:
    """The clock of a test picture in milliseconds, modulo `CLOCK_SPAN`; None where there is none that can be read."""
    plane = frame.reformat(format="gray").planes[0] if frame.format.name != "yuv420p" else frame.planes[0]
    data, line_size = memoryview(plane), plane.line_size
    side = frame.width / CELLS_PER_ROW
    code = 0
    for cell in range(CLOCK_BITS + CHECK_BITS):
        row, column = divmod(cell, CELLS_PER_ROW)
        y, x = int((row + 0.5) * side), int((column + 0.5) * side)
        if y >= frame.height:
            return None
        code |= int(data[y * line_size + x] > _MIDDLE) << cell
    stamp, check = code % CLOCK_SPAN, code >> CLOCK_BITS
    return stamp if check == checksum(stamp) else None


def age_of(stamp: int, seconds: float) -> int:
    """Milliseconds between a clock that was read and this Unix time."""
    return (stamp_of(seconds) - stamp + CLOCK_SPAN) % CLOCK_SPAN
