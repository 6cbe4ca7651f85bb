"""What one server offers over HTTP: every wire, channels as URLs, pages, health, readiness and metrics.

The one place that knows all the paths. It answers each request at once or hands it to a transport that will.
"""

import logging
from collections.abc import Sequence

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from wirehop.abc import Exchange, Handler
from wirehop.auth.cookies import Cookies
from wirehop.auth.origins import Origins
from wirehop.hosts.native.static import Static
from wirehop.node.metrics import NodeCollector
from wirehop.node.node import Node
from wirehop.pages import STATIC
from wirehop.pages.admin import PAGE_HEADERS, Admin, is_of_admin
from wirehop.sdk import CACHE_CONTROL as SDK_CACHE_CONTROL
from wirehop.sdk import FILES as SDK_FILES
from wirehop.sdk import HEADERS as SDK_HEADERS
from wirehop.sdk import STATIC as SDK
from wirehop.settings.tree import Settings
from wirehop.transports.api import Api
from wirehop.transports.channels import ChannelTransport
from wirehop.transports.doctor import PATH as DOCTOR_PATH
from wirehop.transports.doctor import DoctorTransport
from wirehop.transports.door import Door
from wirehop.transports.emulation import Emulation
from wirehop.transports.jsonp import JsonpTransport
from wirehop.transports.login import LoginTransport
from wirehop.transports.poll import PollTransport
from wirehop.transports.sse import SseTransport
from wirehop.transports.stream import StreamTransport
from wirehop.transports.tickets import TicketTransport
from wirehop.transports.websocket import WebSocketTransport

log = logging.getLogger("wirehop.site")


class Site:
    """The handler of a host: `host = NativeServer(site.open)`. `collectors` add to the metrics."""

    def __init__(self, node: Node, settings: Settings | None = None, *, collectors: Sequence[Collector] = ()) -> None:
        self.node = node
        settings = settings or node.settings
        offered = settings.transports
        origins = Origins(settings.origins.allowed)
        cookies = Cookies(settings.auth.cookie, settings.auth.same_site, origins)
        door = Door(origins, node=node, cookies=cookies)
        emulation = Emulation(node, door)
        polls = PollTransport(node, door)
        self._routes: dict[str, Handler] = {
            "/health": self._health,
            "/ready": self._ready,
            "/metrics": self._metrics,
            "/emulation": emulation.open,
        }
        if node.auth.tokens is not None:
            self._routes["/connection/ticket"] = TicketTransport(node, door).open
        if node.auth.tokens is not None and cookies.name:
            logins = LoginTransport(node, door)
            self._routes["/connection/login"] = logins.login
            self._routes["/connection/logout"] = logins.logout
        if offered.websocket:
            self._routes["/connection/websocket"] = WebSocketTransport(node, door).open
        if offered.sse:
            self._routes["/connection/sse"] = SseTransport(node, door, emulation).open
        if offered.stream:
            self._routes["/connection/http_stream"] = StreamTransport(node, door, emulation).open
        if offered.poll:
            self._routes["/connection/poll"] = polls.open
        if offered.jsonp:
            self._routes["/connection/jsonp"] = JsonpTransport(polls, door).open
        prefix_free = {
            "websocket": "/connection/websocket",
            "sse": "/connection/sse",
            "stream": "/connection/http_stream",
            "poll": "/connection/poll",
            "jsonp": "/connection/jsonp",
        }
        node.wire_paths.update({name: path for name, path in prefix_free.items() if path in self._routes})
        if offered.doctor:
            self._routes[DOCTOR_PATH] = DoctorTransport(node, door).open
        self._sdk = Static(SDK, cache_control=SDK_CACHE_CONTROL, headers=SDK_HEADERS)
        self._routes.update({f"/sdk/{name}": self._serve_sdk for name in SDK_FILES})
        self._channels = ChannelTransport(node, door, allows_jsonp=offered.jsonp) if offered.channels else None
        self._pages = Static(STATIC) if settings.dev else None
        self._api = Api(node, settings.api.key).open if settings.api.key else self._missing
        self._admin: Admin | None = None
        if settings.dev or settings.admin.password:
            self._admin = Admin(node, settings, Static(STATIC, headers=PAGE_HEADERS).serve)
        self._registry = CollectorRegistry()
        for collector in (NodeCollector(node), *collectors):
            self._registry.register(collector)

    def open(self, exchange: Exchange) -> None:
        """Serve one request."""
        path = exchange.request.path
        handler = self._routes.get(path)
        if handler is not None:
            handler(exchange)
        elif self._channels is not None and (path == "/channels" or path.startswith("/channels/")):
            self._channels.open(exchange)
        elif path.startswith("/api/"):
            self._api(exchange)
        elif self._admin is not None and is_of_admin(path):
            self._admin.open(exchange)
        elif self._pages is not None:
            self._pages.serve(exchange, path)
        else:
            self._missing(exchange)

    def _missing(self, exchange: Exchange) -> None:
        exchange.respond(404, [("Content-Type", "text/plain; charset=utf-8")], b"not found\n")

    def _serve_sdk(self, exchange: Exchange) -> None:
        """A file of the browser's SDK."""
        self._sdk.serve(exchange, exchange.request.path.removeprefix("/sdk/"))

    def _health(self, exchange: Exchange) -> None:
        """The process lives."""
        exchange.respond(200, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], b'{"status":"ok"}')

    def _ready(self, exchange: Exchange) -> None:
        """New clients are welcome: 503 while starting or draining."""
        is_ready = self.node.is_open and not self.node.is_draining
        state = "ready" if is_ready else "draining" if self.node.is_draining else "starting"
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        exchange.respond(200 if is_ready else 503, headers, msgspec.json.encode({"status": state}))

    def _metrics(self, exchange: Exchange) -> None:
        """The Prometheus text."""
        body = generate_latest(self._registry)
        exchange.respond(200, [("Content-Type", CONTENT_TYPE_LATEST), ("Cache-Control", "no-store")], body)
