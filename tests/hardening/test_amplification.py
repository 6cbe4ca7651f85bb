"""Small commands with large replies, many at once, from who reads and from who does not: what waits for a wire is
bounded at every moment, and who reads loses nothing."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs
from native_harness import LOOPS, client_frame
from node_under_test import OPEN, Server, eventually, running
from visitors import SOCKET, frames

from wirehop.hosts.asgi.outflow import Outflow
from wirehop.hosts.native import HostOptions, flow
from wirehop.hosts.native.context import HostContext

COUNT = 1000
TEXT = [("Content-Type", "text/plain")]
HIGH = HostOptions().write_high_water
REPLY = 62_000  # bytes, about: 6 publications of 10 kB
Story = Callable[[Server, "Peak"], Awaitable[None]]


class Peak:
    """The most bytes that ever waited for a wire, seen after every single write."""

    def __init__(self) -> None:
        self.bytes = 0

    def saw(self, size: int) -> None:
        self.bytes = max(self.bytes, size)


class Metered:
    """An `abc.Out` that looks at its transport's buffer."""

    def __init__(self, transport: asyncio.Transport, peak: Peak) -> None:
        self._transport = transport
        self._peak = peak

    def write(self, data: bytes) -> None:
        self._transport.write(data)
        self._peak.saw(self._transport.get_write_buffer_size())


@pytest.fixture
def peak(monkeypatch: pytest.MonkeyPatch) -> Peak:
    found = Peak()
    monkeypatch.setattr(HostContext, "out", lambda _self, transport: Metered(transport, found))
    write = Outflow.write

    def metered(outflow: Outflow, data: bytes) -> None:
        write(outflow, data)
        found.saw(outflow.size)

    monkeypatch.setattr(Outflow, "write", metered)
    return found


def play(loop_name: str, story: Story, peak: Peak, *, host: str = "native") -> None:
    async def run() -> None:
        namespaces = {"": structs.replace(OPEN, presence=False, join_leave=False)}
        async with asyncio.timeout(60), running(host_name=host, namespaces=namespaces) as server:
            for _ in range(6):
                answer = await server.request("POST", "/channels/a", body=b"x" * 10_000, headers=TEXT)
                assert answer.status == 201
            await story(server, peak)

    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        runner.run(run())


def history(number: int) -> bytes:
    return json.dumps({"id": number, "history": {"channel": "a", "limit": 6}}, separators=(",", ":")).encode()


async def connected(server: Server, *, receive_buffer: int = 0) -> socket.socket:
    """A session on a plain socket."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", server.port))
    for question, awaited in ((SOCKET, b" 101 "), (client_frame(b'{"id":1,"connect":{}}'), b'"connect":{')):
        await loop.sock_sendall(sock, question)  # not both at once: not every server takes frames before its answer
        assert awaited in await loop.sock_recv(sock, 65_536)
    return sock


COMMANDS = b"".join(client_frame(history(number)) for number in range(2, COUNT + 2))
ON_EACH = pytest.mark.parametrize(
    ("loop_name", "host"), [("asyncio", "native"), ("uvloop", "native"), ("asyncio", "asgi")]
)


@ON_EACH
def test_who_reads_gets_every_reply_in_order(loop_name: str, host: str, peak: Peak) -> None:
    async def story(server: Server, peak: Peak) -> None:
        loop = asyncio.get_running_loop()
        with await connected(server) as sock:
            await loop.sock_sendall(sock, COMMANDS)
            data = bytearray()
            while (
                len(data) < COUNT * REPLY * 0.95
                or not data.endswith(b"}")
                or b'{"id":%d,' % (COUNT + 1) not in data[-2 * REPLY :]
            ):
                more = await loop.sock_recv(sock, 1 << 20)
                assert more, f"closed after {len(data)} bytes: {data[-200:]!r}"
                data += more
        replies = [body for _, body in frames(bytes(data))]
        assert [int(body[6 : body.index(b",")]) for body in replies] == list(range(2, COUNT + 2))
        assert {len(body) for body in replies} <= set(range(60_000, REPLY))
        assert server.node.metrics.dropped.total() == 0

    play(loop_name, story, peak, host=host)
    assert 0 < peak.bytes <= HIGH + REPLY


@ON_EACH
def test_who_does_not_read_ends_as_slow_and_costs_little(
    loop_name: str, host: str, peak: Peak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "STALL_SECONDS", 0.1)

    async def story(server: Server, peak: Peak) -> None:
        with await connected(server, receive_buffer=4096) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, COMMANDS)
            await eventually(lambda: server.node.metrics.closed["websocket", 3008] == 1)

    play(loop_name, story, peak, host=host)
    assert HIGH < peak.bytes <= HIGH + REPLY + 65_536


@pytest.mark.parametrize("loop_name", LOOPS)
def test_who_goes_while_it_is_held_is_let_go(loop_name: str, peak: Peak) -> None:
    async def story(server: Server, peak: Peak) -> None:
        sock = await connected(server, receive_buffer=4096)
        await asyncio.get_running_loop().sock_sendall(sock, COMMANDS)
        await eventually(lambda: peak.bytes > HIGH)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        await eventually(lambda: server.host.connections == 0)
        await eventually(lambda: not server.leftovers())

    play(loop_name, story, peak)


@pytest.mark.parametrize("loop_name", LOOPS)
def test_many_posts_in_one_read_cost_no_more_than_one_of_them(loop_name: str, peak: Peak) -> None:
    posts, each = 19, 256

    def post(path: str, body: bytes) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def story(server: Server, peak: Peak) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as stream, socket.socket() as commands:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for sock in (stream, commands):
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", server.port))
            await loop.sock_sendall(stream, post("/connection/http_stream", b'{"id":1,"connect":{}}'))
            said = b""
            while b'"session":"' not in said:
                said += await loop.sock_recv(stream, 65_536)
            secret = said.split(b'"session":"')[1].split(b'"')[0].decode()
            bodies = [
                b"\n".join(history(2 + first + number) for number in range(each))
                for first in range(0, posts * each, each)
            ]
            asked = [json.dumps({"session": secret, "data": body.decode()}).encode() for body in bodies]
            await loop.sock_sendall(commands, b"".join(post("/emulation", body) for body in asked))
            await eventually(lambda: server.node.metrics.closed["stream", 3008] == 1)

    play(loop_name, story, peak)
    assert HIGH < peak.bytes < (each + 20) * REPLY
