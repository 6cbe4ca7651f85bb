"""`AsgiApp`: a node inside any ASGI application, at any prefix, under any server.

    app.mount("/rt", AsgiApp(node))                          # Starlette, FastAPI; lifespan=that.lifespan
    application = AsgiApp(node, get_asgi_application(), prefix="/rt")    # Django, or around anything else

It starts the node with the server's lifespan, or with the first request where there is none, and ends all wires before
the server waits for them. It knows node, site and host; the ASGI messages are `hosts.asgi`'s. See docs/asgi.md.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from wirehop.core.errors import LocalProtocolError
from wirehop.hosts.asgi import AsgiHost, AsgiOptions, StopSignals
from wirehop.hosts.asgi.options import App, Message, Receive, Scope, Send
from wirehop.hosts.asgi.requests import local_path
from wirehop.node.node import Node
from wirehop.settings.check_rtc import EMBEDDED
from wirehop.settings.tree import Server
from wirehop.site import Site

log = logging.getLogger("wirehop.asgi")
FLUSH_SECONDS = 1.0
"""After a drain: how long the last bytes may take before what is still open is dropped."""


def asgi_options(server: Server) -> AsgiOptions:
    """The host's options from the settings. What concerns sockets and heads is the ASGI server's."""
    return AsgiOptions(
        body_bytes=server.body_bytes,
        body_seconds=server.body_timeout,
        write_high_water=server.write_high_water,
        write_low_water=server.write_high_water // 4,
    )


class AsgiApp:
    """An ASGI 3 application that serves a node.

    With `app` and `prefix` (`/rt`) requests below the prefix are wirehop's and all else is `app`'s, its lifespan
    included. `drain` (seconds) is what sessions are paced over at the end. `signals`: whether SIGTERM and SIGINT are
    chained so that open streams end before the server waits for them; switch it off where you call `drain` yourself.
    """

    def __init__(
        self, node: Node, app: App | None = None, *, prefix: str = "", drain: float = 0.0, signals: bool = True
    ) -> None:
        if (app is not None) != bool(prefix) or (prefix and not prefix.startswith("/")):
            raise ValueError("app and prefix go together, and a prefix begins with a slash; a mount needs neither")
        self.node = node
        self._app = app
        self._prefix = prefix.rstrip("/")
        self._drain_seconds = drain
        self._uses_signals = signals
        self._lock = asyncio.Lock()
        self._host: AsgiHost | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signals: StopSignals | None = None
        self._owns_node = False

    @property
    def connections(self) -> int:
        """How many requests, streams and WebSockets of wirehop are open."""
        return 0 if self._host is None else self._host.connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(scope, receive, send)
            return
        host = self._host or await self.start()
        prefix = self._prefix
        path = local_path(scope)
        if self._app is not None and not (path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/")):
            await self._app(scope, receive, send)
        elif prefix and path == prefix and self._has_pages and scope["type"] == "http":
            await self._add_slash(scope, send)
        elif self._loop is not asyncio.get_running_loop():
            raise LocalProtocolError("an AsgiApp", "running on another event loop", "requests on this one")
        else:
            base = (scope.get("root_path") or "").rstrip("/") + prefix
            await host.serve(scope, receive, send, path=path[len(prefix) :] or "/", base=base)

    @property
    def _has_pages(self) -> bool:
        return self.node.settings.dev

    async def _add_slash(self, scope: Scope, send: Send) -> None:
        """Send a browser to where the relative addresses of the start page hold."""
        place = f"./{quote(self._prefix.rpartition('/')[2])}/".encode()
        query = scope.get("query_string") or b""
        headers = [(b"location", place + b"?" + query if query else place), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    # ---- life ----------------------------------------------------------------------------------------------

    async def start(self) -> AsgiHost:
        """Start the node on this loop, if it doesn't run yet. The lifespan or the first request does it."""
        async with self._lock:
            if self._host is None:
                if not self.node.is_open:
                    await self.node.start()
                    self._owns_node = True
                if self.node.settings.rtc.turn == EMBEDDED:
                    log.info("rtc.turn is embedded, but only `wirehop serve` has a TURN server: none is offered here")
                self._loop = asyncio.get_running_loop()
                self._host = AsgiHost(Site(self.node).open, options=asgi_options(self.node.settings.server))
                if self._uses_signals:
                    self._signals = StopSignals(self.drain)
                    self._signals.install()
            return self._host

    async def drain(self) -> None:
        """End all wires: sessions with 3001, paced, and what is left after the last bytes had their time. New sessions
        are refused from here on."""
        try:
            await self.node.drain(self._drain_seconds)
        finally:
            if self._host is not None:
                await self._host.closed(FLUSH_SECONDS)

    async def stop(self) -> None:
        """Drain, and stop the node if it was started here. It can be started again."""
        if self._host is None:
            return
        await self.drain()
        if self._signals is not None:
            self._signals.restore()
            self._signals = None
        if self._owns_node:
            self._owns_node = False
            await self.node.stop()
        self._host = self._loop = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """For frameworks that pass no lifespan on to what is mounted: `FastAPI(lifespan=realtime.lifespan)`."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    # ---- within --------------------------------------------------------------------------------------------

    async def _serve_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        heard = await receive()
        try:
            await self.start()
        except Exception as error:
            log.exception("the node could not be started")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        if self._app is not None:
            heard = await self._pass_on(self._app, heard, scope, receive, send)
        if heard["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
            heard = await receive()
        if heard["type"] == "lifespan.shutdown":
            await self.stop()
            await send({"type": "lifespan.shutdown.complete"})

    async def _pass_on(self, app: App, startup: Message, scope: Scope, receive: Receive, send: Send) -> Message:
        """Let the application have its lifespan inside ours. What is still unanswered when it returns."""
        heard = [startup]  # not answered yet
        is_first = True

        async def inner_receive() -> Message:
            nonlocal is_first
            if is_first:
                is_first = False
                return startup
            message = await receive()
            heard.append(message)
            if message["type"] == "lifespan.shutdown":
                await self.drain()
            return message

        async def inner_send(message: Message) -> None:
            heard.clear()
            if message["type"] in ("lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self.stop()
            await send(message)

        try:
            await app(scope, inner_receive, inner_send)
        except Exception:
            if not heard:
                raise
            log.debug("%r has no lifespan", app, exc_info=True)
        return heard[0] if heard else {"type": "answered"}
