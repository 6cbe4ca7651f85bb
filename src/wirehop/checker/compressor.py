"""An event stream as a compressing proxy passes it on: events leave when the compressor has a block full.

Pure. The answer's head gets `Content-Encoding: gzip`; its chunks (RFC 9112 section 7.1) are unpacked, compressed
without a flush, and packed again. An answer that is no event stream in chunks passes as it is.
"""

import zlib
from typing import Final

HEAD_BYTES: Final = 65_536
_LAST: Final = b"0\r\n\r\n"


class CompressedAnswer:
    """One answer: what came goes in, what leaves comes out. What follows its last chunk passes as it is."""

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._is_stream = False
        self._rest = b""
        self._gzip = zlib.compressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        """The bytes that leave now; often none."""
        if self._head is not None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0 and len(self._head) < HEAD_BYTES:
                return b""
            head, data = self._head[: end + 4], self._head[end + 4 :]
            self._head = None
            lower = head.lower()
            self._is_stream = b"text/event-stream" in lower and b"transfer-encoding: chunked" in lower
            if not self._is_stream:
                return head + data
            return head[:-2] + b"Content-Encoding: gzip\r\n\r\n" + self._chunks(data)
        return self._chunks(data) if self._is_stream else data

    def _chunks(self, data: bytes) -> bytes:
        self._rest += data
        leaving = b""
        while (line := self._rest.find(b"\r\n")) >= 0:
            size = int(self._rest[:line].partition(b";")[0] or b"0", 16)
            if size == 0:
                tail = self._rest[line + 4 :]  # no trailers: the line and an empty one
                self._is_stream, self._rest = False, b""
                return leaving + _chunk(self._gzip.flush()) + _LAST + tail
            if len(self._rest) < line + 2 + size + 2:
                break
            leaving += _chunk(self._gzip.compress(self._rest[line + 2 : line + 2 + size]))
            self._rest = self._rest[line + 2 + size + 2 :]
        return leaving


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
