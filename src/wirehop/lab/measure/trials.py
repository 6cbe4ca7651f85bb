"""Trials: what becomes of numbered messages when connections are cut, move, die, or pass a bad proxy."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, structs

from wirehop.checker.faults import BlackHole, CutIdle, Fault
from wirehop.checker.proxy import ImpairingProxy
from wirehop.client import Client, ClientState
from wirehop.lab.measure.race import Lane, links, until
from wirehop.lab.measure.readers import WIRES, reading
from wirehop.lab.measure.samples import quantile
from wirehop.lab.presets import PROXIES

CATCH_UP: Final = 30.0
"""Seconds after the last message, in which everybody who can comes back."""

LARGEST: Final = (1_024, 65_536, 1_048_576, 4_194_304)
QUIET: Final = 5.0
IDLE_CUT: Final = 3.0
"""Of the proxy that cuts what is idle, against heartbeats of `TRIAL_HEARTBEAT` seconds: 60 s against 25, smaller."""

TRIAL_HEARTBEAT: Final = 1.2
LATE: Final = 3.0
OPEN_SECONDS: Final = 20.0
SLOWEST: Final = 100.0
FASTEST: Final = 64_000.0
ATTEMPTS: Final = 3


class Outcome(Struct):
    """Of `sent` messages."""

    sent: int
    lost: int
    doubled: int
    disordered: int


async def _messages(
    host: str, port: int, technique: str, relay: ImpairingProxy, channel: str, lane: Lane, order: Mapping[str, Any]
) -> None:
    """Read one channel while its messages are sent, and for as long as it takes to catch up."""
    stay: dict[str, Any] = {"timeout": None} if technique in WIRES else {}
    async with (
        Client(f"http://{host}:{port}", wire="websocket") as sender,
        reading(technique, relay.url, channel, lane.hear, **stay),
    ):
        await sender.rpc("lab.send", {"channel": channel, "first": 0, **order})
        await until(lambda: not lane.missed, CATCH_UP)


async def cuts(
    host: str, port: int, techniques: Sequence[str], *, count: int, rate: float, times: int, how: str = "cut"
) -> dict[str, Outcome]:
    """`count` messages, while every connection is cut (or roams) `times` times."""
    lanes = {technique: Lane(count) for technique in techniques}
    async with links(host, port, len(techniques), ()) as relays:

        async def cutting() -> None:
            for _ in range(times):
                await asyncio.sleep(count / rate / (times + 1))
                for relay in relays:
                    (relay.roam if how == "roam" else relay.cut)()

        cutter = asyncio.create_task(cutting())
        async with asyncio.TaskGroup() as group:
            for (technique, lane), relay in zip(lanes.items(), relays, strict=True):
                channel = f"lab:{how}-{technique}"
                order = {"count": count, "rate": rate}
                group.create_task(_messages(host, port, technique, relay, channel, lane, order))
        cutter.cancel()
    return {name: Outcome(count, lane.missed, lane.doubled, lane.disordered) for name, lane in lanes.items()}


async def dead(host: str, port: int, techniques: Sequence[str], *, most: float) -> dict[str, float]:
    """Seconds until the client says that its peer is gone, which just goes silent; who has not said so after `most` is
    left out. Of own wires: a page with a bare event stream is not told at all."""

    async def one(technique: str) -> tuple[str, float | None]:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        async with ImpairingProxy(host, port) as relay:
            async with asyncio.timeout(OPEN_SECONDS + most):
                client = Client(
                    relay.url,
                    wire=WIRES[technique],
                    timeout=None,
                    on_state=lambda said: gone.set() if said.state is ClientState.WAITING else None,
                )
                async with client, client.subscribe(f"lab:dead-{technique}"):
                    await asyncio.sleep(1.0)
                    await relay.set(BlackHole())
                    begin = loop.time()
                    try:
                        async with asyncio.timeout(most):
                            await gone.wait()
                        found = loop.time() - begin
                    except TimeoutError:
                        found = None
                    relay.cut()
        return technique, found

    found = await asyncio.gather(*(one(technique) for technique in techniques if technique in WIRES))
    return {name: seconds for name, seconds in found if seconds is not None}


def _smaller(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    return tuple(structs.replace(each, seconds=IDLE_CUT) if isinstance(each, CutIdle) else each for each in faults)


async def through_proxies(host: str, port: int, techniques: Sequence[str]) -> dict[tuple[str, str], bool]:
    """By name of the bad proxy and technique: whether each of some messages came within `LATE` seconds, once, also
    after a pause."""

    async def one(name: str, faults: Sequence[Fault], technique: str) -> tuple[tuple[str, str], bool]:
        lane = Lane(20)
        channel = f"lab:proxy-{name}-{technique}"
        options: dict[str, Any] = {"timeout": 4.0} if technique in WIRES else {}
        try:
            async with (
                links(host, port, 1, faults) as (relay,),
                Client(f"http://{host}:{port}") as sender,
                asyncio.timeout(OPEN_SECONDS),
                reading(technique, relay.url, channel, lane.hear, **options),
            ):
                await sender.rpc("lab.send", {"channel": channel, "first": 0, "count": 10, "rate": 10})
                await asyncio.sleep(QUIET)
                await sender.rpc("lab.send", {"channel": channel, "first": 10, "count": 20, "rate": 10})
                await until(lambda: not lane.missed, LATE)
        except Exception:  # whatever it was: it does not pass
            return (name, technique), False
        is_good = not lane.missed and not lane.doubled and max(lane.latencies.values()) < LATE * 1000
        return (name, technique), is_good

    names = [name for name in PROXIES if name]
    done = [one(name, _smaller(PROXIES[name]), technique) for name in names for technique in techniques]
    return dict(await asyncio.gather(*done))


async def largest(host: str, port: int, technique: str) -> int:
    """The largest of some sizes, in bytes, that comes through whole; 0 for none."""
    best = 0
    for size in LARGEST:
        got: asyncio.Queue[Any] = asyncio.Queue()
        channel = f"lab:large-{technique}-{size}"
        options: dict[str, Any] = {"timeout": 5.0} if technique in WIRES else {}
        text = "x" * (size - 2)
        try:
            async with (
                asyncio.timeout(OPEN_SECONDS),
                Client(f"http://{host}:{port}") as sender,
                reading(technique, f"http://{host}:{port}", channel, got.put_nowait, **options),
            ):
                await sender.rpc("lab.large", {"channel": channel, "size": size})
                if await got.get() != text:
                    break
        except Exception:  # whatever it was: it does not come through
            break
        best = size
    return best


async def _holds(host: str, port: int, technique: str, rate: float, seconds: float, most: float, run: int) -> bool:
    """Whether p99 stays below `most` ms at that rate, and nothing is missing."""
    lane = Lane(max(100, int(rate * seconds)))
    channel = f"lab:rate-{technique}-{rate:.0f}-{run}"
    async with (
        Client(f"http://{host}:{port}") as sender,
        reading(technique, f"http://{host}:{port}", channel, lane.hear),
    ):
        await sender.rpc("lab.send", {"channel": channel, "count": lane.sent, "rate": rate})
        await until(lambda: not lane.missed, 2.0)
    ordered = sorted(lane.latencies.values())
    return not lane.missed and quantile(ordered, 0.99) <= most


async def fastest(host: str, port: int, technique: str, *, seconds: float, most: float = 100.0) -> float:
    """The highest rate a second, each half as much again as the one before, at which p99 stays below `most` ms and
    nothing is missing; 0 for none. Each has three attempts: a machine that does something else for a moment is no
    limit."""
    best, rate = 0.0, SLOWEST
    while rate <= FASTEST:
        for run in range(ATTEMPTS):
            if await _holds(host, port, technique, rate, seconds, most, run):
                break
        else:
            break
        best, rate = rate, rate * 1.5
    return best
