"""A proxy that impairs: what happens to connections between mobile phones, cafés and data centres, on purpose.

    proxy = ImpairingProxy("127.0.0.1", 8000)
    await proxy.start()                       # listens on 127.0.0.1:proxy.port
    await proxy.set(Delay(0.2, jitter=0.05))  # all connections, those of now and those to come
    for link in proxy.links:                  # or some of them
        if link.is_websocket:
            link.set(BlackHole())
    proxy.cut()                               # reset all connections
    await proxy.set()                         # nothing is wrong any more
    await proxy.stop()

Plain asyncio on loopback; no root, no packets. It reads the head of each request to know what a connection carries, and
bodies of POSTs, one request at a time (a client that sends a second before the first is answered is passed on as it
is). TLS passes as bytes: only what needs no reading applies to it. Per connection at most 256 KiB wait in each
direction; then it stops reading. `counts` says how often each fault was applied.
"""

import asyncio
import contextlib
import random
import socket
from collections import Counter
from typing import Final, TypeVar

from wirehop.checker.faults import (
    CUT,
    AnswerPosts,
    BlockWebSocket,
    DuplicatePosts,
    Fault,
    Refuse,
    ReorderPosts,
    SlowReader,
)
from wirehop.checker.pipe import Pipe
from wirehop.checker.requests import Request, RequestError, read_request

POSTS: Final = ("/emulation", "/connection/poll")
STREAMS: Final = ("/connection/sse", "/connection/http_stream", "/channels/")
COPIES: Final = 64
"""Duplicates under way at a time for all connections; more are not made."""
COPY_SECONDS: Final = 5.0
SLOW_BUFFER: Final = 16_384
DEAD_SECONDS: Final = 120.0
"""For which a side of a dead connection may believe in the other."""
LINK_LIMIT: Final = 10_000
"""Connections open at a time; more are dropped."""
SomeFault = TypeVar("SomeFault", bound=Fault)
TEXTS: Final = {403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}


