"""Schedules: in order, within their time, and over all ordered pairs of wires."""

from itertools import islice, pairwise, permutations

import pytest

from wirehop.checker.schedule import SCENARIOS, MoveAll, Restart, SetFaults, tour


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seconds", [8.0, 16.0, 60.0])
def test_a_schedule_is_in_order_and_within_its_time(name: str, seconds: float) -> None:
    scenario = SCENARIOS[name]
    schedule = scenario.make(seconds)
    times = [at for at, _ in schedule]
    assert times == sorted(times)
    assert all(0 <= at < seconds for at in times)
    assert any(isinstance(action, MoveAll) for _, action in schedule) == scenario.moves
    assert any(isinstance(action, Restart) for _, action in schedule) == scenario.restarts
    assert name == "calm" or seconds < 16 or schedule


def test_faults_for_a_while_are_over_before_the_next_begin() -> None:
    for name in ("black-hole", "half-open", "tunnel", "404", "502", "slow-reader", "drops"):
        states = [bool(action.faults) for _, action in SCENARIOS[name].make(60.0) if isinstance(action, SetFaults)]
        assert states == [True, False] * (len(states) // 2), name
        assert states


@pytest.mark.parametrize("count", [2, 3, 5, 6])
def test_a_tour_makes_every_ordered_pair_once_in_a_round(count: int) -> None:
    wires = [f"w{number}" for number in range(count)]
    for start in range(count):
        way = [wires[start], *islice(tour(wires, start), count * (count - 1))]
        assert sorted(pairwise(way)) == sorted(permutations(wires, 2))


def test_with_one_wire_there_is_nowhere_to_go() -> None:
    assert list(tour(["websocket"], 0)) == []
