"""What a client that was away gets when it comes back: everything, once, in order, or the word that it cannot."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs
from node_under_test import NAMESPACES, OPEN, Server, eventually, limits

from wirehop.core import codes
from wirehop.core.messages import Position
from wirehop.testing.wires import Conversation

pytestmark = pytest.mark.asyncio
Dial = Callable[..., Conversation]


async def returned(dial: Dial, channel: str, position: Position | dict[str, Any], **options: Any) -> Any:
    """A new wire that subscribes from a position: the reply, and the wire."""
    if isinstance(position, Position):
        position = {"epoch": position.epoch, "offset": position.offset}
    wire = dial()
    await wire.connect()
    return wire, await wire.request("subscribe", channel=channel, recover=True, **position, **options)


async def test_nothing_is_missing_and_nothing_is_twice_after_a_cut(server: Server, dial: Dial) -> None:
    wire = dial()
    await wire.connect()
    await wire.request("subscribe", channel="quiet:a")
    for n in range(10):
        top = await server.node.publish("quiet:a", n)
    seen = await wire.publications(10)
    wire.cut()
    for n in range(10, 60):
        await server.node.publish("quiet:a", n)

    async def keep_publishing() -> None:
        for n in range(60, 200):
            await server.node.publish("quiet:a", n)
            await asyncio.sleep(0)

    publishing = asyncio.create_task(keep_publishing())
    again, reply = await returned(dial, "quiet:a", {"epoch": top.epoch, "offset": seen[-1]["offset"]})
    result = reply["subscribe"]
    assert result["recovered"]
    assert result["was_recovering"]
    given = result["publications"]
    assert result["offset"] == given[-1]["offset"]
    seen += given
    await publishing
    seen += await again.publications(200 - len(seen))
    assert [each["offset"] for each in seen] == list(range(1, 201))
    assert [each["data"] for each in seen] == list(range(200))


async def test_recovery_from_the_top_gives_nothing_and_is_recovered(server: Server, dial: Dial) -> None:
    top = await server.node.publish("quiet:a", 1)
    _, reply = await returned(dial, "quiet:a", top)
    assert reply["subscribe"] == {
        "recoverable": True,
        "positioned": True,
        "epoch": top.epoch,
        "offset": 1,
        "recovered": True,
        "was_recovering": True,
    }


async def test_recovery_from_the_beginning_gives_everything(server: Server, dial: Dial) -> None:
    for n in range(1, 4):
        top = await server.node.publish("quiet:a", n)
    _, reply = await returned(dial, "quiet:a", Position(top.epoch, 0))
    assert [each["data"] for each in reply["subscribe"]["publications"]] == [1, 2, 3]


@pytest.mark.parametrize("flag", [0, 2])
@pytest.mark.parametrize("case", ["other epoch", "no epoch", "above the top", "trimmed", "too far behind"])
async def test_a_position_that_is_no_good_is_not_recovered_and_never_in_part(
    server: Server, dial: Dial, case: str, flag: int
) -> None:
    channel = "short:a" if case == "trimmed" else "quiet:a"
    for n in range(301 if case == "too far behind" else 7):
        top = await server.node.publish(channel, n)
    position = {
        "other epoch": Position("other", 3),
        "no epoch": Position("", 3),
        "above the top": Position(top.epoch, 8),
        "trimmed": Position(top.epoch, 1),
        "too far behind": Position(top.epoch, 0),
    }[case]
    wire, reply = await returned(dial, channel, position, flag=flag)
    if flag:
        assert reply["error"]["code"] == 112
        assert not server.node.hub.channels
        return
    result = reply["subscribe"]
    assert not result.get("recovered", False)
    assert result["was_recovering"]
    assert "publications" not in result
    assert (result["epoch"], result["offset"]) == (top.epoch, top.offset)
    await server.node.publish(channel, "next")
    assert [each["offset"] for each in await wire.publications(1)] == [top.offset + 1]


async def test_300_publications_behind_is_recovered(server: Server, dial: Dial) -> None:
    for n in range(301):
        top = await server.node.publish("quiet:a", n)
    _, reply = await returned(dial, "quiet:a", Position(top.epoch, 1))
    assert reply["subscribe"]["recovered"]
    assert [each["data"] for each in reply["subscribe"]["publications"]] == list(range(1, 301))


@pytest.mark.parametrize("server", [{"limits": limits(recovery_bytes=1000)}], indirect=True)
async def test_more_bytes_behind_than_a_recovery_gives_is_not_recovered(server: Server, dial: Dial) -> None:
    for _ in range(4):
        top = await server.node.publish("quiet:a", "x" * 300)
    _, reply = await returned(dial, "quiet:a", Position(top.epoch, 1))
    assert len(reply["subscribe"]["publications"]) == 3
    _, reply = await returned(dial, "quiet:a", Position(top.epoch, 0))
    assert "recovered" not in reply["subscribe"]


async def test_a_channel_whose_log_was_evicted_has_a_new_epoch_and_says_so(dial: Dial, server: Server) -> None:
    wire = dial()
    await wire.connect()
    await wire.request("subscribe", channel="quiet:a")
    top = await server.node.publish("quiet:a", 1)
    await wire.publications(1)
    broker: Any = server.node.broker
    del broker._logs["quiet:a"]
    await server.node.publish("quiet:a", 2)
    push = await wire.next_push()
    assert (push["channel"], push["unsubscribe"]["code"]) == ("quiet:a", 2500)
    reply = await wire.request("subscribe", channel="quiet:a", recover=True, epoch=top.epoch, offset=top.offset)
    assert "recovered" not in reply["subscribe"]
    assert reply["subscribe"]["epoch"] != top.epoch


# ---- latest ----------------------------------------------------------------------------------------------------------


async def test_latest_gives_all_values_to_who_has_no_position(server: Server, wire: Conversation) -> None:
    for key, value in (("x", 1), ("y", 2), ("x", 3)):
        await server.node.publish("latest:a", value, key=key)
    result = (await wire.request("subscribe", channel="latest:a"))["subscribe"]
    assert not result.get("recovered", False)
    assert [(each["key"], each["data"], each["offset"]) for each in result["publications"]] == [
        ("y", 2, 2),
        ("x", 3, 3),
    ]
    assert result["offset"] == 3


async def test_latest_recovers_the_newest_value_of_every_key_that_changed(server: Server, dial: Dial) -> None:
    await server.node.publish("latest:a", 1, key="x")
    top = await server.node.publish("latest:a", 2, key="y")
    for n in range(10):
        await server.node.publish("latest:a", n, key="x")
    wire, reply = await returned(dial, "latest:a", top)
    result = reply["subscribe"]
    assert result["recovered"]
    assert [(each["key"], each["data"], each["offset"]) for each in result["publications"]] == [("x", 9, 12)]
    await server.node.publish("latest:a", "live", key="y")
    assert [each["data"] for each in await wire.publications(1)] == ["live"]


async def test_latest_without_keys_keeps_one_value(server: Server, wire: Conversation) -> None:
    for n in range(5):
        await server.node.publish("latest:a", n)
    result = (await wire.request("subscribe", channel="latest:a"))["subscribe"]
    assert [each["data"] for each in result["publications"]] == [4]


async def test_latest_from_another_epoch_gives_all_values_and_is_not_recovered(server: Server, dial: Dial) -> None:
    await server.node.publish("latest:a", 1, key="x")
    await server.node.publish("latest:a", 2, key="y")
    _, reply = await returned(dial, "latest:a", Position("other", 1))
    assert not reply["subscribe"].get("recovered", False)
    assert len(reply["subscribe"]["publications"]) == 2


# ---- signal ----------------------------------------------------------------------------------------------------------


async def test_signal_has_no_positions_and_is_never_recovered(server: Server, dial: Dial) -> None:
    await server.node.publish("signal:a", "before")
    wire, reply = await returned(dial, "signal:a", Position("x", 1))
    result = reply["subscribe"]
    assert not result.get("recovered", False)
    assert not result.get("recoverable", False)
    assert not result.get("positioned", False)
    assert "offset" not in result
    await server.node.publish("signal:a", "after")
    (publication,) = await wire.publications(1)
    assert publication["data"] == "after"
    assert "offset" not in publication


async def test_many_signals_at_once_arrive_in_order(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="signal:a")
    for n in range(50):
        await server.node.publish("signal:a", n)
    assert [each["data"] for each in await wire.publications(50)] == list(range(50))


# ---- with live publications in the way -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server", [{"namespaces": {**NAMESPACES, "slow": structs.replace(OPEN, coalesce=0.005)}}], indirect=True
)
async def test_publications_held_for_coalescing_are_neither_lost_nor_doubled(server: Server, dial: Dial) -> None:
    early = dial()
    await early.connect()
    await early.request("subscribe", channel="slow:a")
    for n in range(5):
        top = await server.node.publish("slow:a", n)
    late, reply = await returned(dial, "slow:a", Position(top.epoch, 2))
    for n in range(5, 10):
        await server.node.publish("slow:a", n)
    given = [each["data"] for each in reply["subscribe"]["publications"]]
    given += [each["data"] for each in await late.publications(10 - 2 - len(given))]
    assert given == list(range(2, 10))
    assert [each["data"] for each in await early.publications(10)] == list(range(10))


async def test_many_subscribers_that_come_and_go_all_see_a_gapless_log(server: Server, dial: Dial) -> None:
    stop = asyncio.Event()

    async def publish() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            await server.node.publish("quiet:a", n)
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    wire = dial()
    await wire.connect()
    try:
        for _ in range(20):
            result = (await wire.request("subscribe", channel="quiet:a"))["subscribe"]
            offsets = [each["offset"] for each in await wire.publications(3)]
            assert offsets == [result["offset"] + 1, result["offset"] + 2, result["offset"] + 3]
            await wire.request("unsubscribe", channel="quiet:a")
            for push in wire.waiting_pushes():
                wire._pushes.remove(push)
    finally:
        stop.set()
        await publishing


async def test_after_a_disconnect_the_session_is_gone_from_everywhere(server: Server, dial: Dial) -> None:
    wire = dial()
    await wire.connect()
    for channel in ("a", "b", "quiet:c", "signal:d", "latest:e"):
        await wire.request("subscribe", channel=channel)
    server.node.disconnect(wire.client, codes.FORCE_DISCONNECT)
    await wire.end()
    await wire.close()
    polls = {"polls"} if wire.carrier.needs_numbers else set()  # what it still has to say is kept for a while
    await eventually(lambda: set(server.leftovers()) <= polls, "nothing left")
