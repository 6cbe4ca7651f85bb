"""The memory broker: the suite of all brokers, and what is its own: ages, evictions, bounds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from wirehop.abc import IdempotencyConflict, PublishOptions
from wirehop.brokers.memory import MemoryBroker
from wirehop.core.messages import ClientInfo, Position
from wirehop.testing.brokers import ALL, LATEST, LOG, BrokerSuite
from wirehop.testing.clock import CountingIds, ManualClock
from wirehop.testing.presence import PresenceSuite
from wirehop.testing.recorder import Recorder, Storage, numbers, publication


class TestMemoryBroker(BrokerSuite, PresenceSuite):
    is_shared = False

    @asynccontextmanager
    async def brokers(self, count: int) -> AsyncIterator[list[Storage]]:
        assert count == 1
        yield [MemoryBroker(ManualClock(), CountingIds())]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.mark.asyncio
async def test_publications_are_forgotten_at_their_age(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds())
    options = PublishOptions(history_age=10.0)
    first = await broker.publish("a", publication(1), options)
    clock.advance(5)
    second = await broker.publish("a", publication(2), options)
    clock.advance(4.9)
    assert numbers(await broker.history("a", None, limit=9, max_bytes=ALL)) == [1, 2]
    clock.advance(0.1)
    assert numbers(await broker.history("a", None, limit=9, max_bytes=ALL)) == [2]
    assert not (await broker.history("a", Position(first.epoch, 0), limit=9, max_bytes=ALL)).is_complete
    clock.advance(60)
    page = await broker.history("a", second, limit=9, max_bytes=ALL)
    assert (page.publications, page.is_complete, page.top) == ((), True, second)


@pytest.mark.asyncio
async def test_values_of_latest_channels_are_forgotten_at_their_age(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds())
    options = PublishOptions(delivery="latest", history_age=10.0)
    await broker.publish("a", publication(1, "x"), options)
    clock.advance(5)
    top = await broker.publish("a", publication(2, "y"), options)
    clock.advance(5)
    page = await broker.history("a", Position(top.epoch, 0), limit=9, max_bytes=ALL)
    assert (numbers(page), page.is_complete) == ([2], False)


@pytest.mark.asyncio
async def test_keys_are_forgotten_at_their_age(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds())
    options = PublishOptions(idempotency_key="k", publisher="p", idempotency_seconds=10.0)
    await broker.publish("a", publication(1), options)
    clock.advance(9.9)
    with pytest.raises(IdempotencyConflict):
        await broker.publish("a", publication(2), options)
    clock.advance(0.1)
    assert (await broker.publish("a", publication(2), options)).offset == 2


@pytest.mark.asyncio
async def test_the_log_used_longest_ago_is_evicted_and_begins_a_new_epoch(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds(), max_channels=2)
    old = await broker.publish("a", publication(1), LOG)
    await broker.publish("b", publication(1), LOG)
    await broker.publish("a", publication(2), LOG)
    await broker.publish("c", publication(1), LOG)
    assert broker.evicted == 1
    assert numbers(await broker.history("a", None, limit=9, max_bytes=ALL)) == [1, 2]
    again = await broker.publish("b", publication(2), LOG)
    assert again.offset == 1
    renewed = await broker.history("a", Position(old.epoch, 1), limit=9, max_bytes=ALL)
    assert not renewed.is_complete
    assert renewed.top.epoch != old.epoch


@pytest.mark.asyncio
async def test_reading_channels_that_nobody_publishes_to_stays_within_the_bound(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds(), max_channels=10)
    for n in range(100):
        await broker.history(f"c{n}", None, limit=9, max_bytes=ALL)
    assert (len(broker._logs), len(broker._promised), broker.evicted) == (0, 10, 90)


@pytest.mark.asyncio
async def test_reading_unknown_channels_evicts_no_log_that_holds_something(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds(), max_channels=10)
    top = await broker.publish("a", publication(1), LOG)
    for n in range(100):
        await broker.history(f"c{n}", None, limit=9, max_bytes=ALL)
    page = await broker.history("a", Position(top.epoch, 0), limit=9, max_bytes=ALL)
    assert (numbers(page), page.is_complete) == ([1], True)


@pytest.mark.asyncio
async def test_the_oldest_key_is_evicted(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds(), max_keys=2)
    for key in ("k1", "k2", "k3"):
        await broker.publish("a", publication(1), PublishOptions(idempotency_key=key, publisher="p"))
    assert (broker.evicted, len(broker._keys)) == (1, 2)
    again = await broker.publish("a", publication(1), PublishOptions(idempotency_key="k1", publisher="p"))
    assert again.offset == 4


@pytest.mark.asyncio
async def test_a_channel_that_changes_its_class_begins_a_new_epoch(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds())
    before = await broker.publish("a", publication(1), LOG)
    after = await broker.publish("a", publication(2), LATEST)
    assert after.offset == 1
    assert after.epoch != before.epoch


@pytest.mark.asyncio
async def test_publishing_trims_logs_that_nobody_reads(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds())
    options = PublishOptions(history_age=10.0)
    for n in range(5):
        await broker.publish(f"old{n}", publication(1), options)
    clock.advance(11)
    for _ in range(12):
        await broker.publish("busy", publication(1), options)
    assert [len(broker._logs[f"old{n}"]) for n in range(5)] == [0] * 5


@pytest.mark.asyncio
async def test_an_empty_channels_presence_leaves_only_its_revision(clock: ManualClock) -> None:
    broker = MemoryBroker(clock, CountingIds(), max_channels=3)
    recorder = Recorder()
    await broker.open(recorder)
    for n in range(10):
        await broker.enter(f"c{n}", ClientInfo(client="c"))
        await broker.leave(f"c{n}", "c")
    assert broker._presence == {}
    assert len(broker._revisions) == 3
