"""What every transport does before it opens a wire: origin, CORS, credentials, who is there, errors as HTTP."""

from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec

from wirehop.abc import Exchange, Headers, Peer, Request
from wirehop.auth.cookies import Cookies
from wirehop.auth.origins import Origins
from wirehop.auth.rights import SPENT, Credential
from wirehop.auth.tickets import TicketUse
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.node.node import Node
from wirehop.rtc.pure.ice import host_in

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
    codes.TOKEN_EXPIRED: 401,
    codes.EXPIRED: 401,
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
    codes.CONNECTION_EXPIRED: 401,
    codes.BAD_REQUEST_CLOSE: 400,
}
_BY_NUMBER = {code.number: status for code, status in _STATUS.items()}


def status_of(number: int) -> int:
    """The HTTP status that says the same as a code."""
    return _BY_NUMBER.get(number, 500)


def peer_of(request: Request, transport: str) -> Peer:
    """The other end, as applications see it."""
    headers = request.headers
    agent = headers.get("user-agent", "")[:256]
    return Peer(request.address, headers.get("origin", ""), transport, agent, host_in(headers.get("host", "")))


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


def bearer_of(request: Request) -> str:
    """The token of `Authorization: Bearer` (RFC 6750 section 2.1), or ""."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class Door:
    """The origin check, the headers that go with it, and the credentials of requests, for one server. Without `node`
    there are no tickets, without `cookies` no cookie counts."""

    def __init__(self, origins: Origins, *, node: Node | None = None, cookies: Cookies | None = None) -> None:
        self._origins = origins
        self._node = node
        self.cookies = cookies or Cookies("", "lax", origins)

    def admits(self, exchange: Exchange) -> bool:
        """Whether the page that asks may; if not, it has been answered 403."""
        request = exchange.request
        origin = request.headers.get("origin", "")
        if self._origins.allows(origin, host=request.headers.get("host", ""), scheme=request.scheme):
            return True
        self.refuse(exchange, codes.PERMISSION_DENIED_CLOSE, f"the origin {origin[:128]} is not allowed here")
        return False

    def credential(self, exchange: Exchange, use: TicketUse | None, *, takes_cookie: bool = True) -> Credential:
        """What the request brings: the token of its header, else the ticket of its query (for this `use`; None: no
        ticket is good here), else the token of the cookie, where that counts. "" for nothing."""
        request = exchange.request
        if bearer := bearer_of(request):
            return bearer
        if "ticket=" in request.query and (text := first(parameters(request), "ticket")):
            ticket = self._node.auth.tickets.redeem(text, use) if use is not None and self._node is not None else None
            return ticket or SPENT
        return self.cookies.token(request.headers, scheme=request.scheme) if takes_cookie else ""

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
        status = status or status_of(code.number)
        challenge = [("WWW-Authenticate", "Bearer")] if status == 401 else []  # RFC 9110 section 11.6.1
        self.json(exchange, status, msgspec.json.encode(error), challenge)

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
