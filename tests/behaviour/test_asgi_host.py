"""The ASGI host under a real server where it differs from the native one: backpressure, and a peer that vanishes."""

import asyncio
import json

import pytest
from node_under_test import OPEN, eventually, running
from websockets.asyncio.client import connect

from wirehop.testing import http

pytestmark = pytest.mark.asyncio
LARGE = "x" * 10_000


async def test_a_peer_that_does_not_read_gets_everything_later_and_holds_up_nobody() -> None:
    async with running(host_name="asgi", namespaces={"": OPEN}) as server:
        target = "/channels/a"
        slow = http.Blocks(await server.open("GET", target, headers=[("Accept", "text/event-stream")]))
        quick = http.Blocks(await server.open("GET", target, headers=[("Accept", "text/event-stream")]))
        for stream in (slow, quick):
            await stream.next()
            await stream.next()
        transport = slow.response.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        for n in range(1500):
            await server.node.publish("a", [n, LARGE])
            assert json.loads(dict(await quick.next())["data"])[0] == n
        await eventually(lambda: server.node.metrics.paused["events"] == 1, "the slow wire's pause")
        transport.resume_reading()
        for n in range(1500):
            assert json.loads(dict(await slow.next())["data"])[0] == n
        assert not server.host.counters
        await slow.response.close()
        await quick.response.close()
        await eventually(lambda: not server.host.connections, "the end of both")


async def test_a_websocket_that_does_not_read_gets_everything_later() -> None:
    async with running(host_name="asgi", namespaces={"": OPEN}) as server:
        url = f"ws://127.0.0.1:{server.port}/channels/a?format=json"
        async with connect(url, proxy=None, compression=None, max_queue=None, ping_interval=None) as slow:
            await slow.recv()  # the cursor
            slow.transport.pause_reading()
            for n in range(1500):
                await server.node.publish("a", [n, LARGE])
                await asyncio.sleep(0)
            await eventually(lambda: server.node.metrics.paused["socket"] >= 1, "the slow wire's pause")
            slow.transport.resume_reading()
            for n in range(1500):
                assert json.loads(await asyncio.wait_for(slow.recv(), 5))["data"][0] == n
            assert not server.host.counters


async def test_a_peer_that_is_cut_is_noticed_on_every_wire() -> None:
    async with running(host_name="asgi") as server:
        stream = await server.events("/channels/a")
        poll = await asyncio.open_connection("127.0.0.1", server.port)
        poll[1].write(b"GET /channels/a?wait=20s&cursor=x:1 HTTP/1.1\r\nHost: a\r\n\r\n")
        socket = await connect(f"ws://127.0.0.1:{server.port}/channels/a", proxy=None)
        await eventually(lambda: server.host.connections >= 2, "the wires")
        socket.transport.abort()
        poll[1].transport.abort()
        stream.response.cut()
        await eventually(lambda: not server.host.connections and not server.leftovers(), "their end")
        await socket.close()
        await stream.response.close()
