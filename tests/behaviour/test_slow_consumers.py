"""A reader that does not read: nobody else waits for it, nothing piles up for it, and it gets everything or is told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest
import pytest_asyncio
from msgspec import structs
from node_under_test import NAMESPACES, OPEN, Server, eventually, running, settings

from wirehop.hosts.native import HostOptions
from wirehop.hosts.native.uring import probe
from wirehop.hosts.native.uring_batch import Outlet, RingSender
from wirehop.node import Client, Node
from wirehop.testing import http
from wirehop.testing.carriers import SseCarrier, StreamCarrier, WebSocketCarrier
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio
HIGH_WATER = 16_384
PAYLOAD = 8_000
MOST = HIGH_WATER + 65_536 + 4 * PAYLOAD
"""What may wait for one wire: until it counts as full, then one page of history, then what one turn brings."""
COUNT = 300
"""Publications of `PAYLOAD` bytes: far more than what kernels and buffers take here."""


class Reader(Protocol):
    """Somebody who reads a channel, until stopped."""

    transport_name: str

    def stall(self) -> None: ...
    def go_on(self) -> None: ...
    async def next(self) -> tuple[int, str]: ...
    async def ended(self) -> bool: ...
    async def close(self) -> None: ...


class SessionReader:
    """Over a wire of the session protocol."""

    def __init__(self, wire: Conversation) -> None:
        self.transport_name = wire.transport
        self.wire = wire

    def _transport(self) -> Any:
        carrier = self.wire.carrier
        if isinstance(carrier, WebSocketCarrier):
            assert carrier.socket is not None
            return carrier.socket.transport
        assert isinstance(carrier, SseCarrier | StreamCarrier)
        assert carrier.response is not None
        return carrier.response.transport

    def stall(self) -> None:
        self._transport().pause_reading()

    def go_on(self) -> None:
        self._transport().resume_reading()

    async def next(self) -> tuple[int, str]:
        (publication,) = await self.wire.publications(1)
        return publication.get("offset", 0), publication["data"][:8]

    async def ended(self) -> bool:
        return await self.wire.end() == 3008

    async def close(self) -> None:
        await self.wire.close()


class EventReader:
    """Over a channel's own event stream."""

    transport_name = "events"

    def __init__(self, blocks: http.Blocks) -> None:
        self.blocks = blocks

    def stall(self) -> None:
        transport: Any = self.blocks.response.transport
        transport.pause_reading()

    def go_on(self) -> None:
        transport: Any = self.blocks.response.transport
        transport.resume_reading()

    async def next(self) -> tuple[int, str]:
        block = dict(await self.blocks.next())
        return int(block.get("id", ":0").rpartition(":")[2]), json.loads(block["data"])[:8]

    async def ended(self) -> bool:
        with pytest.raises(EOFError):
            while True:
                await self.blocks.next()
        return True

    async def close(self) -> None:
        await self.blocks.response.close()


