"""A node in a thread of this process, full of sessions on wires that lead nowhere: what the admin page is looked at
with."""

import asyncio
import contextlib
import http.client
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from wirehop.abc import Peer
from wirehop.codecs.frame import Frame, Lane
from wirehop.core.codes import Code
from wirehop.core.messages import Command, ConnectRequest, Reply, SubscribeRequest
from wirehop.hosts.native import NativeServer
from wirehop.node import Connecting, Node, User
from wirehop.node.driver import Driver
from wirehop.settings.tree import Settings
from wirehop.site import Site

T = TypeVar("T")
LANES: dict[str, Lane] = {}
MOST_SECONDS = 30.0


class FakeWire:
    """Takes everything, and remembers how it was closed."""

    __slots__ = ("closed", "lane", "out", "written")

    def __init__(self, name: str) -> None:
        if name not in LANES:
            LANES[name] = Lane(name, lambda _channel, publication, _epoch: publication.data)
        self.lane = LANES[name]
        self.out = self
        self.written = 0
        self.closed: int | None = None

    def send(self, replies: Sequence[Reply]) -> int:
        self.written += len(replies)
        return 0

    def write(self, frames: bytes | Sequence[Frame]) -> None:
        self.written += 1

    def close(self, code: Code, _reason: str) -> None:
        self.closed = code.number


class Crowd:
    """The running node. `run` waits for a coroutine of its loop; `people` are the sessions that were opened here."""

    def __init__(self, node: Node, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.node = node
        self.port = port
        self.people: list[Driver] = []
        self._loop = loop
        self._connections: list[http.client.HTTPConnection] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(MOST_SECONDS)

    def call(self, work: Callable[[], T]) -> T:
        """Run it on the loop's thread."""

        async def later() -> T:
            return work()

        return self.run(later())

    def client(self) -> Callable[[str], tuple[int, bytes]]:
        """A kept connection as the admin page: `client("/admin/api/overview")` gives status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=MOST_SECONDS)

        def get(target: str) -> tuple[int, bytes]:
            connection.request("GET", target, headers={"X-Wirehop-Admin": "1"})
            response = connection.getresponse()
            return response.status, response.read()

        self._connections.append(connection)
        return get

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def enter(self, user: str, wire: str, address: str, *channels: str, agent: str = "") -> Driver:
        """Open a session, connected and subscribed. To be called on the loop's thread."""
        peer = Peer(address, transport=wire, user_agent=agent)
        driver = self.node.open_session(FakeWire(wire), transport=wire, peer=peer, heartbeat="none")
        commands = [Command(1, connect=ConnectRequest(name=user))]
        commands += [Command(2 + n, subscribe=SubscribeRequest(channel=each)) for n, each in enumerate(channels)]
        driver.received(commands, 0)
        self.people.append(driver)
        return driver

    def fill(self, count: int, *, wires: Sequence[str] = ("websocket", "sse", "long-poll")) -> None:
        """`count` people, each in a channel of two."""

        async def enter() -> None:
            for number in range(count):
                address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
                self.enter(f"user-{number:05}", wires[number % len(wires)], address, f"pair:{number // 2:05}")
                if number % 200 == 199:
                    await asyncio.sleep(0)
            await asyncio.sleep(0.05)  # whoever is let in by a handler, is so in the next turns

        self.run(enter())


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[tuple[Node, NativeServer]]:
    node = Node(settings)

    @node.on_connect
    async def connect(connecting: Connecting) -> User | None:
        return User(connecting.name) if connecting.name and connecting.name[0].islower() else None

    server = NativeServer(Site(node).open)
    await node.start()
    await server.start("127.0.0.1", 0)
    try:
        yield node, server
    finally:
        await node.stop()
        await server.close(0.2)


@contextmanager
def crowd(settings: Settings) -> Iterator[Crowd]:
    """Run a node in a thread, until the block is left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="crowd", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(MOST_SECONDS)

    serving = _serving(settings)
    try:
        node, server = run(serving.__aenter__())
        try:
            found = Crowd(node, server.port, loop)
            yield found
        finally:
            found.close()
            with contextlib.suppress(RuntimeError):
                run(serving.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
