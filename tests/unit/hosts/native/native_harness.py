"""A native server in a thread, and plain blocking clients for it.

The clients share no code with the server: sockets and h11 for HTTP, hand-made frames and `websockets` for WebSocket.
"""

import asyncio
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import h11
import uvloop

from wirehop.abc import Exchange, Handler
from wirehop.hosts.native import HostOptions, NativeServer

T = TypeVar("T")
PATIENCE = 5.0  # seconds after which a test gives up
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Recorder:
    """A `Listener` that writes down what it hears; `wait` is for the test's thread."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self._news = threading.Condition()
        self.wire: Any = None
        self.echoes = False

    def _hear(self, *what: Any) -> None:
        with self._news:
            self.heard.append(what)
            self._news.notify_all()

    def received(self, data: bytes, is_binary: bool) -> None:
        self._hear("received", data, is_binary)
        if data == b"raise":
            raise RuntimeError("a listener that fails")
        if self.echoes:
            self.wire.send(data, is_binary=is_binary)

    def ponged(self) -> None:
        self._hear("ponged")

    def paused(self) -> None:
        self._hear("paused")

    def resumed(self) -> None:
        self._hear("resumed")

    def closed(self, code: int, reason: str) -> None:
        self._hear("closed", code, reason)

    def wait(self, kind: str, count: int = 1) -> tuple[Any, ...]:
        """The `count`-th thing heard of that kind."""

        def found() -> list[tuple[Any, ...]]:
            return [what for what in self.heard if what[0] == kind]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, PATIENCE), (kind, self.heard)
            return found()[count - 1]

    def closes(self) -> list[tuple[Any, ...]]:
        return [what for what in self.heard if what[0] == "closed"]


class App:
    """A handler with a few addresses; what it opens is kept for the test."""

    def __init__(self) -> None:
        self.wires: list[Recorder] = []
        self.held: list[Exchange] = []
        self.gone: list[str] = []
        self.served = 0
        self.max_message = 65_536

    def __call__(self, exchange: Exchange) -> None:
        self.served += 1
        path = exchange.request.path
        if path == "/ws" or path == "/echo-ws":
            recorder = self._recorder(echoes=path == "/echo-ws")
            recorder.wire = exchange.upgrade(recorder, max_message=self.max_message)
        elif path == "/stream":
            recorder = self._recorder()
            recorder.wire = exchange.stream(200, [("Content-Type", "text/plain")], recorder)
        elif path == "/hold":
            self.held.append(exchange)
            exchange.on_gone(lambda: self.gone.append(exchange.request.query))
        elif path == "/raise":
            raise RuntimeError("a secret of the handler")
        elif path == "/big":
            exchange.respond(200, (), b"x" * int(exchange.request.query))
        elif path == "/header":
            exchange.respond(200, [("X-Reflected", exchange.request.headers.get("x-in", ""))])
        else:
            exchange.respond(200, [("Content-Type", "application/json")], _as_json(exchange))

    def _recorder(self, *, echoes: bool = False) -> Recorder:
        recorder = Recorder()
        recorder.echoes = echoes
        self.wires.append(recorder)
        return recorder


def _as_json(exchange: Exchange) -> bytes:
    request = exchange.request
    return json.dumps(
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": dict(request.headers),
            "body": request.body.decode("latin-1"),
            "address": request.address,
            "scheme": request.scheme,
        }
    ).encode()


class Host:
    """A server on 127.0.0.1 and a port of the kernel's choice, its loop in a thread."""

    def __init__(self, handler: Handler, options: HostOptions, loop_name: str) -> None:
        self.loop = LOOPS[loop_name]()
        self.server = NativeServer(handler, options=options)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.run(self.server.start())
        self.port = self.server.port

    def stop(self) -> None:
        self.run(self.server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def call(self, function: Callable[[], T]) -> T:
        """`function()` on the loop's thread."""

        async def call() -> T:
            return function()

        return self.run(call())  # type: ignore[no-any-return]

    def connect(self, *, receive_buffer: int = 0) -> socket.socket:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        try:
            sock.connect(("127.0.0.1", self.port))
        except OSError:
            sock.close()
            raise
        return sock

    def ask(self, data: bytes) -> bytes:
        """Send `data` on a new connection; all that comes until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    def counted(self, name: str) -> int:
        return self.server.counters[name]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not self.call(condition):
            assert time.monotonic() < until, "it never came true"
            time.sleep(0.002)

    def wait_empty(self) -> None:
        self.wait_until(lambda: self.server.connections == 0)


@contextmanager
def running(handler: Handler, loop_name: str = "uvloop", options: HostOptions | None = None) -> Iterator[Host]:
    host = Host(handler, HostOptions() if options is None else options, loop_name)
    host.start()
    try:
        yield host
    finally:
        host.stop()


# ---- HTTP, read by h11 ---------------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection, many requests; the answers are parsed by h11."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.informational: list[int] = []
        self._rest = b""

    def send(self, data: bytes) -> "Client":
        self.sock.sendall(data)
        return self

    def get(self, path: str, *headers: str, method: str = "GET") -> Answer:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer on this connection."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        if self._rest:
            parser.receive_data(self._rest)
        status, headers, body = 0, {}, b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(self.sock.recv(65_536))
            elif isinstance(event, h11.InformationalResponse):
                self.informational.append(event.status_code)
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                assert isinstance(event, h11.EndOfMessage), event
                self._rest = parser.trailing_data[0]
                return Answer(status, headers, body)

    def is_closed(self) -> bool:
        """Whether the server closes without another byte."""
        return self._rest == b"" and read_all(self.sock) == b""


def read_all(sock: socket.socket) -> bytes:
    """Up to the server's close."""
    data = b""
    while True:
        try:
            more = sock.recv(65_536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, f"closed after {data!r}"
        data += more
    return data


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = sock.recv(1)
        assert more, f"closed after {data!r}"
        data += more
    return data


# ---- WebSocket, by hand --------------------------------------------------------------------------------------------


def client_frame(
    payload: bytes, opcode: int = 1, *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x11\x22\x33\x44"
) -> bytes:
    """A frame as a client sends it; `mask` None leaves it unmasked."""
    size = len(payload)
    bit = 0x80 if mask is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def server_frame(sock: socket.socket) -> tuple[int, bytes]:
    """The opcode and payload of the next frame; the server's frames are whole and unmasked."""
    first, second = read_exactly(sock, 2)
    assert first & 0xF0 == 0x80
    assert second < 0x80
    size = second
    if size == 126:
        size = int.from_bytes(read_exactly(sock, 2), "big")
    elif size == 127:
        size = int.from_bytes(read_exactly(sock, 8), "big")
    return first & 0x0F, read_exactly(sock, size)


def open_websocket(host: Host, request: bytes = UPGRADE, *, receive_buffer: int = 0) -> socket.socket:
    sock = host.connect(receive_buffer=receive_buffer)
    sock.sendall(request)
    assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    return sock


def close_code(sock: socket.socket) -> tuple[int, str]:
    """Skip to the close frame; its code and reason."""
    while True:
        opcode, payload = server_frame(sock)
        if opcode == 8:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def allow_open_files(count: int) -> None:
    """Raise this process's soft limit; both ends of every connection are in it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard)
        )
