"""A dumb HTTP/1.1 client that hides nothing: exact headers, streamed bodies, connections that can be cut.

It speaks to loopback in tests. It follows no redirects, keeps no cookies and no connections, and every wait ends.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

Headers = Sequence[tuple[str, str]]
SECONDS = 5.0
"""How long anything may take, unless a call says otherwise."""


class Response:
    """One answer. `headers` are as received, in order; `read` gives some of the body, `body` all of it."""

    def __init__(
        self, status: int, headers: list[tuple[str, str]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader
        self._writer = writer
        self._is_chunked = self.header("transfer-encoding").lower() == "chunked"
        length = self.header("content-length")
        self._missing = int(length) if length else -1
        self._is_over = status in (204, 304) or self._missing == 0

    def header(self, name: str) -> str:
        """All values of a header, joined; "" for none."""
        return ", ".join(value for each, value in self.headers if each.lower() == name)

    async def read(self, timeout: float = SECONDS) -> bytes:
        """The next piece of the body; b"" at its end. Raises `TimeoutError` if nothing comes in time."""
        if self._is_over:
            return b""
        async with asyncio.timeout(timeout):
            piece = await self._piece()
        if not piece:
            self._is_over = True
        return piece

    async def body(self, timeout: float = SECONDS) -> bytes:
        """The rest of the body."""
        pieces = []
        async with asyncio.timeout(timeout):
            while piece := await self.read(timeout):
                pieces.append(piece)
        return b"".join(pieces)

    async def _piece(self) -> bytes:
        if self._is_chunked:
            size = int((await self._reader.readline()).split(b";")[0] or b"0", 16)
            data = await self._reader.readexactly(size + 2)
            return data[:-2]
        if self._missing < 0:
            return await self._reader.read(65_536)
        data = await self._reader.read(min(65_536, self._missing))
        self._missing -= len(data)
        self._is_over = not self._missing
        return data

    @property
    def transport(self) -> asyncio.WriteTransport:
        """The connection, for who wants to stop reading it."""
        return self._writer.transport

    def cut(self) -> None:
        """Drop the connection without a word."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection; harmless twice."""
        self._writer.transport.abort()
        await _gone(self._writer)


async def open_response(
    port: int,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    body: bytes = b"",
    timeout: float = SECONDS,
) -> Response:
    """Send one request to 127.0.0.1 and read the head of the answer."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        try:
            lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
            if not any(name.lower() == "host" for name, _ in headers):
                lines.append(f"Host: 127.0.0.1:{port}")
            if body or method in ("POST", "PUT"):
                lines.append(f"Content-Length: {len(body)}")
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            return await _read_head(method, reader, writer)
        except BaseException:
            writer.transport.abort()
            await _gone(writer)
            raise


async def request(
    port: int,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    body: bytes = b"",
    timeout: float = SECONDS,
) -> "Answer":
    """One request and its whole answer, on a connection of its own."""
    response = await open_response(port, method, target, headers=headers, body=body, timeout=timeout)
    try:
        return Answer(response, await response.body(timeout))
    finally:
        await response.close()


class Answer:
    """A whole answer."""

    def __init__(self, response: Response, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.header = response.header
        self.body = body

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def _read_head(method: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Response:
    line = await reader.readline()
    if not line:
        raise ConnectionResetError("the server closed the connection and answered nothing")
    status = int(line.split(b" ", 2)[1])
    headers = []
    while field := (await reader.readline()).rstrip(b"\r\n"):
        name, _, value = field.decode("latin-1").partition(":")
        headers.append((name, value.strip()))
    response = Response(status, headers, reader, writer)
    if method == "HEAD":
        response._is_over = True
    return response


async def _gone(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.wait_closed()
    except OSError:
        return


class Blocks:
    """Splits an event stream into its blocks: each a list of (field, value) in order, a comment with the field "".

    It is stricter than readers need to be: a line must end in LF alone, and a value stands behind one space.
    """

    def __init__(self, response: Response) -> None:
        self.response = response
        self._rest = b""
        self._blocks: list[list[tuple[str, str]]] = []

    async def next(self, timeout: float = SECONDS) -> list[tuple[str, str]]:
        """The next block. Raises `EOFError` at the end of the stream, `TimeoutError` if none comes in time."""
        async with asyncio.timeout(timeout):
            while not self._blocks:
                piece = await self.response.read(timeout)
                if not piece:
                    raise EOFError
                *blocks, self._rest = (self._rest + piece).split(b"\n\n")
                self._blocks += [[_field(line) for line in block.decode().split("\n")] for block in blocks]
        return self._blocks.pop(0)


def _field(line: str) -> tuple[str, str]:
    if line.startswith(":"):
        return "", line[1:].strip()
    name, colon, value = line.partition(": ")
    if not colon or not name or "\r" in line:
        raise ValueError(f"not a line of an event stream as this server writes them: {line!r}")
    return name, value
