"""The way to a server, below HTTP: its name, TCP, TLS, which HTTP it offers, and whether connections are kept."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime

import httptools

from wirehop.client.address import Address
from wirehop.doctor import advice
from wirehop.doctor.certificates import examine_lifetime
from wirehop.doctor.findings import Finding

_PROTOCOLS = ["h2", "http/1.1"]
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Unreachable(Exception):
    """There is nothing to examine: `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.seen)
        self.finding = finding


async def reach(address: Address, timeout: float) -> Finding:
    """Whether there is something that accepts. Raises `Unreachable`."""
    began = asyncio.get_running_loop().time()
    where = address.authority
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except TimeoutError:
        seen, change = (
            f"{where} does not accept within {timeout:g} s",
            "a firewall drops packets, or the address is wrong",
        )
        raise Unreachable(Finding("reach", "bad", seen, change)) from None
    except OSError as error:
        change = "start the server or proxy there, or correct the address"
        raise Unreachable(Finding("reach", "bad", f"{where}: {error.strerror or error}", change)) from None
    taken = asyncio.get_running_loop().time() - began
    writer.transport.abort()
    return Finding("reach", "ok", f"{where} accepts connections ({taken * 1000:.1f} ms)")


async def examine_tls(address: Address, context: ssl.SSLContext | None, timeout: float) -> tuple[list[Finding], bool]:
    """The certificate and what ALPN offers; and whether the certificate is to be trusted."""
    if context is None:
        if address.host in _LOCAL:
            return [Finding("http2", "ok", "plain HTTP/1.1, on this machine")], True
        return [Finding("http2", "warn", "plain HTTP: browsers speak HTTP/1.1 here", advice.NO_TLS)], True
    context.set_alpn_protocols(_PROTOCOLS)
    findings: list[Finding] = []
    is_trusted = True
    try:
        protocol, der = await _shake_hands(address, context, timeout)
    except ssl.SSLCertVerificationError as error:
        is_trusted = False
        change = advice.RENEW if "expired" in error.verify_message else advice.TRUSTED_BY_BROWSERS
        findings.append(Finding("tls", "bad", f"the certificate is refused: {error.verify_message}", change))
        try:
            protocol, der = await _shake_hands(address, blind(), timeout)
        except (OSError, TimeoutError) as again:
            raise Unreachable(_no_tls(again)) from None
    except (OSError, TimeoutError) as error:
        raise Unreachable(_no_tls(error)) from None
    if is_trusted:
        findings.append(examine_lifetime(der, datetime.now(UTC), renew=advice.RENEW))
    if protocol == "h2":
        findings.append(Finding("http2", "ok", "HTTP/2 is offered"))
    else:
        findings.append(Finding("http2", "warn", f"no HTTP/2: {protocol or 'ALPN'} is all there is", advice.HTTP_2))
    return findings, is_trusted


def blind() -> ssl.SSLContext:
    """A context that trusts everybody, to go on looking at what a browser would refuse."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(_PROTOCOLS)
    return context


async def _shake_hands(address: Address, context: ssl.SSLContext, timeout: float) -> tuple[str, bytes]:
    async with asyncio.timeout(timeout):
        _, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    found = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return found.selected_alpn_protocol() or "", found.getpeercert(binary_form=True) or b""


def _no_tls(error: Exception) -> Finding:
    seen = "no answer to the TLS greeting" if isinstance(error, TimeoutError) else f"TLS fails: {error}"
    return Finding("tls", "bad", seen, "the address must be one where TLS is spoken; is http:// meant?")


class _Answer:
    """What httptools reads of one answer."""

    def __init__(self) -> None:
        self.is_over = False
        self.keeps_alive = False
        self.parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        self.is_over = True
        self.keeps_alive = self.parser.should_keep_alive()


async def examine_keep_alive(address: Address, context: ssl.SSLContext | None, timeout: float) -> Finding:
    """Two requests on one connection."""
    request = f"GET {address.base}/health HTTP/1.1\r\nHost: {address.authority}\r\n\r\n".encode()
    change = "nginx: keepalive_timeout 75s;. HAProxy: option http-keep-alive, timeout http-keep-alive 75s"
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=None if context is None else _http_1(context)
            )
            try:
                for number in range(2):
                    writer.write(request)
                    if not await _read_answer(reader):
                        seen = "the connection is closed after each answer" if number == 0 else "… after two answers"
                        return Finding("keep-alive", "warn", seen, change)
            finally:
                writer.transport.abort()
                with contextlib.suppress(Exception):
                    await writer.wait_closed()
    except (OSError, TimeoutError, httptools.HttpParserError) as error:
        return Finding("keep-alive", "warn", f"a second request on a connection fails: {error or 'no answer'}", change)
    return Finding("keep-alive", "ok", "connections are kept for the next request")


def _http_1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(_PROTOCOLS[1:])
    return context


async def _read_answer(reader: asyncio.StreamReader) -> bool:
    """Read one; whether the connection stays."""
    answer = _Answer()
    while not answer.is_over:
        data = await reader.read(65_536)
        if not data:
            return False
        answer.parser.feed_data(data)
    return answer.keeps_alive
