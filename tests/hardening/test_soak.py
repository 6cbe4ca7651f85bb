"""Everybody at once for a while (`--soak 600`: ten minutes): all wires, cut now and then; nothing is lost, doubled or
out of order, and memory does not grow."""

import asyncio
import contextlib
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
from cutting import Cutter
from measured import Measured, measured
from visitors import visit

from wirehop.client import Client
from wirehop.client.address import channel_path, read_address
from wirehop.client.client import WireName
from wirehop.client.errors import HttpError
from wirehop.client.events import ChannelEvents
from wirehop.client.http import HttpClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
WIRES: tuple[WireName, ...] = ("websocket", "sse", "long-poll", "short-poll")
RATE = 40  # publications a second
SETTLE = 15.0  # for the last of them to reach everybody
GROWTH = 6_000_000
END = "end"


class Reader:
    """What one subscriber has got: the numbers, each once and in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.next: int | None = None
        self.count = 0
        self.wrong: list[str] = []
        self.is_over = False

    def got(self, number: object) -> None:
        if number == END:
            self.is_over = True
            return
        assert isinstance(number, int)
        if self.next is not None and number != self.next:
            self.wrong.append(f"{number} where {self.next} should come")
        self.next = number + 1
        self.count += 1


async def by_session(reader: Reader, url: str, wire: WireName) -> None:
    client = Client(url, wire=wire, timeout=20, jitter=lambda: 0.05)
    async with client, client.subscribe("soak") as subscription:
        async for publication in subscription:
            if publication.is_after_gap:
                reader.wrong.append(f"a gap before {publication.data}")
            reader.got(publication.data)
            if reader.is_over:
                return


async def by_event_stream(reader: Reader, url: str) -> None:
    def changed(change: object) -> None:
        if getattr(change, "recovered", None) is False:
            reader.wrong.append("not recovered")

    events = ChannelEvents(url, "soak", jitter=lambda: 0.0, on_change=changed)
    async with contextlib.aclosing(aiter(events)) as each:
        async for event in each:
            if event.event == "message":
                reader.got(END if event.data == f'"{END}"' else int(event.data))
            if reader.is_over:
                return


async def by_long_poll(reader: Reader, url: str) -> None:
    http = HttpClient(read_address(url), timeout=20)
    cursor = ""
    try:
        while not reader.is_over:
            try:
                answer = await http.request("GET", f"{channel_path('soak')}?wait=5s&cursor={cursor}")
            except HttpError:
                await asyncio.sleep(0.05)
                continue
            page = msgspec.json.decode(answer.body)
            if page.get("recovered") is False:
                reader.wrong.append("not recovered")
            cursor = page["cursor"]
            for publication in page["publications"]:
                reader.got(publication["data"])
    finally:
        await http.close()


async def publish(url: str, until: float, readers: list[Reader]) -> tuple[int, int]:
    """Numbers, each until it is known to be published: how many, and how many had to be sent again."""
    number = again = 0
    http = HttpClient(read_address(url), timeout=5)
    while time.monotonic() < until or not all(reader.count for reader in readers):
        again += await _publish_one(http, str(number), f"k{number}")
        number += 1
        await asyncio.sleep(1 / RATE)
    await _publish_one(http, f'"{END}"', "the end")
    await http.close()
    return number, again


async def _publish_one(http: HttpClient, body: str, key: str) -> int:
    headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)]
    for attempt in range(50):
        with contextlib.suppress(HttpError):
            answer = await http.request("POST", channel_path("soak"), headers=headers, body=body.encode())
            assert answer.status == 201, answer
            return attempt
        await asyncio.sleep(0.02)
    raise AssertionError(f"{body} could not be published")


async def cut_now_and_then(cutter: Cutter, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(1.0, 3.0))
        cutter.cut()


async def drop_by(server: Measured) -> None:
    """Others come and go meanwhile."""
    while True:
        await asyncio.to_thread(visit, server.port, 24, at_once=12)
        await asyncio.sleep(0.2)


async def ask_for_memory(server: Measured, found: list[int]) -> None:
    while True:
        found.append((await asyncio.to_thread(server.measure))["pss"])
        await asyncio.sleep(1.0)


@pytest.fixture
def server() -> Iterator[Measured]:
    with measured(namespace={"history_size": 300}) as server:
        yield server


@pytest.mark.asyncio
async def test_nothing_is_lost_or_doubled_and_memory_is_flat(server: Measured, request: pytest.FixtureRequest) -> None:
    seconds = float(request.config.getoption("--soak"))
    await asyncio.to_thread(visit, server.port, 600)
    memory: list[int] = []
    async with Cutter(server.port) as cutter, asyncio.timeout(seconds + SETTLE + 30):
        url = f"http://127.0.0.1:{cutter.port}"
        readers = [Reader(f"{wire} {number}") for wire in WIRES for number in range(3)]
        readers += [Reader("event stream"), Reader("long poll")]
        reading = [
            asyncio.create_task(by_session(reader, url, WIRES[at // 3])) for at, reader in enumerate(readers[:12])
        ]
        reading += [
            asyncio.create_task(by_event_stream(readers[12], url)),
            asyncio.create_task(by_long_poll(readers[13], url)),
        ]
        disturbing = [
            asyncio.create_task(cut_now_and_then(cutter, random.Random(3))),
            asyncio.create_task(drop_by(server)),
            asyncio.create_task(ask_for_memory(server, memory)),
        ]
        try:
            published, again = await publish(url, time.monotonic() + seconds, readers)
            disturbing[0].cancel()
            async with asyncio.timeout(SETTLE):
                await asyncio.gather(*reading)
        except TimeoutError:
            pytest.fail(f"not at the end: {[reader.name for reader in readers if not reader.is_over]}")
        finally:
            for task in [*disturbing, *reading]:
                task.cancel()
            await asyncio.gather(*disturbing, *reading, return_exceptions=True)
    counts = Counter({reader.name: reader.count for reader in readers})
    third = max(1, len(memory) // 3)
    first, last = sum(memory[third : 2 * third]) / third, sum(memory[-third:]) / third
    print(f"{seconds:g} s, {published} published, {again} again, {cutter.cuts} cuts, got {dict(counts)}; "
          f"{first / 1e6:.2f} -> {last / 1e6:.2f} MB")  # fmt: skip
    assert {reader.name: reader.wrong for reader in readers if reader.wrong} == {}
    assert all(reader.next == published for reader in readers), {reader.name: reader.next for reader in readers}
    assert min(counts.values()) > published / 2
    assert cutter.cuts >= seconds / 4
    assert last - first < GROWTH
    said = await asyncio.to_thread(server.measure)
    assert said["errors"] == 0
    assert said["open"] == 0, "only sessions of polls outlive their connections, for twenty seconds"
    assert said["leftovers"].get("sessions", 0) == said["leftovers"].get("polls", 0)


def test_the_reader_notices_what_is_wrong() -> None:
    for numbers in ([1, 3], [1, 1], [2, 1], [1, 2, 4]):
        reader = Reader("x")
        for number in numbers:
            reader.got(number)
        assert reader.wrong
