"""An ASGI scope and its body messages to an `abc.Request`, and headers back to what servers take.

It knows the ASGI specification (HTTP and WebSocket message formats 2.x); it does not know exchanges.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

from wirehop.abc import Headers, Request
from wirehop.hosts.asgi.options import AsgiOptions, Receive, Scope
from wirehop.hosts.native.forwarded import plain_address
from wirehop.hosts.native.heads import build_head, find, has_body
from wirehop.hosts.native.refusals import Refusal, bad_request

_OF_A_HOP = frozenset(("connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"))
"""RFC 9110 section 7.6.1: of one connection, so the server's to write; forbidden in HTTP/2."""

RawHeaders = list[tuple[bytes, bytes]]


def local_path(scope: Scope) -> str:
    """The path below `root_path`. Some servers and frameworks leave the root in `path` (as ASGI says), some don't."""
    path: str = scope["path"]
    root: str = (scope.get("root_path") or "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        path = path[len(root) :]
    return path or "/"


def read_request(scope: Scope, path: str, body: bytes) -> Request:
    """The request; a WebSocket's is the GET that it began with. Raises `Refusal`."""
    is_websocket = scope["type"] == "websocket"
    if path == "*":
        path = "/"  # OPTIONS *, RFC 9112 section 3.2.4
    if not path.startswith("/") or "\0" in path:
        raise bad_request("http.bad_path", "the path does not begin with a slash, or holds a NUL")
    if "/.." in path and ".." in path.split("/"):
        raise bad_request("http.bad_path", "the path holds a '..' segment")
    headers = _headers(scope["headers"])
    if is_websocket:
        headers["upgrade"] = "websocket"  # HTTP/2 has no such header: RFC 8441
    client: Sequence[object] | None = scope.get("client")
    scheme: Literal["http", "https"] = "https" if scope.get("scheme") in ("https", "wss") else "http"
    return Request(
        method="GET" if is_websocket else scope["method"],
        path=path,
        query=(scope.get("query_string") or b"").decode("latin-1"),
        headers=headers,
        body=body,
        address=plain_address(str(client[0])) if client else "",
        scheme=scheme,
    )


def _headers(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = bytes(raw_name).decode("latin-1").lower(), bytes(raw_value).decode("latin-1")
        if name in headers:
            value = f"{headers[name]}{'; ' if name == 'cookie' else ', '}{value}"
        headers[name] = value
    return headers


async def read_body(receive: Receive, scope: Scope, options: AsgiOptions) -> bytes | None:
    """The whole body; None if the peer went. Raises `Refusal` over the limit or after the time."""
    for name, value in scope["headers"]:
        if name == b"content-length" and bytes(value).isdigit() and int(value) > options.body_bytes:
            raise _too_large(options)
    body = b""
    try:
        async with asyncio.timeout(options.body_seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                body += message.get("body") or b""
                if len(body) > options.body_bytes:
                    raise _too_large(options)
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise Refusal(408, "http.body_timeout", "the request body did not come in time") from None


def _too_large(options: AsgiOptions) -> Refusal:
    return Refusal(413, "http.body_too_large", f"the request body is larger than {options.body_bytes} bytes")


def raw_headers(status: int, headers: Headers) -> RawHeaders:
    """The headers as servers take them, without those of a hop. Raises ValueError for what HTTP forbids."""
    build_head(status, headers, "")  # checks them
    return [
        (lower.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
        if (lower := name.lower()) not in _OF_A_HOP
    ]


def whole_answer(status: int, headers: Headers, body: bytes, method: str) -> tuple[RawHeaders, bytes]:
    """Headers with Content-Length, and the body as far as this answer has one. Raises ValueError as `raw_headers`, and
    for a Content-Length that contradicts the body."""
    if not 200 <= status <= 999:
        raise ValueError(f"{status} is not the status of a final response")
    raw = raw_headers(status, headers)
    length = find(headers, "content-length")
    carries = has_body(status, method)
    if status in (204, 304):  # servers count: a length without a body would be an error of ours
        return [pair for pair in raw if pair[0] != b"content-length"], b""
    if length is None:
        raw.append((b"content-length", b"%d" % len(body)))
    elif carries and length != str(len(body)):
        raise ValueError(f"Content-Length says {length}, the body has {len(body)} bytes")
    return raw, body if carries else b""
