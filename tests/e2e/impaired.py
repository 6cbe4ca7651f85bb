"""The checker's impairing proxy for browser tests, in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from wirehop.checker.faults import BlackHole, Fault
from wirehop.checker.proxy import ImpairingProxy

ORDER_SECONDS = 5.0


class Impaired:
    """In front of the server at `target`. Use it as a context manager."""

    def __init__(self, target: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="impairing proxy", daemon=True)
        self._proxy = ImpairingProxy("127.0.0.1", target)

    @property
    def url(self) -> str:
        return self._proxy.url

    @property
    def websockets(self) -> int:
        """That are open."""
        return sum(link.is_websocket for link in self._proxy.links)

    @property
    def connections(self) -> int:
        """That are open."""
        return len(self._proxy.links)

    def __enter__(self) -> "Impaired":
        self._thread.start()
        self._order(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._order(self._proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ORDER_SECONDS)
        self._loop.close()

    def set(self, *faults: Fault) -> None:
        """From now on these, for all connections."""
        self._order(self._proxy.set(*faults))

    def swallow_websockets(self) -> None:
        """Of the WebSockets that are open nothing comes through any more, and nobody is told."""
        self._order(self._swallow())

    def cut(self) -> None:
        """Reset what is open."""
        self._order(self._cut())

    async def _start(self) -> None:
        await self._proxy.start()

    async def _swallow(self) -> None:
        for link in self._proxy.links:
            if link.is_websocket:
                link.set(BlackHole())

    async def _cut(self) -> None:
        self._proxy.cut()

    def _order(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ORDER_SECONDS)
