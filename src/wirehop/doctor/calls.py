"""Whether calls between people come about: the STUN and TURN servers that participants are sent to, one way after the
other, from where this runs.

    ice-servers → turn-certificate → stun-udp, turn-udp, turn-tcp, turn-tls → turn-credentials
                → turn-address, turn-permission, turn-hairpin, turn-outside (over the first way that works) → mdns

What cannot be looked at, because of something that was found before, is left out.
"""

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from wirehop.doctor import turn_advice as advice
from wirehop.doctor.certificates import examine_lifetime
from wirehop.doctor.connection import blind
from wirehop.doctor.findings import Finding, Found
from wirehop.doctor.ice import IceServer, Sought, again, seek
from wirehop.doctor.mdns import examine_mdns
from wirehop.doctor.relays import (
    advice_for,
    examine_address,
    examine_hairpin,
    examine_outside,
    examine_permission,
)
from wirehop.doctor.turn_wire import AskError, TurnWire, dial
from wirehop.rtc.pure.credentials import expiry_of

WIRES: Final = ("udp", "tcp", "tls")
_LONG_SECONDS: Final = 10 * 365 * 86_400.0
_DATA_SECONDS: Final = 3.0
_EXPIRED, _HOSTNAME, _ADDRESS = 10, 62, 64  # X509_V_ERR_… of OpenSSL
_SELF_SIGNED: Final = (18, 19)


class _Tried(Struct, frozen=True):
    """How an allocation over one wire went. `error` is None where it was granted."""

    server: IceServer
    error: AskError | None = None
    expiry: int | None = None


async def examine_calls(sought: Sought, found: Found | None = None) -> list[Finding]:
    """Look at everything. `found` hears of each finding as it is made. Raises `AddressError` for what is no URL."""
    examination = _Examination(sought, found)
    servers, findings = await seek(sought)
    examination.tell(*findings)
    if servers:
        await examination.run(servers)
    examination.tell(await examine_mdns())
    return examination.findings


