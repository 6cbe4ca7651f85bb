"""A session over WebSocket: lines of JSON both ways. The protocol of frames is the `websockets` package's."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import Final

from wirehop.client.address import Address
from wirehop.client.errors import WireLost
from wirehop.client.wire import Listener, read_replies, refused
from wirehop.codecs.json_lines import encode_command
from wirehop.core import codes
from wirehop.core.messages import Command

PATH: Final = "/connection/websocket"
MESSAGE_BYTES: Final = 32_768
"""Commands share a message up to this size; servers take 64 KiB."""
UNSENT_BYTES: Final = 1_048_576
"""Commands that wait to be sent; more ends the wire."""
RECEIVED_BYTES: Final = 8_388_608
"""One message of the server at most."""


class WebSocketWire:
    """Implements `Wire`."""

    name = "websocket"

    def __init__(self, address: Address, tls: ssl.SSLContext | None, *, timeout: float) -> None:
        self._address = address
        self._tls = address.tls(tls)
        self._timeout = timeout
        self._unsent: list[bytes] = []
        self._size = 0
        self._news = asyncio.Event()

    def send(self, commands: Sequence[Command]) -> None:
        lines = [encode_command(command) for command in commands]
        self._unsent += lines
        self._size += sum(map(len, lines))
        self._news.set()

    async def run(self, listener: Listener) -> None:
        import websockets
        from websockets.asyncio.client import connect

        try:
            async with connect(
                self._address.url(PATH, scheme="ws"),
                ssl=self._tls,
                compression=None,
                proxy=None,
                open_timeout=self._timeout,
                close_timeout=1.0,
                ping_interval=None,  # the session has its own heartbeat
                max_size=RECEIVED_BYTES,
            ) as socket:
                listener.opened()
                sender = asyncio.ensure_future(self._send_all(socket.send))
                sender.add_done_callback(lambda task: socket.transport.abort() if not task.cancelled() else None)
                try:
                    async for message in socket:
                        listener.received(read_replies(message.encode() if isinstance(message, str) else message))
                finally:
                    sender.cancel()
                    with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                        await sender
                code, reason = socket.close_code or 1006, socket.close_reason or "the connection ended"
        except websockets.ConnectionClosed as closed:
            received = closed.rcvd
            code, reason = (received.code, received.reason) if received else (1006, "the connection broke")
        except websockets.InvalidStatus as error:
            raise refused(error.response.status_code, error.response.body or b"") from None
        except TimeoutError:
            raise WireLost(0, f"no WebSocket within {self._timeout:g} s") from None
        except (OSError, websockets.WebSocketException) as error:
            raise WireLost(0, f"no WebSocket: {error}") from None
        raise WireLost(code, reason)

    async def _send_all(self, send: "Callable[[str], Awaitable[None]]") -> None:
        """Send what comes, several commands in one message."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._unsent:
                if self._size > UNSENT_BYTES:
                    raise WireLost(codes.WRITE_ERROR.number, f"more than {UNSENT_BYTES} bytes wait for the wire")
                count, size = 1, len(self._unsent[0])
                while count < len(self._unsent) and size + len(self._unsent[count]) < MESSAGE_BYTES:
                    size += len(self._unsent[count]) + 1
                    count += 1
                lines, self._unsent = self._unsent[:count], self._unsent[count:]
                self._size -= sum(map(len, lines))
                await send(b"\n".join(lines).decode())
