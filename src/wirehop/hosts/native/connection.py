"""One TCP connection while it speaks HTTP: exchanges in strict order, and the ways to end.

It gives whole requests to the handler one at a time and goes on when the answer has been written. For a
stream it lends the transport and takes it back; for a WebSocket it hands it over for good. It knows phases
and flow; it does not know how requests are read (`request_reader`) or how answers look (`heads`).

A request is taken up only when nothing is being answered and the write buffer is not over its mark, so a peer
that pipelines waits for its own reading. What it sends meanwhile is kept up to `_HELD_BYTES`; then reading
stops.
"""

import asyncio
from typing import cast

from wirehop.abc import Request
from wirehop.hosts.native import heads
from wirehop.hosts.native.context import HostContext, log
from wirehop.hosts.native.duplex import NativeDuplex
from wirehop.hosts.native.exchange import NativeExchange
from wirehop.hosts.native.forwarded import plain_address
from wirehop.hosts.native.guest import take_in
from wirehop.hosts.native.keep_alive import BUSY
from wirehop.hosts.native.refusals import Refusal
from wirehop.hosts.native.request_head import Head
from wirehop.hosts.native.request_reader import RequestReader
from wirehop.hosts.native.stream import NativeStream
from wirehop.hosts.native.timeouts import Phase

