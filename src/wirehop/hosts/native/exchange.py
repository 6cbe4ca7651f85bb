"""One HTTP request and its one answer: whole, as a stream, or as a WebSocket; now or later.

It builds the bytes of the answer and hands the connection back. It knows one request and the connection it
came on; it does not know what else that connection carries.

    state       leaves by
    waiting     respond(), stream(), upgrade() → answered · the peer goes → gone
    gone        an answer, into the void → answered
    answered    every further answer raises `LocalProtocolError`
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from wirehop.abc import Framing, Headers, Listener, Request
from wirehop.core.errors import LocalProtocolError
from wirehop.hosts.native import handshake, heads
from wirehop.hosts.native.context import HostContext, log
from wirehop.hosts.native.deflate import negotiate
from wirehop.hosts.native.duplex import NativeDuplex
from wirehop.hosts.native.refusals import Refusal
from wirehop.hosts.native.stream import NativeStream, StreamOwner


class ExchangeOwner(StreamOwner, Protocol):
    """The connection, as an exchange sees it."""

    @property
    def transport(self) -> asyncio.Transport:
        """Where the answer goes."""
        ...

    def answered(self, *, keeps_alive: bool) -> None:
        """The answer has been written."""
        ...

    def lend(self, stream: NativeStream, *, keeps_alive: bool) -> None:
        """The transport is the stream's until its end."""
        ...

    def become(self, duplex: NativeDuplex) -> None:
        """The transport is a WebSocket from here on."""
        ...


class NativeExchange(Struct, eq=False):
    """Implements `wirehop.abc.Exchange`. A struct because one is made for each request, and C makes it."""

    request: Request
    _context: HostContext
    _owner: ExchangeOwner | None
    _is_1_1: bool
    _keeps_alive: bool
    _state: Literal["waiting", "answered", "gone"] = "waiting"
    _gone: Callable[[], None] | None = None

    @property
    def framing(self) -> Framing:
        """What a stream without a Content-Length of its own will need."""
        return "chunked" if self._is_1_1 else "identity"

    def respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer whole. Raises ValueError, and changes nothing, for headers that cannot be sent."""
        if self._state == "answered":
            self._check("respond")
        last = self._context.last_answer
        if last is not None and last.headers is headers and last.body is body and self._would_be(last, status):
            self._send(last.data, keeps_alive=True)
            return
        keeps_alive = self._keeps_alive and not self._context.is_draining and not heads.closes(headers)
        date = self._context.date() if heads.find(headers, "date") is None else ""
        method, is_1_1 = self.request.method, self._is_1_1
        data = heads.response(status, headers, body, method=method, is_1_1=is_1_1, keeps_alive=keeps_alive, date=date)
        if keeps_alive and method != "HEAD" and type(headers) is tuple:  # what cannot change may be given again
            self._context.remember(heads.Rendered(headers, body, status, is_1_1, data))
        self._send(data, keeps_alive=keeps_alive)

    def _would_be(self, last: heads.Rendered, status: int) -> bool:
        """Whether this exchange would be answered with just the same bytes; it has the same headers and body."""
        return (
            last.status == status
            and self._keeps_alive
            and last.is_1_1 == self._is_1_1
            and self.request.method != "HEAD"
        )

    def _send(self, data: bytes, *, keeps_alive: bool) -> None:
        self._state = "answered"
        owner, self._owner, self._gone = self._owner, None, None
        if owner is not None:
            owner.transport.write(data)
            owner.answered(keeps_alive=keeps_alive)

    def stream(self, status: int, headers: Headers, listener: Listener) -> NativeStream:
        """Send the head and open the body: chunked in HTTP/1.1, else up to the connection's end."""
        self._check("stream")
        coding = heads.find(headers, "transfer-encoding")
        if status < 200 or (coding is not None and (coding.lower() != "chunked" or not self._is_1_1)):
            raise ValueError(f"a stream cannot be sent with status {status} and transfer coding {coding}")
        has_body = heads.has_body(status, self.request.method)
        has_length = heads.find(headers, "content-length") is not None
        framing: Framing = "identity" if has_length else self.framing
        keeps_alive = (
            self._keeps_alive
            and not self._context.is_draining
            and not heads.closes(headers)
            and (framing == "chunked" or not has_body)
        )
        extra = self._context.date() if heads.find(headers, "date") is None else ""
        extra += heads.connection_line(headers, is_1_1=self._is_1_1, keeps_alive=keeps_alive)
        if framing == "chunked" and coding is None and status not in (204, 304):
            extra += "Transfer-Encoding: chunked\r\n"
        head = heads.build_head(status, headers, extra)
        owner = self._leave()
        if owner is None:
            return NativeStream.lost(self._context, listener, framing=framing)
        stream = NativeStream(self._context, owner, owner.transport, listener, framing=framing, has_body=has_body)
        owner.lend(stream, keeps_alive=keeps_alive)
        owner.transport.write(head)
        return stream

    def upgrade(self, listener: Listener, *, subprotocol: str = "", max_message: int = 65_536) -> NativeDuplex | None:
        """Accept the WebSocket handshake, or answer 400 or 426 and return None. None if the peer is gone."""
        self._check("upgrade")
        offers = self.request.headers.get("sec-websocket-extensions") if self._context.options.compression else None
        deflate = negotiate(offers) if offers else None
        try:
            head = handshake.accept(
                self.request,
                is_1_1=self._is_1_1,
                subprotocol=subprotocol,
                extensions="" if deflate is None else deflate.answer,
            )
        except Refusal as refusal:
            self._context.refused(refusal.name, self.request.address, refusal.reason)
            self._keeps_alive = False  # what follows a failed handshake may be frames
            self.respond(refusal.status, _refusal_headers(refusal), refusal.reason.encode())
            return None
        owner = self._leave()
        if owner is None:
            return None
        transport = owner.transport
        duplex = NativeDuplex(self._context, transport, listener, max_message=max_message, deflate=deflate)
        transport.write(head)
        owner.become(duplex)
        return duplex

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call `callback` once if the peer goes before the answer; in the next turn if it has gone."""
        if self._state == "gone":
            self._context.loop.call_soon(callback)
        elif self._state == "waiting":
            self._gone = callback

    # ---- what the connection says --------------------------------------------------------------------------

    def lost(self) -> None:
        """The peer is gone."""
        if self._state != "waiting":
            return
        self._state = "gone"
        self._owner = None
        callback, self._gone = self._gone, None
        if callback is not None:
            try:
                callback()
            except Exception:
                log.exception("the on_gone callback of %s %s failed", self.request.method, self.request.path)

    @property
    def is_waiting(self) -> bool:
        """Whether the answer is still owed."""
        return self._state == "waiting"

    # ---- within --------------------------------------------------------------------------------------------

    def _check(self, call: str) -> None:
        if self._state == "answered":
            raise LocalProtocolError("exchange", self._state, call)

    def _leave(self) -> ExchangeOwner | None:
        self._state = "answered"
        owner, self._owner, self._gone = self._owner, None, None
        return owner


def _refusal_headers(refusal: Refusal) -> Headers:
    own = [name.lower() for name, _ in refusal.headers]
    closing = () if "connection" in own else (("Connection", "close"),)
    return (("Content-Type", "text/plain; charset=utf-8"), *closing, *refusal.headers)
