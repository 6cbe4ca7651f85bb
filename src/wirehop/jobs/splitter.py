"""Bytes of a command's output → lines. Pure: how the bytes were cut on their way does not matter."""

from typing import Final

MOST_BYTES: Final = 8_192
"""A longer line is cut, and says that it goes on: a line must fit into a publication, also where each of its bytes
becomes six of JSON."""


class LineSplitter:
    """One stream. A line ends with a line feed; a carriage return before it belongs to the end as well, one elsewhere
    stays where it is (a progress bar that overwrites itself). What is not UTF-8 is replaced."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[tuple[str, bool]]:
        """The lines that are whole now: text, and whether it goes on."""
        self._rest += data
        found: list[tuple[str, bool]] = []
        begin = 0
        while True:
            end = self._rest.find(b"\n", begin)
            stop = len(self._rest) if end < 0 else end
            while stop - begin > MOST_BYTES:
                cut = _boundary(self._rest, begin, begin + MOST_BYTES)
                found.append((_text(self._rest[begin:cut]), True))
                begin = cut
            if end < 0:
                break
            found.append((_text(self._rest[begin:end].removesuffix(b"\r")), False))
            begin = end + 1
        del self._rest[:begin]
        return found

    def close(self) -> list[tuple[str, bool]]:
        """A last line without an end."""
        rest, self._rest = self._rest, bytearray()
        return [(_text(rest.removesuffix(b"\r")), False)] if rest else []


def _boundary(data: bytearray, begin: int, cut: int) -> int:
    """The end of a character, at `cut` or a little before it."""
    for back in range(4):
        if cut - back > begin and data[cut - back] & 0xC0 != 0x80:
            return cut - back
    return cut  # not UTF-8


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")
