"""A TCP proxy in the test's own loop, whose connections can be dropped."""

import asyncio
import contextlib

from wirehop.checker.proxy import close_listener


class CuttingProxy:
    """Forwards to `target`. While `is_open` is False it drops every new connection at once."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_open = True
        self.port = 0

    async def start(self) -> "CuttingProxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        """Let go of everything, also of connections that are being made."""
        assert self._server is not None
        await close_listener(self._server)
        self.is_open = False
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self.is_open:
                await self._connect(reader, writer)
        except OSError:
            pass  # the target is gone
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        away_reader, away_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.add(away_writer)
        try:
            if self.is_open and not writer.is_closing():  # it may have been cut meanwhile
                await asyncio.gather(self._forward(reader, away_writer), self._forward(away_reader, writer))
        finally:
            away_writer.transport.abort()
            self._writers.discard(away_writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
