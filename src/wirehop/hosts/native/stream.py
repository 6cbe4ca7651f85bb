"""A response body being sent: what the transport's protocol becomes while a stream is open.

`out` is the transport itself, so that prebuilt chunks go straight to it. Reading goes on, so the peer's going
is noticed at once; what it sends meanwhile is the connection's to keep, within bounds. After `end` the
connection takes the transport back. It knows chunks; it does not know what they carry.
"""

import asyncio
from typing import Protocol

from wirehop.abc import Framing, Listener, Out
from wirehop.codecs.framing import LAST_CHUNK, chunk
from wirehop.hosts.native.context import HostContext, log
from wirehop.hosts.native.flow import VOID, Congestion

_ENDED, _LOST = 1000, 1006


class StreamOwner(Protocol):
    """The connection a stream was lent the transport by."""

    def hold_during_stream(self, data: bytes) -> None:
        """Keep what the peer sends before the stream's end."""
        ...

    def stream_ended(self, *, is_congested: bool) -> None:
        """Take the transport back."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        ...


class _Nobody:
    """Owns a stream that never began."""

    __slots__ = ()

    def hold_during_stream(self, data: bytes) -> None: ...

    def stream_ended(self, *, is_congested: bool) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


_NOBODY = _Nobody()


class NativeStream(asyncio.Protocol):
    """Implements `wirehop.abc.Stream`. Without a body (HEAD, 204, 304) `out` forgets what it is given."""

    __slots__ = ("_congestion", "_context", "_is_done", "_listener", "_owner", "_transport", "framing", "out")

    def __init__(
        self,
        context: HostContext,
        owner: StreamOwner,
        transport: asyncio.Transport,
        listener: Listener,
        *,
        framing: Framing,
        has_body: bool,
    ) -> None:
        self.out: Out = context.out(transport) if has_body else VOID
        self.framing: Framing = framing
        self._transport = transport
        self._context = context
        self._owner = owner
        self._listener = listener
        self._congestion: Congestion | None = None
        self._is_done = False

    @classmethod
    def lost(cls, context: HostContext, listener: Listener, *, framing: Framing) -> "NativeStream":
        """A stream whose peer went before it began; the listener hears `closed` in the next turn."""
        stream = cls(context, _NOBODY, asyncio.Transport(), listener, framing=framing, has_body=False)
        stream._finish()
        context.loop.call_soon(stream._tell, _LOST, "")
        return stream

    def send(self, data: bytes) -> None:
        """Write `data` (not empty) with the framing added; ignored after the end."""
        self.out.write(chunk(data) if self.framing == "chunked" else data)

    def end(self) -> None:
        """Finish the body; the connection may serve its next request."""
        if self._is_done:
            return
        if self.framing == "chunked":
            self.out.write(LAST_CHUNK)
        is_congested = self._congestion is not None
        self._finish()
        self._context.loop.call_soon(self._tell, _ENDED, "")
        self._owner.stream_ended(is_congested=is_congested)

    def abort(self, reason: str) -> None:
        """Drop the connection and what is unsent."""
        if self._is_done:
            return
        log.debug("stream aborted: %s", reason)
        self._finish()
        self._transport.abort()
        self._tell(_LOST, reason)

    # ---- asyncio.Protocol ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes of a next request, perhaps."""
        self._owner.hold_during_stream(data)

    def eof_received(self) -> None:
        """Who will send no more is taken as gone: nobody keeps half a connection open for an event stream."""
        self.abort("the peer closed")

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._owner.connection_lost(exc)
        if not self._is_done:
            self._finish()
            self._tell(_LOST, "")

    def pause_writing(self) -> None:
        """The write buffer is over its high-water mark."""
        if not self._is_done and self._congestion is None:
            self._congestion = Congestion(self._context.loop, self._listener)

    def resume_writing(self) -> None:
        """The write buffer drained."""
        congestion, self._congestion = self._congestion, None
        if congestion is not None:
            congestion.end()

    # ---- within --------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        self._is_done = True
        self._context.close_out(self.out)
        self.out = VOID
        if self._congestion is not None:
            self._congestion.cancel()
            self._congestion = None

    def _tell(self, code: int, reason: str) -> None:
        try:
            self._listener.closed(code, reason)
        except Exception:
            log.exception("a stream's listener failed at its close")
