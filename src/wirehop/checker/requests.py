"""Requests as the impairing proxy reads them: head and body as they came, and the little of them that it looks at."""

import asyncio
from typing import Final

from msgspec import Struct

HEAD_BYTES: Final = 65_536
BODY_BYTES: Final = 1_048_576
METHODS: Final = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ")
LONGEST_METHOD: Final = max(map(len, METHODS))


class Request(Struct, frozen=True):
    """`data` is all of it. Names of headers are lower case. Not `is_whole`: the body follows, chunked or too long."""

    method: str
    path: str
    headers: dict[str, str]
    data: bytes
    is_whole: bool

    @property
    def is_upgrade(self) -> bool:
        """To WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


class RequestError(Exception):
    """This is no HTTP/1.1 request; `data` is what was read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__("no HTTP request")
        self.data = data


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, None at the end. Raises `RequestError`, and `OSError` where the connection breaks."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = await reader.read(65_536)
        if not piece and not head:
            return None
        head += piece
        if not piece or len(head) > HEAD_BYTES + BODY_BYTES or not _may_be_request(head):
            raise RequestError(head)
    end = head.index(b"\r\n\r\n") + 4
    method, _, rest = head[:end].partition(b" ")
    lines = rest.decode("latin-1").split("\r\n")
    target = lines[0].rpartition(" ")[0]
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "0")
    is_whole = "transfer-encoding" not in headers and length.isdigit() and int(length) <= BODY_BYTES
    if is_whole:
        while len(head) < end + int(length):
            piece = await reader.read(65_536)
            if not piece:
                raise RequestError(head)
            head += piece
        if len(head) > end + int(length):  # more than one at a time, or frames behind an upgrade
            is_whole = False
    return Request(method.decode("latin-1"), target.partition("?")[0], headers, head, is_whole)


def _may_be_request(head: bytes) -> bool:
    return any(head.startswith(method) or method.startswith(head[:LONGEST_METHOD]) for method in METHODS)


def without(request: Request, *names: str) -> bytes:
    """Its bytes without these headers (lower case)."""
    head, end, body = request.data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower().decode("latin-1") not in names]
    return b"\r\n".join([first, *kept]) + end + body


def written_anew(request: Request, via: str) -> bytes:
    """Its bytes with the names of headers in one case, and `Via` (RFC 9110 section 7.6.3) behind them."""
    head, end, body = request.data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    named = [
        name.strip().title() + b": " + value.strip() for name, _, value in (line.partition(b":") for line in lines)
    ]
    return b"\r\n".join([first, *named, b"Via: 1.1 " + via.encode()]) + end + body
