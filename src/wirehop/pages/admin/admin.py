"""`/admin/`: the page itself, and what it asks under `/admin/api/`.

Without a password (which `--dev` allows) everybody on this machine is an admin; then the address must name this
machine, so that no page from elsewhere gets in under a name of its own. With one, a cookie is needed that only signing
in gives. Every question also carries a header that only a page of this origin can set, and no CORS header is ever
sent. The page follows and publishes over an ordinary session, to which `Node.vouch` gives every right.

It knows HTTP and signing in; the lists are made elsewhere. Who serves files is given to it.
"""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from wirehop.abc import Exchange, Headers, Request
from wirehop.core import codes
from wirehop.core.codes import Kind
from wirehop.core.errors import Refused
from wirehop.node.figures import Figures
from wirehop.node.node import Node
from wirehop.pages.admin.channels import Rates, channel_page, channel_row
from wirehop.pages.admin.overview import overview
from wirehop.pages.admin.scan import MOST_ROWS, Wanted
from wirehop.pages.admin.sessions import session_detail, session_page
from wirehop.pages.admin.signin import SignIn, SignIns
from wirehop.settings.tree import Settings
from wirehop.transports.door import JSON_TYPE, NO_STORE, first, parameters, status_of

log = logging.getLogger("wirehop.admin")

