"""A session that goes on at another node: two nodes in one process, with one broker and one presence store."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from node_under_test import Server, eventually, running
from test_moving import EVERYONE, begun, confirm, going_on, publications

from wirehop import Client
from wirehop.node.node import Node
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio
Dial = Callable[[Server, str], Conversation]


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[tuple[Server, Server]]:
    async with running(namespaces=EVERYONE) as one, running(namespaces=EVERYONE) as other:
        share(one.node, other.node)
        yield one, other


def share(one: Node, other: Node) -> None:
    """One broker and one presence store for both, and each knows the other."""
    other.presence_store = one.presence_store
    one.resumption.owners[other.id] = other.resumption
    other.resumption.owners[one.id] = one.resumption


@pytest_asyncio.fixture
async def dial() -> AsyncIterator[Dial]:
    opened: list[Conversation] = []

    def dial(server: Server, name: str) -> Conversation:
        opened.append(open_wire(name, server.port))
        return opened[-1]

    yield dial
    for wire in opened:
        await wire.close()


async def test_the_session_goes_on_at_another_node(pair: tuple[Server, Server], dial: Dial) -> None:
    one, other = pair
    first, second = dial(one, "websocket"), dial(other, "sse")
    said = (await begun(first))["wh"]
    await first.request("subscribe", channel="a")
    await first.request("publish", channel="a", data=1)
    result = await going_on(second, said["token"], {"a": {}})
    assert result["wh"]["resumed"]
    assert (result["client"], result["wh"]["attach"]) == (first.client, 2)
    assert len(one.node.resumption) == 1
    assert (await confirm(second, 2))["wh"]["next"] == 3
    await eventually(lambda: first.code == 3600)
    assert len(one.node.resumption) == 0
    assert list(other.node.sessions) == [first.client]
    await other.node.publish("a", 2)
    assert await publications(second, "a", 1) == [1]  # this node's own log: only the session is shared here
    assert list(await other.node.presence("a")) == [first.client]
    await second.post({"id": 2, "publish": {"channel": "a", "data": 1}})  # repeated: its reply came along
    assert (await second.reply(2))["publish"]["wh"]["offset"] == 1


async def test_a_running_command_is_answered_through_the_new_owner(pair: tuple[Server, Server], dial: Dial) -> None:
    one, other = pair
    go, ran = asyncio.Event(), 0

    @one.node.rpc("slow")
    @other.node.rpc("slow")
    async def slow(client: Client, data: object) -> str:
        nonlocal ran
        ran += 1
        await go.wait()
        return "done"

    first, second = dial(one, "websocket"), dial(other, "websocket")
    said = (await begun(first))["wh"]
    await first.send("rpc", method="slow", data=None)
    await eventually(lambda: ran == 1)
    await going_on(second, said["token"], {})
    await confirm(second, 2)
    await second.post({"id": 1, "rpc": {"method": "slow", "data": None}})
    go.set()
    assert (await second.reply(1))["rpc"]["data"] == "done"
    assert ran == 1


async def test_the_first_confirmation_wins(pair: tuple[Server, Server], dial: Dial) -> None:
    one, other = pair
    first, second, third = dial(one, "websocket"), dial(other, "websocket"), dial(one, "sse")
    token = (await begun(first))["wh"]["token"]
    token = (await going_on(second, token, {}))["wh"]["token"]
    await going_on(third, token, {})  # the newest token is one that the other node has made
    await confirm(third, 3)
    await second.post({"id": 4_000_000_002, "ping": {}, "wh": {"attach": 2}})
    await eventually(lambda: second.is_gone or second.code != 0)
    assert second.code == 3010
    assert list(one.node.sessions) == [first.client]
    assert not other.node.resumption.find(first.client)


async def test_an_older_token_is_redirected_to_the_new_owner(pair: tuple[Server, Server], dial: Dial) -> None:
    one, other = pair
    first, second, third = dial(one, "websocket"), dial(other, "websocket"), dial(one, "websocket")
    said = (await begun(first))["wh"]
    token = (await going_on(second, said["token"], {}))["wh"]["token"]
    await confirm(second, 2)
    result = await going_on(third, token, {})
    assert result["wh"]["resumed"]
    await confirm(third, 3)
    await eventually(lambda: second.code == 3600)
    assert list(one.node.sessions) == [first.client]


async def test_without_its_owner_it_is_a_new_session(pair: tuple[Server, Server], dial: Dial) -> None:
    one, other = pair
    first, second = dial(one, "websocket"), dial(other, "websocket")
    said = (await begun(first))["wh"]
    other.node.resumption.owners.clear()
    result = await going_on(second, said["token"], {})
    assert "resumed" not in result["wh"]
    assert result["client"] != first.client
