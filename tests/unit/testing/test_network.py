"""A link whose items move only when told to."""

import pytest

from wirehop.testing.network import VirtualLink


def link() -> tuple[VirtualLink[int], list[int]]:
    made: VirtualLink[int] = VirtualLink()
    arrived: list[int] = []
    made.up.receive = arrived.append
    return made, arrived


def test_items_arrive_in_order_one_at_a_time() -> None:
    made, arrived = link()
    made.up.send(1)
    made.up.send(2)
    assert (arrived, len(made.up)) == ([], 2)
    made.up.deliver()
    assert (arrived, len(made.up)) == ([1], 1)
    made.up.deliver()
    assert arrived == [1, 2]


def test_nothing_in_flight_cannot_arrive() -> None:
    with pytest.raises(IndexError):
        link()[0].up.deliver()


def test_a_cut_loses_what_is_in_flight_both_ways() -> None:
    made, arrived = link()
    made.up.send(1)
    made.down.send(2)
    made.down.send(3)
    made.cut()
    assert not made.is_open
    assert (len(made.up), len(made.down), made.up.dropped, made.down.dropped) == (0, 0, 1, 2)
    assert arrived == []
