"""A TURN server on real sockets whose loop runs only when a test says so, and clients that talk to it.

Loopback delivers a datagram before `send` returns, so after a few turns of the loop everything that was sent has been
dealt with: no test here waits for anything.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

from turn_world import WALL, Client

from wirehop.rtc.pure.outputs import Path
from wirehop.rtc.turn import TurnService
from wirehop.settings.tree import Rtc

SECRET = "north-north-north"
SERVER = "127.0.0.1"
PEER = "127.0.0.2"
PATIENCE = 30.0
TURNS = 4


class Live:
    """A server, its loop, and time as it is. Relays to 127.0.0.2 if nothing else is said."""

    def __init__(self, rtc: Rtc | None = None, **options: bool) -> None:
        rtc = rtc or Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{PEER}/32",), bandwidth=0)
        self.loop = asyncio.new_event_loop()
        self.service = TurnService(rtc, host=SERVER, is_paced=False, **options)
        self.loop.run_until_complete(self.service.start(0))
        self._sockets: list[socket.socket] = []

    def turn(self) -> None:
        """Let it deal with what was sent."""
        for _ in range(TURNS):
            self.loop.run_until_complete(asyncio.sleep(0))

    def socket(self, host: str = SERVER, port: int = 0) -> socket.socket:
        """One that does not wait."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind((host, port))
        sock.setblocking(False)
        self._sockets.append(sock)
        return sock

    def client(self, user: str = "anna", *, age: float = 3600.0) -> Client:
        """A client over UDP."""
        wire = Wire(self)
        host, port = wire.sock.getsockname()
        return Client(wire, user, Path("udp", host, port), age)  # type: ignore[arg-type]

    def close(self) -> None:
        self.service.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        for sock in self._sockets:
            sock.close()


class Wire:
    """What `turn_world.Client` takes for its world: one socket."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.sock = live.socket()
        self.sock.connect((SERVER, live.service.port))
        self.now = time.time() - WALL + 1000

    @property
    def inbox(self) -> dict[Path, list[bytes]]:
        """What is there to be read now."""
        self._live.turn()
        host, port = self.sock.getsockname()
        return {Path("udp", host, port): drained(self.sock)}

    def received(self, path: Path, data: bytes) -> list[bytes]:
        """Send, and what comes back at once."""
        self.sock.send(data)
        self._live.turn()
        return drained(self.sock)


@contextlib.contextmanager
def running(rtc: Rtc | None = None, **options: bool) -> Iterator[Live]:
    """A server until the end of the block."""
    live = Live(rtc, **options)
    try:
        yield live
    finally:
        live.close()


def drained(sock: socket.socket) -> list[bytes]:
    """All datagrams that wait in it."""
    found = []
    while True:
        try:
            found.append(sock.recv(65_536))
        except BlockingIOError:
            return found
