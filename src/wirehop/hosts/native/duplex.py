"""One open WebSocket: what the transport's protocol becomes after the handshake.

Idle it is this object and nothing else: no parser, no buffer, no timer, no task. A parser exists while
something is half received. `out` is the transport itself, so that prebuilt frames go straight to it. It knows
frames and transports; it does not know HTTP or who listens.

While the write buffer is over its mark nothing is handed over: the rest of the read waits in the parser, as it came,
and reading stops, so the replies to many small messages do not pile up behind a peer that does not take them. They go
on when the buffer has drained, or as soon as the peer is found not to read at all (`flow`).

    state       leaves by
    OPEN        close() → CLOSING · the peer's close, a violation, abort(), loss → DONE
    CLOSING     the peer's close, time, loss, abort() → DONE; nothing more is received
    DONE        what still comes is discarded until the peer goes or time is up
"""

import asyncio

from wirehop.abc import Framing, Listener, Out
from wirehop.codecs.framing import BINARY, CLOSE, PING, PONG, TEXT, deflated_frame, websocket_close, websocket_frame
from wirehop.hosts.native.context import HostContext, log
from wirehop.hosts.native.deflate import Deflate
from wirehop.hosts.native.flow import VOID, Congestion
from wirehop.hosts.native.masking import apply_mask
from wirehop.hosts.native.timeouts import Phase
from wirehop.hosts.native.websocket_parser import (
    Closed,
    Event,
    Failed,
    Message,
    Pinged,
    WebSocketParser,
    is_text,
)

_OPEN, _CLOSING, _DONE = 0, 1, 2
_PING_FRAME = websocket_frame(b"", PING)
_LOST, _INTERNAL = 1006, 1011


