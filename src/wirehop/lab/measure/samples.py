"""Samples, and what may be said of them: quantiles, how sure they are, and who is first.

It knows numbers. It does not know what was measured.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

RESAMPLES: Final = 300
ENOUGH: Final = 1000
"""Samples below which nobody is ranked."""

SHARE: Final = 0.95


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so much of all is not above (nearest rank). `ordered` is sorted and not empty."""
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered) + 0.999999) - 1))]


class Interval(Struct, frozen=True):
    """A value, and bounds that hold it with 95 %."""

    value: float
    low: float
    high: float


def bootstrap(values: Sequence[float], share: float, *, seed: int = 0) -> Interval:
    """The quantile, and how far it would be elsewhere had the samples been others: percentile bootstrap, in blocks.

    Latencies of neighbours depend on each other (what waits behind one message waits behind the next), so blocks of
    neighbours are drawn, not single ones; values are in the order in which they were sent.
    """
    chance = random.Random(seed)  # noqa: S311 - a resampling, no secret
    block = max(1, round(len(values) ** (1 / 3)))
    starts = max(1, len(values) - block + 1)
    found = []
    for _ in range(RESAMPLES):
        drawn: list[float] = []
        while len(drawn) < len(values):
            begin = chance.randrange(starts)
            drawn += values[begin : begin + block]
        drawn.sort()
        found.append(quantile(drawn, share))
    found.sort()
    rest = (1 - SHARE) / 2
    return Interval(quantile(sorted(values), share), quantile(found, rest), quantile(found, 1 - rest))


class Standing(Struct, frozen=True):
    """Somebody's place: those whose intervals overlap share one, and then `is_clear` is false."""

    name: str
    place: int
    is_clear: bool


def rank(found: Mapping[str, Interval], samples: Mapping[str, int], *, enough: int = ENOUGH) -> list[Standing]:
    """Who is first, by the lower value. Neighbours whose intervals overlap are not told apart. Who has less than
    `enough` samples has place 0."""
    ordered = sorted((name for name in found if samples.get(name, 0) >= enough), key=lambda name: found[name].value)
    places: dict[str, int] = {}
    place = 0
    for before, name in pairwise(["", *ordered]):
        if not before or found[name].low > max(found[each].high for each in places if places[each] == place):
            place = len(places) + 1
        places[name] = place
    shared = list(places.values())
    standings = [Standing(name, places[name], shared.count(places[name]) == 1) for name in ordered]
    return standings + [Standing(name, 0, is_clear=False) for name in found if name not in places]
