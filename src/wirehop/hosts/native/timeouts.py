"""All time-outs of a server with one timer.

A phase lasts the same for everybody, so a dictionary in order of arrival is in order of deadlines: starting
and stopping cost one dictionary operation, a sweep looks at the expired ones and one more. Connections in no
phase (open WebSockets and streams) cost nothing, and without anybody in a phase there is no timer. Time-outs
are late by at most the sweep's interval. It knows phases and a loop's clock; it does not know what expires. The time
between requests is no phase: `keep_alive`.
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol

_log = logging.getLogger("wirehop.http")


class Phase(IntEnum):
    """What a connection is waiting for."""

    HEAD = 0  # the rest of a request head
    BODY = 1  # the rest of a request body
    LINGER = 2  # a refused peer to go
    FLUSH = 3  # what is unsent of a closing connection
    CLOSE = 4  # the peer's close frame


class Timed(Protocol):
    """Who can be in a phase."""

    def expired(self, phase: Phase) -> None:
        """The phase's time is over, and it has been left."""
        ...


class Timeouts:
    """Who is in which phase, until when."""

    __slots__ = ("_handle", "_lanes", "_loop", "_seconds", "_tick")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: Mapping[Phase, float]) -> None:
        self._loop = loop
        self._seconds = [seconds[phase] for phase in Phase]
        self._lanes: list[dict[Timed, float]] = [{} for _ in Phase]
        self._tick = min(1.0, max(0.01, min(self._seconds) / 4))
        self._handle: asyncio.TimerHandle | None = None

    def start(self, phase: Phase, who: Timed) -> None:
        """Begin the phase anew for `who`."""
        lane = self._lanes[phase]
        if who in lane:
            del lane[who]  # to the end of the order
        lane[who] = self._loop.time() + self._seconds[phase]
        if self._handle is None:
            self._handle = self._loop.call_later(self._tick, self._sweep)

    def stop(self, phase: Phase, who: Timed) -> None:
        """Leave the phase; harmless if `who` is not in it."""
        self._lanes[phase].pop(who, None)

    def count(self, phase: Phase) -> int:
        """How many are in the phase."""
        return len(self._lanes[phase])

    def close(self) -> None:
        """Forget everybody."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        for lane in self._lanes:
            lane.clear()

    def _sweep(self) -> None:
        self._handle = None
        now = self._loop.time()
        for phase, lane in zip(Phase, self._lanes, strict=True):
            expired = []
            for who, deadline in lane.items():
                if deadline > now:
                    break
                expired.append(who)
            for who in expired:
                if lane.pop(who, None) is None:
                    continue  # an earlier one's end took it along
                try:
                    who.expired(phase)
                except Exception:
                    _log.exception("a time-out could not be handled")
        if self._handle is None and any(self._lanes):
            self._handle = self._loop.call_later(self._tick, self._sweep)
