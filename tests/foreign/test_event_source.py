"""npm's `eventsource` on the URL of a channel: no SDK, and nothing is lost over a cut."""

import json

import pytest
from cutting_proxy import CuttingProxy
from node_under_test import Server, eventually

from foreign import Driver

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_event_source_follows_a_channel_and_recovers_by_itself(
    server: Server, driver: Driver, proxy: CuttingProxy
) -> None:
    name, events = driver.new()
    driver.order(listen=name, address=f"{proxy.address}/channels/quiet:a", events=["named", "reset"])
    await events.next("open")
    await server.node.publish("quiet:a", {"n": 1})
    first = await events.next("message", timeout=10)
    assert json.loads(first["data"]) == {"n": 1}
    epoch, _, offset = first["lastEventId"].rpartition(":")
    assert (offset, bool(epoch)) == ("1", True)
    await server.node.publish("quiet:a", [2], event="named")
    assert json.loads((await events.next("named"))["data"]) == [2]
    proxy.cut()
    await eventually(lambda: not server.node.sessions, "the cut is seen")
    for n in range(3, 13):
        await server.node.publish("quiet:a", n)
    received = [await events.next("message", timeout=15) for _ in range(10)]
    assert [json.loads(each["data"]) for each in received] == list(range(3, 13))
    assert received[-1]["lastEventId"] == f"{epoch}:12"
    assert "reset" not in events.names()
    driver.order(close=name)


async def test_an_event_source_is_told_where_recovery_is_not_possible(
    server: Server, driver: Driver, proxy: CuttingProxy
) -> None:
    name, events = driver.new()
    driver.order(listen=name, address=f"{proxy.address}/channels/short:a", events=["reset"])
    await events.next("open")
    await server.node.publish("short:a", 0)
    await events.next("message")
    proxy.cut()
    await eventually(lambda: not server.node.sessions, "the cut is seen")
    for n in range(20):
        await server.node.publish("short:a", n)
    await events.next("reset", timeout=15)
    await server.node.publish("short:a", "after")
    assert json.loads((await events.next("message"))["data"]) == "after"
    driver.order(close=name)
