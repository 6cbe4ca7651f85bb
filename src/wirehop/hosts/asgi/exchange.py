"""One HTTP request, or one WebSocket that asks to be opened, and its one answer: now or later.

It holds the answer; the host's coroutine sends it. It knows one request; it does not know how messages travel.

    state       leaves by
    waiting     respond(), stream(), upgrade() → answered · the peer goes → gone
    gone        an answer, into the void → answered
    answered    every further answer raises `LocalProtocolError`
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from wirehop.abc import Framing, Headers, Listener, Request
from wirehop.core.errors import LocalProtocolError
from wirehop.hosts.asgi.duplex import AsgiDuplex
from wirehop.hosts.asgi.frames import Splitter
from wirehop.hosts.asgi.options import AsgiOptions
from wirehop.hosts.asgi.requests import RawHeaders, raw_headers, whole_answer
from wirehop.hosts.asgi.stream import AsgiStream
from wirehop.hosts.asgi.watch import Wires, log
from wirehop.hosts.native.heads import find, has_body

_TEXT = ("Content-Type", "text/plain; charset=utf-8")


def _is_place(name: str, value: str) -> bool:
    """Whether a header says a path on this site, which a browser must be told with what stands in front of it."""
    return name.lower() == "location" and value.startswith("/") and not value.startswith("//")


class Whole(Struct, frozen=True):
    """An answer with nothing to follow."""

    status: int
    headers: RawHeaders
    body: bytes


Answer = Whole | AsgiStream | AsgiDuplex


class AsgiExchange:
    """Implements `abc.Exchange`. `base` is the path of the URL in front of the request's, `offered` a WebSocket's
    subprotocols; None: it is plain HTTP."""

    __slots__ = ("_base", "_gone", "_offered", "_options", "_splitter", "_state", "_waiter", "_wires", "answer",
                 "request")  # fmt: skip

    def __init__(
        self,
        wires: Wires,
        options: AsgiOptions,
        splitter: Splitter,
        request: Request,
        *,
        base: str = "",
        offered: Sequence[str] | None = None,
    ) -> None:
        self.request = request
        self._base = base
        self.answer: Answer | None = None
        self._wires = wires
        self._options = options
        self._splitter = splitter
        self._offered = offered
        self._state: Literal["waiting", "answered", "gone"] = "waiting"
        self._gone: Callable[[], None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def framing(self) -> Framing:
        """The server frames bodies."""
        return "identity"

    def respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer whole. Raises ValueError, and changes nothing, for headers that cannot be sent."""
        self._check("respond")
        if self._base:
            headers = [(name, self._base + value if _is_place(name, value) else value) for name, value in headers]
        self._answered(Whole(status, *whole_answer(status, headers, body, self.request.method)))

    def stream(self, status: int, headers: Headers, listener: Listener) -> AsgiStream:
        """Open the body. A WebSocket's request is answered 400 instead, and the stream never begins."""
        self._check("stream")
        coding = find(headers, "transfer-encoding")
        if status < 200 or (coding is not None and coding.lower() != "chunked"):
            raise ValueError(f"a stream cannot be sent with status {status} and transfer coding {coding}")
        head = {"type": "http.response.start", "status": status, "headers": raw_headers(status, headers)}
        carries = has_body(status, self.request.method)
        stream = AsgiStream(self._wires, self._options, listener, head=head, has_body=carries)
        if self._state == "gone" or self._offered is not None:
            stream.never_began()
        if self._offered is not None:
            self._refuse(400, "http.is_websocket", "this address does not speak WebSocket")
        else:
            self._answered(stream)
        return stream

    def upgrade(self, listener: Listener, *, subprotocol: str = "", max_message: int = 65_536) -> AsgiDuplex | None:
        """Accept the WebSocket; a plain request is answered 426, with None. None if the peer is gone."""
        self._check("upgrade")
        if self._offered is None:
            self._refuse(426, "http.not_websocket", "this address speaks WebSocket: no Upgrade: websocket came through")
            return None
        if subprotocol and subprotocol not in self._offered:
            raise ValueError(f"the client did not offer the subprotocol {subprotocol!r}")
        if self._state == "gone":
            self._state = "answered"
            return None
        duplex = AsgiDuplex(
            self._wires, self._options, self._splitter, listener, subprotocol=subprotocol, max_message=max_message
        )
        self._answered(duplex)
        return duplex

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call `callback` once if the peer goes before the answer; in the next turn if it has gone."""
        if self._state == "gone":
            asyncio.get_running_loop().call_soon(callback)
        elif self._state == "waiting":
            self._gone = callback

    # ---- what the host says --------------------------------------------------------------------------------

    async def settled(self) -> Answer | None:
        """The answer as soon as there is one; None if the peer went before."""
        if self._state == "waiting":
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self.answer

    def lost(self) -> None:
        """The peer is gone."""
        if self._state == "answered":
            if isinstance(self.answer, AsgiStream | AsgiDuplex):
                self.answer.lost()
            return
        if self._state == "waiting":
            self._state = "gone"
            callback, self._gone = self._gone, None
            if callback is not None:
                try:
                    callback()
                except Exception:
                    log.exception("the on_gone callback of %s %s failed", self.request.method, self.request.path)
            self._wake()

    def abort(self, reason: str) -> None:
        """The host stops: what was not answered is answered 503, what is open is dropped."""
        if self._state == "waiting":
            self.respond(503, (_TEXT, ("Retry-After", "1")), f"{reason}\n".encode())
        elif isinstance(self.answer, AsgiStream | AsgiDuplex):
            self.answer.abort(reason)

    def fail(self) -> None:
        """The handler failed."""
        if self._state == "waiting":
            self.respond(500, (_TEXT,), b"internal error\n")
        else:
            self.abort("the handler failed")

    # ---- within --------------------------------------------------------------------------------------------

    def _refuse(self, status: int, name: str, reason: str) -> None:
        self._wires.counters[name] += 1
        self.respond(status, (_TEXT,), f"{reason}\n".encode())

    def _check(self, call: str) -> None:
        if self._state == "answered":
            raise LocalProtocolError("exchange", self._state, call)

    def _answered(self, answer: Answer) -> None:
        if self._state == "waiting":
            self.answer = answer
        self._state = "answered"
        self._gone = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