class NativeDuplex(asyncio.Protocol):
    """Implements `wirehop.abc.Duplex`."""

    __slots__ = (
        "_close_frame",
        "_congestion",
        "_context",
        "_deflate",
        "_is_held",
        "_late_pong",
        "_listener",
        "_max_message",
        "_parser",
        "_state",
        "_transport",
        "out",
    )

    def __init__(
        self,
        context: HostContext,
        transport: asyncio.Transport,
        listener: Listener,
        *,
        max_message: int,
        deflate: Deflate | None = None,
    ) -> None:
        self.out: Out = context.out(transport)
        self._transport = transport
        self._context = context
        self._listener = listener
        self._max_message = max_message
        self._deflate = deflate  # what was agreed about compression
        self._state = _OPEN
        self._parser: WebSocketParser | None = None
        self._congestion: Congestion | None = None
        self._close_frame: tuple[int, str] | None = None  # what we sent, while its answer is awaited
        self._late_pong: bytes | None = None
        self._is_held = False  # reading is paused, and the parser has what is not handed over

    # ---- Duplex --------------------------------------------------------------------------------------------

    @property
    def framing(self) -> Framing:
        """What bytes given to `out` must be."""
        return "websocket" if self._deflate is None else self._deflate.framing

    def send(self, data: bytes, *, is_binary: bool = False) -> None:
        """One whole message; ignored after `close`."""
        if self._state != _OPEN:
            return
        opcode = BINARY if is_binary else TEXT
        if self._deflate is None:
            self.out.write(websocket_frame(data, opcode))
        else:
            self.out.write(deflated_frame(data, opcode, window=self._deflate.window))

    def ping(self) -> None:
        """A ping frame without payload."""
        if self._state == _OPEN:
            self.out.write(_PING_FRAME)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and wait `close_seconds` for the peer's; `reason` is cut to 123 bytes."""
        if self._state != _OPEN:
            return
        frame = websocket_close(code, reason)
        self._state = _CLOSING
        self._close_frame = (code, frame[4:].decode())
        self.out.write(frame)
        self._context.timeouts.start(Phase.CLOSE, self)
        if self._is_held:  # its close frame may be in there, or on its way
            self._context.loop.call_soon(self._go_on)

    def abort(self, reason: str) -> None:
        """Drop the connection and what is unsent."""
        if self._state != _DONE:
            log.debug("WebSocket aborted: %s", reason)
            self._done(*(self._close_frame or (_LOST, reason)))
        self._transport.abort()

    # ---- what the server asks ------------------------------------------------------------------------------

    def close_if_idle(self) -> None:
        """An open WebSocket is never idle: whoever opened it closes it."""

    def expired(self, phase: Phase) -> None:
        """The peer's close frame, or its going, did not come in time."""
        self.abort("the closing handshake took too long")

    # ---- asyncio.Protocol ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        position, available = 0, len(data)
        # the common case: small unfragmented messages, whole; whatever else begins here is the parser's
        while self._parser is None and self._congestion is None and self._state == _OPEN and available - position >= 6:
            first, size, start = data[position], data[position + 1] - 0x80, position + 6
            if size == 126 and available - position >= 8:
                size, start = data[position + 2] << 8 | data[position + 3], position + 8
            end = start + size
            if not 0 <= size <= self._max_message or end > available or data[position + 1] == 0xFF:
                break
            if first != 0x81 and first != 0x82:
                break
            payload = apply_mask(data[start:end], data[start - 4 : start])
            if first == 0x81 and not is_text(payload):
                break
            position = end
            self._receive(payload, first == 0x82)
        if position:
            data = data[position:]
        if not data or self._state == _DONE:
            return
        if self._parser is None:
            self._parser = WebSocketParser(self._max_message, inflates=self._deflate is not None)
        self._parser.add(data)
        if not self._is_held:
            self._hand_over(self._parser)

    def eof_received(self) -> None:
        """The peer will send no more. Half a WebSocket is none: it ends."""
        self.connection_lost(None)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._context.leave(self)
        self._context.timeouts.stop(Phase.CLOSE, self)
        self._context.timeouts.stop(Phase.LINGER, self)
        if self._state != _DONE:
            self._done(*(self._close_frame or (_LOST, "")))

    def pause_writing(self) -> None:
        """The write buffer is over its high-water mark."""
        if self._state != _DONE and self._congestion is None:
            self._congestion = Congestion(self._context.loop, self._listener)

    def resume_writing(self) -> None:
        """The write buffer drained: the last ping that came meanwhile is answered."""
        congestion, self._congestion = self._congestion, None
        pong, self._late_pong = self._late_pong, None
        if pong is not None and self._state == _OPEN:
            self.out.write(pong)
        if self._is_held:  # not from in here: loops may be in the middle of writing
            self._context.loop.call_soon(self._go_on)
        if congestion is not None:
            congestion.end()

    # ---- within --------------------------------------------------------------------------------------------

    def _hand_over(self, parser: WebSocketParser) -> None:
        """All that is whole, in order, until the buffer is full."""
        while self._state != _DONE:
            congestion = self._congestion
            if congestion is not None and self._state == _OPEN and not congestion.is_stalled and parser.has_more:
                congestion.watch(self._transport.get_write_buffer_size, self._go_on)
                if not self._is_held:
                    self._is_held = True
                    if not self._transport.is_closing():
                        self._transport.pause_reading()
                return
            event = parser.next()
            if event is None:
                break
            self._handle(event)
        if self._parser is not None and parser.is_at_rest:
            self._parser = None
        if self._is_held:
            self._is_held = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _go_on(self) -> None:
        """With what was held; harmless if nothing is."""
        if self._is_held and self._parser is not None:
            self._hand_over(self._parser)

    def _receive(self, data: bytes, is_binary: bool) -> None:
        try:
            self._listener.received(data, is_binary)
        except Exception:
            log.exception("a WebSocket's listener failed")
            self.close(_INTERNAL, "internal error")

    def _handle(self, event: Event) -> None:
        if self._state == _DONE:
            return
        if isinstance(event, Closed):
            self._answer_close(event)
        elif isinstance(event, Failed):
            self._fail(event)
        elif self._state != _OPEN:
            return  # after our close frame nothing more is received
        elif isinstance(event, Message):
            self._receive(event.data, event.is_binary)
        elif isinstance(event, Pinged):
            self._pong(websocket_frame(event.data, PONG))
        else:
            self._listener.ponged()

    def _pong(self, frame: bytes) -> None:
        if self._congestion is None:
            self.out.write(frame)
        else:  # RFC 6455 section 5.5.3: only the most recent ping needs an answer
            self._late_pong = frame

    def _answer_close(self, event: Closed) -> None:
        """RFC 6455 section 5.5.1: answer with the code received; the server closes the TCP side first."""
        ours = self._close_frame
        if ours is None:
            frame = websocket_frame(b"", CLOSE) if event.code == 1005 else websocket_close(event.code)
            self._transport.write(frame)
        self._done(*(ours or event))
        self._transport.close()
        self._context.timeouts.start(Phase.CLOSE, self)

    def _fail(self, event: Failed) -> None:
        """RFC 6455 section 7.1.7: say why, then discard, so that the reason isn't lost to a reset."""
        ours = self._close_frame
        self._context.refused(event.name, "", event.reason)
        if ours is None:
            self._transport.write(websocket_close(event.code, event.reason))
        self._done(*(ours or event[:2]))
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._context.timeouts.start(Phase.LINGER, self)
        else:
            self._transport.close()
            self._context.timeouts.start(Phase.CLOSE, self)

    def _done(self, code: int, reason: str) -> None:
        self._state = _DONE
        self._context.close_out(self.out)
        self.out = VOID
        self._parser = None
        if self._congestion is not None:
            self._congestion.cancel()
            self._congestion = None
        self._context.timeouts.stop(Phase.CLOSE, self)
        try:
            self._listener.closed(code, reason)
        except Exception:
            log.exception("a WebSocket's listener failed at its close")
