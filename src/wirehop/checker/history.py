"""What happened, by whom and when: the record that `verdict` judges.

Pure: times are arguments (seconds from the start of the run). One `Timeline` per client, in the order in which the
client was told; a history has also what happened to all of them (client `EVERYBODY`). Histories of several processes
merge.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from wirehop.checker.adapter import Happening

EVERYBODY: Final = -1


class Called(Struct, frozen=True):
    """The client was told to publish."""

    channel: str
    number: int


class Acknowledged(Struct, frozen=True):
    """The server has taken it; ("", 0): it did not say where."""

    channel: str
    number: int
    epoch: str = ""
    offset: int = 0


class Failed(Struct, frozen=True):
    """The server has not taken it, or (`is_unknown`) nobody knows."""

    channel: str
    number: int
    is_unknown: bool
    reason: str = ""


class MoveAsked(Struct, frozen=True):
    """The client was told to move to this wire."""

    wire: str


class MoveFailed(Struct, frozen=True):
    """It could not."""

    reason: str = ""


class Faulted(Struct, frozen=True):
    """The schedule did this to the client's connections."""

    what: str


class Restarted(Struct, frozen=True):
    """The server was ended (`is_back` False), or serves again."""

    is_back: bool


class Closed(Struct, frozen=True):
    """The client is told to close: its leave is right from now on."""


What = Happening | Called | Acknowledged | Failed | MoveAsked | MoveFailed | Faulted | Restarted | Closed


class Entry(Struct, frozen=True, gc=False):
    """One thing that happened, `at` seconds after the start."""

    at: float
    what: What


class History:
    """Timelines by client."""

    def __init__(self) -> None:
        self._timelines: dict[int, list[Entry]] = defaultdict(list)

    def add(self, at: float, client: int, what: What) -> None:
        """Write down; entries of one client come in the order of time."""
        self._timelines[client].append(Entry(at, what))

    def of(self, client: int) -> list[Entry]:
        """What that client did and was told."""
        return self._timelines.get(client, [])

    @property
    def clients(self) -> list[int]:
        """Their numbers."""
        return sorted(client for client in self._timelines if client != EVERYBODY)

    @property
    def common(self) -> list[Entry]:
        """What happened to all."""
        return self.of(EVERYBODY)

    def merge(self, timelines: dict[int, list[Entry]]) -> None:
        """Add what another process has recorded on the same clock."""
        for client, entries in timelines.items():
            merged = [*self._timelines[client], *entries]
            merged.sort(key=lambda entry: entry.at)  # stable: what one process wrote stays in its order
            self._timelines[client] = merged

    @property
    def timelines(self) -> dict[int, list[Entry]]:
        """All of it."""
        return dict(self._timelines)

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        for client, entries in self._timelines.items():
            for entry in entries:
                yield client, entry

    def __len__(self) -> int:
        return sum(map(len, self._timelines.values()))
