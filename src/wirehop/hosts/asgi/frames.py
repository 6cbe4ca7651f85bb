"""Prebuilt WebSocket frames back into messages.

The fan-out writes the same bytes to every wire of a kind: whole unmasked frames, perhaps several in one buffer. An ASGI
server makes frames itself, so here they are taken apart again; once for a buffer, however many wires it goes to. It
knows `codecs.framing`'s output and nothing else of RFC 6455.
"""

from wirehop.codecs.framing import BINARY, TEXT

_SHARED = 16  # buffers remembered
_SHARED_BYTES = 65_536  # largest of them

Part = tuple[str, str | bytes]
"""The key and the value of a `websocket.send` message: ("text", str) or ("bytes", bytes)."""


def split(buffer: bytes) -> list[Part]:
    """The messages in a buffer of whole, unfragmented, unmasked data frames. ValueError for anything else."""
    parts: list[Part] = []
    position, end = 0, len(buffer)
    while position < end:
        if end - position < 2:
            raise ValueError("a frame's head is cut off")
        opcode, size = buffer[position] - 0x80, buffer[position + 1]
        position += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(buffer[position : position + width], "big")
            position += width
        payload = buffer[position : position + size]
        if len(payload) != size or opcode not in (TEXT, BINARY):
            raise ValueError(f"not a whole data frame as this host shares them (opcode {opcode}, {size} bytes)")
        parts.append(("text", payload.decode()) if opcode == TEXT else ("bytes", payload))
        position += size
    return parts


class Splitter:
    """`split` with a memory for the buffers of this turn: at most 16 of at most 64 KiB."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[bytes, list[Part]]] = {}

    def split(self, buffer: bytes) -> list[Part]:
        """The messages in it."""
        known = self._known.get(id(buffer))
        if known is not None and known[0] is buffer:
            return known[1]
        parts = split(buffer)
        if len(buffer) <= _SHARED_BYTES:
            if len(self._known) >= _SHARED:
                self._known.clear()
            self._known[id(buffer)] = (buffer, parts)
        return parts
