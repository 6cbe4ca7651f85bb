"""The broker's subscriptions follow the channels that have slots here, in order, however slow the broker is."""

import asyncio
from typing import cast

import pytest

from wirehop.brokers.memory import MemoryBroker
from wirehop.codecs.frame import Lane
from wirehop.core.slot import Slot
from wirehop.node import Node
from wirehop.settings.tree import Namespace, Settings
from wirehop.testing.clock import CountingIds, ManualClock

pytestmark = pytest.mark.asyncio
LANE = Lane("test", lambda _channel, publication, _epoch: publication.data)


class SlowBroker(MemoryBroker):
    """Each call waits until it is let go, and says in `done` when it is."""

    def __init__(self) -> None:
        super().__init__(ManualClock(), CountingIds())
        self.asked: list[str] = []
        self.done: list[str] = []
        self.go = asyncio.Semaphore(0)
        self.fails = False

    async def _slowly(self, what: str) -> None:
        self.asked.append(what)
        await self.go.acquire()
        self.done.append(what)
        if self.fails:
            raise OSError("the broker is gone")

    async def subscribe(self, channel: str) -> None:
        await self._slowly(f"subscribe {channel}")

    async def unsubscribe(self, channel: str) -> None:
        await self._slowly(f"unsubscribe {channel}")


def slot(channel: str) -> Slot:
    made = Slot(channel, "log")
    made.lane, made.owner = LANE, None
    return made


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def make() -> tuple[Node, SlowBroker]:
    broker = SlowBroker()
    return Node(Settings(namespaces={"": Namespace(subscribe="anyone")}), broker=broker), broker


async def test_only_first_and_last_slots_are_told_to_the_broker() -> None:
    node, broker = make()
    first, second = slot("a"), slot("a")
    node.interest.attach(first, watches=False)
    node.interest.attach(second, watches=False)
    node.interest.detach(first)
    assert broker.asked == ["subscribe a"]
    broker.go.release()
    await settle()
    node.interest.detach(second)
    assert broker.asked == ["subscribe a", "unsubscribe a"]
    broker.go.release()
    await settle()
    assert (broker.done, node.interest._last) == (["subscribe a", "unsubscribe a"], {})


async def test_a_slow_broker_ends_in_the_last_state_asked_for() -> None:
    node, broker = make()
    for _ in range(3):
        each = slot("a")
        node.interest.attach(each, watches=False)
        node.interest.detach(each)
    node.interest.attach(slot("a"), watches=False)
    for _ in range(7):
        broker.go.release()
        await settle()
    assert broker.done == ["subscribe a", "unsubscribe a"] * 3 + ["subscribe a"]
    assert node.interest._last == {}


async def test_channels_do_not_wait_for_one_another() -> None:
    node, broker = make()
    node.interest.attach(slot("a"), watches=False)
    node.interest.attach(slot("b"), watches=False)
    assert broker.asked == ["subscribe a", "subscribe b"]
    broker.go.release()
    broker.go.release()
    await settle()


async def test_ready_waits_for_what_was_asked_before() -> None:
    node, broker = make()
    node.interest.attach(slot("a"), watches=False)
    ready = asyncio.create_task(node.interest.ready("a"))
    await settle()
    assert not ready.done()
    await node.interest.ready("b")
    broker.go.release()
    await ready
    assert broker.done == ["subscribe a"]


async def test_presence_changes_stay_in_order_behind_a_slow_subscribe() -> None:
    node, broker = make()
    order: list[str] = []

    async def change(what: str) -> None:
        order.append(what)

    node.interest.attach(slot("a"), watches=False)
    node.interest.after_pending("a", change("enter"))
    node.interest.after_pending("a", change("leave"))
    await settle()
    assert order == []
    broker.go.release()
    await settle()
    assert order == ["enter", "leave"]


async def test_a_subscribe_that_fails_is_told_to_who_waits_and_tried_again_by_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node, broker = make()
    broker.fails = True
    broker.go.release()
    held = slot("a")
    node.interest.attach(held, watches=False)
    with pytest.raises(ConnectionError):
        await node.interest.ready("a")
    assert node.metrics.errors["broker"] == 1
    assert "the broker failed" in caplog.text
    broker.fails = False
    broker.go.release()
    node.interest.detach(held)
    broker.go.release()
    node.interest.attach(slot("a"), watches=False)
    await node.interest.ready("a")
    assert broker.done == ["subscribe a", "unsubscribe a", "subscribe a"]


async def test_a_broker_that_answers_at_once_needs_no_task() -> None:
    node = Node(Settings())
    each = slot("a")
    node.interest.attach(each, watches=False)
    node.interest.detach(each)
    await node.interest.ready("a")
    assert cast(object, node._tasks) == set()
