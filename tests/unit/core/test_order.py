"""Commands on one channel run one after the other."""

from wirehop.core.messages import Command, PingRequest
from wirehop.core.order import CommandOrder


def command(number: int) -> Command:
    return Command(number, ping=PingRequest())


def test_nothing_waits_where_nothing_runs() -> None:
    order = CommandOrder()
    assert not order.must_wait("a", command(1))
    assert order.waiting == 0
    assert order.finish("a") == []


def test_what_waits_is_given_in_order_when_the_running_one_is_done() -> None:
    order = CommandOrder()
    order.begin("a")
    assert order.must_wait("a", command(1))
    assert order.must_wait("a", command(2))
    assert order.waiting == 2
    assert [each.id for each in order.finish("a")] == [1, 2]
    assert order.waiting == 0
    assert not order.must_wait("a", command(3))


def test_other_channels_do_not_wait() -> None:
    order = CommandOrder()
    order.begin("a")
    order.begin("b")
    assert order.must_wait("a", command(1))
    assert order.must_wait("b", command(2))
    assert not order.must_wait("c", command(3))
    assert [each.id for each in order.finish("b")] == [2]
    assert order.waiting == 1


def test_beginning_again_does_not_lose_what_waits() -> None:
    order = CommandOrder()
    order.begin("a")
    order.must_wait("a", command(1))
    order.begin("a")
    assert [each.id for each in order.finish("a")] == [1]
