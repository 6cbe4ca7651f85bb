"""An ASGI server of a test's making: it gives what it is told to, and takes only while it is told to."""

import asyncio
from collections.abc import Callable
from typing import Any

from wirehop.abc import Exchange
from wirehop.hosts.asgi import AsgiHost, AsgiOptions

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "client": ["127.0.0.1", 1]}
WEBSOCKET = {**SCOPE, "type": "websocket", "subprotocols": ["one", "two"], "scheme": "ws"}


class Listening:
    """Writes down what a host tells."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def received(self, data: bytes, is_binary: bool) -> None:
        self.heard.append((data, is_binary))

    def ponged(self) -> None:
        self.heard.append("ponged")

    def paused(self) -> None:
        self.heard.append("paused")

    def resumed(self) -> None:
        self.heard.append("resumed")

    def closed(self, code: int, reason: str) -> None:
        self.heard.append((code, reason))


class Played:
    """One request on a host. `sent` are the application's messages."""

    def __init__(self, handler: Callable[[Exchange], None], scope: dict[str, Any], **options: Any) -> None:
        self.exchange: Exchange | None = None
        self.sent: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self._handler = handler
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gate = asyncio.Event()
        self._gate.set()
        self.host = AsgiHost(self._open, options=AsgiOptions(**options))
        self.task = asyncio.ensure_future(self.host.serve(scope, self._inbox.get, self._send))

    def give(self, kind: str, **fields: Any) -> None:
        self._inbox.put_nowait({"type": kind, **fields})

    def body(self, body: bytes = b"", **fields: Any) -> "Played":
        self.give("http.request", body=body, **fields)
        return self

    def block(self) -> None:
        """Take nothing more, as a server whose peer does not read."""
        self._gate.clear()

    def unblock(self) -> None:
        self._gate.set()

    async def turns(self, count: int = 8) -> None:
        """Let what can happen without time happen."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def over(self) -> list[dict[str, Any]]:
        await asyncio.wait_for(self.task, 5)
        return self.sent

    def _open(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._handler(exchange)

    async def _send(self, message: Any) -> None:
        await self._gate.wait()
        if self.error is not None:  # once
            error, self.error = self.error, None
            raise error
        self.sent.append(dict(message))
