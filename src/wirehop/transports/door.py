"""What every transport does before it opens a wire: origin, CORS, who is at the other end, errors as HTTP."""

from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec

from wirehop.abc import Exchange, Headers, Peer, Request
from wirehop.auth.origins import Origins
from wirehop.core import codes
from wirehop.core.codes import Code

NO_STORE = ("Cache-Control", "no-store")
JSON_TYPE = ("Content-Type", "application/json")
EVENT_STREAM_HEADERS: Headers = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
)
"""The head of every event stream: no cache keeps it, no proxy buffers it."""

_STATUS = {
    codes.UNAUTHORIZED: 401,
    codes.PERMISSION_DENIED: 403,
    codes.UNKNOWN_CHANNEL: 404,
    codes.METHOD_NOT_FOUND: 404,
    codes.NOT_AVAILABLE: 404,
    codes.LIMIT_EXCEEDED: 413,
    codes.BAD_REQUEST: 400,
    codes.TOO_MANY_REQUESTS: 429,
    codes.UNRECOVERABLE_POSITION: 410,
    codes.CONNECTION_LIMIT: 503,
    codes.SHUTDOWN: 503,
    codes.PERMISSION_DENIED_CLOSE: 403,
    codes.INVALID_TOKEN: 401,
    codes.BAD_REQUEST_CLOSE: 400,
}
_BY_NUMBER = {code.number: status for code, status in _STATUS.items()}


def status_of(number: int) -> int:
    """The HTTP status that says the same as a code."""
    return _BY_NUMBER.get(number, 500)


def peer_of(request: Request, transport: str) -> Peer:
    """The other end, as applications see it."""
    headers = request.headers
    return Peer(request.address, headers.get("origin", ""), transport, headers.get("user-agent", "")[:256])


def parameters(request: Request) -> dict[str, list[str]]:
    """The query's parameters; at most 64 of them are read."""
    try:
        return parse_qs(request.query, keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return {}


def first(parameters: Mapping[str, list[str]], name: str) -> str:
    """The first value of a parameter, or ""."""
    values = parameters.get(name)
    return values[0] if values else ""


class Door:
    """The origin check and the headers that go with it, for one server."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def admits(self, exchange: Exchange) -> bool:
        """Whether the page that asks may; if not, it has been answered 403."""
        request = exchange.request
        origin = request.headers.get("origin", "")
        if self._origins.allows(origin, host=request.headers.get("host", ""), scheme=request.scheme):
            return True
        self.refuse(exchange, codes.PERMISSION_DENIED_CLOSE, f"the origin {origin[:128]} is not allowed here")
        return False

    def cors(self, exchange: Exchange) -> list[tuple[str, str]]:
        """The CORS headers of the answer."""
        return self._origins.cors(exchange.request.headers, scheme=exchange.request.scheme)

    def preflight(self, exchange: Exchange, methods: str) -> None:
        """Answer OPTIONS."""
        request = exchange.request
        headers = self._origins.preflight(request.headers, scheme=request.scheme, methods=methods)
        exchange.respond(204, [*headers, ("Allow", methods)])

    def json(self, exchange: Exchange, status: int, body: bytes, extra: Headers = ()) -> None:
        """Answer with JSON that nobody keeps."""
        exchange.respond(status, [JSON_TYPE, NO_STORE, *self.cors(exchange), *extra], body)

    def refuse(self, exchange: Exchange, code: Code, message: str = "", *, status: int = 0) -> None:
        """Answer with an error of the table."""
        error = {"error": {"code": code.number, "message": message or code.text}}
        self.json(exchange, status or status_of(code.number), msgspec.json.encode(error))

    def wrong_method(self, exchange: Exchange, methods: str) -> None:
        """Answer 405."""
        exchange.respond(
            405,
            [("Allow", methods), ("Content-Type", "text/plain"), *self.cors(exchange)],
            b"method not allowed\n",
        )


def reason_text(code: Code, reason: str) -> str:
    """A close reason as SDKs need it: never empty and never valid JSON."""
    text = reason or code.text
    try:
        msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError):
        return text
    return f"{code.text}: {text}"