class _Examination:
    def __init__(self, sought: Sought, found: Found | None) -> None:
        self.findings: list[Finding] = []
        self._sought = sought
        self._found = found
        self._timeout = sought.timeout
        self._has_stun = False
        self._tls = blind()
        self._tls.set_alpn_protocols([])  # browsers offer none to TURN

    def tell(self, *findings: Finding) -> None:
        for finding in findings:
            self.findings.append(finding)
            if self._found is not None:
                self._found(finding)

    async def run(self, servers: list[IceServer]) -> None:
        udp = next((each for each in servers if each.wire == "udp"), None)
        if udp is not None:
            self.tell(await self._bind(udp))
        ways = {each.wire: each for each in reversed(servers) if each.is_turn}
        if not ways:
            self.tell(
                Finding("turn-udp", "warn", "no TURN server is named: behind strict NATs calls fail", advice.NO_ICE)
            )
            return
        tried = []
        for wire in WIRES:
            if wire not in ways:
                if wire == "tls":
                    self.tell(Finding("turn-tls", "warn", "no TURN over TLS is offered", advice.TLS_MISSING))
                continue
            if wire == "tls" and (finding := await self._certificate(ways[wire])) is not None:
                self.tell(finding)
            finding, way = await self._allocate(ways[wire])
            tried.append(way)
            self.tell(finding)
        finding_of_all = await self._credentials(tried)
        if finding_of_all is not None:
            self.tell(finding_of_all)
        good = next((way.server for way in tried if way.error is None), None)
        if good is not None:
            await self._relay(good, udp)

    # ---- one way after the other -----------------------------------------------------------------------------------

    async def _bind(self, server: IceServer) -> Finding:
        """STUN over UDP."""
        try:
            async with self._dial(server) as wire:
                host, port = await wire.bind()
        except AskError as error:
            change = (advice.UDP_CLOSED if error.is_closed else advice.UDP_BLOCKED).format(port=server.port)
            seen = f"{server.where} does not answer: UDP is blocked on the way, or nobody listens"
            if error.is_closed:
                seen = f"{server.where}: {error}: nobody listens"
            elif error.code:
                seen, change = f"{server.where} refuses: {error}", advice.FORBIDDEN
            return Finding("stun-udp", "bad", seen, change)
        except OSError as error:
            return Finding(
                "stun-udp", "bad", f"{server.where}: {_text(error)}", advice.UDP_BLOCKED.format(port=server.port)
            )
        self._has_stun = True
        return Finding("stun-udp", "ok", f"{server.where} sees this machine as {host} port {port}")

    async def _allocate(self, server: IceServer) -> tuple[Finding, _Tried]:
        name = f"turn-{server.wire}"
        expiry = expiry_of(server.username)
        began = time.perf_counter()
        try:
            async with self._dial(server) as wire:
                await wire.allocate()
                taken = (time.perf_counter() - began) * 1000
                await wire.give_back()
        except AskError as error:
            change = advice_for(error, server.wire, server.port)
            if error.code == 401 and not error.is_signed:
                change = advice.NO_CREDENTIALS
            return Finding(name, "bad", f"no allocation at {server.where}: {error}", change), _Tried(
                server, error, expiry
            )
        except ssl.SSLError as error:
            seen = f"{server.where}: no TLS is spoken there ({error.reason or _text(error)})"
            return _closed(name, server, seen, advice.TLS_CLOSED, expiry)
        except OSError as error:
            changes = {"tcp": advice.TCP_CLOSED, "tls": advice.TLS_CLOSED, "udp": advice.UDP_BLOCKED}
            return _closed(name, server, f"{server.where}: {_text(error)}", changes[server.wire], expiry)
        return Finding(name, "ok", f"an allocation at {server.where} ({taken:.0f} ms)"), _Tried(server, None, expiry)

    async def _certificate(self, server: IceServer) -> Finding | None:
        """As a browser looks at it; None where there is no TLS, which the allocation will say."""
        context = ssl.create_default_context(cafile=self._sought.authorities or None)
        name = "turn-certificate"
        try:
            der = await _greet(server, context, self._timeout)
        except ssl.SSLCertVerificationError as error:
            seen = f"the certificate of {server.where} is refused: {error.verify_message}"
            return Finding(name, "bad", seen, _change_of(error.verify_code))
        except OSError:
            return None
        return replace(examine_lifetime(der, datetime.now(UTC), renew=advice.RENEW), name=name)

    async def _credentials(self, tried: Iterable[_Tried]) -> Finding | None:
        """What all ways together say of them; None where none was far enough to look."""
        name = "turn-credentials"
        good = next((way for way in tried if way.error is None), None)
        if good is not None:
            until = (
                ""
                if good.expiry is None
                else f", until {datetime.fromtimestamp(good.expiry, UTC):%Y-%m-%d %H:%M:%S} UTC"
            )
            return Finding(name, "ok", f"the server takes them{until}")
        refused = next((way for way in tried if way.error is not None and way.error.code in (401, 441)), None)
        if refused is None or refused.error is None:
            return None
        if not refused.error.is_signed:
            return Finding(name, "bad", "there are none, and the server wants some", advice.NO_CREDENTIALS)
        if refused.expiry is not None and refused.expiry < time.time():
            seen = f"they ended {time.time() - refused.expiry:.0f} s ago by this machine's clock"
            return Finding(name, "bad", seen, advice.CLOCK_HERE)
        longer = again(self._sought, refused.server, _LONG_SECONDS)
        if longer is not None:
            _, way = await self._allocate(longer)
            if way.error is None:
                age = self._sought.rtc.credential_age
                seen = (
                    f"they are refused as ended, though they are good for {age:g} s: the TURN server's clock is ahead"
                )
                return Finding(name, "bad", seen, advice.CLOCK_AHEAD)
        if refused.expiry is None:
            return Finding(name, "bad", "username or password is refused", advice.OTHER_KEY)
        seen = "they are refused, and not because of their time: the TURN server has another secret"
        if longer is None:
            seen = "they are refused: the TURN server has another secret, or its clock is ahead"
        return Finding(name, "bad", seen, advice.OTHER_KEY)

    async def _relay(self, server: IceServer, udp: IceServer | None) -> None:
        """What an allocation is good for."""
        timeout = min(self._timeout, _DATA_SECONDS)
        try:
            async with self._dial(server) as wire:
                relay = await wire.allocate()
                self.tell(examine_address(relay, wire.server[0]))
                permission = await examine_permission(wire, relay)
                self.tell(permission)
                if permission.verdict == "ok":
                    async with self._dial(server) as other:
                        self.tell(await examine_hairpin(wire, relay, other, timeout))
                        with contextlib.suppress(AskError):  # there may be none
                            await other.give_back()
                if udp is not None and self._has_stun:
                    self.tell(await examine_outside(wire, relay, (wire.server[0], udp.port), timeout))
                await wire.give_back()
        except (AskError, OSError) as error:
            seen = f"the way over {server.wire.upper()} broke while it was looked at: {_text(error)}"
            self.tell(Finding("turn-hairpin", "bad", seen, advice.FORBIDDEN))

    def _dial(self, server: IceServer) -> AbstractAsyncContextManager[TurnWire]:
        return dial(
            server.wire,
            server.host,
            server.port,
            username=server.username,
            password=server.password,
            tls=self._tls if server.wire == "tls" else None,
            timeout=self._timeout,
        )


def _closed(name: str, server: IceServer, seen: str, change: str, expiry: int | None) -> tuple[Finding, _Tried]:
    finding = Finding(name, "bad", seen, change.format(port=server.port))
    return finding, _Tried(server, AskError(seen, is_closed=True), expiry)


async def _greet(server: IceServer, context: ssl.SSLContext, timeout: float) -> bytes:
    async with asyncio.timeout(timeout):
        _, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    writer.transport.abort()
    return der


def _change_of(code: int) -> str:
    if code == _EXPIRED:
        return advice.RENEW
    if code in (_HOSTNAME, _ADDRESS):
        return advice.NAME
    return advice.SELF_SIGNED if code in _SELF_SIGNED else advice.CHAIN


def _text(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if (
        isinstance(error, OSError)
        and error.errno is not None
        and error.errno > 0
        and not isinstance(error, ssl.SSLError)
    ):
        return os.strerror(error.errno)  # asyncio has words of its own
    return str(error)
