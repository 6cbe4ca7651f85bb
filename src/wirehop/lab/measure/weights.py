"""What it weighs: bytes on the wire for a message, for opening, and for an hour in which nothing happens.

A relay without faults counts every byte of every connection, both ways together: of a poll the request is part of what
a message costs. Heads of IP and TCP are not counted; they are the same for all.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from wirehop.checker.proxy import ImpairingProxy
from wirehop.client import Client
from wirehop.client.address import read_address
from wirehop.client.http import HttpClient
from wirehop.lab.measure.race import until
from wirehop.lab.measure.readers import reading

SIZES: Final = (20, 200, 2000)
PAUSE: Final = 0.06
"""Seconds between two messages, so that each goes by itself."""

SETTLE: Final = 0.4
HOUR: Final = 3600.0
SECONDS: Final = 20.0


class Weight(Struct):
    """Bytes: to open until live, and per message by payload size, down and up."""

    opened: int
    down: dict[int, float]
    up: dict[int, float]


def _bytes(relay: ImpairingProxy) -> int:
    return relay.traffic["down"].bytes + relay.traffic["up"].bytes


async def _settled(relay: ImpairingProxy) -> int:
    """The count, when nothing has passed for a moment."""
    before = -1
    async with asyncio.timeout(SECONDS):
        while before != (now := _bytes(relay)):
            before = now
            await asyncio.sleep(SETTLE)
    return before


def payload(size: int) -> str:
    """Text that is so many bytes of JSON."""
    return "x" * (size - 2)


async def _come(heard: Sequence[object], count: int) -> None:
    if not await until(lambda: len(heard) >= count, SECONDS):
        raise TimeoutError("a message did not come")


async def weigh(host: str, port: int, technique: str, *, count: int = 20) -> Weight:
    """Weigh one technique with `count` messages of each size, each way."""
    heard: list[object] = []
    channel = f"lab:weight-{technique}"
    async with ImpairingProxy(host, port) as relay, Client(f"http://{host}:{port}", wire="websocket") as sender:
        is_polled = technique in ("short-poll", "long-poll", "jsonp")
        async with reading(technique, relay.url, channel, heard.append) as reader:
            opened = _bytes(relay) if is_polled else await _settled(relay)
            down: dict[int, float] = {}
            for size in SIZES:
                await asyncio.sleep(SETTLE)
                before = _bytes(relay)
                heard.clear()
                for number in range(count):
                    await sender.publish(channel, payload(size))
                    if is_polled:  # one by one: what one poll brings together is another measurement
                        await _come(heard, number + 1)
                    await asyncio.sleep(PAUSE)
                await _come(heard, count)
                await asyncio.sleep(PAUSE)
                down[size] = (_bytes(relay) - before) / count
            up = {} if reader.client is None else await _up(relay, reader.client, count)
        if technique in ("sse", "jsonp"):
            up = await _posted(relay, count) if technique == "sse" else {}
    return Weight(opened, down, up)


async def _up(relay: ImpairingProxy, client: Client, count: int) -> dict[int, float]:
    """Published by the session itself, with the answer."""
    found = {}
    for size in SIZES:
        await asyncio.sleep(SETTLE)
        before = _bytes(relay)
        for _ in range(count):
            await client.publish("lab:up", payload(size))
            await asyncio.sleep(PAUSE)
        found[size] = (_bytes(relay) - before) / count
    return found


async def _posted(relay: ImpairingProxy, count: int) -> dict[int, float]:
    """Published with a request of its own, which is what a bare event stream has."""
    http = HttpClient(read_address(relay.url), None, timeout=10)
    found = {}
    try:
        for size in SIZES:
            before = _bytes(relay)
            for _ in range(count):
                headers = [("Content-Type", "application/json")]
                await http.request("POST", "/channels/lab:up", headers=headers, body=msgspec.json.encode(payload(size)))
            found[size] = (_bytes(relay) - before) / count
    finally:
        await http.close()
    return found


async def idle(host: str, port: int, techniques: Sequence[str], seconds: float) -> dict[str, float]:
    """Bytes of an hour in which nothing happens, from `seconds` of it."""
    async with contextlib.AsyncExitStack() as stack:
        relays = {}
        for technique in techniques:
            relay = relays[technique] = await stack.enter_async_context(ImpairingProxy(host, port))
            await stack.enter_async_context(reading(technique, relay.url, f"lab:idle-{technique}", lambda _: None))
        await asyncio.sleep(1.0)
        before = {technique: _bytes(relay) for technique, relay in relays.items()}
        await asyncio.sleep(seconds)
        return {name: (_bytes(relay) - before[name]) * HOUR / seconds for name, relay in relays.items()}
