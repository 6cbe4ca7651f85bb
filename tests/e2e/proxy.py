"""A TCP proxy between a browser and the server that a test can cut, refuse, stall and restore.

It runs its own loop in a thread, because Playwright's synchronous API owns the main thread's. It forwards bytes and
knows nothing of HTTP.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any

from wirehop.checker.proxy import close_listener

LOOPBACK = "127.0.0.1"
ORDER_SECONDS = 5.0
CHUNK = 65_536


class Proxy:
    """Listens on `port` and forwards to `target`. Use it as a context manager."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self.accepted = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._order(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ORDER_SECONDS)
        self._socket.close()
        self._loop.close()

    # ---- what a test does to the network

    def cut(self) -> None:
        """Reset every open connection. New ones are served."""
        self._order(self._cut())

    def refuse(self) -> None:
        """Reset every open connection, and refuse new ones until `restore`."""
        self._order(self._refuse())

    def stall(self) -> None:
        """A black hole: connections stay open, new ones are accepted, no byte passes, until `restore`."""
        self._order(self._set_flow(flows=False))

    def restore(self) -> None:
        """Serve again."""
        self._order(self._restore())

    # ---- in the loop

    def _order(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ORDER_SECONDS)

    async def _restore(self) -> None:
        await self._set_flow(flows=True)
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, sock=self._socket, backlog=256)

    async def _set_flow(self, *, flows: bool) -> None:
        if flows:
            self._flows.set()
        else:
            self._flows.clear()

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await close_listener(server)
            self._socket = _bound(self.port)  # bound but not listening: refused, and nobody else can take the port
        await self._cut()

    async def _end(self) -> None:
        self._flows.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # accepted in the turn in which it was to refuse
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        self._open.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection(LOOPBACK, self.target)
            self._open.add(onward)
            await asyncio.gather(self._pump(reader, onward), self._pump(back, writer))
        except (OSError, asyncio.CancelledError):
            pass  # an end of the connection is what a test asked for, or the server's
        finally:
            for each in (writer, onward):
                if each is not None:
                    each.transport.abort()
                    self._open.discard(each)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def _bound(port: int) -> socket.socket:
    """A socket bound to the port, not listening yet."""
    each = socket.socket()
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    each.bind((LOOPBACK, port))
    return each
