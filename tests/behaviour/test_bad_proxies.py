"""The six bad proxies in front of a real server: what each does to a stream, a WebSocket, a connection that idles."""

import asyncio
import random
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from node_under_test import Server, running

from wirehop.checker import faults
from wirehop.checker.proxy import ImpairingProxy
from wirehop.client import Client
from wirehop.testing import http

pytestmark = pytest.mark.asyncio
ACCEPT = ("Accept", "text/event-stream")
UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))  # fmt: skip


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Server]:
    async with running() as server, asyncio.timeout(30):
        yield server


@pytest_asyncio.fixture
async def proxy(node: Server) -> AsyncIterator[ImpairingProxy]:
    async with ImpairingProxy("127.0.0.1", node.port) as proxy:
        yield proxy


async def test_a_stream_without_a_bad_proxy_is_there_at_once(node: Server, proxy: ImpairingProxy) -> None:
    response = await http.open_response(proxy.port, "GET", "/channels/room", headers=[ACCEPT])
    await node.node.publish("room", "hello")
    while b"hello" not in await response.read():
        pass
    await response.close()


async def test_a_buffering_proxy_holds_events_until_some_seconds_are_over(node: Server, proxy: ImpairingProxy) -> None:
    await proxy.set(faults.BufferStreams(32, seconds=0.6))
    opening = asyncio.create_task(http.open_response(proxy.port, "GET", "/channels/room", headers=[ACCEPT]))
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not opening.done():
        await node.node.publish("room", "hello")
        await asyncio.sleep(0.02)
    response = await opening
    data = b""
    while b"hello" not in data:
        data += await response.read()
    assert loop.time() - began > 0.5
    assert proxy.counts["buffering proxy"] == 1
    await response.close()


async def test_an_idle_connection_is_cut_and_a_busy_one_is_not(node: Server, proxy: ImpairingProxy) -> None:
    await proxy.set(faults.CutIdle(0.6))
    idle = await http.open_response(proxy.port, "GET", "/channels/quiet:idle", headers=[ACCEPT])
    busy = await http.open_response(proxy.port, "GET", "/channels/quiet:busy", headers=[ACCEPT])
    cut = asyncio.create_task(idle.body(20))
    while not cut.done():
        await node.node.publish("quiet:busy", "tick")
        await asyncio.sleep(0.05)
    assert isinstance(cut.exception(), asyncio.IncompleteReadError)  # without the last chunk
    while b"tick" not in await busy.read():
        pass
    assert proxy.counts == {"idle connection cut": 1}
    await idle.close()
    await busy.close()


async def test_an_upgrade_that_is_stripped_is_no_upgrade_for_the_server(node: Server, proxy: ImpairingProxy) -> None:
    await proxy.set(faults.StripUpgrade())
    answer = await http.request(proxy.port, "GET", "/connection/websocket", headers=UPGRADE)
    assert 400 <= answer.status < 500
    async with Client(proxy.url) as client:  # which finds another wire
        assert client.wire != "websocket"
        await client.publish("room", 1)
    assert proxy.counts["upgrade stripped"] >= 2


async def test_events_that_are_compressed_stay_in_the_compressor(node: Server, proxy: ImpairingProxy) -> None:
    await proxy.set(faults.GzipStreams())
    gzip = ("Accept-Encoding", "gzip, br")
    response = await http.open_response(proxy.port, "GET", "/channels/room", headers=[ACCEPT, gzip])
    assert response.header("content-encoding") == "gzip"
    plain = await http.open_response(proxy.port, "GET", "/channels/room", headers=[ACCEPT])
    assert plain.header("content-encoding") == ""
    came = 0
    reading = zlib.decompressobj(wbits=31)
    await node.node.publish("room", "hello")
    while b"hello" not in await plain.read():
        pass
    while True:  # nothing but gzip's head, as long as one waits
        try:
            came += len(reading.decompress(await response.read(0.15)))
        except TimeoutError:
            break
    assert came == 0
    chance = random.Random(1)
    for _ in range(1_200):  # until a block is full
        await node.node.publish("room", chance.randbytes(40).hex())
    text = b""
    while b"hello" not in text:
        text += reading.decompress(await response.read())
    await plain.close()
    await response.close()


async def test_an_inspecting_proxy_blocks_upgrades_and_tls_and_rewrites_the_rest(
    node: Server, proxy: ImpairingProxy
) -> None:
    await proxy.set(faults.Inspect())
    assert (await http.request(proxy.port, "GET", "/connection/websocket", headers=UPGRADE)).status == 403
    assert (await http.request(proxy.port, "GET", "/health")).status == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"\x16\x03\x01\x00\x05hello")
    assert (await reader.read(7))[:2] == b"\x15\x03"
    writer.close()
    async with Client(proxy.url) as client:
        assert client.wire in ("stream", "sse")
