"""One connection through the impairing proxy: requests are read as far as its faults need it, the rest is bytes."""

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import structs

from wirehop.checker.faults import (
    CUT,
    ROAMED,
    AnswerPosts,
    BlockWebSocket,
    CutIdle,
    Delay,
    DuplicatePosts,
    Fault,
    Handshake,
    Inspect,
    Loss,
    ReorderPosts,
    SlowReader,
    StripUpgrade,
)
from wirehop.checker.loss import SYN_TIMEOUT
from wirehop.checker.pipe import Pipe
from wirehop.checker.requests import Request, RequestError, read_request, without, written_anew
from wirehop.checker.traffic import Direction, Recorded, Traffic

if TYPE_CHECKING:
    from wirehop.checker.proxy import ImpairingProxy

POSTS: Final = ("/emulation", "/connection/poll")
STREAMS: Final = ("/connection/sse", "/connection/http_stream")
DEAD_SECONDS: Final = 120.0
"""For which a side of a dead connection may believe in the other."""
TLS: Final = b"\x16\x03"
UNKNOWN_AUTHORITY: Final = b"\x15\x03\x03\x00\x02\x02\x30"
"""A fatal alert (RFC 8446 section 6)."""
SomeFault = TypeVar("SomeFault", bound=Fault)
TEXTS: Final = {403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}


def reset_on_close(writer: asyncio.StreamWriter | None) -> None:
    """RST instead of FIN."""
    kernel: socket.socket | None = None if writer is None else writer.get_extra_info("socket")
    if kernel is not None:
        with contextlib.suppress(OSError, ValueError):  # it is closed already (uvloop: a value that is none)
            kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


class Link:
    """One connection of a client, and the one to the server that belongs to it. `traffic` is what passed."""

    def __init__(self, proxy: "ImpairingProxy", client: asyncio.StreamWriter, number: int) -> None:
        self.number = number
        self.traffic: dict[Direction, Traffic] = {"up": Traffic(), "down": Traffic()}
        self._active = time.monotonic()
        self.path = ""
        self.is_websocket = False
        self._proxy = proxy
        self._client = client
        self._server: asyncio.StreamWriter | None = None
        self._faults = proxy.faults
        self._gone = asyncio.Event()
        self._up = Pipe("server", proxy.counts, proxy.random, bottleneck=proxy.up, passed=self._went_up)
        self._down = Pipe("client", proxy.counts, proxy.random, bottleneck=proxy.down, passed=self._came_down)
        self._set_pipes()

    def set(self, *faults: Fault) -> None:
        """From now on these, instead of what was set before."""
        self._faults = faults
        self._set_pipes()

    def _set_pipes(self) -> None:
        for pipe in (self._up, self._down):
            pipe.set(self._faults)

    def _went_up(self, data: bytes) -> None:
        self._passed("up", data)

    def _came_down(self, data: bytes) -> None:
        self._passed("down", data)

    def _passed(self, direction: Direction, data: bytes) -> None:
        self._active = time.monotonic()
        self.traffic[direction].add(len(data))
        self._proxy.traffic[direction].add(len(data))
        if self._proxy.record is not None:
            self._proxy.record.add(Recorded(time.time(), self.number, direction, data))

    def cut(self, *, is_reset: bool = True) -> bool:
        """End it at both ends."""
        self._proxy.counts[CUT] += 1
        if is_reset:
            for writer in (self._client, self._server):
                reset_on_close(writer)
        self.abort()
        return True

    def cut_if_idle(self) -> None:
        """End it politely where nothing has passed for too long."""
        idle = self._fault(CutIdle)
        if idle is not None and time.monotonic() - self._active >= idle.seconds:
            self._proxy.counts[idle.name] += 1
            self.abort()

    def roam(self) -> bool:
        """It breaks for the client, and the server is told nothing."""
        self._proxy.counts[ROAMED] += 1
        self._up.is_dead = self._down.is_dead = True
        reset_on_close(self._client)
        self._client.transport.abort()
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
        await self._shake_hands()
        while True:
            try:
                request = await read_request(reader)
            except RequestError as error:
                if error.data.startswith(TLS) and self._fault(Inspect) is not None:
                    self._proxy.counts[Inspect.name] += 1
                    self._client.write(UNKNOWN_AUTHORITY)
                    return
                self._up.feed(error.data)
                break
            if request is None:
                return
            self.path = request.path
            request = self._rewritten(request)
            self._down.expect(
                is_stream=request.path.startswith(STREAMS) or "text/event-stream" in request.headers.get("accept", ""),
                is_upgrade=request.is_upgrade,
                takes_gzip="gzip" in request.headers.get("accept-encoding", ""),
            )
            if request.is_upgrade and (block := self._fault(BlockWebSocket) or self._fault(Inspect)) is not None:
                self._answer(block.name, 403)
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

    async def _shake_hands(self) -> None:
        """As long as TCP's three ways take over this link: the kernel here has done it without."""
        if self._fault(Handshake) is None:
            return
        seconds, loss = 2 * (self._fault(Delay) or Delay(0.0)).seconds, self._fault(Loss)
        while loss is not None and self._proxy.random.random() < 1 - (1 - loss.share) ** 2 and seconds < DEAD_SECONDS:
            seconds += max(SYN_TIMEOUT, seconds)
        if seconds:
            self._proxy.counts[Handshake.name] += 1
            await asyncio.sleep(seconds)

    def _rewritten(self, request: Request) -> Request:
        """As a proxy passes it on."""
        if request.is_upgrade and self._fault(StripUpgrade) is not None:
            self._proxy.counts[StripUpgrade.name] += 1
            headers = {name: value for name, value in request.headers.items() if name != "upgrade"}
            return structs.replace(request, headers=headers, data=without(request, "upgrade", "connection"))
        if self._fault(Inspect) is not None and not request.is_upgrade:
            self._proxy.counts[Inspect.name] += 1
            return structs.replace(request, data=written_anew(request, "inspector"))
        return request

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
