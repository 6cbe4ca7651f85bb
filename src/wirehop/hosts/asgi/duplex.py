"""One open WebSocket: the request's own coroutine reads, one task writes.

`out` takes what the native host takes, prebuilt server frames, so that the fan-out makes one buffer for both; here they
are split into messages again. ASGI has neither ping frames nor a way to drop a connection: a ping counts as answered
while the peer takes what is sent (whether it lives is what the server's own keep-alive finds out), and an aborted
WebSocket is closed with 1011.

    state       leaves by
    OPEN        close() → CLOSING · the peer's close, too large a message, abort(), loss → DONE
    CLOSING     the close message taken by the server, time, loss, abort() → DONE; nothing more is received
    DONE        nothing
"""

import asyncio

from wirehop.abc import Framing, Listener, Out
from wirehop.codecs.framing import BINARY, TEXT, websocket_close, websocket_frame
from wirehop.hosts.asgi.frames import Splitter
from wirehop.hosts.asgi.options import AsgiOptions, Message, Receive, Send
from wirehop.hosts.asgi.outflow import Outflow
from wirehop.hosts.asgi.watch import Wires, log, tell_closed
from wirehop.hosts.native.flow import VOID

_OPEN, _CLOSING, _DONE = 0, 1, 2
_NO_CODE, _LOST, _INVALID, _TOO_BIG, _INTERNAL, _RESTART = 1005, 1006, 1007, 1009, 1011, 1012
_INSTEAD = {_INVALID: 3501, _TOO_BIG: 3501, _INTERNAL: 3004, _RESTART: 3001}  # of core.codes, with the same meaning
_LAST_SECONDS = 1.0  # for the close message of an aborted WebSocket


