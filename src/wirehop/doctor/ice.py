"""Which STUN and TURN servers are meant, and with which credentials: given as an address, or asked of a wirehop server
as a participant would.

It knows URLs and settings, and asks one wirehop server. It does not ask STUN and TURN servers.
"""

import asyncio
import contextlib
import re
import ssl
import time
from ipaddress import ip_address
from typing import Final

import msgspec
from msgspec import Struct

from wirehop.client.address import read_address
from wirehop.client.client import Client
from wirehop.client.errors import AddressError, ClientError
from wirehop.core import codes
from wirehop.doctor import turn_advice as advice
from wirehop.doctor.connection import blind
from wirehop.doctor.findings import Finding
from wirehop.rtc.pure.credentials import credential, expiry_of
from wirehop.rtc.pure.peers import PeerRules
from wirehop.settings.check_rtc import COTURN, coturn_address
from wirehop.settings.tree import Rtc

_URL: Final = re.compile(
    r"(?P<scheme>stun|turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
_USER: Final = "doctor"
_CHANGES: Final = {
    codes.TOKEN_EXPIRED.number: advice.ROOM,
    codes.UNAUTHORIZED.number: advice.ROOM,
    codes.PERMISSION_DENIED.number: advice.ROOM,
    codes.INVALID_TOKEN.number: advice.ROOM,
    codes.METHOD_NOT_FOUND.number: advice.NO_ICE,
    codes.NOT_AVAILABLE.number: advice.NO_ROOM,
}
SKEW_SECONDS: Final = 30.0


class IceServer(Struct, frozen=True, kw_only=True):
    """One way to a STUN or TURN server. `wire` is udp, tcp or tls."""

    wire: str
    host: str
    port: int
    is_turn: bool = True
    username: str = ""
    password: str = ""

    @property
    def where(self) -> str:
        """Host, port and wire in words."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} over {self.wire.upper()}"


class Sought(Struct, frozen=True, kw_only=True):
    """Which servers to look at. With `secret` credentials are made here; else they are `username` and `password`, or
    those that the wirehop server at `url` gives to a participant of `channel`."""

    url: str
    """`http(s)://` of a wirehop server, or `turn:`, `turns:`, `stun:` (RFC 7064, 7065) or `coturn://` of another."""
    channel: str = "room:doctor"
    token: str = ""
    username: str = ""
    password: str = ""
    rtc: Rtc = Rtc()
    authorities: str = ""
    timeout: float = 5.0


class _Given(Struct):
    urls: list[str] | str
    username: str = ""
    credential: str = ""


class _Answer(Struct):
    ice_servers: list[_Given] = []
    ttl: float = 0.0


def read_ice_url(url: str, username: str = "", password: str = "") -> IceServer | None:
    """The way that a `stun:`, `turn:` or `turns:` URL means; None for anything else, and for DTLS, which nobody
    speaks."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    is_secure = found["scheme"] == "turns"
    port = int(found["port"] or (5349 if is_secure else 3478))
    if not 0 < port < 65_536 or (is_secure and found["transport"] == "udp"):
        return None
    return IceServer(
        wire="tls" if is_secure else found["transport"] or "udp",
        host=found["host"].strip("[]"),
        port=port,
        is_turn=found["scheme"] != "stun",
        username=username,
        password=password,
    )


async def seek(sought: Sought) -> tuple[list[IceServer], list[Finding]]:
    """The servers, and what there is to say of how they were found; none where nothing can be looked at. Raises
    `AddressError` for what is no URL."""
    if sought.url.startswith(("http:", "https:", "ws:", "wss:")):
        servers, finding = await _ask(sought)
        if servers and (hidden := await _hidden(sought, servers)) is not None:
            return servers, [finding, hidden]
        if not servers and sought.rtc.secret:
            address = read_address(sought.url)
            port = sought.rtc.port or address.port
            servers = _ways(sought, address.host, port, address.port, is_secure=address.is_secure)
            change = f"{finding.change}; meanwhile the server's own ports are looked at, with rtc.secret"
            finding = msgspec.structs.replace(finding, change=change)
        return servers, [finding]
    if sought.url.startswith(COTURN):
        where = coturn_address(sought.url)
        if where is None:
            raise AddressError(f"{sought.url!r} must be coturn://host:port")
        servers = _ways(sought, where[0], where[1], where[1], is_secure=False)
        # coturn speaks TLS on each of its ports, where it has a certificate.
        servers.append(_signed(IceServer(wire="tls", host=where[0], port=where[1]), sought))
    else:
        given = read_ice_url(sought.url)
        if given is None:
            raise AddressError(f"{sought.url!r} must begin with http://, https://, turn:, turns:, stun: or coturn://")
        servers = [_signed(given, sought)]
    return servers, [Finding("ice-servers", "ok", f"given: {', '.join(each.where for each in servers)}")]


def again(sought: Sought, server: IceServer, age: float) -> IceServer | None:
    """The same with a credential that ends `age` seconds from now; None where none can be made."""
    if not sought.rtc.secret:
        return None
    made = credential(sought.rtc.secret, _USER, now=time.time(), age=age)
    return msgspec.structs.replace(server, username=made.username, password=made.password)


def _ways(sought: Sought, host: str, udp_port: int, tcp_port: int, *, is_secure: bool) -> list[IceServer]:
    ways = [
        IceServer(wire="udp", host=host, port=udp_port),
        IceServer(wire="tls" if is_secure else "tcp", host=host, port=tcp_port),
    ]
    return [_signed(each, sought) for each in ways]


def _signed(server: IceServer, sought: Sought) -> IceServer:
    if not server.is_turn:
        return server
    if sought.username:
        return msgspec.structs.replace(server, username=sought.username, password=sought.password)
    return again(sought, server, sought.rtc.credential_age) or server


async def _ask(sought: Sought) -> tuple[list[IceServer], Finding]:
    """As a participant: join the room, ask `rtc.ice`, leave."""
    address = read_address(sought.url)
    tls: ssl.SSLContext | None = None
    if address.is_secure:  # the certificate is looked at by itself
        tls = blind()
        tls.set_alpn_protocols(["http/1.1"])
    try:
        async with asyncio.timeout(3 * sought.timeout):
            client = Client(sought.url, token=sought.token, tls=tls, timeout=sought.timeout)
            async with client, client.subscribe(sought.channel):
                data = await client.rpc("rtc.ice", {"channel": sought.channel})
        answer = msgspec.convert(data, _Answer)
    except TimeoutError:
        return [], Finding("ice-servers", "bad", "rtc.ice is not answered", advice.NO_ICE)
    except msgspec.ValidationError as error:
        return [], Finding("ice-servers", "bad", f"rtc.ice is answered with something else: {error}", advice.NO_ICE)
    except ClientError as error:
        change = _CHANGES.get(error.code, advice.SERVER)
        return [], Finding("ice-servers", "bad", f"no ICE servers for {sought.channel}: {error}", change)
    servers = [
        server
        for each in answer.ice_servers
        for url in ([each.urls] if isinstance(each.urls, str) else each.urls)
        if (server := read_ice_url(url, each.username, each.credential)) is not None
    ]
    if not servers:
        return [], Finding("ice-servers", "bad", "the server names no STUN or TURN server", advice.NO_ICE)
    names = ", ".join(dict.fromkeys(each.where for each in servers))
    return servers, _clock(servers, answer.ttl) or Finding("ice-servers", "ok", f"rtc.ice names {names}")


async def _hidden(sought: Sought, servers: list[IceServer]) -> Finding | None:
    """Where participants are sent to an address that only a network inside has."""
    rules, host = PeerRules(), read_address(sought.url).host
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError:
        return None
    around = {rules.refusal(str(ip_address(str(address[0]).partition("%")[0]))) for *_, address in found}
    for each in servers:
        with contextlib.suppress(ValueError):  # a name
            kind = rules.refusal(str(ip_address(each.host)))
            if kind and kind not in around:
                seen = f"participants are sent to {each.host} ({kind}), but the server is at {host}: nobody finds it"
                return Finding("ice-address", "bad", seen, advice.ADDRESS)
    return None


def _clock(servers: list[IceServer], ttl: float) -> Finding | None:
    """Their expiry tells the time of the machine that made them."""
    expiry = next((found for each in servers if (found := expiry_of(each.username)) is not None), None)
    if expiry is None or not ttl or abs(skew := expiry - ttl - time.time()) <= SKEW_SECONDS:
        return None
    side = "ahead of" if skew > 0 else "behind"
    seen = f"the clock of the server that makes the credentials is {abs(skew):.0f} s {side} this one"
    return Finding("turn-clock", "warn", seen, advice.CLOCK)
