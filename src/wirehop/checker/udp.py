"""A relay for datagrams that impairs, beside the proxy for connections.

    relay = UdpRelay("127.0.0.1", 3478, seed=1)
    await relay.start()                              # listens on 127.0.0.1:relay.port
    relay.set(Delay(0.05, jitter=0.02), Loss(0.01))
    relay.roam()                                     # the clients come from another port
    relay.stop()

It knows `Delay` (with jitter datagrams overtake each other), `Loss`, `Bandwidth` (what does not fit into the queue is
dropped), `ReorderDatagrams`, `BlackHole` and `BlockUdp`. Each client has a socket of its own towards the server, so
that the server sees as many addresses; at most `CLIENTS`, and who is silent for `IDLE_SECONDS` is forgotten. At most
`WAITING` datagrams are under way; more are dropped, and counted.
"""

import asyncio
import random
import time
from collections import Counter
from typing import Final, TypeVar

from wirehop.checker.bottleneck import Bottleneck
from wirehop.checker.faults import (
    DATAGRAMS,
    DATAGRAMS_LOST,
    DATAGRAMS_OVER,
    Bandwidth,
    BlackHole,
    BlockUdp,
    Delay,
    Fault,
    Loss,
    ReorderDatagrams,
)
from wirehop.checker.pipe import ROUNDING
from wirehop.checker.traffic import Direction, Traffic

CLIENTS: Final = 1_000
IDLE_SECONDS: Final = 60.0
WAITING: Final = 4_096
OPENING: Final = 64
"""Datagrams of a client whose socket is being opened."""
Address = tuple[str, int]
SomeFault = TypeVar("SomeFault", bound=Fault)


class UdpRelay:
    """In front of the server at `host`:`port`. `traffic` counts what came in each way, also what was then dropped."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.target = (host, port)
        self.port = 0
        self.counts: Counter[str] = Counter()
        self.traffic: dict[Direction, Traffic] = {"up": Traffic(), "down": Traffic()}
        self._faults: tuple[Fault, ...] = ()
        self._random = random.Random(seed)  # noqa: S311 - a schedule, no secret
        self._width: dict[Direction, Bottleneck] = {"up": Bottleneck(), "down": Bottleneck()}
        self._clients: dict[Address, _Client] = {}
        self._listener: asyncio.DatagramTransport | None = None
        self._waiting = 0

    @property
    def clients(self) -> int:
        """Whom it knows."""
        return len(self._clients)

    async def start(self, port: int = 0) -> "UdpRelay":
        """Listen on 127.0.0.1. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._listener, _ = await loop.create_datagram_endpoint(lambda: _Listener(self), local_addr=("127.0.0.1", port))
        self.port = self._listener.get_extra_info("sockname")[1]
        return self

    def set(self, *faults: Fault) -> None:
        """From now on these, instead of what was set before; what is under way stays as it was."""
        self._faults = faults
        width = self._fault(Bandwidth) or Bandwidth()
        self._width["up"].set(width.up, width.queue)
        self._width["down"].set(width.down, width.queue)

    def roam(self) -> int:
        """All clients come from another port from now on; answers to the old one are lost. How many they were."""
        count = len(self._clients)
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        return count

    def stop(self) -> None:
        """Let go of everything."""
        self.roam()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def __aenter__(self) -> "UdpRelay":
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def came_up(self, data: bytes, address: Address) -> None:
        """A datagram of a client."""
        client = self._clients.get(address)
        if client is None:
            self._forget_idle()
            if len(self._clients) >= CLIENTS:
                self.counts[DATAGRAMS_OVER] += 1
                return
            client = self._clients[address] = _Client(self, address)
        client.active = time.monotonic()
        self._pass("up", data, client)

    def came_down(self, data: bytes, client: "_Client") -> None:
        """A datagram of the server."""
        self._pass("down", data, client)

    def _pass(self, direction: Direction, data: bytes, client: "_Client") -> None:
        self.traffic[direction].add(len(data))
        self.counts[DATAGRAMS] += 1
        now = time.monotonic()
        blocked = self._fault(BlockUdp) or self._fault(BlackHole)
        if blocked is not None:
            self.counts[blocked.name] += 1
            return
        if (loss := self._fault(Loss)) is not None and self._random.random() < loss.share:
            self.counts[DATAGRAMS_LOST] += 1
            return
        width = self._width[direction]
        if self._waiting >= WAITING or width.wait(now):
            self.counts[DATAGRAMS_OVER] += 1
            return
        due = width.enter(now, len(data))
        if (delay := self._fault(Delay)) is not None:
            due += max(0.0, delay.seconds + (2 * self._random.random() - 1) * delay.jitter)
        if (late := self._fault(ReorderDatagrams)) is not None and self._random.random() < late.share:
            self.counts[late.name] += 1
            due += late.seconds
        if due <= now:
            self._deliver(direction, data, client)
            return
        self._waiting += 1
        asyncio.get_running_loop().call_later(max(0.0, due - now - ROUNDING), self._due, direction, data, client)

    def _due(self, direction: Direction, data: bytes, client: "_Client") -> None:
        self._waiting -= 1
        self._deliver(direction, data, client)

    def _deliver(self, direction: Direction, data: bytes, client: "_Client") -> None:
        if direction == "up":
            client.send(data)
        elif self._listener is not None and self._clients.get(client.address) is client:
            self._listener.sendto(data, client.address)

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for address, client in list(self._clients.items()):
            if now - client.active > IDLE_SECONDS:
                client.close()
                del self._clients[address]

    def _fault(self, kind: type[SomeFault]) -> SomeFault | None:
        return next((fault for fault in self._faults if isinstance(fault, kind)), None)


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, relay: UdpRelay) -> None:
        self._relay = relay

    def datagram_received(self, data: bytes, address: Address) -> None:
        self._relay.came_up(data, (address[0], address[1]))


class _Client(asyncio.DatagramProtocol):
    """The server's side of one client: a socket of its own, that is opened with the first datagram."""

    def __init__(self, relay: UdpRelay, address: Address) -> None:
        self.address = address
        self.active = time.monotonic()
        self._relay = relay
        self._first: list[bytes] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._is_closed = False
        self._opening = asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, remote_addr=self._relay.target
            )
        except OSError:  # the server's address cannot be: nobody hears of a datagram's fate
            self._first.clear()
            return
        if self._is_closed:
            transport.close()
            return
        self._transport = transport
        for data in self._first:
            transport.sendto(data)
        self._first.clear()

    def send(self, data: bytes) -> None:
        """To the server."""
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._first) < OPENING and not self._is_closed:
            self._first.append(data)
        else:
            self._relay.counts[DATAGRAMS_OVER] += 1

    def datagram_received(self, data: bytes, _address: Address) -> None:
        self._relay.came_down(data, self)

    def close(self) -> None:
        """It is forgotten."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.close()
