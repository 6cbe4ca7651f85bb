"""The relay for datagrams: delay, loss, order, width, and who is who."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import cast

import pytest

from wirehop.checker import faults
from wirehop.checker.udp import UdpRelay

from .peers import until

pytestmark = pytest.mark.asyncio
SECONDS = 20.0


class Echo(asyncio.DatagramProtocol):
    """A server that sends back what comes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.seen.append(address)
        cast(asyncio.DatagramTransport, self.transport).sendto(data, address)


class Caller(asyncio.DatagramProtocol):
    """A client, and what came back when."""

    def __init__(self) -> None:
        self.came: list[tuple[float, bytes]] = []
        self.news = asyncio.Event()

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        self.came.append((time.monotonic(), data))
        self.news.set()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.came) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def scene() -> AsyncIterator[tuple[Echo, UdpRelay, asyncio.DatagramTransport, Caller]]:
    loop = asyncio.get_running_loop()
    server, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    async with UdpRelay("127.0.0.1", server.get_extra_info("sockname")[1], seed=4) as relay:
        client, caller = await loop.create_datagram_endpoint(Caller, remote_addr=("127.0.0.1", relay.port))
        try:
            async with asyncio.timeout(SECONDS):
                yield echo, relay, client, caller
        finally:
            client.close()
            server.close()
            await asyncio.sleep(0.01)


async def test_datagrams_go_there_and_back_and_are_counted() -> None:
    async with scene() as (echo, relay, client, caller):
        client.sendto(b"one")
        await caller.has(1)
        assert caller.came[0][1] == b"one"
        assert (relay.traffic["up"].bytes, relay.traffic["down"].bytes, relay.clients) == (3, 3, 1)
        loop = asyncio.get_running_loop()
        other, second = await loop.create_datagram_endpoint(Caller, remote_addr=("127.0.0.1", relay.port))
        other.sendto(b"two")
        await second.has(1)
        assert [data for _, data in second.came] == [b"two"]
        assert len({*echo.seen}) == relay.clients == 2
        other.close()


async def test_delay_is_what_was_asked_for() -> None:
    async with scene() as (_, relay, client, caller):
        relay.set(faults.Delay(0.05))
        for _ in range(12):  # noise only adds: the first good round counts
            taken = []
            for _ in range(5):
                began, count = time.monotonic(), len(caller.came)
                client.sendto(b"x")
                await caller.has(count + 1)
                taken.append(caller.came[-1][0] - began)
            if median(taken) <= 0.105:
                break
        assert median(taken) == pytest.approx(0.1, rel=0.05)


async def test_as_much_is_lost_as_was_asked_for() -> None:
    async with scene() as (echo, relay, client, _):
        relay.set(faults.Loss(0.2))
        sent = 0
        while sent < 3_000:
            for _ in range(50):
                client.sendto(b"x")
            sent += 50
            await until(lambda: relay.traffic["up"].pieces >= sent)  # noqa: B023
        await until(lambda: relay.traffic["down"].pieces >= len(echo.seen))
        lost = relay.counts[faults.DATAGRAMS_LOST]
        assert lost / relay.counts[faults.DATAGRAMS] == pytest.approx(0.2, rel=0.05)


async def test_some_are_overtaken() -> None:
    async with scene() as (_, relay, client, caller):
        relay.set(faults.ReorderDatagrams(0.1, 0.02))
        for number in range(200):
            client.sendto(b"%03d" % number)
            if number % 20 == 19:
                await caller.has(1)
        await caller.has(200)
        numbers = [data for _, data in caller.came]
        assert numbers != sorted(numbers)
        assert sorted(numbers) == [b"%03d" % number for number in range(200)]
        assert relay.counts["datagrams reordered"] > 10


async def test_bandwidth_is_what_was_asked_for_and_what_does_not_fit_is_dropped() -> None:
    found = []
    for _ in range(8):  # noise spoils a round, and then it is not the nearest
        async with scene() as (_, relay, client, caller):
            relay.set(faults.Bandwidth(down=200_000, queue=60_000))
            for _ in range(80):
                client.sendto(b"x" * 1000)
            await until(lambda: relay.traffic["down"].pieces >= 80)
            assert relay.counts[faults.DATAGRAMS_OVER] >= 10
            await caller.has(80 - relay.counts[faults.DATAGRAMS_OVER])
            (first, _), *_, (last, _) = caller.came
            found.append((len(caller.came) - 1) * 1000 / (last - first))
        if abs(found[-1] - 200_000) < 20_000:
            break
    assert min(found, key=lambda rate: abs(rate - 200_000)) == pytest.approx(200_000, rel=0.1)


async def test_blocked_is_blocked() -> None:
    async with scene() as (echo, relay, client, _):
        relay.set(faults.BlockUdp())
        client.sendto(b"x")
        await until(lambda: relay.counts["datagrams blocked"] > 0)
        assert not echo.seen


async def test_who_roams_comes_from_another_port() -> None:
    async with scene() as (echo, relay, client, caller):
        client.sendto(b"x")
        await caller.has(1)
        assert relay.roam() == 1
        client.sendto(b"y")
        await caller.has(2)
        assert echo.seen[0] != echo.seen[1]