class ImpairingProxy:
    """In front of the server at `host`:`port`. `seed` makes what is random in its faults the same again."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.host = host
        self.target = port
        self.port = 0
        self.counts: Counter[str] = Counter()
        self.faults: tuple[Fault, ...] = ()
        self.random = random.Random(seed)  # noqa: S311 - a schedule, no secret
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._copies: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._is_stopped = False

    @property
    def url(self) -> str:
        """To connect to instead of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def links(self) -> "tuple[Link, ...]":
        """The connections that are open."""
        return tuple(self._links)

    async def start(self, port: int = 0) -> "ImpairingProxy":
        """Listen on 127.0.0.1. Raises `OSError`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def set(self, *faults: Fault) -> None:
        """From now on these, for connections that are open and for new ones; none: all is well."""
        self.faults = faults
        for link in self._links:
            link.set(*faults)
        await asyncio.sleep(0)  # what was held may go now

    def cut(self, *, is_reset: bool = True) -> int:
        """End all connections, by reset or politely; how many there were."""
        return sum(link.cut(is_reset=is_reset) for link in self.links)

    async def stop(self) -> None:
        """Let go of everything."""
        if self._server is None:
            return
        self._is_stopped = True
        await close_listener(self._server)
        for link in self.links:
            link.abort()
        for task in self._copies:
            task.cancel()
        await asyncio.gather(*self._copies, *self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for transports that were aborted to close

    async def __aenter__(self) -> "ImpairingProxy":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ---- connections -------------------------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._is_stopped or len(self._links) >= LINK_LIMIT:
            writer.transport.abort()
            return
        if any(isinstance(fault, Refuse) for fault in self.faults):
            self.counts[Refuse.name] += 1
            writer.transport.abort()
            return
        self._tasks.add(task)
        link = Link(self, writer)
        self._links.add(link)
        try:
            await link.run(reader)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the target is gone, or the client
        finally:
            link.abort()
            self._links.discard(link)
            self._tasks.discard(task)

    async def open(self, *, is_slow: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server; of one that is read slowly the kernel keeps little."""
        if not is_slow:
            return await asyncio.open_connection(self.host, self.target)
        reader, writer = await asyncio.open_connection(self.host, self.target, limit=SLOW_BUFFER)
        kernel: socket.socket = writer.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        return reader, writer

    def copy(self, request: Request, seconds: float) -> None:
        """Deliver it once more, that much later, and throw the answer away."""
        if len(self._copies) >= COPIES:
            return
        self.counts[DuplicatePosts.name] += 1
        task = asyncio.create_task(self._deliver(request, seconds))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _deliver(self, request: Request, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await self.open(is_slow=False)
            try:
                writer.write(request.data)
                async with asyncio.timeout(COPY_SECONDS):
                    await reader.read(65_536)
            finally:
                writer.transport.abort()


async def close_listener(server: asyncio.Server) -> None:
    """Accept nothing more. What was accepted in this turn of the loop is still served: asyncio leaks it if its server
    is closed in that turn."""
    for listener in server.sockets:
        asyncio.get_running_loop().remove_reader(listener.fileno())
    await asyncio.sleep(0)
    server.close()


class Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: ImpairingProxy, client: asyncio.StreamWriter) -> None:
        self.path = ""
        self.is_websocket = False
        self._proxy = proxy
        self._client = client
        self._server: asyncio.StreamWriter | None = None
        self._faults = proxy.faults
        self._gone = asyncio.Event()
        self._up = Pipe("server", proxy.counts, proxy.random)
        self._down = Pipe("client", proxy.counts, proxy.random)
        self._set_pipes()

    def set(self, *faults: Fault) -> None:
        """From now on these, instead of what was set before."""
        self._faults = faults
        self._set_pipes()

    def _set_pipes(self) -> None:
        for pipe in (self._up, self._down):
            pipe.set(self._faults)

    def cut(self, *, is_reset: bool = True) -> bool:
        """End it at both ends."""
        self._proxy.counts[CUT] += 1
        if is_reset:
            for writer in (self._client, self._server):
                kernel: socket.socket | None = None if writer is None else writer.get_extra_info("socket")
                if kernel is not None:
                    with contextlib.suppress(OSError):  # RST instead of FIN
                        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.abort()
        return True

    def abort(self) -> None:
        """Drop what is waiting, and both ends."""
        self._gone.set()
        for writer in (self._client, self._server):
            if writer is not None:
                writer.transport.abort()

    def _fault(self, kind: type[SomeFault]) -> SomeFault | None:
        return next((fault for fault in self._faults if isinstance(fault, kind)), None)

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Until one side ends."""
        from_server, self._server = await self._proxy.open(is_slow=self._fault(SlowReader) is not None)
        if self._client.is_closing():  # cut meanwhile
            return
        down = asyncio.create_task(self._down.run(from_server, self._client))
        up = asyncio.create_task(self._requests(reader))
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({down, up, gone}, return_when=asyncio.FIRST_COMPLETED)
            if self._up.is_dead or self._down.is_dead:  # one side does not hear of the end of the other
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DEAD_SECONDS):
                        while not (gone.done() or (down.done() and up.done())):
                            waiting = {task for task in (down, up, gone) if not task.done()}
                            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (down, up, gone):
                task.cancel()
            await asyncio.gather(down, up, gone, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader) -> None:
        """One request after the other, until it is no HTTP any more."""
        assert self._server is not None
        while True:
            try:
                request = await read_request(reader)
            except RequestError as error:
                self._up.feed(error.data)
                break
            if request is None:
                return
            self.path = request.path
            self._down.expect(
                is_stream=request.path.startswith(STREAMS) or "text/event-stream" in request.headers.get("accept", ""),
                is_upgrade=request.is_upgrade,
            )
            if request.is_upgrade and self._fault(BlockWebSocket) is not None:
                self._answer(BlockWebSocket.name, 403)
                continue
            if request.method == "POST" and request.path.startswith(POSTS) and not await self._post(request):
                continue
            if request.is_upgrade:
                self.is_websocket = True
                await self._up.pass_on(request.data, self._server)
                self._up.expect(is_stream=False, is_upgrade=True, is_answered=True)
                break
            await self._up.pass_on(request.data, self._server)
            if not request.is_whole:
                break
        await self._up.run(reader, self._server)

    async def _post(self, request: Request) -> bool:
        """Whether it is still to be passed on."""
        if (late := self._fault(ReorderPosts)) is not None:
            self._proxy.counts[late.name] += 1
            await asyncio.sleep(self._proxy.random.random() * late.seconds)
        if (twice := self._fault(DuplicatePosts)) is not None and request.is_whole:
            self._proxy.copy(request, self._proxy.random.random() * twice.seconds)
        if (instead := self._fault(AnswerPosts)) is None:
            return True
        if instead.is_delivered and request.is_whole:
            self._proxy.copy(request, 0.0)
        self._answer(instead.name, instead.status)
        return not request.is_whole

    def _answer(self, name: str, status: int) -> None:
        self._proxy.counts[name] += 1
        head = f"HTTP/1.1 {status} {TEXTS[status]}\r\nContent-Length: 0\r\nX-Impaired: {name}\r\n\r\n"
        self._client.write(head.encode())
