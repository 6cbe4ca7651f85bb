"""Visitors of every kind that come, do a little, and go without manners: blocking sockets, many at a time.

Each kind is what is sent, what must come back before it goes, and how it goes. They share no code with the server.
"""

import itertools
import json
import socket
import struct
from collections.abc import Iterator

from native_harness import UPGRADE, client_frame

_RESET = struct.pack("ii", 1, 0)
_SOURCES = 100  # loopback addresses to come from: each has its own 28,000 ports


def command(number: int, kind: str, **fields: object) -> bytes:
    """A command in a masked frame."""
    return client_frame(json.dumps({"id": number, kind: fields}, separators=(",", ":")).encode())


SOCKET = UPGRADE.replace(b"/ws ", b"/connection/websocket ")
CHANNEL = b"GET /channels/a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
SESSION = SOCKET + command(1, "connect") + command(2, "subscribe", channel="a", join_leave=True)
POST = b"POST /channels/a HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"

KINDS: dict[str, tuple[bytes, bytes, bool]] = {
    "a whole session": (
        SESSION + command(3, "publish", channel="a", data="hello") + client_frame((1000).to_bytes(2, "big"), 8),
        b"\x88\x02\x03\xe8",
        False,
    ),
    "a session that is reset": (SESSION, b'"subscribe":', True),
    "a session that is reset before its answer": (SESSION, b"", True),
    "half a handshake": (SOCKET[:60], b"", True),
    "half a frame": (SOCKET + command(1, "connect")[:9], b"101 Switching", True),
    "nothing": (b"", b"", True),
    "an event stream": (CHANNEL, b"retry: ", True),
    "a long poll": (b"GET /channels/a?wait=25s&cursor=x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK", True),
    "a publication": (POST % 5 + b"hello", b"201 Created", True),
    "half a body": (POST % 500 + b"hello", b"", True),
    "nonsense": (b"nonsense\r\n\r\n", b"400 Bad", False),
    "a closed keep-alive": (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b'"ok"', False),
}
"""By name: what is sent, what must come back, and whether it ends with a reset."""


def visit(port: int, count: int, *, at_once: int = 60) -> None:
    """`count` visitors of all kinds in turn, so many at a time. Who does not get what must come fails the test."""
    kinds = itertools.islice(itertools.cycle(KINDS), count)
    sources = itertools.cycle(f"127.0.1.{number}" for number in range(1, _SOURCES))
    while batch := list(itertools.islice(kinds, at_once)):
        opened = [(name, _open(port, next(sources))) for name in batch]
        for name, sock in opened:
            sock.sendall(KINDS[name][0])
        for name, sock in opened:
            _, awaited, resets = KINDS[name]
            if awaited:
                _read_until(sock, awaited, name)
            if resets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()


def _open(port: int, source: str) -> socket.socket:
    sock = socket.socket()
    sock.settimeout(10)
    sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect
    sock.bind((source, 0))
    sock.connect(("127.0.0.1", port))
    return sock


def _read_until(sock: socket.socket, awaited: bytes, name: str) -> None:
    data = b""
    while awaited not in data:
        more = sock.recv(65_536)
        assert more, f"{name}: closed after {data[-500:]!r}"
        data += more


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole frames of a server in `data`: opcode and payload."""
    at = 0
    while at + 2 <= len(data):
        opcode, size, head = data[at] & 15, data[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        if at + head + size > len(data):
            return
        yield opcode, data[at + head : at + head + size]
        at += head + size