_HELD_BYTES = 65_536  # of requests that wait for the one before them
_REQUESTS_PER_TURN = 32  # of one connection, before others get their turn
_LINGERING = 1000  # refused peers that are waited for at once
_DISCARDED_BYTES = 1_048_576  # that a refused peer may still send
_FIRST_OF_HTTP = 10  # a request begins with a letter, or with an empty line that is forgiven
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Connection(asyncio.Protocol):
    """The HTTP part of a connection's life."""

    __slots__ = (
        "_address",
        "_context",
        "_discarded",
        "_exchange",
        "_heir",
        "_is_congested",
        "_is_held",
        "_is_over",
        "_is_pumping",
        "_is_scheduled",
        "_keeps_alive",
        "_phase",
        "_reader",
        "_unsent",
        "idle_since",
        "transport",
    )

    def __init__(self, context: HostContext) -> None:
        self._context = context
        self.transport: asyncio.Transport  # where answers go
        self._address: str | None = None
        self._reader = RequestReader(context.options, context.heads)
        self._exchange: NativeExchange | None = None
        self._heir: NativeStream | NativeDuplex | None = None  # who has the transport now
        self._phase: Phase | None = None
        self.idle_since = BUSY  # `keep_alive.Idle`: no request is begun or unanswered
        self._keeps_alive = True  # after the stream that is open
        self._is_congested = False
        self._is_held = False  # reading is paused
        self._is_over = False
        self._is_pumping = False
        self._is_scheduled = False
        self._discarded = 0
        self._unsent = 0

    # ---- asyncio.Protocol ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted; the head's time begins."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        context = self._context
        context.wires.add(self)
        context.keep_alive.add(self)
        limit = context.options.max_connections
        if limit and len(context.wires) > limit:
            self._refuse(Refusal(503, "http.too_many_connections", "this server is full, try again later"))
        else:
            self._enter(Phase.HEAD)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        if self._is_over:
            self._discarded += len(data)
            if self._discarded > _DISCARDED_BYTES:
                self.transport.abort()
            return
        if self._exchange is None and not self._is_busy:
            if data[0] < _FIRST_OF_HTTP and self._is_guests(data):
                return
            self._pump(data)
            return
        self._reader.feed(data)
        if self._reader.held > _HELD_BYTES and not self._is_held:
            self._is_held = True
            self.transport.pause_reading()

    def eof_received(self) -> None:
        """The peer will send no more: gone if an answer is owed, else what is unsent still goes out."""
        if self._exchange is not None:
            self._lose_exchange()
            self.transport.abort()
        elif not self._is_over:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._retire()
        self._enter(None)
        self._lose_exchange()

    def pause_writing(self) -> None:
        """The peer does not read its answers: take up nothing more."""
        self._is_congested = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_congested = False
        self._go_on()

    # ---- what the server asks ------------------------------------------------------------------------------

    def abort(self, reason: str) -> None:
        """Drop the connection, whatever it carries."""
        if self._heir is not None:
            self._heir.abort(reason)
        self.transport.abort()

    def close_if_idle(self) -> None:
        """Close a connection that has no request begun or unanswered."""
        if not (self._is_over or self._is_busy or self._reader.is_in_body or self._reader.held):
            self._close()

    def expired(self, phase: Phase) -> None:
        """A phase took too long."""
        self._phase = None
        if phase is Phase.BODY:
            self._refuse(Refusal(408, "http.body_timeout", "the request body did not come in time"))
        elif phase is Phase.HEAD and self._reader.held:
            self._refuse(Refusal(408, "http.header_timeout", "the request head did not come in time"))
        elif phase is Phase.HEAD:
            self._context.refused("http.header_timeout", self._peer(), "connected and sent nothing")
            self._close()
        else:
            unsent = self.transport.get_write_buffer_size()
            if unsent > 0 and (not self._unsent or unsent < self._unsent):  # slow, but it reads
                self._unsent = unsent
                self._enter(phase)
            else:
                self.transport.abort()

    def idle_too_long(self) -> None:
        """`keep_alive.Idle`: no next request came."""
        self._close()

    # ---- what an exchange and a stream say -----------------------------------------------------------------

    def answered(self, *, keeps_alive: bool) -> None:
        """The answer has been written: on with the next request, or the end."""
        self._exchange = None
        if self._is_over:
            return
        if not keeps_alive:
            self._finish()
        elif self._is_pumping or self._is_held or self._reader.inbox:
            self._go_on()
        else:
            self.idle_since = self._context.loop.time()

    def lend(self, stream: NativeStream, *, keeps_alive: bool) -> None:
        """The transport is the stream's until its end."""
        self._exchange = None
        self._heir = stream
        self._keeps_alive = keeps_alive
        self._give(stream)
        self._resume_reading()  # or the peer's going would not be noticed

    def become(self, duplex: NativeDuplex) -> None:
        """The transport is a WebSocket from here on."""
        self._exchange = None
        self._heir = duplex
        self._context.wires.add(duplex)
        self._retire()
        self._give(duplex)
        if not self._is_pumping and (self._reader.held or self._is_held):
            # frames that came before the handshake was answered: in the next turn, before any newer ones
            self._is_held = True
            self.transport.pause_reading()
            self._context.loop.call_soon(self._hand_over, duplex)

    def _is_guests(self, data: bytes) -> bool:
        """Where a request would begin came a byte that none begins with: hand over, if somebody speaks so."""
        if self._reader.held or self._reader.is_in_body:
            return False
        if not take_in(self._context, self.transport, self._peer(), data):
            return False
        self._retire()
        self._enter(None)
        return True

    def hold_during_stream(self, data: bytes) -> None:
        """Keep a next request; who sends more than that loses the connection after the stream."""
        if self._keeps_alive:
            self._reader.feed(data)
            if self._reader.held > _HELD_BYTES:
                self._reader.take_rest()
                self._keeps_alive = False

    def stream_ended(self, *, is_congested: bool) -> None:
        """The transport is HTTP's again."""
        self._heir = None
        if self._is_over:
            return
        self._is_congested = is_congested
        self.transport.set_protocol(self)
        if self._keeps_alive and not self._context.is_draining:
            self._go_on()
        else:
            self._finish()

    # ---- requests ------------------------------------------------------------------------------------------

    @property
    def _is_busy(self) -> bool:
        return (
            self._exchange is not None
            or self._heir is not None
            or self._is_scheduled
            or self._is_congested
            or self._is_over
        )

    def _pump(self, data: bytes = b"") -> None:
        """Serve the requests that are here, with `data` as the latest of them, as far as they may be served now."""
        served = 0
        self._is_pumping = True
        try:
            request = self._reader.whole(data) if data else None  # the common case: one request, and all of it
            if request is None and data:
                self._reader.feed(data)
            while self._exchange is None and not self._is_busy:
                if served == _REQUESTS_PER_TURN:
                    self._schedule()
                    break
                if request is None:
                    request = self._reader.next()
                if request is None:
                    break
                self._dispatch(*request)
                request = None
                served += 1
        except Refusal as refusal:
            self._refuse(refusal)
        finally:
            self._is_pumping = False
        if isinstance(self._heir, NativeDuplex):
            self._hand_over(self._heir)
        elif self._exchange is None:
            self._settle()

    def _dispatch(self, head: Head, body: bytes) -> None:
        context = self._context
        self.idle_since = BUSY
        if self._phase is not None:
            self._enter(None)
        address = self._peer() if self._address is None else self._address
        scheme = context.scheme
        if context.proxies is not None:
            address, scheme = context.proxies.resolve(address, scheme, head.headers)
        request = Request(head.method, head.path, head.query, head.headers, body, address, scheme)
        exchange = self._exchange = NativeExchange(request, context, self, head.is_1_1, head.keeps_alive)
        try:
            context.handler(exchange)
        except Exception:
            log.exception("the handler of %s %s failed", request.method, request.path)
            context.counters["http.handler_failed"] += 1
            if exchange.is_waiting:
                exchange.respond(500, (_TEXT,), b"internal error\n")
            elif self._heir is not None:
                self._heir.abort("the handler failed")

    def _settle(self) -> None:
        """Enter the phase that fits what has been read."""
        if self._is_over or self._exchange is not None or self._heir is not None:
            return
        reader = self._reader
        if reader.is_in_body:
            if reader.awaits_continue and self._phase is not Phase.BODY:
                self.transport.write(heads.CONTINUE)
            self._enter(Phase.BODY)
        elif reader.inbox and not self._is_busy:
            self._enter(Phase.HEAD)
        elif self.idle_since == BUSY:
            self._enter(None)
            self.idle_since = self._context.loop.time()

    def _go_on(self) -> None:
        """Something that held up the next request is over."""
        if self._is_pumping or self._exchange is not None or self._heir is not None or self._is_over:
            return
        if (self._reader.held or self._is_held) and not self._is_congested:
            self._schedule()
        self._settle()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._context.loop.call_soon(self._continue)

    def _continue(self) -> None:
        self._is_scheduled = False
        if not self._is_busy:
            self._resume_reading()
            self._pump()

    # ---- handing over and ending ---------------------------------------------------------------------------

    def _give(self, heir: NativeStream | NativeDuplex) -> None:
        options = self._context.options
        self.transport.set_protocol(heir)
        self.transport.set_write_buffer_limits(high=options.write_high_water, low=options.write_low_water)

    def _retire(self) -> None:
        self._is_over = True
        self._context.leave(self)
        self._context.keep_alive.remove(self)

    def _hand_over(self, duplex: NativeDuplex) -> None:
        self._resume_reading()
        rest = self._reader.take_rest()
        if rest:
            duplex.data_received(rest)

    def _resume_reading(self) -> None:
        if self._is_held:
            self._is_held = False
            self.transport.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer for good: what follows a request that could not be read cannot be read either."""
        self._context.refused(refusal.name, self._peer(), refusal.reason)
        self.transport.write(
            heads.response(
                refusal.status,
                (_TEXT, *refusal.headers),
                f"{refusal.reason}\n".encode(),
                method="GET",
                is_1_1=True,
                keeps_alive=False,
                date=self._context.date(),
            )
        )
        self._linger()

    def _finish(self) -> None:
        """End after an answer. Closing over unread bytes would reset the connection, the answer with it."""
        if self._reader.held or self._is_held:
            self._linger()
        else:
            self._close()

    def _linger(self) -> None:
        """RFC 9112 section 9.6: close the sending half, then read what still comes until the peer closes."""
        if not self.transport.can_write_eof() or self._context.timeouts.count(Phase.LINGER) >= _LINGERING:
            self._close()
            return
        self._is_over = True
        self._reader.take_rest()
        self._resume_reading()
        self.transport.write_eof()
        self._enter(Phase.LINGER)

    def _close(self) -> None:
        self._is_over = True
        self.transport.close()
        self._enter(Phase.FLUSH)

    def _enter(self, phase: Phase | None) -> None:
        """Be in `phase` (None: in none), from now on unless it has begun already. Not idle in any case."""
        self.idle_since = BUSY
        if phase is self._phase:
            return
        timeouts = self._context.timeouts
        if self._phase is not None:
            timeouts.stop(self._phase, self)
        self._phase = phase
        if phase is not None:
            timeouts.start(phase, self)

    def _lose_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost()

    def _peer(self) -> str:
        """The TCP peer's address; "" on a Unix socket. Asked for once, when first needed."""
        if self._address is None:
            name = self.transport.get_extra_info("peername")
            self._address = plain_address(str(name[0])) if isinstance(name, tuple) and name else ""
        return self._address
