"""The small HTTP client: answers of every form, connections kept and replaced, and every bound."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from wirehop.auth.http import HttpClient, HttpFailed

pytestmark = pytest.mark.asyncio
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """What a test's server saw."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""


@asynccontextmanager
async def serving(answer: Callable[[int], bytes | None], *, closes: bool = False) -> AsyncIterator[Peer]:
    """Answers the nth request (from 1) with `answer(n)`; None: not at all."""
    peer = Peer()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(n.split(b":")[1]) for n in head.split(b"\r\n") if n.startswith(b"Content-Length")), 0
                )
                peer.requests.append(head + await reader.readexactly(length))
                given = answer(len(peer.requests))
                if given is None:
                    await reader.read()
                    return
                writer.write(given)
                if closes:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def client(peer: Peer, path: str = "/", *, max_bytes: int = 1000, timeout: float = 2.0) -> HttpClient:
    return HttpClient(peer.url + path, max_bytes=max_bytes, timeout=timeout)


async def test_a_request_is_sent_as_asked_on_a_connection_that_is_kept() -> None:
    async with serving(lambda _n: OK) as peer:
        http = client(peer, "/ask?x=1")
        for _ in range(3):
            answer = await http.request("POST", [("X-A", "b")], b"body")
            assert (answer.status, answer.body) == (200, b"ok")
        http.close()
        assert peer.connections == 1
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /ask?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert b"\r\nX-A: b" in head
        assert body == b"body"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", b"ok!"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
async def test_every_form_of_body(raw: bytes, body: bytes) -> None:
    async with serving(lambda _n: raw, closes=b"close" in raw) as peer:
        http = client(peer)
        assert (await http.request("GET")).body == body
        http.close()


async def test_a_kept_connection_that_was_closed_is_replaced_once() -> None:
    async with serving(lambda _n: OK, closes=True) as peer:
        http = client(peer)
        for _ in range(3):
            assert (await http.request("GET")).status == 200
        http.close()
        assert peer.connections == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200",
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(101)) + b"\r\n",
    ],
    ids=lambda raw: repr(raw[:50]),
)
async def test_what_is_no_whole_answer_within_bounds_is_a_failure(raw: bytes) -> None:
    async with serving(lambda _n: raw, closes=True) as peer:
        http = client(peer)
        with pytest.raises(HttpFailed):
            await http.request("GET")
        http.close()


async def test_the_time_is_that_of_the_whole_exchange() -> None:
    async with serving(lambda _n: None) as peer:
        http = client(peer, timeout=0.05)
        with pytest.raises(HttpFailed, match=r"no answer within 0\.05 s"):
            await http.request("GET")
        http.close()


async def test_nobody_there_is_a_failure() -> None:
    async with serving(lambda _n: OK) as peer:
        http = client(peer)
    with pytest.raises(HttpFailed, match="the connection failed"):
        await http.request("GET")


async def test_an_answer_too_much_makes_the_connection_unusable() -> None:
    """What follows the answer unasked must not be taken for the next one's."""
    async with serving(lambda n: OK + OK.replace(b"ok", b"no") if n == 1 else OK) as peer:
        http = client(peer)
        assert [(await http.request("GET")).body for _ in range(3)] == [b"ok", b"ok", b"ok"]
        http.close()
        assert peer.connections == 2
