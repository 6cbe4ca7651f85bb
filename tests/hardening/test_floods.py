"""Floods and slow attacks, many at once: others are served, memory is bounded, and who is refused is told by name."""

import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from measured import Measured, measured
from native_harness import allow_open_files, client_frame, read_until, server_frame
from visitors import POST, SOCKET, command, frames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
QUICK = {
    "host": {"header_seconds": 6.0, "body_seconds": 6.0, "linger_seconds": 0.2, "close_seconds": 0.5},
    "limits": {"connect_timeout": 6.0},
    "heartbeat": {"interval": 1.0},
}


def dial(server: Measured, data: bytes = b"", *, receive_buffer: int = 0) -> socket.socket:
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", server.port))
    sock.sendall(data)
    return sock


def session(server: Measured, *channels: str, receive_buffer: int = 0) -> socket.socket:
    """A WebSocket with a session, subscribed."""
    sock = dial(server, SOCKET, receive_buffer=receive_buffer)
    assert b" 101 " in read_until(sock, b"\r\n\r\n")
    sock.sendall(command(1, "connect"))
    for number, channel in enumerate(channels):
        sock.sendall(command(number + 2, "subscribe", channel=channel))
    awaited = b'"subscribe":{' if channels else b'"connect":{'
    while awaited not in server_frame(sock)[1]:
        pass
    return sock


@contextlib.contextmanager
def crowd(server: Measured, size: int, make: Callable[[int], socket.socket]) -> Iterator[list[socket.socket]]:
    allow_open_files(4 * size + 200)
    socks: list[socket.socket] = []
    try:
        socks.extend(make(number) for number in range(size))
        yield socks
    finally:
        for sock in socks:
            sock.close()


def is_served(server: Measured) -> float:
    """Seconds that a publication, a history and a session take."""
    began = time.monotonic()
    with dial(server, POST % 5 + b"hello") as sock:
        read_until(sock, b"201 Created")
    with session(server, "a"):
        return time.monotonic() - began


def everything(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(262_144):
            data += more
    return data


# ---- slow-loris ------------------------------------------------------------------------------------------------------

HALVES = {
    "head": b"GET /channels/a HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "body": POST % 50_000 + b"x" * 1000,
    "chunk": POST.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked") + b"ffff\r\n" + b"x" * 1000,
    "frame": SOCKET + client_frame(b"x" * 60_000)[:1000],
    "message": SOCKET + client_frame(b"x" * 1000, fin=False),
    "nothing": b"",
}


def test_six_hundred_slow_clients_of_six_kinds_are_dropped_and_the_others_served() -> None:
    with measured(**QUICK) as server:
        is_served(server)
        before = server.at_rest()
        kinds = list(HALVES)
        with crowd(server, 600, lambda number: dial(server, HALVES[kinds[number % 6]])) as socks:
            until = time.monotonic() + 4.0
            while (during := server.measure())["open"] < 600:
                assert time.monotonic() < until, "not accepted, or dropped too early"
            assert during["rss"] - before["rss"] < 600 * 16_000
            assert is_served(server) < 2.0
            until = time.monotonic() + 0.7
            while time.monotonic() < until:  # a byte now and then wins nobody more time
                for sock in socks[::6]:
                    with contextlib.suppress(OSError):
                        sock.send(b"y")
                time.sleep(0.1)
            answers = [everything(sock) for sock in socks]
            assert is_served(server) < 2.0
        after = server.at_rest()
    by_kind = {kind: answers[index::6] for index, kind in enumerate(kinds)}
    for kind in ("head", "body", "chunk"):
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in by_kind[kind]), kind
    for kind in ("frame", "message"):
        assert all(answer.partition(b"\r\n\r\n")[2][:4] == b"\x88" + answer.partition(b"\r\n\r\n")[2][1:2] + b"\x0d\xae"
                   for answer in by_kind[kind]), "3502: no connect command in time"  # fmt: skip
    assert set(by_kind["nothing"]) == {b""}
    assert after["counters"] == {"http.header_timeout": 200, "http.body_timeout": 200}
    assert after["rss"] - before["rss"] < 4_000_000


# ---- floods ----------------------------------------------------------------------------------------------------------


def test_connections_over_the_limit_are_503_and_those_that_are_in_stay() -> None:
    with measured(host={"max_connections": 50, "linger_seconds": 0.2}) as server:
        with session(server, "a") as inside, crowd(server, 400, lambda _: dial(server)) as socks:
            refused = 0
            for sock in socks[49:]:
                assert everything(sock).startswith(b"HTTP/1.1 503 ")
                refused += 1
            inside.sendall(command(9, "publish", channel="a", data="still here"))
            while b"still here" not in server_frame(inside)[1]:
                pass
            said = server.measure()
            assert said["counters"] == {"http.too_many_connections": refused} == {"http.too_many_connections": 351}
        server.at_rest()
        is_served(server)