@pytest_asyncio.fixture(params=["written", "sent in batches"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """Kernel buffers of the server's side are small, so that little is hidden in them."""
    namespaces = {**NAMESPACES, "narrow": structs.replace(OPEN, history_size=20)}
    options = HostOptions(write_high_water=HIGH_WATER, write_low_water=HIGH_WATER // 4, close_seconds=0.3)
    node = Node(settings(namespaces=namespaces))
    if request.param != "written":
        ring = probe()
        if isinstance(ring, str):
            pytest.skip(ring)
        node.hub.sender = sender = RingSender(ring, node.metrics.errors, node.metrics.gone)
        sender.smallest = 1
        request.addfinalizer(sender.close)
    async with running(node, options=options) as server:
        server.host.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        yield server
    assert node.metrics.errors == {}


@pytest.fixture(params=["websocket", "websocket-protobuf", "sse", "stream", "stream-protobuf", "events"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def read(server: Server, kind: str, channel: str) -> Reader:
    if kind == "events":
        blocks = await server.events(f"/channels/{channel}")
        for _ in range(2):
            await blocks.next()
        return EventReader(blocks)
    wire = open_wire(kind, server.port)
    await wire.connect()
    await wire.request("subscribe", channel=channel)
    return SessionReader(wire)


def buffered(server: Server) -> int:
    """Bytes that wait in this process for the wire that is worst off."""
    wires: list[Any] = [driver.wire for driver in server.node.sessions.values()]
    outs = [wire.out.transport if isinstance(wire.out, Outlet) else wire.out for wire in wires]
    return max((out.get_write_buffer_size() for out in outs), default=0)


async def publish(server: Server, channel: str, *, keys: int = 0) -> int:
    """Publish `COUNT` payloads, one each turn; the most that waited for a wire meanwhile."""
    most = 0
    for n in range(COUNT):
        await server.node.publish(channel, f"{n:08}" + "x" * PAYLOAD, key=f"k{n % keys}" if keys else "")
        await asyncio.sleep(0)
        most = max(most, buffered(server))
    return most


async def test_others_are_not_delayed_and_it_gets_everything_in_order_when_it_reads_again(
    server: Server, kind: str
) -> None:
    slow, other = await read(server, kind, "quiet:a"), await read(server, kind, "quiet:a")
    slow.stall()
    most = await publish(server, "quiet:a")
    expected = [(n + 1, f"{n:08}") for n in range(COUNT)]
    assert [await other.next() for _ in range(COUNT)] == expected
    assert most < MOST
    assert server.node.metrics.paused[slow.transport_name] >= 1
    slow.go_on()
    assert [await slow.next() for _ in range(COUNT)] == expected
    assert server.node.metrics.caught_up[slow.transport_name] > 100
    await server.node.publish("quiet:a", "live" + "x" * 4)
    assert await slow.next() == (COUNT + 1, "livexxxx")
    assert f'wirehop_paused_total{{reason="{slow.transport_name}"}}' in await server.metrics()
    await slow.close()
    await other.close()


async def test_it_gets_what_is_published_while_it_catches_up_in_order(server: Server, kind: str) -> None:
    slow = await read(server, kind, "quiet:a")
    slow.stall()
    await publish(server, "quiet:a")
    slow.go_on()
    more = asyncio.create_task(publish(server, "quiet:a"))
    seen = [(await slow.next())[0] for _ in range(2 * COUNT)]
    assert seen == list(range(1, 2 * COUNT + 1))
    await more
    await slow.close()


async def test_who_needs_more_than_history_has_is_ended_with_3008(server: Server, kind: str) -> None:
    slow = await read(server, kind, "narrow:a")
    slow.stall()
    await publish(server, "narrow:a")
    slow.go_on()
    assert await slow.ended()
    await eventually(lambda: server.leftovers() == {})
    assert server.node.metrics.closed[slow.transport_name, 3008] == 1
    metrics = await server.metrics()
    assert f'wirehop_closed_total{{code="3008",transport="{slow.transport_name}"}} 1.0' in metrics
    await slow.close()


async def test_of_latest_values_it_gets_only_the_newest(server: Server, kind: str) -> None:
    slow = await read(server, kind, "latest:a")
    slow.stall()
    most = await publish(server, "latest:a", keys=3)
    assert most < MOST
    slow.go_on()
    seen: list[tuple[int, str]] = []
    while not seen or seen[-1][0] < COUNT:
        seen.append(await slow.next())
    offsets = [offset for offset, _ in seen]
    assert offsets == sorted(set(offsets))
    assert offsets[-3:] == [COUNT - 2, COUNT - 1, COUNT]
    assert len(seen) < COUNT / 2
    await slow.close()


async def test_signals_are_dropped_and_counted(server: Server, kind: str) -> None:
    slow = await read(server, kind, "signal:a")
    slow.stall()
    most = await publish(server, "signal:a")
    assert most < MOST
    dropped = server.node.metrics.dropped["signal_slow"]
    assert dropped > 100
    assert f'wirehop_dropped_total{{reason="signal_slow"}} {dropped}.0' in await server.metrics()
    slow.go_on()
    seen = [(await slow.next())[1] for _ in range(COUNT - dropped)]
    assert seen == sorted(set(seen))
    await eventually(lambda: not buffered(server))
    await server.node.publish("signal:a", "afterwards")
    assert (await slow.next())[1] == "afterwar"
    await slow.close()


async def test_every_dropped_signal_of_one_turn_is_counted(server: Server) -> None:
    slow = await read(server, "websocket", "signal:a")
    slow.stall()
    await publish(server, "signal:a")
    before = server.node.metrics.dropped["signal_slow"]
    for _ in range(10):
        await server.node.publish("signal:a", 1)
    await eventually(lambda: server.node.metrics.dropped["signal_slow"] == before + 10, "ten drops")
    await slow.close()


@pytest.mark.parametrize("kind", ["websocket", "websocket-protobuf", "sse", "stream"])
async def test_who_lets_more_replies_wait_than_the_outbox_takes_is_ended_with_3008(server: Server, kind: str) -> None:
    @server.node.rpc("big")
    async def big(_client: Client) -> str:
        return "x" * PAYLOAD

    slow = await read(server, kind, "news")
    assert isinstance(slow, SessionReader)
    slow.stall()
    for _ in range(3000):  # more than kernels may take; in time, so that it is told that it is full
        await slow.wire.send("rpc", method="big")
        await asyncio.sleep(0.002)
        if not server.node.sessions:
            break
    await eventually(lambda: server.leftovers() == {}, "the end of the session")
    assert server.node.metrics.closed[slow.transport_name, 3008] == 1
    assert server.node.metrics.dropped["outbox"] > 0
    await slow.close()


async def test_replies_that_wait_come_in_order_when_it_reads_again(server: Server) -> None:
    @server.node.rpc("echo")
    async def echo(_client: Client, n: int) -> int:
        return n

    slow = await read(server, "websocket", "quiet:a")
    assert isinstance(slow, SessionReader)
    slow.stall()
    await publish(server, "quiet:a")
    numbers = [await slow.wire.send("rpc", method="echo", data=n) for n in range(50)]
    await eventually(lambda: server.node.metrics.received["websocket"] == 52)
    slow.go_on()
    assert [(await slow.wire.reply(number))["rpc"]["data"] for number in numbers] == list(range(50))
    assert [(await slow.next())[0] for _ in range(COUNT)] == list(range(1, COUNT + 1))
    await slow.close()


async def test_a_slow_reader_of_several_channels_gets_all_of_each_in_order(server: Server) -> None:
    blocks = await server.events("/channels?name=quiet:a&name=quiet:b")
    for _ in range(2):
        await blocks.next()
    transport: Any = blocks.response.transport
    transport.pause_reading()
    for n in range(COUNT):
        await server.node.publish("quiet:a" if n % 2 else "quiet:b", f"{n:08}" + "x" * PAYLOAD)
        await asyncio.sleep(0)
    transport.resume_reading()
    seen: dict[str, list[int]] = {"quiet:a": [], "quiet:b": []}
    for _ in range(COUNT):
        item = json.loads(dict(await blocks.next())["data"])
        seen[item["channel"]].append(item["offset"])
    assert seen == {"quiet:a": list(range(1, COUNT // 2 + 1)), "quiet:b": list(range(1, COUNT // 2 + 1))}
    await blocks.response.close()


async def test_who_is_cut_while_stalled_leaves_nothing(server: Server, kind: str) -> None:
    slow = await read(server, kind, "news")
    slow.stall()
    await publish(server, "news")
    await slow.close()
    await eventually(lambda: server.leftovers() == {})
