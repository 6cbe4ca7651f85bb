"""A real node with its site on a host, in the loop of the test, on a port of the kernel's choice.

The host is the native server, or the ASGI host under uvicorn's protocols.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import structs
from uvicorn import Config
from uvicorn.server import ServerState

from wirehop.abc import Broker, Handler
from wirehop.core.messages import PayloadKind
from wirehop.hosts.asgi import AsgiHost, AsgiOptions
from wirehop.hosts.native import HostOptions, NativeServer
from wirehop.hosts.native.uring_batch import RingSender
from wirehop.node import Node
from wirehop.settings.tree import Limits, Namespace, Settings
from wirehop.site import Site
from wirehop.testing import http

OPEN = Namespace(
    subscribe="anyone", publish="anyone", presence=True, join_leave=True, history_size=2000, history_age=300.0
)
NAMESPACES = {
    "": OPEN,
    "quiet": structs.replace(OPEN, presence=False, join_leave=False),
    "closed": Namespace(),
    "members": structs.replace(OPEN, subscribe="signed-in", publish="signed-in"),
    "readonly": structs.replace(OPEN, publish="nobody"),
    "short": structs.replace(OPEN, history_size=5),
    "small": structs.replace(OPEN, publication_bytes=100),
    "latest": structs.replace(OPEN, delivery="latest", presence=False, join_leave=False),
    "signal": structs.replace(OPEN, delivery="signal", presence=False, join_leave=False),
}


def settings(**sections: Any) -> Settings:
    """Open settings, with JSONP; `limits=…`, `heartbeat=…` and so on replace whole sections."""
    base = Settings(namespaces=NAMESPACES)
    base = structs.replace(base, transports=structs.replace(base.transports, jsonp=True))
    return structs.replace(base, **sections)


def limits(**changes: Any) -> Limits:
    return structs.replace(Limits(), **changes)


class AsgiServer:
    """The ASGI host under what uvicorn serves a connection with, as `NativeServer` is used."""

    def __init__(self, handler: Handler) -> None:
        self.host = AsgiHost(handler, options=AsgiOptions(close_seconds=0.5))
        self.counters = self.host.counters
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        config = Config(
            self.host.serve, interface="asgi3", lifespan="off", log_config=None, access_log=False, ws_ping_interval=None
        )
        config.load()
        self._state = ServerState()
        make = config.http_protocol_class
        self._server = await asyncio.get_running_loop().create_server(
            lambda: make(config=config, server_state=self._state, app_state={}),  # type: ignore[call-arg]
            host,
            port,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        return self.host.connections

    async def close(self, timeout: float) -> None:
        self._server.close()
        await self.host.closed(timeout)
        for connection in tuple(self._state.connections):
            connection.shutdown()
            if connection.transport is not None:
                connection.transport.abort()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=1.0)
        await asyncio.sleep(0)


class Server:
    """What a test holds: the node, and what it has to look into."""

    def __init__(self, node: Node, site: Site, host: Any) -> None:
        self.node = node
        self.site = site
        self.host = host
        self.port = host.port
        self._own_tasks = len(node._tasks)

    async def request(self, method: str, target: str, **options: Any) -> http.Answer:
        return await http.request(self.port, method, target, **options)

    async def open(self, method: str, target: str, **options: Any) -> http.Response:
        return await http.open_response(self.port, method, target, **options)

    async def events(self, target: str, **options: Any) -> http.Blocks:
        """An event stream of a channel URL."""
        headers = [("Accept", "text/event-stream"), *options.pop("headers", ())]
        return http.Blocks(await self.open("GET", target, headers=headers, **options))

    async def publish_raw(self, channel: str, payload: bytes, kind: PayloadKind = PayloadKind.JSON) -> None:
        await self.node.publish_payload(channel, payload, kind)

    async def metrics(self) -> str:
        return (await self.request("GET", "/metrics")).body.decode()

    @property
    def tasks(self) -> int:
        """How many the node runs beside its own."""
        return len(self.node._tasks) - self._own_tasks

    @property
    def polls(self) -> Any:
        return self.site._routes["/connection/poll"].__self__  # type: ignore[attr-defined]

    @property
    def emulation(self) -> Any:
        return self.site._routes["/emulation"].__self__  # type: ignore[attr-defined]

    def leftovers(self) -> dict[str, int]:
        """Everything a session might have left behind, by where; empty where there is nothing."""
        node = self.node
        store: Any = node.presence_store
        found = {
            "sessions": len(node.sessions),
            "channels": len(node.hub.channels),
            "connections": sum(node.connections().values()),
            "presence": sum(map(len, store._presence.values())),
            "polls": len(self.polls._wires),
            "emulation": len(self.emulation._drivers),
            "interest": len(node.interest._last),
            "tasks": self.tasks,
        }
        return {where: count for where, count in found.items() if count}


async def eventually(is_true: Callable[[], object], what: str = "it", timeout: float = 5.0) -> None:
    """Return as soon as `is_true()`; fail after `timeout` seconds."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not is_true():
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come true in {timeout} s"
        await asyncio.sleep(0.005)


def _native(node: Node, site: Site, options: HostOptions | None) -> NativeServer:
    """With the batch sender that a test has given the node's hub, if any."""
    sender = node.hub.sender
    return NativeServer(site.open, options=options, sender=sender if isinstance(sender, RingSender) else None)


@asynccontextmanager
async def running(
    node: Node | None = None,
    *,
    options: HostOptions | None = None,
    broker: Broker | None = None,
    host_name: str = "native",
    **sections: Any,
) -> AsyncIterator[Server]:
    """Start on the host `native` or `asgi`; at the end stop, and leave nothing behind."""
    node = node or Node(settings(**sections), broker=broker)
    site = Site(node)
    host: Any = AsgiServer(site.open) if host_name == "asgi" else _native(node, site, options)
    await node.start()
    await host.start("127.0.0.1", 0)
    try:
        yield Server(node, site, host)
    finally:
        await node.stop()
        await host.close(0.2)
        gc.collect(0)
