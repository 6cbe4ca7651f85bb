"""A server by its URL, through whatever stands in front of it: one examination after the other, each with its findings.

Where an examination shows that the next ones can say nothing, they are left out.
"""

import asyncio
import ssl
import time
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from wirehop.client.address import Address, read_address
from wirehop.client.errors import HttpError
from wirehop.client.http import HttpClient, Response
from wirehop.doctor import advice
from wirehop.doctor.connection import Unreachable, blind, examine_keep_alive, examine_tls, reach
from wirehop.doctor.findings import Finding, Found
from wirehop.doctor.silence import examine_silence
from wirehop.doctor.sockets import examine_websocket
from wirehop.doctor.streams import examine_stream
from wirehop.transports.doctor import PATH, Info

SKEW_SECONDS = 5.0


class Questions(Struct, frozen=True, kw_only=True):
    """What to ask. Durations in seconds; `authorities` is a PEM file of certificates to trust instead of the
    system's."""

    idle: float = 30.0
    """How long a silence to try; 0: none."""
    origin: str = ""
    """A page's origin that should be let in, beside the server's own."""
    authorities: str = ""
    timeout: float = 10.0


async def examine_url(url: str, questions: Questions, found: Found | None = None) -> list[Finding]:
    """Look at everything. `found` hears of each finding as it is made. Raises `AddressError` for what is no URL."""
    visit = _Visit(read_address(url), questions, found)
    try:
        await visit.run()
    except Unreachable as error:
        visit.tell(error.finding)
    finally:
        await visit.close()
    return visit.findings


class _Visit:
    """One examination of one server."""

    def __init__(self, address: Address, questions: Questions, found: Found | None) -> None:
        self.findings: list[Finding] = []
        self._address = address
        self._questions = questions
        self._found = found
        self._http: HttpClient | None = None

    def tell(self, *findings: Finding) -> None:
        for finding in findings:
            self.findings.append(finding)
            if self._found is not None:
                self._found(finding)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def _context(self, *, is_trusted: bool = True) -> ssl.SSLContext | None:
        if not self._address.is_secure:
            return None
        return ssl.create_default_context(cafile=self._questions.authorities or None) if is_trusted else blind()

    async def run(self) -> None:
        address, timeout = self._address, self._questions.timeout
        self.tell(await reach(address, timeout))
        findings, is_trusted = await examine_tls(address, self._context(), timeout)
        self.tell(*findings)
        tls = self._context(is_trusted=is_trusted)
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"])
        http = self._http = HttpClient(address, tls, timeout=timeout)
        self.tell(*await examine_server(http, tls))
        info = await _info(http)
        self.tell(await examine_keep_alive(address, self._context(is_trusted=is_trusted), timeout))
        if info is None:
            change = (
                "transports.doctor = true, or a newer server: without it proxies can be looked at from outside only"
            )
            self.tell(Finding("doctor", "warn", f"there is no {PATH}", change))
            self.tell(*await examine_websocket(address, tls, timeout, has_echo=False))
            return
        self.tell(*examine_way(info, address))
        self.tell(*await examine_origins(http, self._questions.origin, info))
        sockets = await examine_websocket(address, tls, timeout, has_echo=True)
        self.tell(*sockets)
        self.tell(*await examine_stream(http))
        if self._questions.idle:
            has_sockets = all(finding.verdict == "ok" for finding in sockets)
            self.tell(*await examine_silence(http, tls, info, self._questions.idle, has_sockets=has_sockets))


async def examine_server(http: HttpClient, tls: ssl.SSLContext | None) -> list[Finding]:
    """Is it wirehop, and is there a proxy in front? Raises `Unreachable` where nothing more can be found out."""
    try:
        answer = await http.request("GET", "/health")
    except HttpError as error:
        raise Unreachable(Finding("server", "bad", str(error), "is this the address of a web server?")) from None
    if not _is_healthy(answer):
        raise Unreachable(await _not_healthy(http, tls, answer))
    findings = [_clock(answer)]
    names = [answer.headers[name] for name in ("server", "via") if name in answer.headers]
    if names:
        findings.append(Finding("proxy", "ok", f"in front: {', '.join(names)[:120]}"))
    info = await _info(http)
    seen = f"wirehop {info.version}" if info is not None else "it says that it is well"
    return [Finding("server", "ok", seen), *findings]


def _is_healthy(answer: Response) -> bool:
    return answer.status == 200 and answer.body.replace(b" ", b"").startswith(b'{"status":"ok"')


