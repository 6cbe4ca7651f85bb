"""Points from measured figures: for each criterion the best technique gets its weight, the others their share of it.

A figure that was not measured takes no part: that technique gets the mean of what the others have, and the advice says
so. Where no technique has the figure, the criterion does not count at all.

It knows figures and weights. It does not know rules.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from wirehop.advisor.case import Case
from wirehop.advisor.cost import bytes_per_minute
from wirehop.advisor.techniques import ADVISED


class Criterion(Struct, frozen=True):
    """`value` is a figure of a technique, less being better; `wanted` is what is good enough."""

    name: str
    weight: float
    unit: str
    value: Callable[[Case, str], float | None]
    wanted: Callable[[Case], float] = lambda _: 0.0


def _p99(case: Case, technique: str) -> float | None:
    measured = case.p99(technique)
    waits = case.facts.interval * 1000 if technique == "short-poll" else 0.0
    return None if measured is None else measured + waits


def _first_message(case: Case, technique: str) -> float | None:
    """On a connection that is open already, where that was measured; else from nothing."""
    is_warm = any(case.value(f"first/{name}/warm") is not None for name in ADVISED)
    return case.value(f"first/{technique}/{'warm' if is_warm else 'new'}")


def _figure(prefix: str) -> Callable[[Case, str], float | None]:
    return lambda case, technique: case.value(f"{prefix}/{technique}")


CRITERIA: Final = (
    Criterion("latency", 3.0, "ms", _p99, lambda case: max(case.facts.latency, 1000 * case.facts.interval)),
    Criterion("bytes", 2.0, "bytes/min", bytes_per_minute),
    Criterion("first", 1.0, "round trips", _first_message),
    Criterion("cpu", 1.0, "µs", _figure("cpu")),
    Criterion("memory", 1.0, "bytes", _figure("memory")),
    Criterion("lines", 2.0, "lines", _figure("lines/browser")),
)
"""In all 10 points."""


class Part(Struct, frozen=True):
    """What one criterion gave one technique. `value` is None where it was not measured."""

    criterion: str
    value: float | None
    unit: str
    share: float
    weight: float

    @property
    def points(self) -> float:
        """Of at most `weight`."""
        return self.share * self.weight


def weights(case: Case) -> Mapping[str, float]:
    """The criteria's weights in this case: where battery counts bytes count twice."""
    return {each.name: each.weight * (2 if each.name == "bytes" and case.facts.battery else 1) for each in CRITERIA}


def scored(case: Case, techniques: Iterable[str]) -> dict[str, tuple[Part, ...]]:
    """The parts of each technique's score. The best is looked for among all techniques, also those that are out: so
    what is out changes nothing between those that are left."""
    weighed = weights(case)
    parts: dict[str, list[Part]] = {name: [] for name in techniques}
    for criterion in CRITERIA:
        values = {name: criterion.value(case, name) for name in ADVISED}
        shares = _shares(values, criterion.wanted(case))
        if not shares:
            continue
        mean = sum(shares.values()) / len(shares)
        for name, found in parts.items():
            share = shares.get(name, mean)
            found.append(Part(criterion.name, values[name], criterion.unit, share, weighed[criterion.name]))
    return {name: tuple(each) for name, each in parts.items()}


def _shares(values: Mapping[str, float | None], wanted: float) -> dict[str, float]:
    """Of the best (or of what is good enough); only those that were measured."""
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return {}
    best = max(min(known.values()), wanted)
    return {name: 1.0 if value <= best else best / value for name, value in known.items()}


def points(parts: Iterable[Part], favour: float) -> float:
    """The score."""
    return sum(part.points for part in parts) + favour


def margin(first: Iterable[Part], second: Iterable[Part], favour: float, *, swing: float) -> tuple[float, float]:
    """How far the first is ahead at worst, when every weight, and the rules' points together, move by `swing`: each in
    the worst direction at once, and only the worst of them."""
    differences = [a.points - b.points for a, b in zip(first, second, strict=True)] + [favour]
    ahead = sum(differences)
    return ahead - swing * sum(abs(each) for each in differences), ahead - swing * max(
        abs(each) for each in differences
    )
