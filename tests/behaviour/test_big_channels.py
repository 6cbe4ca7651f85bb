"""A channel with many subscribers: one publication holds nobody else up, and a batch sends what writing would."""

import asyncio
import contextlib
import json
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from node_under_test import Server, eventually, running, settings

from wirehop.codecs.framing import TEXT, websocket_frame
from wirehop.core.errors import SettingsError
from wirehop.hosts.native.uring import probe
from wirehop.hosts.native.uring_batch import RingBatch, RingSender
from wirehop.hub import cohort, hub
from wirehop.node import Node
from wirehop.node.metrics import Metrics
from wirehop.running import batch_sender
from wirehop.settings.tree import Server as ServerSettings
from wirehop.testing.clock import CountingIds

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.fixture(params=LOOPS)
def play(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run to the end on one of the loops."""

    def run(scene: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[str(request.param)]) as runner:
            return runner.run(asyncio.wait_for(scene, 20))

    return run


@asynccontextmanager
async def serving(*, smallest: int | None) -> AsyncIterator[Server]:
    """With batches from so many members on, or none."""
    node = Node(settings(), ids=CountingIds("id"))
    sender = None
    if smallest is not None:
        ring = probe()
        if isinstance(ring, str):
            pytest.skip(ring)
        node.hub.sender = sender = RingSender(ring, node.metrics.errors, node.metrics.gone)
        sender.smallest = smallest
    try:
        async with running(node) as server:
            yield server
        assert node.metrics.errors == {}
    finally:
        if sender is not None:
            sender.close()


class Client:
    """A socket without an event loop's buffers in between."""

    def __init__(self, server: Server, head: str) -> None:
        self.got = b""
        self.sock = socket.create_connection(("127.0.0.1", server.port))
        self.sock.sendall(head.encode())
        self.sock.setblocking(False)

    @classmethod
    def events(cls, server: Server, channel: str) -> "Client":
        return cls(server, f"GET /channels/{channel} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")

    @classmethod
    async def session(cls, server: Server, *channels: str) -> "Client":
        """Connected and subscribed."""
        client = cls(server, f"GET /connection/websocket HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n")
        await client.until(b"\r\n\r\n")
        client.say({"id": 1, "connect": {}})
        for number, channel in enumerate(channels, 2):
            client.say({"id": number, "subscribe": {"channel": channel}})
            await client.until(b'"id":%d' % number)
        return client

    def say(self, command: dict[str, Any]) -> None:
        """Masked with zeros, as the key of a client may be."""
        frame = websocket_frame(json.dumps(command).encode(), TEXT)
        self.sock.sendall(frame[:1] + bytes([frame[1] | 0x80]) + bytes(4) + frame[2:])

    def read(self) -> bytes:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while part := self.sock.recv(65_536):
                self.got += part
        return self.got

    async def until(self, text: bytes, *, at_end: tuple[bytes, ...] = ()) -> None:
        await eventually(lambda: text in self.read() and (not at_end or self.got.endswith(at_end)), text.decode())

    def close(self) -> None:
        self.sock.close()


def test_the_replies_of_others_come_between_the_slices(
    play: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohort, "MOST", 5)
    monkeypatch.setattr(hub, "SLICE_SECONDS", 0.0)

    async def scene(smallest: int | None) -> None:
        async with serving(smallest=smallest) as server:
            other = await Client.session(server, "quiet:other")
            crowd = [Client.events(server, "quiet:big") for _ in range(100)]
            for client in crowd:
                await client.until(b"event: position")
            big = server.node.hub.channels["quiet:big"]
            other.say({"id": 77, "rpc": {"method": "none"}})
            await server.node.publish("quiet:big", "hello")
            turns = 0
            replied_after = None
            while big.is_moving:
                turns += 1
                await asyncio.sleep(0)
                if replied_after is None and b'"id":77' in other.read():
                    replied_after = sum(b"hello" in client.read() for client in crowd)
            assert turns >= 20
            assert replied_after is not None
            assert replied_after < 90
            for client in crowd:
                await client.until(b"hello")
                client.close()
            other.close()

    play(scene(None))
    play(scene(2))


def test_many_subscribers_are_sent_to_together_and_get_what_writing_gives(
    play: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: Counter[int] = Counter()
    send = RingBatch._send

    def record(batch: RingBatch, ring: Any, data: bytes) -> None:
        sizes[len(batch._members)] += 1
        send(batch, ring, data)

    monkeypatch.setattr(RingBatch, "_send", record)
    monkeypatch.setattr(hub, "SLICE_SECONDS", 60.0)  # one channel after the other, however slow this machine is

    async def scene(smallest: int | None) -> list[bytes]:
        async with serving(smallest=smallest) as server:
            streams = [Client.events(server, "quiet:a") for _ in range(10)]
            for client in streams:
                await client.until(b"event: position")
            sockets = [await Client.session(server, "quiet:a", "quiet:b") for _ in range(10)]
            for number in range(30):
                await server.node.publish("quiet:a", f"a{number}." + "x" * (number * 97 % 700))
                if number % 3 == 0:
                    await server.node.publish("quiet:b", f"b{number}")
                if number % 4 == 0:
                    await asyncio.sleep(0)
                if number == 10:
                    streams.pop().close()
                    sockets.pop().close()
            for client in (*streams, *sockets):
                await client.until(b"a29.", at_end=(b"}", b"\n\n\r\n"))
            assert server.node.hub.delivered.total() > 0
            got = [client.got for client in (*streams, *sockets)]
            for client in (*streams, *sockets):
                client.close()
            return [re.sub(rb'Date: [^\r]*|id-?\d+|"time":\d+', b"", data) for data in got]

    written = play(scene(None))
    assert sizes == {}
    sent = play(scene(5))
    assert set(sizes) >= {9, 10}, "sockets and streams, with and without those that left"
    assert sent == written


def test_own_replies_and_publications_of_one_turn_are_in_order(play: Callable[[Any], Any]) -> None:
    """Who publishes has a reply and its own publication coming, in one turn: the reply is first."""

    async def scene(smallest: int | None) -> None:
        async with serving(smallest=smallest) as server:
            clients = [await Client.session(server, "quiet:a") for _ in range(5)]
            start = [len(client.got) for client in clients]
            for number in range(10, 30):
                for client in clients:
                    client.say({"id": number, "publish": {"channel": "quiet:a", "data": number}})
                await asyncio.sleep(0)
            for client in clients:
                await client.until(b'"id":29')
                await client.until(b'"offset":100', at_end=(b"}",))
            for client, first in zip(clients, start, strict=True):
                rest = client.got[first:]
                own = re.findall(rb'"id":(\d+)', rest)
                assert own == [b"%d" % number for number in range(10, 30)]
                offsets = [int(each) for each in re.findall(rb'"offset":(\d+)', rest)]
                assert offsets == list(range(1, 101))
                for number in own:
                    assert rest.index(b'"id":' + number) < rest.rindex(b'"data":' + number)
                client.close()

    play(scene(None))
    play(scene(1))


# ---- the setting -----------------------------------------------------------------------------------------------------


def test_the_setting_says_whether_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    assert batch_sender(ServerSettings(batch_sender="off"), metrics) is None
    found = batch_sender(ServerSettings(batch_sender="on"), metrics)
    assert found is not None
    assert found.errors is metrics.errors
    assert found.gone is metrics.gone
    found.close()
    assert batch_sender(ServerSettings(certificate="x.pem"), metrics) is None
    with pytest.raises(SettingsError, match="own bytes"):
        batch_sender(ServerSettings(certificate="x.pem", batch_sender="on"), metrics)
    monkeypatch.setattr("wirehop.running.probe", lambda: "it is not there")
    assert batch_sender(ServerSettings(), metrics) is None
    with pytest.raises(SettingsError, match="it is not there"):
        batch_sender(ServerSettings(batch_sender="on"), metrics)
