"""The ASGI host: each request's coroutine, from the scope to the last message.

    host = AsgiHost(site.open)
    await host.serve(scope, receive, send)      # in an ASGI application; http and websocket scopes

A request that is answered at once costs no task. One that waits, or streams, has a second task that notices the peer's
going. The host starts and ends nothing by itself; it knows ASGI messages and does not know what is served.
"""

import asyncio
import contextlib

from wirehop.abc import Handler
from wirehop.hosts.asgi.duplex import AsgiDuplex
from wirehop.hosts.asgi.exchange import AsgiExchange, Whole
from wirehop.hosts.asgi.frames import Splitter
from wirehop.hosts.asgi.options import AsgiOptions, Receive, Scope, Send
from wirehop.hosts.asgi.requests import local_path, read_body, read_request
from wirehop.hosts.asgi.stream import AsgiStream
from wirehop.hosts.asgi.watch import Wires, log
from wirehop.hosts.native.refusals import Refusal

_DENIED = 1000  # close code of a WebSocket that was never opened: servers answer 403


class AsgiHost:
    """Serves what an ASGI server passes on. `counters` counts refusals and aborted wires by name."""

    def __init__(self, handler: Handler, *, options: AsgiOptions | None = None) -> None:
        self.options = AsgiOptions() if options is None else options
        self._handler = handler
        self._wires = Wires()
        self._splitter = Splitter()
        self.counters = self._wires.counters

    @property
    def connections(self) -> int:
        """How many requests, streams and WebSockets are open."""
        return len(self._wires)

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, *, path: str | None = None, base: str | None = None
    ) -> None:
        """Serve one `http` or `websocket` scope. `base` and `path` are the URL's path up to the site, and within it;
        where not given, as the scope's `root_path` says."""
        if path is None:
            path = local_path(scope)
        if base is None:
            base = (scope.get("root_path") or "").rstrip("/")
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, path)
        else:
            await self._http(scope, receive, send, path, base)

    async def closed(self, seconds: float) -> None:
        """Wait up to `seconds` until nothing is open, then abort the rest."""
        await self._wires.emptied(seconds)
        if self._wires:
            self._wires.abort("the server stops")
            await self._wires.emptied(seconds)

    # ---- HTTP ----------------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send, path: str, base: str) -> None:
        try:
            body = await read_body(receive, scope, self.options)
            if body is None:
                return
            request = read_request(scope, path, body)
        except Refusal as refusal:
            await _send_whole(send, self._refused(refusal), "http.response")
            return
        exchange = AsgiExchange(self._wires, self.options, self._splitter, request, base=base)
        watcher: asyncio.Task[None] | None = None
        self._wires.add(exchange)
        try:
            self._dispatch(exchange)
            if not isinstance(exchange.answer, Whole):
                watcher = asyncio.get_running_loop().create_task(_watch(receive, exchange))
            answer = await exchange.settled()
            if isinstance(answer, AsgiStream):
                await answer.run(send)
            elif isinstance(answer, Whole):
                await _send_whole(send, answer, "http.response")
        finally:
            self._wires.remove(exchange)
            if watcher is not None:
                watcher.cancel()
            exchange.lost()

    # ---- WebSocket -----------------------------------------------------------------------------------------

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        can_respond = "websocket.http.response" in (scope.get("extensions") or {})
        try:
            request = read_request(scope, path, b"")
        except Refusal as refusal:
            await _deny(send, self._refused(refusal), can_respond=can_respond)
            return
        offered = scope.get("subprotocols") or ()
        exchange = AsgiExchange(self._wires, self.options, self._splitter, request, offered=offered)
        watcher: asyncio.Task[None] | None = None
        self._wires.add(exchange)
        try:
            self._dispatch(exchange)
            if exchange.answer is None:
                watcher = asyncio.get_running_loop().create_task(_watch(receive, exchange))
            answer = await exchange.settled()
            if watcher is not None:
                watcher.cancel()
                await asyncio.wait([watcher])  # two must not receive at once
            if isinstance(answer, AsgiDuplex):
                await answer.run(receive, send)
            elif isinstance(answer, Whole):
                await _deny(send, answer, can_respond=can_respond)
        finally:
            self._wires.remove(exchange)
            if watcher is not None:
                watcher.cancel()
            exchange.lost()

    # ---- both ----------------------------------------------------------------------------------------------

    def _dispatch(self, exchange: AsgiExchange) -> None:
        try:
            self._handler(exchange)
        except Exception:
            log.exception("the handler of %s %s failed", exchange.request.method, exchange.request.path)
            self.counters["http.handler_failed"] += 1
            exchange.fail()

    def _refused(self, refusal: Refusal) -> Whole:
        self.counters[refusal.name] += 1
        log.info("%s: %s", refusal.name, refusal.reason)
        body = f"{refusal.reason}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        return Whole(refusal.status, headers, body)


async def _watch(receive: Receive, exchange: AsgiExchange) -> None:
    """Notice that the peer goes."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        continue
    exchange.lost()


async def _send_whole(send: Send, answer: Whole, prefix: str) -> None:
    with contextlib.suppress(OSError):  # the peer is gone
        await send({"type": f"{prefix}.start", "status": answer.status, "headers": answer.headers})
        await send({"type": f"{prefix}.body", "body": answer.body, "more_body": False})


async def _deny(send: Send, answer: Whole, *, can_respond: bool) -> None:
    """Refuse a WebSocket: with the answer where the server can, else by closing, which servers make a 403."""
    if can_respond:
        await _send_whole(send, answer, "websocket.http.response")
    else:
        reason = answer.body[:120].decode("utf-8", "ignore")
        with contextlib.suppress(OSError):
            await send({"type": "websocket.close", "code": _DENIED, "reason": reason})
