"""Which sockets have something to read, and when they are read: at once, or a millisecond's worth at a time.

    awake     each datagram wakes the loop. 8 wakes within 4 ms → paced
    paced     nothing wakes it; all sockets are looked at every millisecond. Fewer than 8 datagrams in 8 looks → awake

Waking up costs several times what a datagram does once the process is awake, and what comes in together can also leave
together. So above some two thousand wakes a second a datagram waits half a millisecond on average, and costs a
fraction; below, nothing waits. All sockets stand in one epoll of their own, which is one reader of the loop; where
there is no epoll each is a reader by itself, and always awake.

It knows sockets and time. It does not know what is read.
"""

import asyncio
import select
import socket
import time
from collections.abc import Callable
from typing import Final, Protocol

from wirehop.rtc.turn.mailbox import BATCH

_WAKES: Final = 8
_DENSE_SECONDS: Final = 0.004
_PACE_SECONDS: Final = 0.001
_LOOKS: Final = 8
_FEW: Final = 8
_FILLS: Final = 4  # of one socket in a row
_SOCKETS: Final = 64  # in a row

Read = Callable[[], int]
"""Reads what is there, at most `BATCH` datagrams; how many there were."""


class Readiness(Protocol):
    """Sockets that are read when something comes."""

    def add(self, sock: socket.socket, read: Read) -> None:
        """From here on."""
        ...

    def remove(self, sock: socket.socket) -> None:
        """No more; before it is closed."""
        ...

    def close(self) -> None:
        """None of them."""
        ...


def readiness(loop: asyncio.AbstractEventLoop, *, is_plain: bool = False) -> Readiness:
    """The best that this system has."""
    return EachAwake(loop) if is_plain or not hasattr(select, "epoll") else Paced(loop)


class EachAwake:
    """Every socket is a reader of the loop."""

    __slots__ = ("_loop", "_sockets")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sockets: dict[int, socket.socket] = {}

    def add(self, sock: socket.socket, read: Read) -> None:
        """From here on."""
        self._sockets[sock.fileno()] = sock
        self._loop.add_reader(sock.fileno(), read)

    def remove(self, sock: socket.socket) -> None:
        """No more."""
        if self._sockets.pop(sock.fileno(), None) is not None:
            self._loop.remove_reader(sock.fileno())

    def close(self) -> None:
        """None of them."""
        for sock in list(self._sockets.values()):
            self.remove(sock)


class Paced:
    """All sockets are one reader, which rests while datagrams come thick."""

    __slots__ = ("_epoll", "_looks", "_loop", "_reads", "_seen", "_since", "_timer", "_wakes", "is_paced")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._reads: dict[int, Read] = {}
        self._wakes = 0
        self._since = 0.0
        self._looks = self._seen = 0
        self._timer: asyncio.Handle | None = None
        self.is_paced = False
        loop.add_reader(self._epoll.fileno(), self._awake)

    def add(self, sock: socket.socket, read: Read) -> None:
        """From here on."""
        self._reads[sock.fileno()] = read
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def remove(self, sock: socket.socket) -> None:
        """No more."""
        if self._reads.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        """None of them."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._reads.clear()

    def _awake(self) -> None:
        self._read()
        self._wakes += 1
        if self._wakes < _WAKES:
            return
        now, before = time.monotonic(), self._since
        self._wakes, self._since = 0, now
        if now - before < _DENSE_SECONDS:
            self.is_paced = True
            self._looks = self._seen = 0
            self._loop.remove_reader(self._epoll.fileno())
            self._timer = self._loop.call_later(_PACE_SECONDS, self._look)

    def _look(self) -> None:
        count, has_more = self._read()
        self._seen += count
        self._looks += 1
        if self._looks == _LOOKS:
            if self._seen < _FEW:
                self.is_paced = False
                self._timer = None
                self._since = 0.0
                self._loop.add_reader(self._epoll.fileno(), self._awake)
                return
            self._looks = self._seen = 0
        self._timer = self._loop.call_soon(self._look) if has_more else self._loop.call_later(_PACE_SECONDS, self._look)

    def _read(self) -> tuple[int, bool]:
        """Read from those that have something: how many datagrams, and whether there may be more at once."""
        events = self._epoll.poll(0, _SOCKETS)
        total, has_more = 0, len(events) == _SOCKETS
        for descriptor, _ in events:
            read = self._reads.get(descriptor)
            if read is None:
                continue  # closed a moment ago
            count = 0
            for _ in range(_FILLS):
                count = read()
                total += count
                if count < BATCH:
                    break
            else:
                has_more = True
        return total, has_more
