"""The client's HTTP, against servers that answer exactly what the test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from wirehop.client.address import Address
from wirehop.client.errors import HttpError
from wirehop.client.http import BODY_BYTES, HttpClient

SECONDS = 5.0


class Script:
    """A server that gives each request the next of `answers` (bytes, or None to drop the connection), in pieces."""

    def __init__(self, *answers: bytes | None, piece: int = 10**9, pause: float = 0.0) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._piece = piece
        self._pause = pause

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15] == b"Content-Length:"), 0)
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                for start in range(0, len(answer), self._piece):
                    writer.write(answer[start : start + self._piece])
                    await writer.drain()
                    await asyncio.sleep(self._pause)
                if b"close" in answer.lower():
                    break
        writer.close()


@contextlib.asynccontextmanager
async def talking(script: Script, *, timeout: float = SECONDS) -> AsyncIterator[HttpClient]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    http = HttpClient(Address("127.0.0.1", script.port), timeout=timeout, token="secret")
    try:
        async with asyncio.timeout(2 * SECONDS):
            yield http
    finally:
        await http.close()
        server.close()
        await server.wait_closed()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("piece", [1, 7, 10**9])
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK, 200, b"hi"),
        (CHUNKED, 200, b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, 200, b"hi"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nX: 1\r\nX: 2\r\n\r\nnone", 404, b"none"),
    ],
)
async def test_every_form_of_body_is_read_in_any_pieces(answer: bytes, status: int, body: bytes, piece: int) -> None:
    async with talking(Script(answer, piece=piece)) as http:
        response = await http.request("GET", "/a")
        assert (response.status, response.body) == (status, body)
        if status == 404:
            assert response.headers["x"] == "1, 2"


@pytest.mark.asyncio
async def test_a_request_says_who_asks_and_how_long_it_is_and_the_connection_is_kept() -> None:
    script = Script(OK, OK)
    async with talking(script) as http:
        await http.request("POST", "/a", headers=[("Content-Type", "text/plain")], body=b"body")
        await http.request("GET", "/b")
    assert script.connections == 1
    first = script.requests[0].decode().split("\r\n")
    assert first[0] == "POST /a HTTP/1.1"
    assert f"Host: 127.0.0.1:{script.port}" in first
    assert "Authorization: Bearer secret" in first
    assert "Content-Length: 4" in first
    assert first[-1] == "body"
    assert b"Content-Length" not in script.requests[1]


@pytest.mark.asyncio
async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    script = Script(OK.replace(b"Content-Length", b"Connection: close\r\nContent-Length"), OK)
    async with talking(script) as http:
        await http.request("GET", "/a")
        await http.request("GET", "/b")
    assert script.connections == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "ended before"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhi", "ended before"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nab", "ended before"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "the head of the answer"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (BODY_BYTES + 1), "the body of the answer"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error_with_a_reason(answer: bytes | None, problem: str) -> None:
    async with talking(Script(answer)) as http:
        with pytest.raises(HttpError, match=problem):
            await http.request("GET", "/a")


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"])
async def test_an_answer_that_does_not_come_in_time_is_an_error(answer: bytes) -> None:
    async with talking(Script(answer, OK), timeout=0.1) as http:
        with pytest.raises(HttpError, match=r"no answer within 0\.1 s"):
            await http.request("GET", "/a")


@pytest.mark.asyncio
async def test_nobody_there_is_an_error_in_the_systems_words(unused_tcp_port_factory: Callable[[], int]) -> None:
    http = HttpClient(Address("127.0.0.1", unused_tcp_port_factory()))
    with pytest.raises(HttpError, match=r"cannot connect to 127\.0\.0\.1:\d+: Connection refused$"):
        await http.request("GET", "/a")


@pytest.mark.asyncio
async def test_a_stream_comes_piece_by_piece_and_its_silence_is_bounded() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with talking(Script(head + b"3\r\nabc\r\n", OK)) as http:
        pieces = []
        with pytest.raises(HttpError, match=r"nothing came for 0\.1 s"):
            async with http.stream("GET", "/a", idle=0.1) as stream:
                async for piece in stream:
                    pieces += [piece]
        assert pieces == [b"abc"]


@pytest.mark.asyncio
async def test_a_stream_that_is_left_early_does_not_spoil_the_next_request() -> None:
    script = Script(CHUNKED, OK)
    async with talking(script) as http:
        async with http.stream("GET", "/a") as stream:
            assert stream.status == 200
            break_here = aiter(stream)
            await anext(break_here)
            await break_here.aclose()
        assert (await http.request("GET", "/b")).body == b"hi"


@pytest.mark.asyncio
async def test_a_header_cannot_smuggle_another() -> None:
    async with talking(Script(OK)) as http:
        with pytest.raises(ValueError, match="line break"):
            await http.request("GET", "/a", headers=[("X", "1\r\nY: 2")])
