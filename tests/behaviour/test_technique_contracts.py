"""What the comparison says of techniques, held by the running server: direction, port, caches, stickiness."""

import asyncio
import json
from collections.abc import Callable

import pytest
from node_under_test import Server, eventually
from websockets.asyncio.client import connect

from wirehop.testing import http
from wirehop.testing.wires import WIRES, Conversation

pytestmark = pytest.mark.asyncio
TECHNIQUES = [name for name in WIRES if not name.endswith("-protobuf")]
EACH = pytest.mark.parametrize("wire_name", TECHNIQUES)
PATIENCE = 20.0


@EACH
async def test_messages_go_each_way(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="both", timeout=PATIENCE)
    reply = await wire.request("publish", channel="both", data="up", timeout=PATIENCE)
    assert "error" not in reply
    await server.node.publish("both", "down")
    publications = await wire.publications(2, channel="both", timeout=PATIENCE)
    assert [each["data"] for each in publications] == ["up", "down"]


async def test_a_bare_event_stream_only_comes_down(server: Server) -> None:
    stream = await server.events("/channels/news")
    await stream.next()
    await stream.next()
    body = b'"up"'
    lines = [
        "POST /channels/news HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    stream.response.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
    await server.node.publish("news", "down")
    assert ("data", '"down"') in await stream.next()
    page = (await server.request("GET", "/channels/news")).json()
    assert [each["data"] for each in page["publications"]] == ["down"]
    await stream.response.close()


@EACH
async def test_every_wire_is_served_by_one_port_in_plain_http(
    server: Server, dial: Callable[..., Conversation], wire_name: str
) -> None:
    wire = dial(wire_name)
    assert "connect" in await wire.connect()
    health = await server.request("GET", "/health")  # of the same port, without TLS
    assert health.status == 200


async def test_a_websocket_is_one_connection(server: Server) -> None:
    accepted = []
    to_server = await asyncio.start_server(lambda *ends: _pass_on(server.port, accepted, *ends), "127.0.0.1", 0)
    port = to_server.sockets[0].getsockname()[1]
    async with connect(f"ws://127.0.0.1:{port}/channels/news", compression=None, proxy=None) as socket:
        for number in range(20):
            await socket.send(json.dumps(number))
            assert json.loads(await asyncio.wait_for(socket.recv(), PATIENCE)) == number
    to_server.close()
    assert len(accepted) == 1
    await asyncio.gather(*accepted[0])


async def _pass_on(
    port: int, accepted: list[list[asyncio.Task[None]]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
    ways = [_copy(reader, their_writer), _copy(their_reader, writer)]
    accepted.append([asyncio.ensure_future(way) for way in ways])


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65_536):
        target.write(piece)
    target.close()


async def test_polls_of_a_channel_need_nothing_but_their_cursor(server: Server) -> None:
    """Each on a connection of its own, and between them the server keeps nothing."""
    cursor = (await server.request("GET", "/channels/news?wait=0")).json()["cursor"]
    seen = []
    for number in range(5):
        await server.node.publish("news", number)
        answer = (await server.request("GET", f"/channels/news?wait=5s&cursor={cursor}")).json()
        cursor = answer["cursor"]
        seen += [each["data"] for each in answer["publications"]]
        await eventually(lambda: server.leftovers() == {}, "an empty server")
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("server", [{}], indirect=True)
async def test_what_caches_may_keep(server: Server) -> None:
    position = await server.node.publish("news", 1)
    cursor = f"{position.epoch}:{position.offset}"

    async def caching(target: str, **options: object) -> tuple[str, bool]:
        answer = await server.open("GET", target, **options)
        said = answer.header("cache-control"), bool(answer.header("etag"))
        await answer.close()
        return said

    assert await caching(f"/channels/news?wait=0&cursor={cursor}") == ("no-cache", True)
    assert (await caching("/channels/news?wait=5s"))[0] == "no-store"
    assert (await caching("/channels/news?wait=0&callback=take"))[0] == "no-store"
    events = await server.events("/channels/news")
    assert "no-cache" in events.response.header("cache-control")
    await events.response.close()
    body = json.dumps({"id": 1, "connect": {}}).encode()
    stream = await server.open("POST", "/connection/http_stream", body=body)
    assert stream.header("cache-control") == "no-cache, no-transform"
    await stream.close()
    upgrade = await server.open("GET", "/channels/news", headers=_upgrade())
    assert (upgrade.status, upgrade.header("cache-control")) == (101, "")
    await upgrade.close()
    tag = (await server.request("GET", f"/channels/news?wait=0&cursor={cursor}")).header("etag")
    again = await server.request("GET", f"/channels/news?wait=0&cursor={cursor}", headers=[("If-None-Match", tag)])
    assert (again.status, again.body) == (304, b"")


def _upgrade() -> http.Headers:
    return [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]


async def test_a_line_of_http_is_enough(server: Server) -> None:
    """What curl would send: no head but that of the request."""
    cursor = (await server.request("GET", "/channels/news?wait=0")).json()["cursor"]
    await server.node.publish("news", {"plain": True})
    answer = await server.request("GET", f"/channels/news?wait=5s&cursor={cursor}")
    assert answer.header("content-type") == "application/json"
    assert answer.json()["publications"][0]["data"] == {"plain": True}
