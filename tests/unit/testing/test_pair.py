"""The pair: what it shows is what the two machines said, and what it calls settled is at rest."""

import pytest

from wirehop.client.states import ClientState
from wirehop.testing.pair import Pair


def test_a_new_pair_settles_connected() -> None:
    pair = Pair()
    pair.subscribe("c")
    pair.settle()
    assert pair.client.state is ClientState.CONNECTED
    assert pair.delivered["c"] == [None], "the first subscription starts at the top: what was before is missing"


def test_what_is_published_is_delivered_with_its_place() -> None:
    pair = Pair()
    pair.subscribe("c")
    pair.settle()
    pair.publish("c", 7)
    pair.publish("c", 8)
    pair.settle()
    assert pair.delivered["c"] == [None, ("e-000001", 1), ("e-000001", 2)]
    assert pair.values == [b"7", b"8"]


@pytest.mark.parametrize("delivery", ["log", "latest"])
def test_a_cut_loses_nothing_after_the_reconnect(delivery: str) -> None:
    pair = Pair(delivery=delivery)
    pair.subscribe("c")
    pair.settle()
    pair.publish("c", 1, key="a")
    pair.cut()
    pair.publish("c", 2, key="b")
    pair.settle()
    assert pair.values == [b"1", b"2"]
    assert pair.delivered["c"].count(None) == 1


def test_a_restart_of_the_broker_is_told_as_a_gap() -> None:
    pair = Pair()
    pair.subscribe("c")
    pair.settle()
    pair.publish("c", 1)
    pair.settle()
    pair.broker.restart()
    pair.publish("c", 2)
    pair.settle()
    assert pair.delivered["c"].count(None) == 2


def test_comparing_tops_finds_a_lost_last_publication() -> None:
    pair = Pair()
    pair.subscribe("c")
    pair.settle()
    pair.publish("c", 1)
    pair.broker.to_node.clear()
    pair.settle()
    assert pair.values == []
    pair.settle(compares_tops=True)
    assert pair.values == [b"1"]
