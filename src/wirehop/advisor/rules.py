"""What a rule is. Hard rules drop techniques; soft rules favour some. Each says from where it is."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct, field

from wirehop.advisor.case import Case


class Ruling(Struct, frozen=True):
    """What a rule says of a case. `says` is a sentence about this case, for its reader."""

    says: str
    drops: frozenset[str] = frozenset()
    favours: Mapping[str, float] = field(default_factory=dict)
    """Points on top of the scores; a technique that is the best in everything measured has 10."""


class Rule(Struct, frozen=True):
    """One rule: when (`condition`), what (`effect`), and why anybody should believe it (`source`)."""

    id: str
    kind: Literal["hard", "soft"]
    condition: str
    effect: str
    source: str
    judge: Callable[[Case], Ruling | None]


class Fired(Struct, frozen=True):
    """A rule that had something to say."""

    id: str
    says: str
    drops: tuple[str, ...] = ()
    favours: Mapping[str, float] = field(default_factory=dict)
    source: str = ""


STUDY: Final = "comparison tables published by others, read 2026-11-23"
MEASURED: Final = "measured by the lab"


def points_for(names: Iterable[str], points: float) -> dict[str, float]:
    """The same points for each."""
    return dict.fromkeys(sorted(names), points)


def judged(rules: Iterable[Rule], case: Case) -> tuple[Fired, ...]:
    """What the rules say, in their order."""
    fired = []
    for rule in rules:
        ruling = rule.judge(case)
        if ruling is not None:
            fired.append(Fired(rule.id, ruling.says, tuple(sorted(ruling.drops)), ruling.favours, rule.source))
    return tuple(fired)
