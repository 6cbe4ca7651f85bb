"""A history without a defect gives no finding; each defect gives its own kind and no other; and the trace shows it."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from simulated import CHANNEL, OPS, Simulation, Told

from wirehop.checker.adapter import Dropped, Left, Opened, Received, Subscribed
from wirehop.checker.history import Acknowledged, Called, Entry, Failed, History, Restarted
from wirehop.checker.trace import MOST_LINES, lines_of, shortest
from wirehop.checker.verdict import judge

STEPS = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 3)), min_size=5, max_size=60)
EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def simulated(steps: list[tuple[str, int]], *, has_positions: bool = True, clients: int = 4) -> Simulation:
    simulation = Simulation(clients, has_positions=has_positions)
    for op, client in steps:
        if op == "unknown" and not has_positions:
            op = "publish"
        simulation.step(op, client)
    simulation.finish()
    return simulation


def kinds(history: History) -> set[str]:
    return {finding.kind for finding in judge(history)}


def changed(simulation: Simulation, place: int, *instead: Told) -> History:
    told = [*simulation.told[:place], *instead, *simulation.told[place + 1 :]]
    return simulation.history(told)


@EXAMPLES
@given(STEPS, st.booleans())
def test_a_correct_history_has_no_finding(steps: list[tuple[str, int]], has_positions: bool) -> None:
    assert judge(simulated(steps, has_positions=has_positions).history()) == []


@EXAMPLES
@given(STEPS, st.randoms(use_true_random=False))
def test_what_is_missing_between_two_live_ones_is_lost(steps: list[tuple[str, int]], random: object) -> None:
    simulation = simulated(steps)
    live = simulation.places("live")
    between = [place for place in live if simulation.next_of(place) in live and simulation.is_acknowledged(place)]
    assume(between)
    history = changed(simulation, between[len(between) // 2])
    assert kinds(history) == {"lost"}
    (finding,) = judge(history)
    texts = [line.text for line in lines_of(history, finding)]
    assert any("publishes" in text for text in texts)
    assert any("was given" in text for text in texts)
    assert len(texts) <= MOST_LINES


@EXAMPLES
@given(STEPS)
def test_the_last_one_is_lost_too(steps: list[tuple[str, int]]) -> None:
    simulation = simulated([*steps, ("publish", 1), ("take", 0)])
    live = [place for place in simulation.places("live") if simulation.is_acknowledged(place)]
    last = [place for place in live if simulation.next_of(place) is None]
    assume(last)
    assert kinds(changed(simulation, last[0])) == {"lost"}


@EXAMPLES
@given(STEPS)
def test_without_positions_a_missing_one_is_lost(steps: list[tuple[str, int]]) -> None:
    calm = [(op, client) for op, client in steps if op in ("publish", "take")]
    simulation = simulated([*calm, ("publish", 0)], has_positions=False)
    for place in simulation.places("live"):
        assert kinds(changed(simulation, place)) == {"lost"}


@EXAMPLES
@given(STEPS)
def test_what_is_missing_in_a_recovery_is_falsely_recovered(steps: list[tuple[str, int]]) -> None:
    simulation = simulated([*steps, ("publish", 0), ("publish", 1), ("return", 2)])
    places = [place for place in simulation.places("recovery") if simulation.is_acknowledged(place)]
    assume(places)
    assert kinds(changed(simulation, places[len(places) // 2])) == {"false_recovered"}


@EXAMPLES
@given(STEPS, st.booleans())
def test_what_comes_twice_is_doubled(steps: list[tuple[str, int]], has_positions: bool) -> None:
    simulation = simulated([*steps, ("publish", 0)], has_positions=has_positions)
    place = simulation.places("live")[-1]
    each = simulation.told[place]
    again = Told(each.client, Entry(each.entry.at, each.entry.what))
    assert kinds(changed(simulation, place, each, again)) == {"doubled"}


@EXAMPLES
@given(STEPS)
def test_two_that_are_swapped_are_out_of_order(steps: list[tuple[str, int]]) -> None:
    simulation = simulated([*steps, ("publish", 0), ("publish", 0)])
    place = simulation.places("live")[-2]
    behind = simulation.next_of(place)
    assert behind is not None
    told = list(simulation.told)
    one, two = told[place], told[behind]
    told[place], told[behind] = (
        Told(one.client, Entry(one.entry.at, two.entry.what)),
        Told(two.client, Entry(two.entry.at, one.entry.what)),
    )
    assert kinds(simulation.history(told)) == {"out_of_order"}


@EXAMPLES
@given(STEPS, st.booleans())
def test_a_restart_that_nobody_admits_is_a_silent_gap(steps: list[tuple[str, int]], has_positions: bool) -> None:
    steps = [*steps, ("publish", 0), ("restart", 0), ("publish", 1)]
    simulation = simulated(steps, has_positions=has_positions)
    last = simulation.places("restart", Subscribed)[-1]
    client = simulation.told[last].client
    before = [
        place
        for place, each in enumerate(simulation.told[:last])
        if each.client == client and isinstance(each.entry.what, Received)
        if each.entry.what.number == simulation._number - 1
    ]
    if has_positions or not before:  # by times alone, only what is missing tells
        assert kinds(changed(simulation, last)) == {"silent_gap"}


@EXAMPLES
@given(STEPS)
def test_recovered_over_a_new_epoch_is_false(steps: list[tuple[str, int]]) -> None:
    simulation = simulated([*steps, ("publish", 0), ("restart", 0), ("publish", 1)])
    last = simulation.places("restart", Subscribed)[-1]
    each = simulation.told[last]
    what = each.entry.what
    assert isinstance(what, Subscribed)
    lie = Subscribed(CHANNEL, True, what.epoch, what.offset)
    assert kinds(changed(simulation, last, Told(each.client, Entry(each.entry.at, lie)))) == {"false_recovered"}


@EXAMPLES
@given(STEPS)
def test_a_gap_that_is_called_recovered_is_false(steps: list[tuple[str, int]]) -> None:
    simulation = simulated([*steps, ("publish", 0), ("take", 1), ("publish", 0), ("gap", 1)])
    last = simulation.places("gap", Subscribed)[-1]
    each = simulation.told[last]
    what = each.entry.what
    assert isinstance(what, Subscribed)
    missed = simulation._number not in {
        told.entry.what.number
        for told in simulation.told
        if told.client == each.client and isinstance(told.entry.what, Received)
    }
    assume(missed)
    lie = Subscribed(CHANNEL, True, what.epoch, what.offset)
    assert kinds(changed(simulation, last, Told(each.client, Entry(each.entry.at, lie)))) == {"false_recovered"}


@EXAMPLES
@given(STEPS, st.integers(0, 3))
def test_a_leave_of_who_is_there_is_flicker(steps: list[tuple[str, int]], watcher: int) -> None:
    simulation = simulated([(op, client) for op, client in steps if op != "restart"])
    place = next(
        place for place, each in enumerate(simulation.told) if isinstance(each.entry.what, Called | Subscribed)
    )
    each = simulation.told[len(simulation.told) // 2 if len(simulation.told) > 60 else place + 30]
    leave = Told(watcher, Entry(each.entry.at, Left(CHANNEL, "s2")))
    told = [*simulation.told, leave]
    told.sort(key=lambda each: each.entry.at)
    history = simulation.history(told)
    closing = next(e.at for e in reversed(history.of(2)) if type(e.what).__name__ == "Closed")
    assume(each.entry.at < closing)
    assert kinds(history) == {"presence_flicker"}


# ---- particular cases ------------------------------------------------------------------------------------------------


def write(*entries: tuple[float, int, object]) -> History:
    history = History()
    for at, client, what in entries:
        history.add(at, client, what)  # type: ignore[arg-type]
    return history


def test_a_publication_that_stands_twice_in_the_channel_is_doubled() -> None:
    history = write(
        (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 0, Called(CHANNEL, 7)),
        (1.1, 0, Received(CHANNEL, 7, "e", 1)),
        (1.2, 0, Acknowledged(CHANNEL, 7, "e", 2)),
        (1.3, 0, Received(CHANNEL, 7, "e", 2)),
    )
    assert kinds(history) == {"doubled"}


def test_sent_again_to_a_server_that_began_anew_it_is_not_doubled() -> None:
    history = write(
        (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 0, Called(CHANNEL, 7)),
        (1.1, 0, Received(CHANNEL, 7, "e", 1)),
        (1.2, -1, Restarted(is_back=False)),
        (1.4, 0, Subscribed(CHANNEL, False, "f", 0)),
        (1.5, 0, Acknowledged(CHANNEL, 7, "f", 1)),
        (1.6, 0, Received(CHANNEL, 7, "f", 1)),
    )
    assert judge(history) == []


def test_one_position_that_names_two_publications_is_out_of_order() -> None:
    history = write(
        (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
        (0.0, 1, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 0, Called(CHANNEL, 1)),
        (1.1, 0, Called(CHANNEL, 2)),
        (1.2, 0, Received(CHANNEL, 1, "e", 1)),
        (1.3, 0, Received(CHANNEL, 2, "e", 2)),
        (1.2, 1, Received(CHANNEL, 2, "e", 1)),
        (1.3, 1, Received(CHANNEL, 1, "e", 2)),
    )
    assert kinds(history) == {"out_of_order"}


def test_commands_of_one_client_that_overtook_each_other_are_out_of_order() -> None:
    history = write(
        (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 0, Called(CHANNEL, 1)),
        (1.1, 0, Called(CHANNEL, 2)),
        (1.2, 0, Received(CHANNEL, 2, "e", 1)),
        (1.3, 0, Received(CHANNEL, 1, "e", 2)),
    )
    assert kinds(history) == {"out_of_order"}


@pytest.mark.parametrize("is_unknown", [False, True])
def test_what_was_never_taken_is_not_missed(is_unknown: bool) -> None:
    history = write(
        (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 0, Called(CHANNEL, 1)),
        (1.1, 0, Failed(CHANNEL, 1, is_unknown, "120")),
        (1.2, 0, Called(CHANNEL, 2)),
    )
    assert judge(history) == []


def test_acknowledged_and_given_to_nobody_is_lost() -> None:
    for place in (("e", 1), ("", 0)):
        history = write(
            (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
            (1.0, 0, Called(CHANNEL, 1)),
            (1.1, 0, Acknowledged(CHANNEL, 1, *place)),
        )
        assert kinds(history) == {"lost"}, place


def test_who_never_came_back_after_a_restart_has_a_silent_gap() -> None:
    history = write(
        (0.0, 0, Subscribed(CHANNEL, None, "e", 0)),
        (0.0, 1, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 0, Called(CHANNEL, 1)),
        (1.1, 0, Received(CHANNEL, 1, "e", 1)),
        (1.1, 1, Received(CHANNEL, 1, "e", 1)),
        (1.2, -1, Restarted(is_back=False)),
        (1.3, 0, Subscribed(CHANNEL, False, "f", 0)),
        (1.4, 0, Called(CHANNEL, 2)),
        (1.5, 0, Received(CHANNEL, 2, "f", 1)),
    )
    assert [(each.kind, each.client) for each in judge(history)] == [("silent_gap", 1)]


def test_publications_of_strangers_are_nothing_to_us() -> None:
    history = write((0.0, 0, Subscribed(CHANNEL, None, "e", 5)), (1.0, 0, Received(CHANNEL, 99, "e", 6)))
    assert judge(history) == []


def test_the_shortest_trace_has_the_wire_the_fault_and_the_life_of_the_publication() -> None:
    history = write(
        (0.0, 0, Opened("websocket", "a")),
        (0.1, 0, Subscribed(CHANNEL, None, "e", 0)),
        (0.1, 1, Subscribed(CHANNEL, None, "e", 0)),
        (1.0, 1, Called(CHANNEL, 1)),
        (1.1, 0, Received(CHANNEL, 1, "e", 1)),
        (1.1, 1, Received(CHANNEL, 1, "e", 1)),
        (1.2, -1, Restarted(is_back=True)),
        (1.3, 1, Called(CHANNEL, 2)),
        (1.4, 0, Dropped("reset")),
        (1.5, 1, Received(CHANNEL, 2, "e", 2)),
        (1.6, 0, Opened("sse", "a", is_resumed=True)),
        (1.7, 0, Subscribed(CHANNEL, True, "e", 2)),
        (2.0, 1, Called(CHANNEL, 3)),
        (2.1, 0, Received(CHANNEL, 3, "e", 3)),
        (2.1, 1, Received(CHANNEL, 3, "e", 3)),
    )
    (trace,) = shortest(history, judge(history)).values()
    assert [(line.at, line.client, line.wire, line.text) for line in trace.lines] == [
        (1.1, 0, "websocket", "was given 1 at e:1"),
        (1.2, -1, "", "the server serves again"),
        (1.3, 1, "", "publishes 2"),
        (1.4, 0, "websocket", "lost its wire (reset)"),
        (1.5, 1, "", "was given 2 at e:2"),
        (1.6, 0, "sse", "connected over sse as a, resumed"),
        (1.7, 0, "sse", "subscribed at e:2, recovered: true"),
        (2.1, 0, "sse", "was given 3 at e:3"),
    ]
    assert trace.finding.kind == "false_recovered"


def test_histories_of_two_processes_merge() -> None:
    history = write((1.0, 0, Called(CHANNEL, 1)), (1.0, -1, Restarted(is_back=False)))
    history.merge({1: [Entry(0.5, Called(CHANNEL, 2))], -1: [Entry(0.9, Restarted(is_back=True))]})
    assert history.clients == [0, 1]
    assert [entry.at for entry in history.common] == [0.9, 1.0]
    assert len(history) == 4