ROOT = "/admin"
PREFIX = "/admin/api/"
COOKIE = "wirehop_admin"
HEADER = "x-wirehop-admin"
"""Only a page of this origin can send it: for others it needs a permission (CORS) that nobody gives."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Headers = (
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
"""For whoever serves the page's files."""
SHARED_FILES = frozenset({"/style.css", "/theme.js", "/ui.js", "/icon.svg"})
"""What the page uses beside its own directory."""
WIRES = (("websocket", "websocket"), ("stream", "stream"), ("sse", "sse"), ("poll", "long-poll"))
"""What the page may follow channels over: the name in the settings, and the page's name."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Ask = Callable[[Request], Awaitable[object]]


def is_of_admin(path: str) -> bool:
    """Whether the admin page answers this path. What it shares with other pages it serves as well."""
    return path == ROOT or path.startswith(ROOT + "/") or path in SHARED_FILES


class Password(Struct, frozen=True):
    password: str


class Ending(Struct, frozen=True):
    client: str
    code: int = codes.FORCE_DISCONNECT.number
    reason: str = ""


class Admin:
    """The handler of everything below `/admin`. `serve_file(exchange, path)` answers with a file of the pages."""

    def __init__(self, node: Node, settings: Settings, serve_file: Callable[[Exchange, str], None]) -> None:
        self._node = node
        self._settings = settings
        self._serve_file = serve_file
        self._sign_ins = SignIns(settings.admin.password, node.clock, seconds=settings.admin.session_age)
        self._rates = Rates(node)
        self._figures = Figures(node)
        self._asked: dict[str, tuple[str, Ask]] = {
            "overview": ("GET", self._overview),
            "sessions": ("GET", self._sessions),
            "session": ("GET", self._session),
            "channels": ("GET", self._channels),
            "channel": ("GET", self._channel),
            "close": ("POST", self._close),
        }
        node.vouch = self._sign_ins.vouch

    def open(self, exchange: Exchange) -> None:
        """Serve one request."""
        request = exchange.request
        if not request.path.startswith(PREFIX):
            self._serve_file(exchange, request.path)
            return
        if problem := self._stranger(request):
            _answer(exchange, 403, codes.PERMISSION_DENIED, problem)
            return
        what = request.path.removeprefix(PREFIX)
        if what == "login":
            self._login(exchange)
        elif what == "logout":
            self._logout(exchange)
        else:
            self._serve(exchange, what)

    def _serve(self, exchange: Exchange, what: str) -> None:
        request = exchange.request
        sign_in = self._sign_ins.find(_cookie(request))
        if what == "me" and request.method == "GET":  # no error: how the page finds out whether to ask for a password
            _json(exchange, {"is_stranger": True} if sign_in is None else self._me(sign_in))
        elif sign_in is None:
            _answer(exchange, 401, codes.UNAUTHORIZED, "sign in")
        elif what not in self._asked:
            _answer(exchange, 404, codes.METHOD_NOT_FOUND)
        elif request.method != self._asked[what][0]:
            exchange.respond(405, [("Allow", self._asked[what][0]), NO_STORE])
        else:
            self._node.spawn(self._reply(exchange, self._asked[what][1]))

    async def _reply(self, exchange: Exchange, ask: Ask) -> None:
        try:
            answer = await ask(exchange.request)
        except Refused as refusal:
            _answer(exchange, status_of(refusal.code.number), refusal.code, refusal.message)
        except Exception:
            self._node.metrics.errors["admin"] += 1
            log.exception("%s could not be answered", exchange.request.path)
            _answer(exchange, 500, codes.INTERNAL)
        else:
            _json(exchange, answer)

    # ---- who asks ----------------------------------------------------------------------------------------------------

    def _stranger(self, request: Request) -> str:
        """Why this is not asked by the page itself; empty where it is."""
        headers = request.headers
        host, origin = headers.get("host", ""), headers.get("origin", "")
        if HEADER not in headers:
            return f"the header {HEADER} is missing"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "asked by a page of another site"
        if "sec-fetch-site" not in headers and origin and origin.lower() != f"{request.scheme}://{host.lower()}":
            return f"asked by a page of {origin[:128]}, and this is {request.scheme}://{host[:128]}"
        if self._sign_ins.is_open and not _is_loopback(host):
            return "without a password the address must be localhost, 127.0.0.1 or [::1]"
        return ""

    def _login(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method != "POST":
            exchange.respond(405, [("Allow", "POST"), NO_STORE])
            return
        if self._sign_ins.is_open:
            _json(exchange, {"is_open": True})
            return
        if wait := self._sign_ins.wait_of(request.address):
            seconds = str(int(wait) + 1)
            message = f"too many wrong passwords: try again in {seconds} s"
            _answer(exchange, 429, codes.TOO_MANY_REQUESTS, message, ("Retry-After", seconds))
            return
        try:
            given = msgspec.json.decode(request.body, type=Password).password
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            _answer(exchange, 400, codes.BAD_REQUEST, 'the body is {"password": "…"}')
            return
        signed_in = self._sign_ins.sign_in(given, request.address)
        if signed_in is None:
            self._node.metrics.errors["admin_login"] += 1
            log.warning("a wrong password for the admin page, from %s", request.address)
            _answer(exchange, 401, codes.UNAUTHORIZED, "wrong password")
            return
        token, sign_in = signed_in
        log.info("signed in to the admin page, from %s", request.address)
        _json(exchange, self._me(sign_in), _set_cookie(request, token, int(self._settings.admin.session_age)))

    def _logout(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method != "POST":
            exchange.respond(405, [("Allow", "POST"), NO_STORE])
            return
        for client in self._sign_ins.sign_out(_cookie(request)):
            self._node.disconnect(client, codes.FORCE_DISCONNECT, "signed out")
        exchange.respond(204, [NO_STORE, _set_cookie(request, "", 0)])

    def _me(self, sign_in: SignIn) -> dict[str, object]:
        offered = self._settings.transports
        return {
            "is_open": self._sign_ins.is_open,
            "token": sign_in.pass_token,
            "node": self._node.id,
            "wires": [shown for name, shown in WIRES if getattr(offered, name)],
            "codes": [
                {"code": code.number, "text": code.text}
                for code in (codes.FORCE_DISCONNECT, codes.FORCE_RECONNECT, codes.CONNECTION_EXPIRED)
            ],
        }

    # ---- what is asked -----------------------------------------------------------------------------------------------

    async def _overview(self, _: Request) -> object:
        return await overview(self._node, self._figures, self._rates)

    async def _sessions(self, request: Request) -> object:
        wire = first(parameters(request), "wire")
        return await session_page(self._node, _wanted(request), wire=wire)

    async def _session(self, request: Request) -> object:
        detail = session_detail(self._node, first(parameters(request), "client"))
        if detail is None:
            raise Refused(codes.NOT_AVAILABLE, "there is no session with this id here any more")
        return detail

    async def _channels(self, request: Request) -> object:
        return await channel_page(self._node, self._rates, _wanted(request))

    async def _channel(self, request: Request) -> object:
        name = first(parameters(request), "name")
        if not name or len(name.encode()) > self._node.limits.channel_bytes or not name.isprintable():
            raise Refused(codes.BAD_REQUEST, "that cannot be the name of a channel")
        await self._rates.sample()
        return await channel_row(self._node, self._rates, name)

    async def _close(self, request: Request) -> object:
        try:
            ending = msgspec.json.decode(request.body, type=Ending)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(codes.BAD_REQUEST, str(error)) from None
        code = codes.find(ending.code)
        if code is None or code.kind is not Kind.DISCONNECT:
            raise Refused(codes.BAD_REQUEST, "code is a disconnect code of the table")
        if not self._node.disconnect(ending.client, code, ending.reason[:100]):
            raise Refused(codes.NOT_AVAILABLE, "there is no session with this id here any more")
        return {}


def _wanted(request: Request) -> Wanted:
    query = parameters(request)

    def number(name: str, default: int, most: int) -> int:
        text = first(query, name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise Refused(codes.BAD_REQUEST, f"{name} is a number")
        return min(int(text), most)

    return Wanted(
        search=first(query, "search")[:256].lower(),
        sort=first(query, "sort"),
        descending=first(query, "order") == "desc",
        offset=number("offset", 0, 999_999_999),
        limit=number("limit", 50, MOST_ROWS),
    )


def _cookie(request: Request) -> str:
    for each in request.headers.get("cookie", "").split(";"):
        name, _, value = each.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _set_cookie(request: Request, token: str, seconds: int) -> tuple[str, str]:
    secure = "; Secure" if request.scheme == "https" else ""
    return "Set-Cookie", f"{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _is_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in _LOOPBACK
    except ValueError:
        return False


def _json(exchange: Exchange, answer: object, *extra: tuple[str, str]) -> None:
    exchange.respond(200, [JSON_TYPE, NO_STORE, *extra], msgspec.json.encode(answer))


def _answer(exchange: Exchange, status: int, code: codes.Code, message: str = "", *extra: tuple[str, str]) -> None:
    body = {"error": {"code": code.number, "message": message or code.text}}
    exchange.respond(status, [JSON_TYPE, NO_STORE, *extra], msgspec.json.encode(body))
