"""The site that a browser is probed on: plain HTTP/1.1 that writes down what the browser sends, byte for byte.

It listens on two ports, which are two origins, and does what each path says (`tag` names a request in `seen`):

    /                       the page, its scripts beside it
    /answer ?size= ?delay=  a body; of a POST, its own body back
    /bytes                  the 256 values of a byte; as ?kind=script in a call, as ?kind=events in an event
    /script ?callback=      a call of the callback, with ?size= characters
    /events ?kind=          an event stream that is held, `close`d after its first event, `gzip`ped, or `large`
    /stream                 a body that comes in pieces and does not end
    /socket ?kind=          a WebSocket that answers with what it gets; `slow` reads late, `close` closes at once
    /seen ?tag=             the requests of that tag
    /results                POST: figures of the page; /done: it has finished

Everything may be asked from everywhere (CORS with credentials): it is on loopback, for minutes, and has no secrets.
"""

import asyncio
import contextlib
import gzip
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

PAGE: Final = Path(__file__).with_name("probe")
TYPES: Final = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
HEAD_BYTES: Final = 65_536
BODY_BYTES: Final = 33_554_432
SEEN_LIMIT: Final = 10_000
RESULTS_LIMIT: Final = 2_000
CONNECTION_LIMIT: Final = 2_000
SLOW_SECONDS: Final = 0.5
LARGE: Final = 16_777_216
OCTETS: Final = bytes(range(256))


class Seen(Struct):
    """A request as it came. `head`: bytes of the request line and the headers with the empty line."""

    tag: str
    method: str
    head: int
    port: int
    headers: dict[str, str]


class Result(Struct):
    """What the page found. `name` is a figure's, without the browser."""

    name: str
    value: float
    unit: str = ""
    samples: int = 0
    method: str = ""


class _Ask(Struct):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    head: bytes
    body: bytes

    def get(self, name: str, default: str = "") -> str:
        return self.query.get(name, default)


class ProbeSite:
    """`async with ProbeSite() as site`; `site.url` is the page. `refused` counts what was beyond a limit."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.seen: list[Seen] = []
        self.results: list[Result] = []
        self.done = asyncio.Event()
        self.refused = 0
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The page; it is told the other origin's port."""
        return f"http://127.0.0.1:{self.ports[0]}/?other={self.ports[1]}"

    async def __aenter__(self) -> "ProbeSite":
        for _ in range(2):
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_BYTES)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= CONNECTION_LIMIT:
            self.refused += 1
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        while True:
            ask = await _read(reader)
            if len(self.seen) < SEEN_LIMIT and ask.get("tag") and ask.path != "/seen":
                self.seen.append(Seen(ask.get("tag"), ask.method, len(ask.head), port, ask.headers))
            if ask.path == "/socket":
                await _socket(ask, reader, writer)
                return
            if ask.method != "OPTIONS" and ask.path in ("/events", "/stream"):
                await _flow(ask, reader, writer)
                return
            await self._answer(ask, writer)
            await writer.drain()

    async def _answer(self, ask: _Ask, writer: asyncio.StreamWriter) -> None:
        if ask.get("delay"):
            await asyncio.sleep(min(10.0, float(ask.get("delay")) / 1000))
        content, body, extra = self._content(ask)
        writer.write(_head(ask, 204 if ask.method == "OPTIONS" else 200, content, len(body), extra) + body)

    def _content(self, ask: _Ask) -> tuple[str, bytes, str]:
        """Type, body and more headers."""
        if ask.method == "OPTIONS":
            return "", b"", ""
        if ask.path == "/results":
            self._keep(ask.body)
            return "text/plain", b"", ""
        if ask.path == "/done":
            self.done.set()
            return "text/plain", b"", ""
        if ask.path == "/seen":
            found = [each for each in self.seen if each.tag == ask.get("tag")]
            return "application/json", msgspec.json.encode(found), ""
        if ask.path == "/cookie":
            return "text/plain", b"", "Set-Cookie: probe=yes; Path=/; SameSite=Lax\r\n"
        if ask.path == "/bytes" and ask.get("kind") == "script":
            return "text/javascript; charset=latin1", b'%b("%b");' % (ask.get("callback").encode(), OCTETS), ""
        if ask.path == "/bytes":
            return "application/octet-stream", OCTETS, ""
        if ask.path == "/script":
            text = b'%b("%b");' % (ask.get("callback").encode(), b"x" * _size(ask))
            return _packed("text/javascript", text, ask)
        if ask.path == "/answer":
            return _packed("text/plain", ask.body or b"x" * _size(ask), ask)
        file = PAGE / (ask.path.lstrip("/") or "index.html")
        if file.parent == PAGE and file.suffix in TYPES and file.is_file():
            return TYPES[file.suffix], file.read_bytes(), ""
        return "text/plain", b"there is no such page", ""

    def _keep(self, body: bytes) -> None:
        try:
            results = msgspec.json.decode(body, type=list[Result])
        except msgspec.DecodeError:
            self.refused += 1
            return
        for each in results:
            if len(self.results) < RESULTS_LIMIT:
                self.results.append(each)
            else:
                self.refused += 1


