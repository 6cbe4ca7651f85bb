"""What may be said of samples: bounds that hold what they promise, places that noise does not give."""

import random

import pytest

from wirehop.lab.measure.messages import Message
from wirehop.lab.measure.race import Lane
from wirehop.lab.measure.samples import Interval, bootstrap, quantile, rank
from wirehop.lab.report import rankings
from wirehop.measured import Figure, Profile, load_profile
from wirehop.testing.full import cases

RUNS = cases([12], [100])


def exponential(seed: int, count: int, mean: float = 10.0) -> list[float]:
    chance = random.Random(seed)
    return [chance.expovariate(1 / mean) for _ in range(count)]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.95, 10), (0.99, 10), (0.1, 1), (0.0, 1)])
def test_a_quantile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert quantile(list(range(1, 11)), share) == expected


@pytest.mark.parametrize("runs", RUNS)
def test_bounds_hold_the_true_quantile_of_a_known_distribution(runs: int) -> None:
    true = 10.0 * 2.302585  # the quantile 0.9 of an exponential distribution with the mean 10
    intervals = [bootstrap(exponential(seed, 400), 0.9, seed=seed) for seed in range(runs)]
    held = sum(each.low <= true <= each.high for each in intervals)
    assert held >= 0.8 * runs
    assert all(each.low <= each.value <= each.high for each in intervals)


def test_more_samples_bring_the_bounds_together() -> None:
    few, many = (bootstrap(exponential(1, count), 0.9) for count in (100, 1000))
    assert many.high - many.low < 0.6 * (few.high - few.low)


def test_the_same_seed_gives_the_same_bounds() -> None:
    values = exponential(3, 300)
    assert bootstrap(values, 0.99, seed=5) == bootstrap(values, 0.99, seed=5)


def test_neighbours_that_depend_on_each_other_widen_the_bounds() -> None:
    alone = exponential(4, 500)
    rows = [value for value in alone[:50] for _ in range(10)]  # each ten times in a row: a tenth of the knowledge
    wide, narrow = bootstrap(rows, 0.9), bootstrap(alone, 0.9)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_who_overlaps_shares_a_place() -> None:
    found = {"slow": Interval(30, 28, 33), "one": Interval(10, 9, 12), "two": Interval(11, 10, 13)}
    standings = {each.name: each for each in rank(found, dict.fromkeys(found, 1000))}
    assert standings["one"].place == standings["two"].place == 1
    assert not standings["one"].is_clear
    assert standings["slow"].place == 3
    assert standings["slow"].is_clear


def test_who_has_too_few_samples_has_no_place() -> None:
    found = {"one": Interval(1, 1, 1), "two": Interval(9, 9, 9)}
    standings = {each.name: each.place for each in rank(found, {"one": 999, "two": 1000})}
    assert standings == {"two": 1, "one": 0}


def test_three_races_of_the_same_kind_are_ranked_alike() -> None:
    means = {"stream": 10.0, "websocket": 10.0, "short-poll": 60.0}
    ranked = []
    for run in range(3):
        found = {
            name: bootstrap([value + 5 for value in exponential(100 * run + place, 400, mean)], 0.95, seed=run)
            for place, (name, mean) in enumerate(means.items())
        }
        standings = rank(found, dict.fromkeys(found, 400), enough=400)
        places = sorted({each.place for each in standings})
        ranked.append([{each.name for each in standings if each.place == place} for place in places])
    assert ranked == [[{"stream", "websocket"}, {"short-poll"}]] * 3


def test_a_stall_is_seen_in_every_message_that_had_to_wait() -> None:
    lane = Lane(100)
    for number in range(100):  # one each 10 ms; what is due in the first half second comes at its end
        due = number / 100
        lane.heard(Message(number, due), max(due + 0.001, 0.5))
    values = sorted(lane.latencies.values())
    assert quantile(values, 0.99) == pytest.approx(490)
    assert quantile(values, 0.25) == pytest.approx(1)
    assert sum(value > 100 for value in values) == 40


def test_a_lane_counts_what_is_missing_doubled_and_out_of_order() -> None:
    lane = Lane(5)
    for number in (-3, 0, 2, 1, 1, 4):
        lane.heard(Message(number, 0.0), 1.0)
    assert (lane.missed, lane.doubled, lane.disordered) == (1, 1, 1)
    assert lane.in_order_of_sending == [1000.0] * 4


def test_the_profile_that_comes_along_ranks_polls_behind_what_pushes() -> None:
    groups = rankings(load_profile())["rtt0"]
    place = {name: number for number, group in enumerate(groups) for name in group}
    assert place["websocket"] == place["sse"] == place["stream"]
    assert place["short-poll"] > place["websocket"]


def test_links_with_too_few_samples_are_not_ranked() -> None:
    figure = Figure(5.0, "ms", 60, 4.0, 6.0)
    assert rankings(Profile(figures={"latency/sse/rtt0/p99": figure})) == {}
