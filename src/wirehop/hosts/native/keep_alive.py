"""Connections that wait for their next request, and how long they may.

A request comes and is answered for each delivery of a long poll, so coming and going costs one attribute here: a
connection keeps its `idle_since` up to date and stays in the set, whatever it does. As who is busy can only expire
later, one look at all says when the next look is due; where nobody is idle for long it is one in a whole time-out. It
knows a loop's clock; it does not know what is done with who was idle too long.
"""

import asyncio
import logging
import math
from typing import Protocol

_log = logging.getLogger("wirehop.http")

BUSY = math.inf
"""`idle_since` of a connection that is not idle."""


class Idle(Protocol):
    """Who can be idle."""

    idle_since: float
    """The loop's time, or `BUSY`."""

    def idle_too_long(self) -> None:
        """It was idle for the whole time."""
        ...


class KeepAlive:
    """Who may be idle, and for how many seconds. Late by at most a quarter of them, and by a second."""

    __slots__ = ("_all", "_handle", "_loop", "_pause", "_seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._pause = min(1.0, max(0.01, seconds / 4))  # between two looks
        self._all: set[Idle] = set()
        self._handle: asyncio.TimerHandle | None = None

    def add(self, who: Idle) -> None:
        """Look after `who`."""
        self._all.add(who)
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._look)

    def remove(self, who: Idle) -> None:
        """No more; harmless for a stranger."""
        self._all.discard(who)

    def close(self) -> None:
        """Forget everybody."""
        self._all.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        self._handle = None
        limit = self._loop.time() - self._seconds
        for who in [each for each in self._all if each.idle_since <= limit]:
            try:
                who.idle_too_long()
            except Exception:
                _log.exception("a time-out could not be handled")
        if self._handle is None and self._all:
            first = min(each.idle_since for each in self._all)
            wait = min(first - limit, self._seconds)
            self._handle = self._loop.call_later(max(wait, self._pause), self._look)
