"""Bytes around a payload: server-side WebSocket frames, plain or deflated, and HTTP/1.1 chunks.

A publication is framed once per kind of wire and the result is shared by all who receive it, so these are
plain functions from bytes to bytes. It knows RFC 6455 section 5.2, RFC 7692 section 7.2.1 and RFC 9112 section
7.1; it does not know what is in a payload, nor who sends it. A server's frames are never masked (RFC 6455 section
5.1).
"""

import zlib
from struct import Struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA

LAST_CHUNK = b"0\r\n\r\n"
"""Ends a chunked body that has no trailers."""

DEFLATED_FROM = 200
"""Bytes of a payload under which compressing it costs more than it saves."""
DEFLATE_WINDOW = 12
"""Base-2 logarithm of the LZ77 window of shared frames: small enough that a compressor costs little to make."""

_RSV1 = 0x40  # RFC 7692 section 6: the message is compressed
_FLUSHED = b"\0\0\xff\xff"  # the end of every flush, which is left out (RFC 7692 section 7.2.1)
_MEDIUM = Struct("!BBH").pack
_LARGE = Struct("!BBQ").pack
_REASON_BYTES = 123  # what a control frame has left after the code (RFC 6455 section 5.5)


def websocket_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole unmasked frame (FIN set). A control frame's payload must be at most 125 bytes: ValueError."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if opcode >= CLOSE:
        raise ValueError(f"a control frame carries at most 125 bytes, not {size}")
    return _framed(0x80 | opcode, payload)


def deflated_frame(payload: bytes, opcode: int = TEXT, *, window: int = DEFLATE_WINDOW) -> bytes:
    """One whole data frame, compressed by itself (RFC 7692 without context takeover) within a window of 2**`window`
    bytes, `window` being 9 to 15; plain where it is under `DEFLATED_FROM` bytes or would not become smaller."""
    if len(payload) < DEFLATED_FROM:
        return websocket_frame(payload, opcode)
    compressor = zlib.compressobj(1, zlib.DEFLATED, -window, 5)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    if len(data) - len(_FLUSHED) >= len(payload):
        return websocket_frame(payload, opcode)
    return _framed(0x80 | _RSV1 | opcode, data[: -len(_FLUSHED)])


def _framed(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return _MEDIUM(first, 126, size) + payload
    return _LARGE(first, 127, size) + payload


def websocket_close(code: int, reason: str = "") -> bytes:
    """A close frame. `reason` is cut to 123 bytes of valid UTF-8; 1005 ("none given") sends no code."""
    if code == 1005:  # RFC 6455 section 7.4.1: 1005 must not stand in a frame
        return websocket_frame(b"", CLOSE)
    text = reason.encode("utf-8", "replace")
    if len(text) > _REASON_BYTES:
        text = text[:_REASON_BYTES].decode("utf-8", "ignore").encode()
    return websocket_frame(code.to_bytes(2, "big") + text, CLOSE)


def chunk(data: bytes) -> bytes:
    """One chunk. `data` must not be empty: an empty chunk would end the body (ValueError)."""
    if not data:
        raise ValueError("an empty chunk would end the body; use LAST_CHUNK for that")
    return b"%x\r\n%b\r\n" % (len(data), data)
