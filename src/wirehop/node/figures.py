"""Figures of this process and its node, read when somebody asks: the server API's `info` and the admin page.

Costs nothing while nobody does. Memory is read from `/proc`, so it is known on Linux only.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from wirehop.node.node import Node

_STATM = Path("/proc/self/statm")
SHORTEST_SECONDS = 0.5
"""CPU use is measured over at least this long."""


class ProcessFigures(Struct, frozen=True):
    """`cpu`: percent of one core since the last reading; `rss`: resident bytes, 0 where that is not known."""

    cpu: float
    rss: int


class Figures:
    """Figures of one node. `uptime` counts from when this was made."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._began = self._read_at = node.clock.now()
        self._used = time.process_time()
        self._cpu = 0.0

    @property
    def uptime(self) -> float:
        """Seconds."""
        return self._node.clock.now() - self._began

    def subscriptions(self) -> int:
        """Subscriptions of all sessions on this node. Looks at every channel once."""
        return sum(channel.count for channel in self._node.hub.channels.values())

    def process(self) -> ProcessFigures:
        """What this process uses."""
        now, used = self._node.clock.now(), time.process_time()
        if now - self._read_at >= SHORTEST_SECONDS:
            self._cpu = round(100 * (used - self._used) / (now - self._read_at), 1)
            self._read_at, self._used = now, used
        return ProcessFigures(self._cpu, _resident_bytes())


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0
