"""How long the beginning takes: from nothing to a channel that is live, in round trips of a long link.

A round trip so long that what the machine does beside it hardly counts; the least of some rounds is the figure.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from wirehop.checker.faults import Delay, Handshake
from wirehop.lab.measure.race import links
from wirehop.lab.measure.readers import reading

ONE_WAY: Final = 0.1
SECONDS: Final = 20.0


async def first_messages(
    host: str, port: int, techniques: Sequence[str], *, rounds: int, one_way: float = ONE_WAY
) -> dict[str, list[float]]:
    """Round trips by technique, one for each round. Who does not come within 20 s is left out."""
    found: dict[str, list[float]] = {}

    async def one(technique: str) -> None:
        loop = asyncio.get_running_loop()
        async with links(host, port, 1, (Delay(one_way), Handshake())) as (relay,):
            begin = loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECONDS), reading(technique, relay.url, f"lab:{technique}", lambda _: None):
                    found.setdefault(technique, []).append((loop.time() - begin) / (2 * one_way))

    for _ in range(rounds):
        await asyncio.gather(*(one(technique) for technique in techniques))
    return found
