"""What waits for a server's `send`: buffers in order, with two water marks and a limit.

`await send` blocks while the peer does not read, on servers that know backpressure; so what waits here is what the
peer has not taken. The buffers are references: a publication that waits on a thousand wires is held once. It knows
sizes; it does not know what is in the buffers, nor how they become messages.
"""

import asyncio
from collections.abc import Callable

from wirehop.abc import Listener
from wirehop.hosts.asgi.options import AsgiOptions
from wirehop.hosts.native.flow import Congestion


class Outflow:
    """Implements `abc.Out`. `give_up(name, reason)` is called at the limit, or when a peer takes nothing after the end.

    One writer loops over `next` and reports with `sent`; whoever closes calls `end` (what waits still goes out) or
    `discard` (it does not). Who reads what the peer sends waits for `relief` where it `is_congested`.
    """

    __slots__ = ("_congestion", "_give_up", "_items", "_listener", "_loop", "_options", "_relief", "_timer", "_waiter",
                 "is_open", "progress", "size")  # fmt: skip

    def __init__(self, options: AsgiOptions, listener: Listener, give_up: Callable[[str, str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._listener = listener
        self._give_up = give_up
        self._items: list[bytes] = []
        self._congestion: Congestion | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._relief: asyncio.Future[None] | None = None
        self.is_open = True
        self.size = 0
        self.progress = 0

    @property
    def is_congested(self) -> bool:
        """Whether the high-water mark was passed and the low one not reached since."""
        return self._congestion is not None

    def write(self, data: bytes) -> None:
        """Never blocks and never raises; ignored after the end."""
        if not self.is_open or not data:
            return
        options = self._options
        self.size += len(data)
        if self.size > options.write_limit:
            self.discard()
            limit = options.write_limit
            self._loop.call_soon(self._give_up, "wire.overflow", f"more than {limit} bytes wait for the server")
            return
        self._items.append(data)
        if self._congestion is None and self.size > options.write_high_water:
            self._congestion = Congestion(self._loop, self._listener)
        self._wake()

    async def next(self) -> list[bytes]:
        """All that waits, as soon as there is something; [] at the end."""
        while not self._items and self.is_open:
            self._waiter = self._loop.create_future()
            await self._waiter
        items, self._items = self._items, []
        return items

    def sent(self, size: int) -> None:
        """The server took `size` bytes."""
        self.size -= size
        self.progress += 1
        if self._congestion is not None and self.size <= self._options.write_low_water:
            congestion, self._congestion = self._congestion, None
            self._relieve()
            congestion.end()

    async def relief(self) -> None:
        """Returns when it is not congested, or the server has taken nothing for `STALL_SECONDS`. For one at a time."""
        while (congestion := self._congestion) is not None and not congestion.is_stalled:
            self._relief = self._loop.create_future()
            congestion.watch(lambda: -self.progress, self._relieve)
            await self._relief

    def end(self) -> None:
        """Take nothing more; what waits goes out as long as the server takes it."""
        if self.is_open:
            self.is_open = False
            self._uncongest()
            self._wake()
            self._expect(self.progress)

    def discard(self) -> None:
        """Take nothing more and forget what waits. Nothing is called afterwards."""
        self.is_open = False
        self._items = []
        self._uncongest()
        self._wake()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- within --------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _relieve(self) -> None:
        relief, self._relief = self._relief, None
        if relief is not None and not relief.done():
            relief.set_result(None)

    def _uncongest(self) -> None:
        if self._congestion is not None:
            self._congestion.cancel()
            self._congestion = None
            self._relieve()

    def _expect(self, progress: int) -> None:
        seconds = self._options.close_seconds
        self._timer = self._loop.call_later(seconds, self._look, progress)

    def _look(self, progress: int) -> None:
        self._timer = None
        if self.progress > progress:  # slow, but it reads
            self._expect(self.progress)
        else:
            self._give_up("wire.stalled", "the peer did not take what was left")
