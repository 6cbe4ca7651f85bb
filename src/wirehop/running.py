"""Run a node on the native host: start, serve, drain on SIGTERM, stop at once on the second.

asyncio.run(serve(node))        # or: wirehop.run(node)
"""

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from wirehop.core.errors import SettingsError
from wirehop.hosts.native import HostOptions, NativeServer
from wirehop.hosts.native.guest import Reception
from wirehop.hosts.native.uring import probe
from wirehop.hosts.native.uring_batch import RingSender
from wirehop.node.metrics import Metrics
from wirehop.node.node import Node
from wirehop.rtc.pure.ice import Relay
from wirehop.rtc.turn import TurnService
from wirehop.settings.check_rtc import EMBEDDED
from wirehop.settings.tree import Server, Settings
from wirehop.site import Site

log = logging.getLogger("wirehop.serve")
_NEW_OBJECTS = 10_000  # after so many the garbage collector looks at the youngest
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
Background = Callable[[Node], Coroutine[Any, Any, None]]


def host_options(server: Server, heartbeat: float) -> HostOptions:
    """The native host's options from the settings.

    A stream that is never answered (event streams) is noticed by the kernel: what is sent must be acknowledged within
    half a heartbeat, so a black hole is closed within 1.5 heartbeats.
    """
    return HostOptions(
        header_bytes=server.header_bytes,
        header_seconds=server.header_timeout,
        body_seconds=server.body_timeout,
        keep_alive_seconds=server.keep_alive,
        body_bytes=server.body_bytes,
        max_connections=server.max_connections,
        trusted_proxies=server.trusted_proxies,
        ssl_context=_ssl_context(server),
        write_high_water=server.write_high_water,
        write_low_water=server.write_high_water // 4,
        compression=server.compression,
        tcp_user_timeout=heartbeat / 2,
    )


def _ssl_context(server: Server) -> ssl.SSLContext | None:
    if not server.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(server.certificate, server.private_key or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"the certificate cannot be used: {error}", key="server.certificate") from None
    return context


def batch_sender(server: Server, metrics: Metrics) -> RingSender | None:
    """What sends to many subscribers at once, where the settings want it and the system has it. To be called on the
    loop's thread, and closed after the host. It counts `errors` and `gone` of the metrics."""
    if server.batch_sender == "off":
        return None
    found = probe() if not server.certificate else "with TLS every connection has its own bytes"
    if not isinstance(found, str):
        return RingSender(found, metrics.errors, metrics.gone)
    if server.batch_sender == "on":
        raise SettingsError(f"there is no batch sender: {found}", key="server.batch_sender")
    log.info("no batch sender: %s", found)
    return None


def turn_service(settings: Settings) -> TurnService | None:
    """The embedded TURN server, where the settings want it."""
    if settings.rtc.turn != EMBEDDED:
        return None
    return TurnService(settings.rtc, host=settings.server.host, idle_seconds=settings.server.header_timeout)


def reception(turn: TurnService) -> Reception:
    """TURN over TCP and TLS on the port of the host. A STUN message begins with a byte from 0 to 3 (RFC 7983), one
    of a client with 0 or 1."""
    return Reception(
        first_bytes=frozenset((0, 1)),
        alpn="stun.turn",  # RFC 7443
        welcome=lambda transport, address, is_tls: turn.welcome(transport, address, is_tls=is_tls),
    )