class AsgiDuplex:
    """Implements `abc.Duplex`."""

    __slots__ = ("_close", "_flow", "_is_over", "_is_told", "_listener", "_max_message", "_scope", "_splitter",
                 "_state", "_subprotocol", "_wires", "_writer", "out")  # fmt: skip

    framing: Framing = "websocket"

    def __init__(
        self,
        wires: Wires,
        options: AsgiOptions,
        splitter: Splitter,
        listener: Listener,
        *,
        subprotocol: str,
        max_message: int,
    ) -> None:
        self._wires = wires
        self._splitter = splitter
        self._listener = listener
        self._max_message = max_message
        self._subprotocol = subprotocol
        self._flow = Outflow(options, listener, self._give_up)
        self.out: Out = self._flow
        self._state = _OPEN
        self._scope: asyncio.Timeout | None = None
        self._writer: asyncio.Task[None] | None = None
        self._close: tuple[int, str] | None = None  # what we close with
        self._is_told = False
        self._is_over = False  # nothing can be sent any more

    # ---- Duplex --------------------------------------------------------------------------------------------

    def send(self, data: bytes, *, is_binary: bool = False) -> None:
        """One whole message; ignored after `close`."""
        if self._state == _OPEN:
            self.out.write(websocket_frame(data, BINARY if is_binary else TEXT))

    def ping(self) -> None:
        """Answered at once, unless more waits than the peer takes."""
        if self._state == _OPEN and not self._flow.is_congested:
            asyncio.get_running_loop().call_soon(self._pong)

    def close(self, code: int, reason: str) -> None:
        """Close after all that was written; `reason` is cut to 123 bytes."""
        if self._state == _OPEN:
            self._state = _CLOSING
            self._close = (code, websocket_close(code, reason)[4:].decode())
            self.out = VOID
            self._flow.end()
            self._stop_reading()

    def abort(self, reason: str) -> None:
        """Close with 1011, without what is unsent."""
        if self._state != _DONE:
            log.debug("WebSocket aborted: %s", reason)
            self._done(*(self._close or (_LOST, reason)))

    # ---- what the host asks --------------------------------------------------------------------------------

    def lost(self) -> None:
        """The peer was gone before the upgrade."""
        self._is_over = True
        self._done(_LOST, "")

    async def run(self, receive: Receive, send: Send) -> None:
        """Accept, then carry messages both ways. Returns when the WebSocket is over; cancelled, it is lost."""
        writer = self._writer = asyncio.get_running_loop().create_task(self._write(send))
        try:
            await self._read(receive)
            if self._state == _CLOSING:  # nothing more is received, and granian closes only while nobody receives
                await asyncio.wait([writer])
        except asyncio.CancelledError:  # the server stops and waits no longer
            self._close = self._close or (_RESTART, "server is shutting down")
            await self._send_last(writer, send)
            raise
        finally:
            self._done(*(self._close or (_LOST, "")))
        await self._send_last(writer, send)

    # ---- within --------------------------------------------------------------------------------------------

    async def _read(self, receive: Receive) -> None:
        """Until it is closed by whomever."""
        try:
            async with asyncio.timeout(None) as scope:
                self._scope = scope
                while self._state == _OPEN:
                    if self._flow.is_congested:  # or the answers to what the server has read would pile up
                        await self._flow.relief()
                    self._take(await receive())
        except TimeoutError:
            if self._state == _OPEN:
                raise
        finally:
            self._scope = None

    async def _write(self, send: Send) -> None:
        flow, split = self._flow, self._splitter.split
        try:
            accept: Message = {"type": "websocket.accept", "subprotocol": self._subprotocol or None, "headers": []}
            await send(accept)
            while items := await flow.next():
                for buffer in items:
                    for key, value in split(buffer):
                        await send({"type": "websocket.send", key: value})
                    flow.sent(len(buffer))
            if self._close is None or self._state == _DONE:
                return
            await self._send_close(send)
        except OSError:  # ASGI WebSocket spec 2.4: sending to a peer that is gone
            log.debug("a WebSocket was gone when something was sent")
        except Exception as error:  # servers have errors of their own for a peer that is gone
            log.warning("a WebSocket could not be written: %s: %s", type(error).__name__, error)
            self.abort("writing failed")
            return
        self._is_over = True
        self._state = _DONE
        self._stop_reading()

    async def _send_last(self, writer: asyncio.Task[None], send: Send) -> None:
        """The close of what was aborted, unless the peer is gone or has had one."""
        writer.cancel()
        await asyncio.wait([writer])
        if self._is_over:
            return
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._send_close(send)
        except Exception:  # whatever the server thinks of it: nothing more can be done
            log.debug("the close of an aborted WebSocket could not be sent", exc_info=True)

    async def _send_close(self, send: Send) -> None:
        code, reason = self._close or (_INTERNAL, "aborted")
        try:
            await send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            raise
        except Exception:  # daphne takes 1000 and 3000 to 4999 only
            if code not in _INSTEAD:
                raise
            await send({"type": "websocket.close", "code": _INSTEAD[code], "reason": reason})

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.disconnect":
            self._is_over = True
            code, reason = message.get("code"), message.get("reason")
            self._done(*(self._close or (_NO_CODE if code is None else code, reason or "")))
        elif kind == "websocket.receive" and self._state == _OPEN:
            text = message.get("text")
            if text is None:
                self._receive(message.get("bytes") or b"", is_binary=True)
                return
            try:
                data = text.encode()
            except UnicodeEncodeError:
                self._refuse(_INVALID, "websocket.invalid_text", "not UTF-8")
            else:
                self._receive(data, is_binary=False)

    def _receive(self, data: bytes, *, is_binary: bool) -> None:
        if len(data) > self._max_message:
            self._refuse(_TOO_BIG, "websocket.too_big", f"a message is larger than {self._max_message} bytes")
            return
        try:
            self._listener.received(data, is_binary)
        except Exception:
            log.exception("a WebSocket's listener failed")
            self.close(_INTERNAL, "internal error")

    def _refuse(self, code: int, name: str, reason: str) -> None:
        """Close over something the peer did; the listener hears of it at once, as on the native host."""
        self._wires.counters[name] += 1
        self.close(code, reason)
        self._tell(code, reason)

    def _pong(self) -> None:
        if self._state == _OPEN:
            self._listener.ponged()

    def _give_up(self, name: str, reason: str) -> None:
        self._wires.counters[name] += 1
        self.abort(reason)

    def _done(self, code: int, reason: str) -> None:
        self._state = _DONE
        self._flow.discard()
        self.out = VOID
        self._stop_reading()
        if self._writer is not None:
            self._writer.cancel()
        self._tell(code, reason)

    def _stop_reading(self) -> None:
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0.0)

    def _tell(self, code: int, reason: str) -> None:
        if not self._is_told:
            self._is_told = True
            tell_closed(self._listener, code, reason)
