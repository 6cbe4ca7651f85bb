"""The advisor and the cost calculator, for the lab's page.

    rpc lab.scenarios  {}                           questions and what is assumed, scenarios, techniques
    rpc lab.advise     {"inputs", "hours", "prices"}  as `wirehop advise --json`, without the costs of all
    rpc lab.cost       {"inputs", "hours", "prices"}  {"costs": [{"technique", "title", "items"}], "facts"}

The figures are those of the profile that it was installed with.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct, field

from wirehop.advisor import SCENARIOS, Advice, InputError, Inputs, Prices, advise
from wirehop.advisor.case import Case
from wirehop.advisor.cost import HOURS, Cost, CostItem, cost_of
from wirehop.advisor.facts import QUESTIONS, Facts, Question, complete
from wirehop.advisor.techniques import ADVISED, UDP
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.measured.profile import Profile, load_profile
from wirehop.node import Client, Node

MOST_HOURS: Final = 24.0
COSTED: Final = tuple(name for name in ADVISED if name not in UDP)
"""What goes through the server: the rest costs it signaling."""


class AdviceRequest(Struct):
    """What is asked with `lab.advise` and `lab.cost`."""

    inputs: Inputs = field(default_factory=Inputs)
    hours: float = HOURS
    prices: Prices = field(default_factory=Prices)


class ScenarioRow(Struct):
    """A scenario to begin with."""

    id: str
    title: str
    inputs: Inputs
    demo: str


class Catalogue(Struct):
    """Everything that the form is made of."""

    questions: tuple[Question, ...]
    assumed: Facts
    scenarios: tuple[ScenarioRow, ...]
    techniques: Mapping[str, str]


class CostRow(Struct):
    """What one technique costs."""

    technique: str
    title: str
    items: Mapping[str, CostItem]


class Costs(Struct):
    """One row for each technique that goes through the server, and the facts that they are for."""

    costs: tuple[CostRow, ...]
    facts: Facts


def install_advisor(node: Node, profile: Profile | None = None) -> None:
    """Register the methods with the node."""
    figures = load_profile() if profile is None else profile

    @node.rpc("lab.scenarios")
    async def scenarios(_client: Client) -> Catalogue:
        return _catalogue()

    @node.rpc("lab.advise")
    async def answer(_client: Client, request: AdviceRequest) -> Advice:
        _check(request)
        try:
            # it takes a tenth of a second, in which others want to be served
            advice = await asyncio.to_thread(
                advise, request.inputs, figures, prices=request.prices, hours=request.hours
            )
        except InputError as error:
            raise Refused(error.code, str(error)) from None
        return msgspec.structs.replace(advice, costs={})

    @node.rpc("lab.cost")
    async def cost(_client: Client, request: AdviceRequest) -> Costs:
        _check(request)
        try:
            facts, _ = complete(request.inputs)
        except InputError as error:
            raise Refused(error.code, str(error)) from None
        case = Case(facts, figures)
        costs = (cost_of(case, name, hours=request.hours, prices=request.prices) for name in COSTED)
        return Costs(tuple(map(_row, costs)), facts)


def _catalogue() -> Catalogue:
    assumed, _ = complete(Inputs())
    rows = tuple(ScenarioRow(name, each.title, each.inputs, each.demo) for name, each in SCENARIOS.items())
    return Catalogue(tuple(QUESTIONS.values()), assumed, rows, {name: each.title for name, each in ADVISED.items()})


def _row(cost: Cost) -> CostRow:
    return CostRow(cost.technique, ADVISED[cost.technique].title, cost.items)


def _check(request: AdviceRequest) -> None:
    prices = msgspec.structs.astuple(request.prices)
    if not 0 < request.hours <= MOST_HOURS or any(not 0 <= price <= 1e9 for price in prices):
        raise Refused(codes.BAD_REQUEST, "hours are more than 0 and at most 24, prices not negative")
