"""HTTP/1.1 as the client's wires need it: small requests on kept connections, and bodies that stream for a long time.

It knows one server and keeps at most two idle connections to it. It follows no redirect, uses no proxy, knows no
cookies, and repeats nothing: who asks knows whether asking again is safe.
"""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Final

import httptools
from msgspec import Struct

from wirehop.client.address import Address
from wirehop.client.errors import HttpError
from wirehop.version import __version__

HEAD_BYTES: Final = 65_536
"""Status line and headers of an answer at most."""
BODY_BYTES: Final = 4_194_304
"""Body of an answer at most, where it is not streamed."""
MAX_IDLE: Final = 2
Headers = Sequence[tuple[str, str]]


class Response(Struct, frozen=True):
    """A whole answer. Names of headers are lower case; the values of one name are joined by ", "."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class _Answer:
    """What the parser has read: `httptools` calls the methods named `on_`."""

    def __init__(self, *, is_head: bool) -> None:
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.has_head = False
        self.is_over = False
        self.status = 0
        self.keeps_alive = False
        self._is_head = is_head
        self._read = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Bytes from the connection; none: it ended."""
        if not data and (not self.has_head or self._has_length):
            raise HttpError("the connection ended before the answer did")
        if not data:  # RFC 9112 section 6.3: a body without a length ends with the connection
            self.is_over = True
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise HttpError(f"this is no HTTP answer: {error}") from None
        self._read += len(data)
        if not self.has_head and self._read > HEAD_BYTES:
            raise HttpError(f"the head of the answer has more than {HEAD_BYTES} bytes")

    @property
    def _has_length(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:  # RFC 9110 section 15.2: an interim answer, the final one follows
            self.headers.clear()
            return
        self.has_head = True
        if self._is_head:
            self.is_over = True

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        if self.has_head:
            self.is_over = True
            self.keeps_alive = self._parser.should_keep_alive()

    def take(self) -> bytes:
        """What of the body has come since the last time."""
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)


class _Connection(Struct):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(Exception):
            await self.writer.wait_closed()


class Stream:
    """An answer whose body is read as it comes: iterate over it. `idle` is the longest silence, None for any."""

    def __init__(self, connection: _Connection, answer: _Answer, idle: float | None) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._connection = connection
        self._answer = answer
        self._idle = idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if piece := self._answer.take():
                yield piece
            if self._answer.is_over:
                return
            try:
                async with asyncio.timeout(self._idle):
                    self._answer.feed(await self._connection.reader.read(65_536))
            except TimeoutError:
                raise HttpError(f"nothing came for {self._idle:g} s") from None
            except OSError as error:
                raise HttpError(f"the connection broke: {error}") from None

    async def body(self) -> bytes:
        """The whole body, up to 4 MiB."""
        body = b""
        async for piece in self:
            body += piece
            if len(body) > BODY_BYTES:
                raise HttpError(f"the body of the answer has more than {BODY_BYTES} bytes")
        return body


class HttpClient:
    """Requests to one server. `timeout` (seconds) is for a whole request, and for the head of a stream."""

    def __init__(
        self, address: Address, tls: ssl.SSLContext | None = None, *, timeout: float = 10.0, token: str = ""
    ) -> None:
        self.address = address
        self.timeout = timeout
        self._tls = address.tls(tls)
        self._authorization: Headers = [("Authorization", f"Bearer {token}")] if token else []
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, path: str, *, headers: Headers = (), body: bytes = b"", timeout: float | None = None
    ) -> Response:
        """Ask, and read the whole answer. Raises `HttpError`."""
        seconds = self.timeout if timeout is None else timeout
        try:
            async with (
                asyncio.timeout(seconds),
                self.stream(method, path, headers=headers, body=body, timeout=seconds) as stream,
            ):
                return Response(stream.status, stream.headers, await stream.body())
        except TimeoutError:
            raise HttpError(f"no answer within {seconds:g} s") from None

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        timeout: float | None = None,
        idle: float | None = None,
    ) -> AsyncIterator[Stream]:
        """Ask, and read the answer's body as it comes: the head within `timeout`, then at most `idle` seconds of
        silence.

        Leaving early drops the connection. Raises `HttpError`.
        """
        seconds = self.timeout if timeout is None else timeout
        answer = _Answer(is_head=method == "HEAD")
        connection = await self._connect()
        try:
            connection.writer.write(self._request(method, path, headers, body))
            try:
                async with asyncio.timeout(seconds):
                    await connection.writer.drain()
                    while not answer.has_head:
                        answer.feed(await connection.reader.read(65_536))
            except TimeoutError:
                raise HttpError(f"no answer within {seconds:g} s") from None
            except OSError as error:
                raise HttpError(f"the connection broke: {error}") from None
            yield Stream(connection, answer, idle)
        finally:
            if answer.is_over and answer.keeps_alive and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
            else:
                await connection.close()

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop().close()

    async def _connect(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            await connection.close()
        address = self.address
        try:
            async with asyncio.timeout(self.timeout):
                return _Connection(*await asyncio.open_connection(address.host, address.port, ssl=self._tls))
        except TimeoutError:
            raise HttpError(f"{address.authority} did not accept within {self.timeout:g} s") from None
        except OSError as error:  # ssl.SSLError is one
            raise HttpError(f"cannot connect to {address.authority}: {_why(error)}") from None

    def _request(self, method: str, path: str, headers: Headers, body: bytes) -> bytes:
        lines = [f"{method} {self.address.base}{path} HTTP/1.1", f"Host: {self.address.authority}"]
        all_headers = [("User-Agent", f"wirehop/{__version__}"), *self._authorization, *headers]
        if body or method == "POST":
            all_headers.append(("Content-Length", str(len(body))))
        lines += [f"{name}: {value}" for name, value in all_headers]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header must not hold a line break")
        return "\r\n".join([*lines, "", ""]).encode() + body


def _why(error: OSError) -> str:
    """The system's words; asyncio's own hold the address once more."""
    is_of_system = error.errno in errno.errorcode and not isinstance(error, ssl.SSLError | socket.gaierror)
    return os.strerror(error.errno) if is_of_system and error.errno else str(error.strerror or error)
