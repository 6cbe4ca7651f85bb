"""Response heads: status line and fields to bytes, with header injection made impossible.

It knows RFC 9110 and RFC 9112 section 4 to 6; it does not know connections or what is answered.
"""

import re
from email.utils import formatdate
from http import HTTPStatus

from msgspec import Struct

from wirehop.abc import Headers

_FIELDS = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\r\n\0]*\r\n)*")
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Rendered(Struct, frozen=True, gc=False):
    """A whole response and what it was made of: to a request that is not HEAD, keeping the connection. Where many ask
    for the same it is made once: the same objects for `headers` (a tuple) and `body`, in the same second."""

    headers: Headers
    body: bytes
    status: int
    is_1_1: bool
    data: bytes


def build_head(status: int, headers: Headers, extra: str) -> bytes:
    """The head's bytes; `extra` are the host's own lines, each with its CRLF.

    Raises ValueError for names that are no tokens, and values with CR, LF, NUL or what latin-1 cannot write.
    """
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    # RFC 9110 section 5.5: a value with CR, LF or NUL would begin a header of somebody else's making
    if text and (text.count("\n") != len(headers) or not _FIELDS.fullmatch(text)):
        raise ValueError(f"a header name or value holds characters that HTTP forbids: {list(headers)!r}")
    line = _LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    return f"{line}{text}{extra}\r\n".encode("latin-1")


def has_body(status: int, method: str) -> bool:
    """Whether a response may have a body at all (RFC 9112 section 6.3)."""
    return method != "HEAD" and status not in (204, 304) and status >= 200


def find(headers: Headers, name: str) -> str | None:
    """The first value of the header `name` (lower case), or None."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def date_line(wall: float) -> str:
    """The Date header of RFC 9110 section 6.6.1, with its CRLF."""
    return f"Date: {formatdate(wall, usegmt=True)}\r\n"


def response(
    status: int, headers: Headers, body: bytes, *, method: str, is_1_1: bool, keeps_alive: bool, date: str
) -> bytes:
    """A whole response. Raises ValueError for headers that cannot be sent or contradict the body."""
    if not 200 <= status <= 999:
        raise ValueError(f"{status} is not the status of a final response")
    if find(headers, "transfer-encoding") is not None:
        raise ValueError("a whole response has a length, not a transfer coding")
    extra = date + connection_line(headers, is_1_1=is_1_1, keeps_alive=keeps_alive)
    length = find(headers, "content-length")
    if status == 204:  # RFC 9110 section 8.6: no Content-Length in a 204
        if length is not None:
            raise ValueError("a 204 has no Content-Length")
    elif length is None:
        if body or status != 304:
            extra += f"Content-Length: {len(body)}\r\n"
    elif has_body(status, method) and length != str(len(body)):
        raise ValueError(f"Content-Length says {length}, the body has {len(body)} bytes")
    head = build_head(status, headers, extra)
    return head + body if body and has_body(status, method) else head


def connection_line(headers: Headers, *, is_1_1: bool, keeps_alive: bool) -> str:
    """What RFC 9112 section 9.3 asks for: our status line says 1.1, so a close is said to every client."""
    if not keeps_alive:
        return "" if closes(headers) else "Connection: close\r\n"
    return "" if is_1_1 else "Connection: keep-alive\r\n"


def closes(headers: Headers) -> bool:
    """Whether the headers say that the connection ends after this response."""
    return "close" in (find(headers, "connection") or "").lower()