async def serve(
    node: Node,
    *,
    started: Callable[[NativeServer], None] | None = None,
    background: tuple[Background, ...] = (),
) -> None:
    """Serve until SIGTERM or SIGINT; then drain: new connections are refused, sessions end with 3001, paced over the
    drain time. A second signal stops at once. `started` is called when the port is open."""
    settings = node.settings
    sender = node.hub.sender = batch_sender(settings.server, node.metrics)
    options = host_options(settings.server, settings.heartbeat.interval)
    turn = turn_service(settings)
    site = Site(node, collectors=() if turn is None else (turn,))
    guests = reception(turn) if turn is not None and settings.rtc.tcp else None
    if guests is not None and options.ssl_context is not None:
        options.ssl_context.set_alpn_protocols(["http/1.1", guests.alpn])
    server = NativeServer(site.open, options=options, sender=sender, guests=guests)
    await node.start()
    try:
        await _listen(server, turn, settings)
        if turn is not None:
            node.rooms.embedded, node.rooms.secret = relay_of(turn, settings, server.port), turn.secret
    except SettingsError:
        await node.stop()
        await server.close()
        if sender is not None:
            sender.close()
        raise
    tasks = [asyncio.ensure_future(each(node)) for each in background]
    try:
        if started is not None:
            started(server)
        await _until_stopped(node, server, settings.server.drain)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await node.stop()
        await server.close(0.2)
        if turn is not None:
            turn.close()
        if sender is not None:
            sender.close()


async def _listen(server: NativeServer, turn: TurnService | None, settings: Settings) -> None:
    """Open the ports. Raises `SettingsError`."""
    host = settings.server.host
    try:
        await server.start(host, settings.server.port)
    except OSError as error:
        where = f"{host}:{settings.server.port}"
        raise SettingsError(f"cannot listen on {where}: {error.strerror or error}", key="server.port") from error
    if turn is None:
        return
    try:
        await turn.start(server.port, is_any=settings.server.port == 0)
    except OSError as error:
        where = f"UDP port {settings.rtc.port or server.port} of {host}"
        problem = f"cannot listen on {where}: {error.strerror or error}; rtc.port takes another"
        raise SettingsError(problem, key="rtc.port") from error


def relay_of(turn: TurnService, settings: Settings, tcp_port: int) -> Relay:
    """What participants are told of the embedded server."""
    tcp_port, is_tls = tcp_port if settings.rtc.tcp else 0, bool(settings.server.certificate)
    return Relay(
        hosts=tuple(each.announced for each in turn.relays.values()),
        udp_port=turn.port,
        tcp_port=0 if is_tls else tcp_port,
        tls_port=tcp_port if is_tls else 0,
    )


async def _until_stopped(node: Node, server: NativeServer, drain_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue(maxsize=8)

    def heard(number: int) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            signals.put_nowait(number)

    for number in STOP_SIGNALS:
        if sys.platform == "win32":
            signal.signal(number, lambda given, _frame: loop.call_soon_threadsafe(heard, given))
        else:
            loop.add_signal_handler(number, heard, number)
    await signals.get()
    log.info("draining for %g s; a second signal stops at once", drain_seconds)
    server.stop_listening()
    server.close_idle()
    draining = asyncio.ensure_future(node.drain(drain_seconds))
    again = asyncio.ensure_future(signals.get())
    await asyncio.wait([draining, again], return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, again):
        task.cancel()


def run(node: Node, *, host: str | None = None, port: int | None = None) -> None:
    """Serve a node until it is told to stop. `host` and `port` override the settings."""
    from msgspec.structs import replace

    server = node.settings.server
    changed = replace(
        server, host=host if host is not None else server.host, port=port if port is not None else server.port
    )
    node.use(replace(node.settings, server=changed))
    run_loop(
        serve(node, started=lambda host_: print(f"http://{changed.host}:{host_.port}", flush=True)),  # noqa: T201
        changed.loop,
    )


def run_loop(work: Coroutine[Any, Any, None], loop: str) -> None:
    """Run on the loop that the settings name: `auto` is uvloop where it is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if loop != "asyncio":
        try:
            import uvloop

            factory = uvloop.new_event_loop
        except ImportError:
            if loop == "uvloop":
                work.close()
                raise SettingsError("uvloop is not installed", key="server.loop") from None
    # What is loaded by now stays, and an open connection is a few dozen objects that stay too: looking for cycles among
    # them after every 700 new ones costs a tenth of a connect and finds nothing.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)
