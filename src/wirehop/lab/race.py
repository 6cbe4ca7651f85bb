"""The race's messages: the same numbers over every wire, interleaved, each with the time it was to be sent at.

Of one round every wire gets the same number, a fraction of the pace apart, so that none waits in the browser behind
another; which one comes first turns with every round. A publisher that is late says so in the message and makes nothing
up: the time that counts is the intended one, so a stall costs every message that it held up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from msgspec import Struct

PREFIX: Final = "lab-race:"
COUNT: Final = 5_000
"""Most messages of a race."""
RATE: Final = 500.0
"""Most a second and wire."""
PAYLOAD: Final = 4_096
EARLY: Final = 0.0005
"""Timers are late by up to a millisecond."""
Publish = Callable[[str, object], Awaitable[object]]


class Race(Struct, frozen=True):
    """What a page asks for: `count` messages after `warm` that do not count, `rate` a second over each of `wires`, with
    payloads of about `size` bytes. `id` is the page's own; a wire's channel is `lab-race:{id}-{wire}`."""

    id: str
    wires: tuple[str, ...]
    count: int = 1_000
    rate: float = 100.0
    size: int = 200
    warm: int = 50

    def problem(self) -> str:
        """Why there is no such race; empty if there is."""
        if not (self.id.isalnum() and len(self.id) <= 40):
            return "id is up to 40 letters and digits"
        if not 1 <= len(self.wires) <= 8 or len({*self.wires}) < len(self.wires):
            return "wires are one to eight different ones"
        if not (1 <= self.count <= COUNT and 0 <= self.warm <= COUNT):
            return f"count is up to {COUNT}"
        if not 1 <= self.rate <= RATE:
            return f"rate is up to {RATE:g} a second"
        return "" if 0 <= self.size <= PAYLOAD else f"size is up to {PAYLOAD} bytes"

    def channel(self, wire: str) -> str:
        """Where a wire's messages are published."""
        return f"{PREFIX}{self.id}-{wire}"


class Turn(Struct, frozen=True):
    """One message: `offset` seconds after the beginning, on `wire`. Numbers below zero warm up."""

    offset: float
    wire: str
    number: int


def turns(race: Race) -> Iterator[Turn]:
    """Who is sent which number, when."""
    apart = 1 / race.rate / len(race.wires)
    for step, number in enumerate(range(-race.warm, race.count)):
        for place in range(len(race.wires)):
            wire = race.wires[(place + step) % len(race.wires)]
            yield Turn((step * len(race.wires) + place) * apart, wire, number)


def milliseconds() -> float:
    """The clock of the lab: monotonic, of no date."""
    return time.monotonic() * 1000


async def run(race: Race, publish: Publish) -> None:
    """All of it."""
    began = time.monotonic() + 0.05
    padding = "x" * max(0, race.size - 50)  # the rest of it takes about 50
    for turn in turns(race):
        due = began + turn.offset
        left = due - time.monotonic() - EARLY
        if left > 0:
            await asyncio.sleep(left)
        late = max(0.0, time.monotonic() - due)
        message = {"n": turn.number, "at": round(due * 1000, 2), "late": round(late * 1000, 2), "pad": padding}
        await publish(race.channel(turn.wire), message)
