"""The history by publication and by position, and what a finding is.

Pure. Publications are known by their number; (epoch, offset) says where one stands, where the server tells.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import Final, Literal

from msgspec import Struct

from wirehop.checker.adapter import Received
from wirehop.checker.history import Acknowledged, Called, Failed, History, Restarted

Kind = Literal["lost", "doubled", "out_of_order", "false_recovered", "silent_gap", "presence_flicker"]
KINDS: Final[tuple[Kind, ...]] = (
    "lost",
    "doubled",
    "out_of_order",
    "false_recovered",
    "silent_gap",
    "presence_flicker",
)


class Finding(Struct, frozen=True):
    """One thing that is wrong. [since, until] is where it happened, `number` the publication (0: none)."""

    kind: Kind
    client: int
    channel: str
    since: float
    until: float
    text: str
    number: int = 0


class Publication(Struct):
    """What is known of one number."""

    publisher: int
    channel: str
    called: float
    answered: float = float("inf")
    is_acknowledged: bool = False
    is_refused: bool = False
    first_seen: float = float("inf")
    places: list[tuple[str, int]] = []

    @property
    def is_there(self) -> bool:
        """The server had it."""
        return self.is_acknowledged or self.first_seen < float("inf")


class Index:
    """The history by publication, and by position."""

    def __init__(self, history: History) -> None:
        self.publications: dict[int, Publication] = {}
        self.names: dict[tuple[str, str, int], int] = {}
        self.conflicts: list[Finding] = []
        self.restarts = [entry.at for entry in history.common if isinstance(entry.what, Restarted)]
        self._learn_calls(history)
        self._learn_places(history)
        offsets: dict[tuple[str, str], list[int]] = defaultdict(list)
        for channel, epoch, offset in self.names:
            offsets[channel, epoch].append(offset)
        self.offsets = {place: sorted(found) for place, found in offsets.items()}
        self.unplaced: dict[str, list[int]] = defaultdict(list)
        for number, publication in self.publications.items():
            if publication.is_there and not publication.places:
                self.unplaced[publication.channel].append(number)

    def _learn_calls(self, history: History) -> None:
        for client in history.clients:
            for entry in history.of(client):
                what = entry.what
                if isinstance(what, Called):
                    self.publications[what.number] = Publication(client, what.channel, entry.at)
                elif isinstance(what, Acknowledged | Failed) and what.number in self.publications:
                    found = self.publications[what.number]
                    found.answered = entry.at
                    found.is_acknowledged = isinstance(what, Acknowledged)
                    found.is_refused = isinstance(what, Failed) and not what.is_unknown

    def _learn_places(self, history: History) -> None:
        for client in history.clients:
            for at, what in ((entry.at, entry.what) for entry in history.of(client)):
                if isinstance(what, Received):
                    found = self.publications.get(what.number)
                    if found is None:
                        continue  # nobody of ours published it: another checker on the same channel
                    found.first_seen = min(found.first_seen, at)
                elif not isinstance(what, Acknowledged):
                    continue
                if what.offset:
                    self._place(client, at, what)

    def _place(self, client: int, at: float, what: Received | Acknowledged) -> None:
        place = (what.channel, what.epoch, what.offset)
        known = self.names.setdefault(place, what.number)
        if known != what.number:
            text = f"position {what.epoch}:{what.offset} is that of publications {known} and {what.number}"
            self.conflicts.append(Finding("out_of_order", client, what.channel, at, at, text, what.number))
            return
        places = self.publications[what.number].places
        if (what.epoch, what.offset) not in places:
            places.append((what.epoch, what.offset))

    def restarted(self, since: float, until: float) -> bool:
        """Whether the server was ended or came back in that time."""
        place = bisect_left(self.restarts, since)
        return place < len(self.restarts) and self.restarts[place] <= until

    def next_restart(self, since: float) -> float:
        """When the server was ended or came back, from then on."""
        return self.restarts[bisect_left(self.restarts, since)]

    def between(self, channel: str, epoch: str, after: int, upto: int | None) -> list[tuple[int, int]]:
        """(offset, number) of what lies there."""
        found = self.offsets.get((channel, epoch), [])
        end = len(found) if upto is None else bisect_right(found, upto)
        return [(offset, self.names[channel, epoch, offset]) for offset in found[bisect_right(found, after) : end]]

    def may_repeat(self, number: int) -> bool:
        """A publication without an answer when the server was restarted may have been sent again to the new one."""
        found = self.publications[number]
        return self.restarted(found.called, found.answered)
