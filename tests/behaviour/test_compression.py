"""WebSockets with permessage-deflate beside others without: everybody gets the same, and each publication is compressed
once."""

import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import websockets
from node_under_test import Server, running

from wirehop.hosts.native import HostOptions

CHANNEL = "quiet:many"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with running(options=HostOptions(compression=True)) as server:
        yield server


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item for each time that the server compressed: its window is none that the clients use."""
    made: list[int] = []

    def make(*args: Any, real: Any = zlib.compressobj, **named: Any) -> Any:
        if args[2:3] == (-12,):
            made.append(args[2])
        return real(*args, **named)

    monkeypatch.setattr(zlib, "compressobj", make)
    return made


async def session(server: Server, compression: str | None) -> websockets.ClientConnection:
    url = f"ws://127.0.0.1:{server.port}/connection/websocket"
    client = await websockets.connect(url, compression=compression)
    await client.send('{"id":1,"connect":{}}')
    await client.send(json.dumps({"id": 2, "subscribe": {"channel": CHANNEL}}))
    found: dict[int, Any] = {}
    while 2 not in found:
        found |= {reply["id"]: reply for reply in map(json.loads, str(await client.recv()).split("\n"))}
    return client


@pytest.mark.asyncio
async def test_sessions_with_and_without_it_receive_the_same(server: Server, compressions: list[int]) -> None:
    clients = [await session(server, "deflate") for _ in range(3)] + [await session(server, None)]
    assert [bool(client.protocol.extensions) for client in clients] == [True, True, True, False]
    small, large = {"n": 1}, {"words": ["again and again"] * 50}
    for data in (small, large, small, large):
        await server.node.publish(CHANNEL, data)
    for client in clients:
        got = [json.loads(await client.recv()) for _ in range(4)]
        assert [push["push"]["pub"]["data"] for push in got] == [small, large, small, large]
        assert [push["push"]["pub"]["offset"] for push in got] == [1, 2, 3, 4]
    assert len(compressions) == 2, "once for each large publication, whoever receives it"
    for client in clients:
        await client.close()


@pytest.mark.asyncio
async def test_a_compressed_command_is_run_and_a_large_reply_comes_compressed(
    server: Server, compressions: list[int]
) -> None:
    client = await session(server, "deflate")
    data = ["some words"] * 200
    await client.send(json.dumps({"id": 3, "publish": {"channel": CHANNEL, "data": data}}))
    await client.send(json.dumps({"id": 4, "history": {"channel": CHANNEL, "limit": -1}}))
    replies = [json.loads(await client.recv()) for _ in range(3)]
    by_id = {reply.get("id", 0): reply for reply in replies}
    assert by_id[0]["push"]["pub"]["data"] == by_id[4]["history"]["publications"][0]["data"] == data
    assert "publish" in by_id[3]
    assert len(compressions) == 2, "the push and the history"
    await client.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(("form", "payload"), [("raw", b"text again " * 90), ("json", b'["again and again"]')])
async def test_a_channels_own_websocket_is_compressed_as_well(server: Server, form: str, payload: bytes) -> None:
    url = f"ws://127.0.0.1:{server.port}/channels/{CHANNEL}?format={form}"
    async with websockets.connect(url, compression="deflate") as client:
        assert client.protocol.extensions
        if form == "json":
            await client.recv()
        await client.send(json.dumps({"long": "and long, " * 100}))
        got = json.loads(await client.recv())
        assert (got if form == "raw" else got["data"]) == {"long": "and long, " * 100}
        if form == "raw":
            await client.send(bytes(1000))
            assert await client.recv() == bytes(1000)
