"""The race: the same numbered messages to every technique at the same time, over one link.

Messages have times at which they are to be sent; the latency of each counts from there, so that a sender or a link that
stalls is seen in all messages that had to wait (no coordinated omission). Sender and readers are on one machine: there
is one clock. Nobody waits for anybody: all techniques read the same channel, each through a relay of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct, field

from wirehop.checker.faults import Fault
from wirehop.checker.proxy import ImpairingProxy
from wirehop.client import Client
from wirehop.lab.measure.messages import Message
from wirehop.lab.measure.readers import Reader, reading

DRAIN_SECONDS: Final = 8.0
OPEN_SECONDS: Final = 60.0
_LOOK: Final = 0.01


class Lane(Struct):
    """What came by one technique. `latencies` are milliseconds by number of the message."""

    sent: int = 0
    latencies: dict[int, float] = field(default_factory=dict)
    doubled: int = 0
    disordered: int = 0
    connections: int = 0
    last: int = -1

    @property
    def missed(self) -> int:
        """That never came."""
        return self.sent - len(self.latencies)

    @property
    def in_order_of_sending(self) -> list[float]:
        """The latencies, as the messages were sent."""
        return [self.latencies[number] for number in sorted(self.latencies)]

    def heard(self, message: Message, now: float) -> None:
        """It has come."""
        if message.n < 0:
            return
        if message.n in self.latencies:
            self.doubled += 1
            return
        self.disordered += message.n < self.last
        self.last = max(self.last, message.n)
        self.latencies[message.n] = (now - message.at) * 1000

    def hear(self, data: object) -> None:
        """What a reader on the running loop calls with each payload."""
        self.heard(msgspec.convert(data, Message), asyncio.get_running_loop().time())


class Race(Struct):
    """The lanes by technique, and the longest time in ms for which this process itself stood still."""

    lanes: Mapping[str, Lane]
    lag: float = 0.0


@contextlib.asynccontextmanager
async def links(
    host: str, port: int, count: int, faults: Sequence[Fault], *, seed: int = 0
) -> AsyncIterator[list[ImpairingProxy]]:
    """Relays with these faults, all with the same chance."""
    async with contextlib.AsyncExitStack() as stack:
        found = [await stack.enter_async_context(ImpairingProxy(host, port, seed=seed)) for _ in range(count)]
        for link in found:
            await link.set(*faults)
        yield found


async def race(
    host: str,
    port: int,
    techniques: Sequence[str],
    faults: Sequence[Fault],
    *,
    channel: str,
    count: int,
    rate: float,
    size: int = 64,
    seed: int = 0,
    patience: float = DRAIN_SECONDS,
) -> Race:
    """Send `count` messages of `size` bytes, `rate` a second, after a warm-up; what each technique saw of them.

    `host`, `port`: the server (`server`), which is the sender. Raises `TimeoutError` where somebody cannot connect.
    """
    result = Race({technique: Lane(count) for technique in techniques})
    async with contextlib.AsyncExitStack() as stack:
        relays = await stack.enter_async_context(links(host, port, len(techniques), faults, seed=seed))
        readers: list[Reader] = []

        async with asyncio.timeout(OPEN_SECONDS):
            sender = await stack.enter_async_context(Client(f"http://{host}:{port}", wire="websocket"))
            for (technique, lane), relay in zip(result.lanes.items(), relays, strict=True):
                entered = reading(technique, relay.url, channel, lane.hear)
                readers.append(await stack.enter_async_context(entered))
        watching = asyncio.create_task(_watch(result))
        order = {"channel": channel, "count": count, "rate": rate, "size": size}
        await sender.rpc("lab.send", order)
        await until(lambda: not any(lane.missed for lane in result.lanes.values()), patience)
        watching.cancel()
        for lane, reader in zip(result.lanes.values(), readers, strict=True):
            lane.connections = reader.opened
    return result


async def until(is_over: Callable[[], bool], seconds: float) -> bool:
    """Wait for it, so long at most; whether it came."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not is_over() and loop.time() < end:  # noqa: ASYNC110 - the one place that looks again and again
        await asyncio.sleep(_LOOK)
    return is_over()


async def _watch(result: Race) -> None:
    """How late this process is."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    while True:
        await asyncio.sleep(_LOOK)
        now = loop.time()
        result.lag = max(result.lag, (now - before - _LOOK) * 1000)
        before = now
