"""A proxy that impairs: what happens to connections between mobile phones, cafés and data centres, on purpose.

    proxy = ImpairingProxy("127.0.0.1", 8000)
    await proxy.start()                       # listens on 127.0.0.1:proxy.port
    await proxy.set(Delay(0.2, jitter=0.05))  # all connections, those of now and those to come
    for link in proxy.links:                  # or some of them
        if link.is_websocket:
            link.set(BlackHole())
    proxy.cut()                               # reset all connections
    proxy.roam()                              # the clients get another address: their connections are dead
    await proxy.during(2, Tunnel())           # and then as before
    await proxy.set()                         # nothing is wrong any more
    await proxy.stop()

Plain asyncio on loopback; no root, no packets. It reads the head of each request to know what a connection carries, and
bodies of POSTs, one request at a time (a client that sends a second before the first is answered is passed on as it
is). TLS passes as bytes: only what needs no reading applies to it. Per connection at most 256 KiB wait in each
direction; then it stops reading. `counts` says how often each fault was applied, `traffic` what passed; with
`record = Recording()` it is kept as well.
"""

import asyncio
import contextlib
import random
import socket
from collections import Counter
from typing import Final

from wirehop.checker.bottleneck import Bottleneck
from wirehop.checker.faults import (
    Bandwidth,
    CutIdle,
    DuplicatePosts,
    Fault,
    Refuse,
)
from wirehop.checker.link import Link
from wirehop.checker.requests import Request
from wirehop.checker.traffic import Direction, Recording, Traffic

COPIES: Final = 64
"""Duplicates under way at a time for all connections; more are not made."""
COPY_SECONDS: Final = 5.0
SLOW_BUFFER: Final = 16_384
LINK_LIMIT: Final = 10_000
"""Connections open at a time; more are dropped."""
PLACES: Final = 200
"""Addresses that clients come from, one after the other (127.0.0.1, 127.0.0.2, …)."""
IDLE_TICK: Final = 0.05


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
        self.traffic: dict[Direction, Traffic] = {"up": Traffic(), "down": Traffic()}
        self.record: Recording | None = None
        self.down, self.up = Bottleneck(), Bottleneck()
        self._number = 0
        self._place = 1
        self._idle: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """To connect to instead of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def links(self) -> tuple[Link, ...]:
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
        width = next((fault for fault in faults if isinstance(fault, Bandwidth)), Bandwidth())
        self.down.set(width.down, width.queue)
        self.up.set(width.up, width.queue)
        for link in self._links:
            link.set(*faults)
        if any(isinstance(fault, CutIdle) for fault in faults) and (self._idle is None or self._idle.done()):
            self._idle = asyncio.create_task(self._cut_idle())
        await asyncio.sleep(0)  # what was held may go now

    async def during(self, seconds: float, *faults: Fault) -> None:
        """These instead of what is set, for so long; then that again, unless somebody has set something else."""
        before = self.faults
        await self.set(*faults)
        await asyncio.sleep(seconds)
        if self.faults == faults:
            await self.set(*before)

    def cut(self, *, is_reset: bool = True) -> int:
        """End all connections, by reset or politely; how many there were."""
        return sum(link.cut(is_reset=is_reset) for link in self.links)

    def roam(self) -> int:
        """The clients get another address, as from Wi-Fi to mobile: what was open breaks for them, the server hears
        nothing of it, and new connections come from elsewhere (the next address of 127.0.0.0/8 where the system has it,
        another port anyway). How many connections there were."""
        self._place = self._place % PLACES + 1
        return sum(link.roam() for link in self.links)

    async def stop(self) -> None:
        """Let go of everything."""
        if self._server is None:
            return
        self._is_stopped = True
        if self._idle is not None:
            self._idle.cancel()
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
        self._number += 1
        link = Link(self, writer, self._number)
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
            if self._place > 1 and self.host.startswith("127."):
                with contextlib.suppress(OSError):  # not every system has more than one address on loopback
                    here = (f"127.0.0.{self._place}", 0)
                    return await asyncio.open_connection(self.host, self.target, local_addr=here)
            return await asyncio.open_connection(self.host, self.target)
        reader, writer = await asyncio.open_connection(self.host, self.target, limit=SLOW_BUFFER)
        kernel: socket.socket = writer.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        return reader, writer

    async def _cut_idle(self) -> None:
        """While that is wanted."""
        while any(isinstance(fault, CutIdle) for fault in self.faults):
            for link in self.links:
                link.cut_if_idle()
            await asyncio.sleep(IDLE_TICK)

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
