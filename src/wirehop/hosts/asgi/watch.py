"""What the wires of one host share: who is open, what is counted, and how listeners hear of an end."""

import asyncio
import logging
from collections import Counter
from typing import Protocol

from wirehop.abc import Listener

log = logging.getLogger("wirehop.asgi")


class Wire(Protocol):
    """A request that is being served, in whatever state."""

    def abort(self, reason: str) -> None:
        """Come to an end at once."""
        ...


class Wires:
    """The open wires of one host, and its counters."""

    __slots__ = ("_emptied", "_open", "counters")

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._open: set[Wire] = set()
        self._emptied: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, wire: Wire) -> None:
        """It is open."""
        self._open.add(wire)

    def remove(self, wire: Wire) -> None:
        """It is over."""
        self._open.discard(wire)
        if not self._open and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def abort(self, reason: str) -> None:
        """End all that are open."""
        for wire in tuple(self._open):
            wire.abort(reason)

    async def emptied(self, seconds: float) -> None:
        """Wait until none is open, at most `seconds`."""
        if self._open:
            self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._emptied], timeout=seconds)


def tell_closed(listener: Listener, code: int, reason: str) -> None:
    """Call `closed`; a listener's failure there is logged."""
    try:
        listener.closed(code, reason)
    except Exception:
        log.exception("a listener failed at its close")
