"""How a peer shows that it lives, and how soon a dead one is noticed."""

import asyncio
import base64
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from node_under_test import Server, eventually, running

from wirehop.settings.tree import Heartbeat
from wirehop.testing.wires import open_wire

pytestmark = pytest.mark.asyncio
INTERVAL = 0.4
LATEST = 1.5 * INTERVAL + 0.4
"""One and a half heartbeats, and what the wheel and a busy machine add."""


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with running(heartbeat=Heartbeat(interval=INTERVAL)) as server:
        yield server


async def test_who_answers_pings_stays(server: Server) -> None:
    wire = open_wire("websocket", server.port)
    result = (await wire.connect())["connect"]
    assert (result["ping"], result["pong"]) == (1, True)
    await wire.wait_for_ping(3)
    assert b"{}" in wire.lines
    assert (await wire.request("ping"))["ping"] == {}
    await wire.close()


async def test_who_does_not_answer_is_closed_with_3012_and_leaves_presence(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    wire = open_wire("websocket", server.port)
    wire.answers_pings = False
    await wire.connect()
    await wire.request("subscribe", channel="news")
    started = time.monotonic()
    with caplog.at_level(logging.INFO, "wirehop.node"):
        assert await wire.end() == 3012
    assert time.monotonic() - started < LATEST
    assert await server.node.presence("news") == {}
    assert server.node.metrics.closed["websocket", 3012] == 1
    assert [record for record in caplog.records if "code=3012" in record.getMessage()]
    assert 'wirehop_closed_total{code="3012",transport="websocket"} 1.0' in await server.metrics()
    await wire.close()


async def test_any_command_counts_as_an_answer(server: Server) -> None:
    wire = open_wire("websocket", server.port)
    wire.answers_pings = False
    await wire.connect()
    for count in range(1, 5):
        await wire.wait_for_ping(count)
        await wire.request("ping")
    assert not wire.is_gone
    await wire.close()


@pytest.mark.parametrize("name", ["sse", "stream", "stream-protobuf"])
async def test_streams_of_sessions_beat_with_empty_replies_and_want_no_answer(server: Server, name: str) -> None:
    wire = open_wire(name, server.port)
    await wire.connect()
    await wire.wait_for_ping(3)
    assert wire.lines[1:] == [b"{}", b"{}", b"{}"]
    assert not wire.is_gone
    await wire.close()


async def upgraded(server: Server, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket by hand: what it is sent is seen as bytes, and nothing is answered by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def gone(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_channel_sockets_beat_with_ping_frames_and_a_pong_is_an_answer(server: Server) -> None:
    reader, writer = await upgraded(server, "/channels/news")
    for _ in range(3):
        assert await asyncio.wait_for(reader.readexactly(2), LATEST) == b"\x89\x00"
        writer.write(b"\x8a\x80\0\0\0\0")
    assert len(server.node.sessions) == 1
    await gone(writer)


async def test_channel_socket_that_does_not_answer_is_closed_with_3012(server: Server) -> None:
    started = time.monotonic()
    reader, writer = await upgraded(server, "/channels/news")
    await eventually(lambda: server.node.hub.channels)
    assert len(await server.node.presence("news")) == 1
    assert await asyncio.wait_for(reader.readexactly(2), LATEST) == b"\x89\x00"
    head = await asyncio.wait_for(reader.readexactly(4), LATEST)
    assert head[0] == 0x88
    assert int.from_bytes(head[2:], "big") == 3012
    assert time.monotonic() - started < LATEST
    assert await server.node.presence("news") == {}
    assert server.node.metrics.closed["socket", 3012] == 1
    await gone(writer)


CLIENT = """
import asyncio, sys
from websockets.asyncio.client import connect

async def main(url, is_session):
    async with connect(url, ping_interval=None, proxy=None) as socket:
        if is_session:
            await socket.send('{"id":1,"connect":{}}\\n{"id":2,"subscribe":{"channel":"news"}}')
        print("ready", flush=True)
        async for message in socket:
            for line in message.split("\\n"):
                if line == "{}":
                    await socket.send("{}")

asyncio.run(main(sys.argv[1], sys.argv[2] == "session"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
@pytest.mark.parametrize(
    ("kind", "target", "name"),
    [("session", "/connection/websocket", "websocket"), ("channel", "/channels/news", "socket")],
)
async def test_a_process_that_is_stopped_is_out_of_presence_within_one_and_a_half_heartbeats(
    server: Server, kind: str, target: str, name: str
) -> None:
    url = f"ws://127.0.0.1:{server.port}{target}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, url, kind, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 10) == b"ready\n"
        await eventually(lambda: server.node.hub.channels)
        await asyncio.sleep(2.2 * INTERVAL)  # it lives: two pings were answered
        assert len(await server.node.presence("news")) == 1
        process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        await eventually(lambda: server.leftovers() == {}, "the end of the stopped client", LATEST)
        assert time.monotonic() - started < LATEST
        assert server.node.metrics.closed[name, 3012] == 1
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]
