"""Many WebSocket clients in one process, as lean as Python allows: they count what they get and when it was sent.

It knows RFC 6455 frames, the text that carries a send time, and what a session must say first. It does not know what
is being measured: `load` does.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Final, cast

MARKER: Final = b"sent="
DIGITS: Final = 19
PING: Final = b"{}"
LINGER: Final = struct.pack("ii", 1, 0)
"""Connections end by RST: thousands that wait in TIME_WAIT would use up the ports."""

REQUEST: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: d2lyZWhvcC1iZW5jaC0wMQ==\r\n\r\n"
)


def payload(size: int) -> bytes:
    """A payload of `size` bytes that says when it was sent (`size`: 25 at least)."""
    head = MARKER + b"%019d;" % time.monotonic_ns()
    return head + b"x" * (size - len(head))


def masked(text: bytes) -> bytes:
    """A text frame as clients must send it; the mask is zero, which no server can know beforehand."""
    size = len(text)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + text


class Crowd:
    """Clients of one server with one task.

    `hello` is sent after the upgrade, and a client is ready when a message holds `ready_on`; without a hello it is
    ready at once. `arrived` is called with the client and the send time for each delivery. A crowd that reads in
    another way than by WebSocket overrides `member`.
    """

    def __init__(self, port: int, path: str, *, hello: bytes = b"", ready_on: bytes = b"") -> None:
        self.port = port
        self.request = REQUEST.format(path=path).encode()
        self.hello = masked(hello) if hello else b""
        self.ready_on = ready_on
        self.members: list[Member] = []
        self.error = ""
        self.is_closing = False
        self.arrived: Callable[[Member, int], None] = lambda _member, _sent: None

    async def open(self, count: int, *, at_once: int, seconds: float) -> int:
        """Connect `count` clients; how many are ready in the end. A refused one is in `error`."""
        loop = asyncio.get_running_loop()
        room = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with room:
                member = self.member(loop.create_future())
                self.members.append(member)
                await loop.create_connection(lambda: member, "127.0.0.1", self.port)
                await member.ready

        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for _ in range(count):
                    group.create_task(one())
        except TimeoutError:
            self.error = self.error or f"not all were connected within {seconds:g} s"
        except ExceptionGroup as group_of_errors:
            self.error = self.error or str(group_of_errors.exceptions[0])
        return sum(member.is_ready for member in self.members)

    def member(self, ready: "asyncio.Future[None]") -> "Member":
        """One more client, which is to connect."""
        return Member(self, ready)

    def lost(self, member: "Member", why: str) -> None:
        """A connection ended; while the crowd is in use that is an error."""
        if not self.is_closing:
            self.error = self.error or why
        if not member.ready.done():
            member.ready.set_exception(ConnectionError(why))
            member.ready.exception()  # it is told by `open`; nobody has to collect it

    def close(self) -> None:
        """End all connections."""
        self.is_closing = True
        for member in self.members:
            if member.transport is not None:
                member.transport.abort()


class Member(asyncio.Protocol):
    """One client."""

    __slots__ = ("_buffer", "_crowd", "_is_open", "is_ready", "ready", "transport")

    def __init__(self, crowd: Crowd, ready: asyncio.Future[None]) -> None:
        self._crowd = crowd
        self._buffer = b""
        self._is_open = False
        self.is_ready = False
        self.ready = ready
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        with contextlib.suppress(OSError, AttributeError):
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        self.transport.write(self._crowd.request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the crowd."""
        self.is_ready = False
        self._crowd.lost(self, str(exc) if exc else "the server closed a connection")

    def send(self, frame: bytes) -> None:
        """Send a frame that `masked` made."""
        assert self.transport is not None
        if not self.transport.is_closing():
            self.transport.write(frame)

    def data_received(self, data: bytes) -> None:
        """Whole frames are handled, the rest is kept."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        at = 0 if self._is_open else self._read_head(data)
        size = len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if size < start:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            if size - start < length:
                break
            self._frame(data[at] & 0x0F, data[start : start + length])
            at = start + length
        if at < size:
            self._buffer = data[at:]

    def _read_head(self, data: bytes) -> int:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._buffer, data = data, b""
            return len(self._buffer)
        if not data.startswith(b"HTTP/1.1 101"):
            self._crowd.lost(self, f"the upgrade was answered with {data[9:12].decode('ascii', 'replace')}")
            assert self.transport is not None
            self.transport.abort()
            return len(data)
        self._is_open = True
        if self._crowd.hello:
            self.send(self._crowd.hello)
        else:
            self._become_ready()
        return end + 4

    def _become_ready(self) -> None:
        self.is_ready = True
        if not self.ready.done():
            self.ready.set_result(None)

    def _frame(self, opcode: int, body: bytes) -> None:
        if opcode == 9:
            self.send(b"\x8a" + bytes((0x80 | len(body),)) + b"\0\0\0\0" + body)
        elif opcode == 8:
            self._crowd.lost(self, f"closed by the server: {body[2:].decode('utf-8', 'replace')}")
        elif (at := body.find(MARKER)) >= 0:
            # one message may hold several publications
            while at >= 0:
                self._crowd.arrived(self, int(body[at + len(MARKER) : at + len(MARKER) + DIGITS]))
                at = body.find(MARKER, at + DIGITS)
        elif body == PING:
            self.send(masked(PING))
        elif not self.is_ready and self._crowd.ready_on in body:
            self._become_ready()
