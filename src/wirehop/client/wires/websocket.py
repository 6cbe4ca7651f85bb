"""A session over WebSocket: lines of JSON both ways. The protocol of frames is the `websockets` package's."""

import contextlib
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from wirehop.client.address import Address
from wirehop.client.errors import WireLost
from wirehop.client.outbox import Outbox, run_both
from wirehop.client.wire import Listener, read_replies, refused
from wirehop.core.messages import Command

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

PATH: Final = "/connection/websocket"
LEFT: Final = 4000
"""The code of the client's close where the session goes on: 1000 would end it."""
RECEIVED_BYTES: Final = 8_388_608
"""One message of the server at most."""


class WebSocketWire:
    """Implements `Wire`."""

    name = "websocket"

    def __init__(self, address: Address, tls: ssl.SSLContext | None, *, timeout: float) -> None:
        self._address = address
        self._tls = address.tls(tls)
        self._timeout = timeout
        self._outbox = Outbox()
        self._code = LEFT

    async def finish(self) -> None:
        self._code = 1000  # which ends the session

    def send(self, commands: Sequence[Command]) -> None:
        self._outbox.add(commands)

    async def run(self, listener: Listener) -> None:
        import websockets
        from websockets.asyncio.client import connect

        try:
            async with connect(
                self._address.url(PATH, scheme="ws"),
                ssl=self._tls,
                proxy=None,
                compression=None,
                open_timeout=self._timeout,
                close_timeout=1.0,
                ping_interval=None,  # the session has its own heartbeat
                max_size=RECEIVED_BYTES,
            ) as socket:
                listener.opened()
                try:
                    await run_both(self._receive(socket, listener), self._send(socket))
                finally:
                    await socket.close(self._code)  # leaving the context by an exception would say 1011
        except websockets.InvalidStatus as error:
            raise refused(error.response.status_code, bytes(error.response.body or b"")) from None
        except TimeoutError:
            raise WireLost(0, f"no WebSocket within {self._timeout:g} s") from None
        except (OSError, websockets.WebSocketException) as error:
            raise WireLost(0, f"no WebSocket: {error}") from None

    async def _receive(self, socket: "ClientConnection", listener: Listener) -> None:
        from websockets import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                listener.received(read_replies(message.encode() if isinstance(message, str) else message))
        raise WireLost(socket.close_code or 1006, socket.close_reason or "the connection broke")

    async def _send(self, socket: "ClientConnection") -> None:
        from websockets import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):  # the other half says why
            while True:
                await socket.send(b"\n".join(await self._outbox.next()).decode())
