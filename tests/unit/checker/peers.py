"""A server and clients of the impairing proxy, by hand: what tests of it are played with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from wirehop.checker.proxy import ImpairingProxy

SECONDS = 5.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of. The test around it has an end."""
    while not condition():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.002)


PEERS: "list[Peer]" = []


class Backend:
    """Answers requests as the checker's proxy meets them, and remembers what came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.release = asyncio.Event()
        self.sent = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.came = asyncio.Condition()

    async def has(self, count: int) -> None:
        async with self.came:
            await self.came.wait_for(lambda: len(self.bodies) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"upgrade: websocket" in head.lower():
                    await self._echo(reader, writer)
                elif head.startswith(b"GET /connection/sse"):
                    await self._stream(writer)
                elif head.startswith(b"GET /big"):
                    await self._flood(writer)
                else:
                    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                    body = await reader.readexactly(length)
                    async with self.came:
                        self.bodies.append(body)
                        self.came.notify_all()
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello")
        while data := await reader.read(65_536):
            writer.write(data)

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await self.release.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")

    async def _flood(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            self.sent += 65_536
            await writer.drain()


@asynccontextmanager
async def scene(seconds: float = SECONDS) -> AsyncIterator[tuple[Backend, ImpairingProxy]]:
    backend = Backend()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    proxy = ImpairingProxy("127.0.0.1", server.sockets[0].getsockname()[1], seed=1)
    try:
        async with asyncio.timeout(seconds), proxy:
            yield backend, proxy
    finally:
        for peer in PEERS:
            peer.close()
        PEERS.clear()
        for writer in backend.writers:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0.01)


class Peer:
    """A client's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, proxy: ImpairingProxy) -> "Peer":
        peer = cls(*await asyncio.open_connection("127.0.0.1", proxy.port))
        PEERS.append(peer)
        return peer

    async def upgrade(self) -> "Peer":
        self.writer.write(b"GET /connection/websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        assert b" 101 " in await self.reader.readuntil(b"\r\n\r\n")
        return self

    def post(self, body: bytes, path: str = "/emulation") -> None:
        self.writer.write(f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    async def status(self) -> int:
        return int((await self.reader.readuntil(b"\r\n\r\n")).split()[1])

    async def is_silent(self, seconds: float = 0.15) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.reader.readexactly(1)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.writer.transport.abort()