def test_sessions_over_the_limit_are_3504() -> None:
    with measured(limits={"sessions": 10}) as server:
        with crowd(server, 10, lambda _: session(server)), dial(server, SOCKET + command(1, "connect")) as sock:
            data = everything(sock).partition(b"\r\n\r\n")[2]
            assert (8, (3504).to_bytes(2, "big")) in [(opcode, body[:2]) for opcode, body in frames(data)]
        server.at_rest()
        is_served(server)


def fill(server: Measured, count: int, size: int) -> None:
    """History to ask for."""
    for _ in range(count):
        with dial(server, POST % size + b"x" * size) as sock:
            read_until(sock, b"201 Created")


def test_a_flood_of_commands_whose_replies_nobody_reads_ends_as_slow() -> None:
    with measured() as server:
        fill(server, 50, 2000)
        burst = b"".join(command(number, "history", channel="a", limit=50) for number in range(10, 110))
        with session(server, receive_buffer=4096) as sock:
            sock.settimeout(2)
            with contextlib.suppress(OSError):
                for _ in range(100):
                    sock.sendall(burst)
            assert is_served(server) < 4.0
            sock.settimeout(10)
            everything(sock)
        after = server.at_rest()
        assert after["closed"]["websocket 3008"] == 1, after["closed"]


def test_one_small_message_costs_no_hundred_megabytes() -> None:
    """256 commands for 50 publications of 10 kB each, in one message of 14 kB, from who does not read."""
    with measured() as server:
        fill(server, 50, 10_000)
        before = server.measure()
        lines = [f'{{"id":{number},"history":{{"channel":"a","limit":50}}}}' for number in range(10, 266)]
        with session(server, receive_buffer=4096) as sock:
            sock.sendall(client_frame("\n".join(lines).encode()))
            grown = 0
            until = time.monotonic() + 3.0
            while time.monotonic() < until and grown < 30_000_000:
                grown = max(grown, server.measure()["rss"] - before["rss"])
            assert grown < 30_000_000


def test_a_flood_of_commands_is_answered_and_leaves_nothing() -> None:
    with measured() as server:
        is_served(server)
        before = server.at_rest()
        with session(server) as sock:
            for _ in range(20):
                sock.sendall(b"".join(command(number, "ping") for number in range(10, 1010)))
                answered = 0
                while answered < 1000:
                    answered += server_frame(sock)[1].count(b'"ping"')
            assert is_served(server) < 2.0
        after = server.at_rest()
        assert after["objects"] - before["objects"] < 300
        assert after["errors"] == 0


def test_a_flood_of_pings_is_answered_or_skipped_and_costs_nothing() -> None:
    with measured() as server:
        is_served(server)
        before = server.at_rest()
        with session(server, receive_buffer=4096) as sock:
            sock.settimeout(2)
            with contextlib.suppress(TimeoutError):
                for _ in range(60):
                    sock.sendall(client_frame(b"x" * 100, 9) * 1000)
            during = server.measure()
            assert during["rss"] - before["rss"] < 4_000_000
            assert is_served(server) < 2.0
        server.at_rest()


def test_a_flood_of_publications_to_who_does_not_read_is_bounded_and_the_reader_loses_nothing() -> None:
    """Ten subscribers never read; what is kept is the history, and a high-water mark for each of them."""
    payload = "x" * 8000
    count = 1500
    with measured(namespace={"history_size": 300}) as server:
        is_served(server)
        before = server.at_rest()
        deaf = crowd(server, 10, lambda _: session(server, "flood", receive_buffer=4096))
        with deaf, session(server, "flood") as reader, dial(server) as publisher:
            got = b""
            for number in range(count):
                body = f"{number}:{payload}".encode()
                publisher.sendall((POST % len(body)).replace(b"/a ", b"/flood ") + body)
                read_until(publisher, b"}")
                got += reader.recv(1 << 20)
            while len(got) < count * (len(payload) + 60):
                got += reader.recv(1 << 20)
            pushes = [body for _, body in frames(got) if b'"pub"' in body]
            numbers = [int(body.partition(b'"data":"')[2].partition(b":")[0]) for body in pushes]
            assert numbers == list(range(count))
            during = server.measure()
            assert during["rss"] - before["rss"] < 300 * (len(payload) * 3 + 1000) + 11 * 400_000
            assert is_served(server) < 2.0
        server.at_rest()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (command(5, "publish", channel="a", data="x" * 900), b'"code":106'),
        (command(5, "publish", channel="x" * 300, data=1), b'"code":107'),
        (client_frame(b"x" * 70_000, 2), b"\x03\xf1"),
        (command(5, "connect"), b"\x0d\xad"),
    ],
)
def test_what_is_over_a_limit_is_answered_by_its_code(data: bytes, words: bytes) -> None:
    with measured(namespace={"publication_bytes": 500}) as server, session(server) as sock:
        sock.sendall(data)
        assert words in read_until_any(sock, words)


def read_until_any(sock: socket.socket, words: bytes) -> bytes:
    data = b""
    while words not in data:
        more = sock.recv(65_536)
        if not more:
            break
        data += more
    return data
