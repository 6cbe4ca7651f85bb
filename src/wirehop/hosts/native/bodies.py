"""Request bodies: bytes in any chunking to one whole body, and what was left over.

Two readers with the same face: `feed` returns None while the body is incomplete, else the bytes that follow
it, and `body` holds what was read. Both are bounded before they store anything. Pure: they raise `Refusal`.
"""

import re

from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.refusals import Refusal, bad_request

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
_LINE_BYTES = 1024  # longest chunk-size line with its extensions
_EXTENSION_BYTES = 16_384  # all chunk extensions of one body


def too_large(options: HostOptions) -> Refusal:
    """The 413 of a body over the limit."""
    return Refusal(413, "http.body_too_large", f"the request body is larger than {options.body_bytes} bytes")


class FixedBody:
    """A body of a known length."""

    __slots__ = ("_length", "body")

    def __init__(self, length: int, options: HostOptions) -> None:
        if length > options.body_bytes:
            raise too_large(options)
        self.body = bytearray()
        self._length = length

    def feed(self, data: bytes) -> bytes | None:
        """Take `data`; None while more is needed, else what follows the body."""
        missing = self._length - len(self.body)
        self.body += data[:missing] if len(data) > missing else data
        return data[missing:] if len(data) >= missing else None


class ChunkedBody:
    """A chunked body (RFC 9112 section 7.1). Extensions and trailers are bounded and dropped."""

    __slots__ = ("_buffer", "_extensions", "_in_trailers", "_missing", "_options", "_trailers", "body")

    def __init__(self, options: HostOptions) -> None:
        self.body = bytearray()
        self._options = options
        self._buffer = bytearray()
        self._missing = -1  # bytes of the current chunk and its CRLF that are to come; -1: a size line comes
        self._in_trailers = False
        self._extensions = 0
        self._trailers = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take `data`; None while more is needed, else what follows the body."""
        buffer = self._buffer
        buffer += data
        while True:
            if self._missing > 0:
                if not self._take_data(buffer):
                    return None
                continue
            line = self._take_line(buffer)
            if line is None:
                return None
            if not self._in_trailers:
                self._begin_chunk(line)
            elif not line:
                return bytes(buffer)
            else:
                self._check_trailer(line)

    def _take_data(self, buffer: bytearray) -> bool:
        """Move chunk data over; whether the chunk and its CRLF are through."""
        payload = min(self._missing - 2, len(buffer))
        if payload > 0:
            self.body += memoryview(buffer)[:payload]
            del buffer[:payload]
            self._missing -= payload
        if self._missing > 2 or len(buffer) < 2:
            return False
        if buffer[:2] != b"\r\n":
            raise bad_request("http.bad_chunk", "a chunk is longer than its size says")
        del buffer[:2]
        self._missing = -1
        return True

    def _take_line(self, buffer: bytearray) -> bytes | None:
        end = buffer.find(b"\r\n", 0, _LINE_BYTES + 2)
        if end < 0:
            if len(buffer) > _LINE_BYTES:
                raise bad_request("http.bad_chunk", f"a line of a chunked body is over {_LINE_BYTES} bytes")
            if b"\n" in buffer:
                raise bad_request("http.bad_chunk", "a line of a chunked body ends without CR")
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        return line

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise bad_request("http.bad_chunk", "a chunk size is not a hexadecimal number")
        size = int(match[1], 16)
        self._extensions += len(line) - match.end(1)
        if self._extensions > _EXTENSION_BYTES:
            raise bad_request("http.bad_chunk", f"more than {_EXTENSION_BYTES} bytes of chunk extensions")
        if len(self.body) + size > self._options.body_bytes:
            raise too_large(self._options)
        if size:
            self._missing = size + 2
        else:
            self._in_trailers = True

    def _check_trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > self._options.header_bytes:
            raise Refusal(431, "http.header_too_large", "the trailers of the request body are too large")
        if not _TRAILER.fullmatch(line):
            raise bad_request("http.bad_chunk", "a trailer of the request body is malformed")
