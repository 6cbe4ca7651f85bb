"""A small HTTP/1.1 client: one request, one whole answer. It asks the application, and fetches key sets.

Everything is bounded: time (of the whole exchange), bytes of the answer, connections kept. Redirects are not followed:
who may answer is the URL in the settings and nobody else. It knows nothing of tokens.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import httptools
from msgspec import Struct

from wirehop.core.errors import WirehopError

KEPT_CONNECTIONS = 16
"""Idle connections kept per client; the oldest is closed for a newer one."""
_CHUNK = 16_384
_MAX_HEADERS = 100


class HttpFailed(WirehopError):
    """There is no answer that can be used; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HttpAnswer(Struct, frozen=True):
    """`headers` have names in lower case; of a repeated one the last counts."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpClient:
    """Keeps idle connections to one origin. `max_bytes`: of an answer's body; more is a failure."""

    def __init__(self, url: str, *, max_bytes: int, timeout: float, ssl_context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._authority = parts.netloc.rpartition("@")[2]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._is_tls = parts.scheme == "https"
        self._ssl_context = ssl_context
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._idle: list[_Connection] = []

    async def request(self, method: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> HttpAnswer:
        """Ask, within the time-out. A kept connection that turns out to be dead is replaced once. Raises
        `HttpFailed`."""
        lines = [f"{method} {self._target} HTTP/1.1", f"Host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(data)
        except TimeoutError:
            raise HttpFailed(f"no answer within {self._timeout:g} s") from None
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            raise HttpFailed(f"the connection failed: {error}") from None
        except httptools.HttpParserError as error:
            raise HttpFailed(f"the answer is not HTTP: {error}") from None

    def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    async def _exchange(self, data: bytes) -> HttpAnswer:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_alive:
                try:
                    return await self._use(connection, data)
                except (OSError, _Closed):
                    if connection.has_answered:
                        raise
                break  # it was closed while it was idle: once more, on a new one
            connection.close()
        return await self._use(await self._connect(), data)

    async def _connect(self) -> "_Connection":
        if self._is_tls and self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._ssl_context if self._is_tls else None, limit=_CHUNK
        )
        return _Connection(reader, writer, self._max_bytes)

    async def _use(self, connection: "_Connection", data: bytes) -> HttpAnswer:
        try:
            answer = await connection.exchange(data)
        except BaseException:  # also a cancellation: half an exchange cannot be used again
            connection.close()
            raise
        if connection.is_alive:
            self._idle.append(connection)
            if len(self._idle) > KEPT_CONNECTIONS:
                self._idle.pop(0).close()
        else:
            connection.close()
        return answer


class _Closed(ConnectionError):
    """The peer closed before its answer was whole."""


class _Connection:
    """One connection, one exchange at a time; the parser's callbacks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_bytes: int) -> None:
        self._reader = reader
        self._writer = writer
        self._max_bytes = max_bytes
        self._is_reusable = True
        self._begin()

    def _begin(self) -> None:
        self.has_answered = False
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._has_head = False
        self._is_complete = False
        self._status = 0
        self._header_count = 0
        self._keeps_alive = False

    @property
    def is_alive(self) -> bool:
        return self._is_reusable and not self._reader.at_eof() and not self._writer.is_closing()

    def close(self) -> None:
        self._is_reusable = False
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.close()

    async def exchange(self, data: bytes) -> HttpAnswer:
        self._begin()
        self._parser = parser = httptools.HttpResponseParser(self)
        self._writer.write(data)
        await self._writer.drain()
        while not self._is_complete:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                self._is_reusable = False
                if self._has_head and not {"content-length", "transfer-encoding"} & self._headers.keys():
                    break  # RFC 9112 section 6.3, rule 8: the body ends with the connection
                raise _Closed("it was closed before the answer was whole")
            self.has_answered = True
            parser.feed_data(chunk)
            if self._size > self._max_bytes:
                raise HttpFailed(f"the answer is longer than {self._max_bytes} bytes")
        self._is_reusable = self._is_reusable and self._keeps_alive
        return HttpAnswer(self._status, self._headers, b"".join(self._parts))

    # ---- from httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_complete:
            return
        self._size += len(name) + len(value)
        self._header_count += 1
        if self._header_count > _MAX_HEADERS:
            raise HttpFailed(f"the answer has more than {_MAX_HEADERS} headers")
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self._is_complete:
            self._has_head = True
            self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self._is_complete:
            self._size += len(body)
            self._parts.append(body)

    def on_message_begin(self) -> None:
        if self._is_complete:
            self._is_reusable = False  # more than one answer to one question

    def on_message_complete(self) -> None:
        self._is_complete = True
        self._keeps_alive = self._parser.should_keep_alive()
