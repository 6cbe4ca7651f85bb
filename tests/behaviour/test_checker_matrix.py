"""`wirehop check` in its short form: every scenario against a server of its own, several at a time."""

import asyncio

import pytest
from click.testing import CliRunner

from wirehop.checker.adapters.wirehop import WirehopAdapter
from wirehop.checker.run import Outcome, Plan, play
from wirehop.checker.schedule import SCENARIOS, Scenario
from wirehop.checker.server import OwnServer
from wirehop.cli.check import check

AT_A_TIME = 6
LONG = ("black-hole", "half-open")
"""Their faults last 6 s, after 6 s."""


async def _play_all() -> dict[str, Outcome]:
    room = asyncio.Semaphore(AT_A_TIME)

    async def one(scenario: Scenario) -> Outcome:
        seconds = 13.0 if scenario.name in LONG else 9.0
        async with room, OwnServer() as server:
            return await play(WirehopAdapter, server, scenario, Plan(clients=5, seconds=seconds, rate=25.0))

    outcomes = await asyncio.gather(*map(one, SCENARIOS.values()))
    return {outcome.scenario: outcome for outcome in outcomes}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return asyncio.run(_play_all())


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_doubled_out_of_order_or_invented(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    assert outcome.is_good, (outcome.counts, outcome.traces)
    assert outcome.published > 100
    assert outcome.acknowledged + outcome.unknown == outcome.published
    assert bool(outcome.gaps) == (name == "restart")
    if name != "restart":
        assert outcome.deliveries == 5 * outcome.published
        assert (outcome.unknown, outcome.anew) == (0, 0)
    if SCENARIOS[name].moves:
        assert outcome.moves > 5


def test_the_list_of_scenarios() -> None:
    result = CliRunner().invoke(check, ["--list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(SCENARIOS)


def test_no_server_is_one_sentence() -> None:
    result = CliRunner().invoke(check, ["http://127.0.0.1:9", "--scenario", "calm", "--seconds", "1"])
    assert result.exit_code == 1
    assert "cannot connect" in str(result.exception)
