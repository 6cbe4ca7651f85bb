"""The scenario table: what the advisor answers for each scenario, and what that was measured to cost.

First choice, chain and reasons are the advisor's; nothing is decided here.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from wirehop.advisor import Advice, advise
from wirehop.advisor.facts import Facts
from wirehop.advisor.scenarios import SCENARIOS
from wirehop.advisor.techniques import title
from wirehop.lab.tables.cells import NOT_KNOWN, Kind
from wirehop.lab.tables.figures import number
from wirehop.measured import Profile
from wirehop.pages import STATIC

DIRECTIONS: Final = {"down": "server to clients", "up": "clients to server", "both": "both ways"}
LOSSES: Final = {"none": "nothing may be lost", "latest": "only the latest value counts", "any": "loss is allowed"}


class Scenario(Struct, frozen=True):
    """One row. `p99` and `bytes_per_minute` are "not known" where a figure is missing; `demo` is "" without one."""

    id: str
    title: str
    direction: str
    rate: str
    loss: str
    fanout: str
    first: str
    fallbacks: tuple[str, ...]
    side: str
    why: tuple[str, ...]
    p99: str
    bytes_per_minute: str
    demo: str
    kind: Kind = Kind.MEASURED
    """Of `p99` and `bytes_per_minute`."""


def scenarios(profile: Profile) -> tuple[Scenario, ...]:
    """All of the advisor's scenarios, in its order."""
    rows = []
    for each_id, scenario in SCENARIOS.items():
        advice = advise(scenario.inputs, profile)
        facts = advice.facts
        others = [f"{party}: {title(advise(inputs, profile).main)}" for party, inputs in scenario.others.items()]
        rows.append(
            Scenario(
                each_id,
                scenario.title,
                DIRECTIONS[facts.direction],
                _rate(facts),
                LOSSES[facts.loss],
                f"a message to {facts.fanout:,}",
                title(advice.main),
                tuple(map(title, advice.fallbacks)),
                "; ".join((*_side(advice), *others)),
                _why(advice),
                NOT_KNOWN if advice.p99 is None else f"{number(advice.p99)} ms",
                NOT_KNOWN if not advice.bytes_per_minute else f"{number(advice.bytes_per_minute)} bytes",
                scenario.demo if scenario.demo and (STATIC / scenario.demo / "index.html").is_file() else "",
            )
        )
    return tuple(rows)


def _rate(facts: Facts) -> str:
    media = "" if facts.media == "none" else f", {facts.media}"
    return f"{number(facts.down)} a second down, {number(facts.up)} up, {facts.payload:,} bytes{media}"


def _why(advice: Advice) -> tuple[str, ...]:
    """The rules that speak for the first choice, then those that leave others out."""
    speaking = [fired.id for fired in advice.rules if fired.favours.get(advice.main, 0) > 0]
    return tuple(dict.fromkeys([*speaking, *(fired.id for fired in advice.rules if fired.drops)]))


def _side(advice: Advice) -> list[str]:
    parts: Sequence[tuple[str, str]] = (
        ("up", advice.upstream),
        ("signaling", advice.signaling),
        ("beside", advice.side),
    )
    return [f"{name}: {title(said)}" for name, said in parts if said]