def _size(ask: _Ask) -> int:
    return min(LARGE, int(ask.get("size", "1")))


def _packed(content: str, body: bytes, ask: _Ask) -> tuple[str, bytes, str]:
    if ask.get("kind") == "gzip" and "gzip" in ask.headers.get("accept-encoding", ""):
        return content, gzip.compress(body), "Content-Encoding: gzip\r\n"
    return content, body, ""


async def _read(reader: asyncio.StreamReader) -> _Ask:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest if each)}
    size = int(headers.get("content-length", "0"))
    if size > BODY_BYTES:
        raise ValueError("too large")
    body = await reader.readexactly(size) if size else await _chunks(reader, headers)
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return _Ask(method, parts.path, query, headers, head, body)


async def _chunks(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """A body of chunks (RFC 9112 section 7.1), as an upload stream may be."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return b""
    body = b""
    while size := int(await reader.readline(), 16):
        if len(body) + size > BODY_BYTES:
            raise ValueError("too large")
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def _head(ask: _Ask, status: int, content: str, size: int | None, extra: str = "") -> bytes:
    origin = ask.headers.get("origin", "*")
    lines = [
        f"HTTP/1.1 {status} OK",
        f"Access-Control-Allow-Origin: {origin}",
        "Access-Control-Allow-Credentials: true",
        "Access-Control-Allow-Headers: content-type, x-own",
        "Access-Control-Allow-Methods: GET, POST",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Embedder-Policy: require-corp",  # isolated pages have finer clocks
        "Cross-Origin-Resource-Policy: cross-origin",
        "Cache-Control: no-store",
    ]
    if content:
        lines.append(f"Content-Type: {content}")
    lines.append("Connection: close" if size is None else f"Content-Length: {size}")
    return ("\r\n".join(lines) + f"\r\n{extra}\r\n").encode()


async def _flow(ask: _Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that does not end, or only with its connection."""
    kind = ask.get("kind")
    content = "text/event-stream" if ask.path == "/events" else "application/octet-stream"
    first = OCTETS if ask.path == "/stream" else b"id: 7\ndata: first\n\n"
    if kind == "bytes":
        first = b"data: " + OCTETS + b"\n\n"
    elif kind == "large":
        first = b"data: " + b"x" * LARGE + b"\n\n" if ask.path == "/events" else b"x" * LARGE
    extra = ""
    if kind == "gzip" and "gzip" in ask.headers.get("accept-encoding", ""):
        first, extra = gzip.compress(first), "Content-Encoding: gzip\r\n"
    writer.write(_head(ask, 200, content, None, extra) + first)
    await writer.drain()
    if kind == "close":
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return
    await reader.read()  # until the browser is gone


async def _socket(ask: _Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    protocol = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], max_size=LARGE + 1024)
    protocol.receive_data(ask.head)
    request = protocol.events_received()[0]
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    _flush(protocol, writer)
    if ask.get("kind") == "close":
        protocol.send_text(b"first")
        protocol.send_close(1000)
        _flush(protocol, writer)
    pieces: list[bytes] = []
    while data := await reader.read(65_536):
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                _echo(protocol, event, pieces)
        _flush(protocol, writer)
        await writer.drain()
        if ask.get("kind") == "slow":
            await asyncio.sleep(SLOW_SECONDS)
            ask.query["kind"] = ""


def _echo(protocol: ServerProtocol, frame: Frame, pieces: list[bytes]) -> None:
    """Whole messages; `pieces` of the one that is coming."""
    if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
        pieces.append(bytes(frame.data))
        if frame.opcode is not Opcode.CONT:
            pieces.insert(0, frame.opcode.name.encode())
        if frame.fin:
            name, *rest = pieces
            (protocol.send_text if name == b"TEXT" else protocol.send_binary)(b"".join(rest))
            pieces.clear()


def _flush(protocol: ServerProtocol, writer: asyncio.StreamWriter) -> None:
    for data in protocol.data_to_send():
        if data:
            writer.write(data)
