"""A link between two network namespaces that can be slow, lossy, narrow or down: netem where the kernel has none.

Two TUN devices, and a process that carries packets from one to the other; TCP and UDP alike. `Link` is used by tests,
the rest of the module is that process.
"""

import dataclasses
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # as a process it is a script, not part of a package

from netns import Namespace, enter

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
DEVICE = "link0"
ORDER_SECONDS = 10.0
MOST_WAITING = 20_000
"""Packets that are under way; those beyond are dropped and counted."""


@dataclasses.dataclass
class Impairment:
    """What the link does to packets, the same in both directions. Times are in milliseconds."""

    delay: float = 0.0
    jitter: float = 0.0
    """The delay is chance within ± of this; packets stay in order."""
    loss: float = 0.0
    """The share of packets that are lost."""
    rate: float = 0.0
    """Kilobits per second; 0: no limit."""
    queue: float = 200.0
    """How long packets may wait for the rate; those beyond are dropped."""
    down: bool = False
    """Nothing gets through, and nobody is told."""


@dataclasses.dataclass
class Counts:
    """Packets of both directions since the start."""

    carried: int = 0
    lost: int = 0
    overflown: int = 0


class Link:
    """Joins two namespaces, in each as device `link0` with an address. Use it as a context manager."""

    def __init__(
        self, left: Namespace, right: Namespace, *, addresses: tuple[str, str] = ("10.77.0.1/24", "10.77.0.2/24")
    ) -> None:
        self._ends = ((left, addresses[0]), (right, addresses[1]))
        self.impairment = Impairment()

    def __enter__(self) -> "Link":
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ends = [word for namespace, address in self._ends for word in (namespace.path, address)]
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno()), *ends]
            self._process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
        self._orders = mine
        self._orders.settimeout(ORDER_SECONDS)
        self.set()
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.close()
        try:
            self._process.wait(ORDER_SECONDS)
        finally:
            self._process.kill()

    def set(self, **changes: float) -> Counts:
        """Change these of the impairments from now on; the packets so far."""
        self.impairment = dataclasses.replace(self.impairment, **changes)
        self._orders.send(json.dumps(dataclasses.asdict(self.impairment)).encode())
        answer = self._orders.recv(4096)
        if not answer:
            raise AssertionError("the process that carries the link's packets has ended")
        return Counts(**json.loads(answer))


# ---- the process


def open_tun(namespace: str, address: str) -> int:
    """A TUN device in the namespace, up and with the address; the process ends up in the namespace."""
    enter(namespace)
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "addr", "add", address, "dev", DEVICE], check=True)
    subprocess.run(["ip", "link", "set", DEVICE, "up", "txqueuelen", "1000"], check=True)
    return file


class Carrier:
    """Packets under way between two devices."""

    def __init__(self, left: int, right: int) -> None:
        self._other = {left: right, right: left}
        self._free = {left: 0.0, right: 0.0}  # when the bottleneck towards it has sent what it has
        self._last = {left: 0.0, right: 0.0}  # when the newest packet arrives
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._chance = random.Random(1)
        self.impairment = Impairment()
        self.counts = Counts()

    def timeout(self) -> float | None:
        """Seconds until the next packet arrives."""
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None

    def take(self, device: int) -> None:
        """Take the packets that have come in."""
        for _ in range(64):
            try:
                packet = os.read(device, 65_536)
            except BlockingIOError:
                return
            self._send(packet, self._other[device], time.monotonic())

    def _send(self, packet: bytes, to: int, now: float) -> None:
        how = self.impairment
        if how.down or self._chance.random() < how.loss:
            self.counts.lost += 1
            return
        leaves = now
        if how.rate:
            if (self._free[to] - now) * 1000 > how.queue:
                self.counts.overflown += 1
                return
            leaves = self._free[to] = max(now, self._free[to]) + len(packet) * 8 / (how.rate * 1000)
        if len(self._waiting) >= MOST_WAITING:
            self.counts.overflown += 1
            return
        arrives = leaves + (how.delay + self._chance.uniform(-1, 1) * how.jitter) / 1000
        self._last[to] = arrives = max(arrives, self._last[to])
        self._number += 1
        heapq.heappush(self._waiting, (arrives, self._number, to, packet))

    def deliver(self) -> None:
        """Hand over what arrives now."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(self._waiting)
            try:
                os.write(to, packet)
                self.counts.carried += 1
            except OSError:
                self.counts.lost += 1


def carry(orders: socket.socket, left: int, right: int) -> None:
    """Carry packets, and obey orders, until the one who gives them is gone."""
    carrier = Carrier(left, right)
    poll = select.epoll()
    for file in (orders.fileno(), left, right):
        poll.register(file, select.EPOLLIN)
    while True:
        timeout = carrier.timeout()
        for file, _ in poll.poll(-1 if timeout is None else timeout):
            if file != orders.fileno():
                carrier.take(file)
                continue
            order = orders.recv(4096)
            if not order:
                return
            carrier.impairment = Impairment(**json.loads(order))
            orders.send(json.dumps(dataclasses.asdict(carrier.counts)).encode())
        carrier.deliver()


if __name__ == "__main__":
    number, *names = sys.argv[1:]
    carry(socket.socket(fileno=int(number)), open_tun(*names[:2]), open_tun(*names[2:]))
