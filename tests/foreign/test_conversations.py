"""What people do with these clients: subscribe, publish, look who is there, read history, call, and be cut off."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cutting_proxy import CuttingProxy
from node_under_test import Server, eventually

from foreign import JS, PYTHON, Event, ForeignError, as_value
from wirehop.core.messages import PayloadKind
from wirehop.node import Client, Connecting, User

pytestmark = pytest.mark.asyncio(loop_scope="session")
Dial = Callable[..., Any]
BYTES = bytes(range(256))


async def publications(client: Any, channel: str, count: int) -> list[Event]:
    return [await client.events.next("publication", channel=channel) for _ in range(count)]


async def test_connect_names_the_client_and_brings_data(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        return User("ada", data={"token": connecting.token, "data": connecting.data()})

    client = dial(token="secret", data={"n": 1})
    connected = await client.events.next("connected")
    assert connected["client"] in server.node.sessions
    assert as_value(connected["data"]) == {"token": "secret", "data": {"n": 1}}


async def test_publications_of_all_arrive_in_order(server: Server, client: Any) -> None:
    client.subscribe("quiet:a")
    await client.events.next("subscribed", channel="quiet:a")
    for n in range(20):
        if n % 2:
            await client.publish("quiet:a", {"n": n})
        else:
            await server.node.publish("quiet:a", {"n": n})
    received = await publications(client, "quiet:a", 20)
    assert [as_value(each["data"])["n"] for each in received] == list(range(20))
    assert [each["offset"] for each in received] == list(range(1, 21))


async def test_a_publication_says_who_made_it(client: Any) -> None:
    client.subscribe("quiet:a")
    await client.events.next("subscribed")
    await client.publish("quiet:a", 1)
    (publication,) = await publications(client, "quiet:a", 1)
    assert publication["info"]["client"] == client.id


async def test_joins_and_leaves_and_who_is_there(server: Server, dial: Dial, client: Any) -> None:
    client.subscribe("news", join_leave=True)
    await client.events.next("subscribed")
    assert await client.presence("news") == {client.id: ""}
    other = dial()
    other_id = (await other.events.next("connected"))["client"]
    other.subscribe("news")
    while (await client.events.next("join"))["info"]["client"] != other_id:
        pass  # its own
    assert await client.presence("news") == {client.id: "", other_id: ""}
    assert await client.presence_stats("news") == (2, 1)
    await other.unsubscribe("news")
    assert (await client.events.next("leave"))["info"]["client"] == other_id
    assert await client.presence_stats("news") == (1, 1)


async def test_history(server: Server, client: Any) -> None:
    for n in range(5):
        await server.node.publish("quiet:a", {"n": n})
    assert await client.history("quiet:a", -1) == [(n + 1, {"n": n}) for n in range(5)]
    assert await client.history("quiet:a", 2) == [(1, {"n": 0}), (2, {"n": 1})]
    assert await client.history("quiet:a", 0) == []


async def test_rpc_and_its_errors(server: Server, client: Any) -> None:
    @server.node.rpc("double")
    async def double(_client: Client, n: int) -> int:
        return 2 * n

    assert await client.rpc("double", 21) == 42
    with pytest.raises(ForeignError) as unknown:
        await client.rpc("nothing", 1)
    assert unknown.value.code == 104
    with pytest.raises(ForeignError) as bad:
        await client.rpc("double", "x")
    assert bad.value.code == 107


@pytest.mark.parametrize("kind", JS)
async def test_what_is_sent_without_an_answer_arrives(server: Server, client: Any) -> None:
    seen: list[object] = []

    @server.node.on_message
    async def message(_client: Client, data: object) -> None:
        seen.append(data)

    await client.send({"n": 1})
    await eventually(lambda: seen == [{"n": 1}])


async def test_errors_of_channels_have_their_codes(server: Server, client: Any) -> None:
    for work in (client.publish("readonly:a", 1), client.publish("closed:a", 1), client.history("closed:a", 1)):
        with pytest.raises(ForeignError) as refused:
            await work
        assert refused.value.code == 103
    client.subscribe("closed:a")
    assert (await client.events.next("unsubscribed", channel="closed:a"))["code"] == 103


async def test_unsubscribe_and_subscribe_again(server: Server, client: Any) -> None:
    client.subscribe("quiet:a")
    await client.events.next("subscribed")
    await client.unsubscribe("quiet:a")
    await client.events.next("unsubscribed")
    await eventually(lambda: not server.node.hub.channels, "nobody listens")


async def test_bytes_of_the_application_are_bytes_or_base64(server: Server, client: Any, kind: str) -> None:
    client.subscribe("quiet:a")
    await client.events.next("subscribed")
    await server.node.publish("quiet:a", BYTES)
    (publication,) = await publications(client, "quiet:a", 1)
    data = as_value(publication["data"])
    if "protobuf" not in kind:
        assert (base64.b64decode(data), publication["tags"]) == (BYTES, {"wh-encoding": "base64"})
    else:
        assert data == BYTES


@pytest.mark.parametrize("kind", [each for each in [*JS, *PYTHON] if "protobuf" in each])
async def test_bytes_of_clients_that_speak_protobuf(server: Server, client: Any) -> None:
    client.subscribe("quiet:a")
    await client.events.next("subscribed")
    await client.publish("quiet:a", BYTES[::-1])
    (publication,) = await publications(client, "quiet:a", 1)
    assert as_value(publication["data"]) == BYTES[::-1]
    newest = (await server.node.history("quiet:a")).publications[-1]
    assert (newest.data, newest.kind) == (BYTES[::-1], PayloadKind.BINARY)

    @server.node.rpc("reverse")
    async def reverse(_client: Client, data: bytes) -> bytes:
        return data[::-1]

    assert await client.rpc("reverse", BYTES) == BYTES[::-1]

    @server.node.rpc("double")
    async def double(_client: Client, n: int) -> int:
        return 2 * n

    with pytest.raises(ForeignError) as bad:
        await client.rpc("double", BYTES)
    assert bad.value.code == 107


async def test_after_a_cut_nothing_is_missing_and_nothing_comes_twice(
    server: Server, dial: Dial, proxy: CuttingProxy
) -> None:
    client = dial(address=proxy.address)
    client.subscribe("quiet:a", recoverable=True)
    await client.events.next("subscribed")
    for round_number in range(3):
        await server.node.publish("quiet:a", round_number)
        proxy.is_open = False
        proxy.cut()
        await eventually(lambda: not server.node.sessions, "the cut is seen")
        for _ in range(10):
            await server.node.publish("quiet:a", round_number)
        proxy.is_open = True
        resubscribed = await client.events.next("subscribed", timeout=15)
        assert (resubscribed["wasRecovering"], resubscribed["recovered"]) == (True, True)
    received = await publications(client, "quiet:a", 33)
    assert [each["offset"] for each in received] == list(range(1, 34))
    await server.node.publish("quiet:a", "the end")
    (last,) = await publications(client, "quiet:a", 1)
    assert (last["offset"], as_value(last["data"])) == (34, "the end")


async def test_what_history_no_longer_has_is_said(server: Server, dial: Dial, proxy: CuttingProxy) -> None:
    client = dial(address=proxy.address)
    client.subscribe("short:a", recoverable=True)
    await client.events.next("subscribed")
    await server.node.publish("short:a", 0)
    await publications(client, "short:a", 1)
    proxy.is_open = False
    proxy.cut()
    await eventually(lambda: not server.node.sessions, "the cut is seen")
    for n in range(20):
        await server.node.publish("short:a", n)
    proxy.is_open = True
    resubscribed = await client.events.next("subscribed", timeout=15)
    assert (resubscribed["wasRecovering"], resubscribed["recovered"]) == (True, False)
