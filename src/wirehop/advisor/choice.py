"""Which technique: drop by hard rules, score the rest, order them, and a chain to fall back to.

It is pure: the same case gives the same choice.
"""

from typing import Final

from msgspec import Struct

from wirehop.advisor.answer import Confidence, Dropped, Ranked
from wirehop.advisor.case import Case
from wirehop.advisor.cost import bytes_per_minute
from wirehop.advisor.rules import Fired, judged
from wirehop.advisor.scores import Part, margin, points, scored, weights
from wirehop.advisor.soft import SOFT, is_slow
from wirehop.advisor.surroundings import SURROUNDINGS
from wirehop.advisor.techniques import ADVISED, CHANNELS, TURN, UDP, title
from wirehop.advisor.traffic import TRAFFIC, topology_of

RULES: Final = tuple(sorted((*TRAFFIC, *SURROUNDINGS, *SOFT), key=lambda rule: (rule.kind, int(rule.id[1:]))))
"""All of them, the hard ones first."""

SWING: Final = 0.3
"""How far weights move when the confidence is looked at."""

LAST_RESORTS: Final = frozenset({"long-poll", "jsonp"})
MEASURED_SHARE: Final = 0.5
"""Of the criteria's weights; with less measured of the first, rules alone decide, and the confidence is not high."""


class Choice(Struct, frozen=True):
    """The heart of an answer: what is left, best first, and why."""

    case: Case
    rules: tuple[Fired, ...]
    ranked: tuple[Ranked, ...]
    dropped: tuple[Dropped, ...]

    @property
    def main(self) -> str:
        """The best; "" where nothing is left."""
        return self.ranked[0].name if self.ranked else ""

    @property
    def topology(self) -> str:
        """How media goes, where that is the answer."""
        return topology_of(self.case) if self.main == "media" else ""


def choose(case: Case) -> Choice:
    """Rules and scores."""
    fired = judged(RULES, case)
    dropped = {name: tuple(each.id for each in fired if name in each.drops) for name in ADVISED}
    left = [name for name in ADVISED if not dropped[name]]
    parts = scored(case, left)
    favour = {name: sum(each.favours.get(name, 0.0) for each in fired) for name in left}
    ranked = sorted((_ranked(case, name, parts[name], favour[name]) for name in left), key=lambda each: -each.score)
    out = tuple(Dropped(name, title(name), rules) for name, rules in dropped.items() if rules)
    return Choice(case, fired, tuple(ranked), out)


def _ranked(case: Case, name: str, parts: tuple[Part, ...], favour: float) -> Ranked:
    return Ranked(
        name,
        title(name),
        round(points(parts, favour), 6),
        favour,
        parts,
        case.p99(name),
        bytes_per_minute(case, name),
        is_in_wirehop(case, name),
        tuple(part.criterion for part in parts if part.value is None),
    )


def is_in_wirehop(case: Case, name: str) -> bool:
    """Whether wirehop has it: no WebTransport yet, no data channel of the server's own, no media through the server."""
    if name == "webtransport":
        return False
    if name in CHANNELS:
        return case.is_peer_to_peer
    return name != "media" or topology_of(case) == "mesh"


def chain(choice: Choice) -> tuple[str, ...]:
    """What to fall back to: the best of each family that fails in another way.

    Long polls, which always work, come last; short ones come first where updates are so rare that asking is enough.
    """
    case, main = choice.case, choice.main
    families = {ADVISED[main].family} if main else set()
    steps: list[str] = []
    if main in UDP - {"webtransport"} and (case.facts.peers or main == "media"):
        steps.append(TURN)
    rest = [each.name for each in choice.ranked[1:]]
    rest.sort(key=lambda name: name in LAST_RESORTS)  # stable
    if is_slow(case):
        rest.sort(key=lambda name: name != "short-poll")
    if _distrusts_streams(choice):
        rest.sort(key=lambda name: name != "long-poll")
    for name in rest:
        family = ADVISED[name].family
        if family in families or (family == "udp" and not (case.is_peer_to_peer and name in CHANNELS)):
            continue
        if families & {"poll"}:
            break
        families.add(family)
        steps.append(name)
    return tuple(steps)


def _distrusts_streams(choice: Choice) -> bool:
    return any(each.id == "H12" for each in choice.rules)


def confidence(choice: Choice) -> Confidence:
    """Whether the first stays first."""
    if not choice.ranked:
        return "none"
    first, *others = choice.ranked
    if not others:
        return "high"
    if not any(part.value is not None for part in first.parts):
        return "low"
    worst = [margin(first.parts, each.parts, first.favour - each.favour, swing=SWING) for each in others]
    known = sum(part.weight for part in first.parts if part.value is not None)
    if known >= MEASURED_SHARE * sum(weights(choice.case).values()) and all(together > 0 for together, _ in worst):
        return "high"
    return "medium" if all(alone > 0 for _, alone in worst) else "low"