async def _not_healthy(http: HttpClient, tls: ssl.SSLContext | None, answer: Response) -> Finding:
    base, status = http.address.base, answer.status
    if status in (502, 503, 504):
        return Finding("server", "bad", f"the proxy answers {status}: it does not reach the server", advice.BACK_END)
    if status in (301, 302, 307, 308):
        return Finding("server", "bad", f"there is only a way to {answer.headers.get('location', 'another address')}",
                       "give that address")  # fmt: skip
    if not base:
        seen = f"/health is answered {status}: this is not wirehop, or it stands behind a path"
        return Finding("server", "bad", seen, "give the whole address, such as https://example.org/live")
    change = advice.PREFIX.format(base=base)
    if answer.body == b"not found\n":
        seen = f"{base}/health reaches the server with its prefix, and there is no such path"
        return Finding("prefix", "bad", seen, change)
    root = HttpClient(msgspec.structs.replace(http.address, base=""), tls, timeout=http.timeout)
    try:
        at_root = _is_healthy(await root.request("GET", "/health"))
    except HttpError:
        at_root = False
    finally:
        await root.close()
    where = "the server answers at / instead" if at_root else "nor is there a server at /"
    return Finding("prefix", "bad", f"{base}/health is answered {status}; {where}", change)


async def _info(http: HttpClient) -> Info | None:
    try:
        answer = await http.request("GET", f"{PATH}?host={http.address.authority}")
        return msgspec.json.decode(answer.body, type=Info) if answer.status == 200 else None
    except (HttpError, msgspec.DecodeError):
        return None


def _clock(answer: Response) -> Finding:
    """The Date header has whole seconds."""
    try:
        skew = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
    except (KeyError, ValueError):
        return Finding("clock", "warn", "answers have no Date", "let the proxy pass it on")
    if abs(skew) > SKEW_SECONDS:
        before = "ahead of" if skew > 0 else "behind"
        return Finding("clock", "warn", f"the server's clock is {abs(skew):.0f} s {before} this one", advice.CLOCK)
    return Finding("clock", "ok", "the clocks agree")


def examine_way(info: Info, address: Address) -> list[Finding]:
    """What the server says of how the request reached it."""
    findings = []
    if info.http == "1.0":
        seen = "requests reach the server in HTTP/1.0: no upgrades, no chunks, a new connection for each"
        findings.append(Finding("upstream-http", "bad", seen, advice.HTTP_1_1))
    elif info.connection == "close":
        seen = "the proxy opens a new connection to the server for each request"
        findings.append(Finding("upstream-keep-alive", "warn", seen, advice.KEEP_ALIVE_UPSTREAM))
    if info.forwarded == "ignored":
        seen = "the proxy says who the client is, and the server does not believe it"
        findings.append(Finding("forwarded", "warn", seen, advice.TRUST))
    elif info.forwarded == "believed":
        findings.append(Finding("forwarded", "ok", "the server knows the clients' addresses"))
    if not info.has_host:
        seen = f"the proxy changes the Host header {address.authority}: pages of this address count as foreign"
        findings.append(Finding("host", "bad", seen, advice.HOST))
    scheme = "https" if address.is_secure else "http"
    if info.scheme != scheme:
        seen = f"the server takes this for {info.scheme}, it is {scheme}: pages of this address count as foreign"
        change = advice.TRUST if info.forwarded != "absent" else f"{advice.FORWARDED}; and {advice.TRUST}"
        findings.append(Finding("scheme", "bad", seen, change))
    return findings


async def examine_origins(http: HttpClient, given: str, info: Info) -> list[Finding]:
    """Whether a page of this address, and one of the given origin, may connect."""
    address = http.address
    own = f"{'https' if address.is_secure else 'http'}://{address.authority}"
    is_explained = not info.has_host or info.scheme != own.partition(":")[0]
    change = "see host and scheme" if is_explained else advice.ORIGIN
    findings = [await _examine_origin(http, own, change)]
    if given and given != own:
        findings.append(await _examine_origin(http, given, advice.ORIGIN))
    return findings


async def _examine_origin(http: HttpClient, origin: str, change: str) -> Finding:
    try:
        answer = await http.request("GET", PATH, headers=[("Origin", origin)])
    except (HttpError, asyncio.IncompleteReadError) as error:
        return Finding("origin", "bad", f"a request of a page of {origin} fails: {error}", change)
    allowed = answer.headers.get("access-control-allow-origin", "")
    if answer.status == 403:
        return Finding("origin", "bad", f"pages of {origin} are refused", change)
    if "," in allowed:
        return Finding("cors", "bad", f"Access-Control-Allow-Origin comes twice: {allowed[:120]}", advice.CORS_TWICE)
    if allowed not in (origin, "*"):
        seen = f"the answer to a page of {origin} does not let it read: {allowed or 'no CORS header'}"
        return Finding("cors", "bad", seen, "the proxy must pass Origin on and leave Access-Control-… as it is")
    return Finding("origin", "ok", f"pages of {origin} may connect")
