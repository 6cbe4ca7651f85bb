"""One case: the facts, and the figures that were measured."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from wirehop.advisor.facts import Facts
from wirehop.measured.profile import Profile

LINKS: Final = {
    "open": ("rtt20", "office", "rtt0"),
    "mobile": ("loss1", "4g", "rtt100"),
    "company-proxy": ("company", "office", "rtt20"),
}
"""For each network the links of the lab that stand for it; the first that was measured counts."""

SIZES: Final = (20, 200, 2000)
"""Payloads for which bytes on the wire are measured."""

RARE: Final = 0.5
"""Messages a second that a client may send as requests of their own, beside a stream of one direction."""

MESH: Final = 4
"""Cameras that reach one another directly: each is encoded, and sent, once for every other."""

DATA_MESH: Final = 8
"""The same for data channels."""


class Case(Struct, frozen=True):
    """What rules look at."""

    facts: Facts
    profile: Profile

    @property
    def is_one_way(self) -> bool:
        """The server sends; a client says something now and then at most."""
        return self.facts.direction == "down" and self.facts.up <= RARE

    @property
    def is_text(self) -> bool:
        """Text, or what is text anyway."""
        return self.facts.kind in ("text", "tokens")

    @property
    def people(self) -> int:
        """Who is in a call: those who send, and those who watch."""
        return self.facts.peers + self.facts.viewers

    @property
    def is_conversation(self) -> bool:
        """Live media between people who answer one another."""
        return self.facts.media != "none" and self.facts.peers > 1

    @property
    def is_peer_to_peer(self) -> bool:
        """Data goes from one to the other, and they are few enough for it."""
        return 1 < self.people <= DATA_MESH

    @property
    def is_stale_worse(self) -> bool:
        """What comes late is of no use: the next value is."""
        return self.facts.loss != "none"

    @property
    def is_lossy(self) -> bool:
        """Packets get lost on the way, of some people at least."""
        return "mobile" in self.facts.networks

    def value(self, name: str) -> float | None:
        """A figure."""
        return self.profile.value(name)

    def p99(self, technique: str) -> float | None:
        """ms on the worst of the networks; None where that was not measured on one of them."""
        worst = 0.0
        for network in [each for each in self.facts.networks if each in LINKS] or ["open"]:
            measured = _first(self.value(f"latency/{technique}/{link}/p99") for link in LINKS[network])
            if measured is None:
                return None
            worst = max(worst, measured)
        return worst

    def message_bytes(self, technique: str, way: str) -> float | None:
        """Bytes on the wire of one message, between the sizes that were measured on a straight line."""
        points = [(size, self.value(f"bytes/{technique}/{way}/{size}")) for size in SIZES]
        known = [(size, value) for size, value in points if value is not None]
        if not known:
            return None
        payload = self.facts.payload
        if len(known) == 1:
            return known[0][1] - known[0][0] + payload
        upper = next((at for at in range(1, len(known)) if payload <= known[at][0]), len(known) - 1)
        (low, at_low), (high, at_high) = known[upper - 1], known[upper]
        return max(float(payload), at_low + (at_high - at_low) * (payload - low) / (high - low))


def _first(values: Iterable[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)
