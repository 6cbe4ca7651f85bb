"""Everything that is measured without a browser, in turn, into a notebook.

    await measure(plan, say, notebook)

`Plan` says how much of it. Servers are started for it and end with it. What fails is said and left out: its cells are
then not known.
"""

import asyncio
import os
import platform
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from wirehop.bench.run import machine_facts
from wirehop.core.errors import WirehopError
from wirehop.lab.measure import machine, programs, trials, weights
from wirehop.lab.measure.first import first_messages
from wirehop.lab.measure.notebook import Notebook
from wirehop.lab.measure.race import race
from wirehop.lab.measure.readers import READABLE
from wirehop.lab.measure.samples import bootstrap
from wirehop.lab.measure.stage import HEARTBEAT, stage
from wirehop.lab.presets import PRESETS, PROXIES

LINKS: Final = ("rtt0", "rtt20", "rtt100", "rtt300", "loss1", "loss5", "loss20")
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
Say = Callable[[str], None]
Beside = Callable[[], Coroutine[Any, Any, None]]


class Plan(Struct, frozen=True):
    """How much is measured."""

    links: tuple[str, ...] = LINKS
    rounds: int = 2
    """Of each race, each with another chance."""
    count: int = 500
    """Messages of a round."""
    rate: float = 100.0
    weighed: int = 10
    idle_seconds: float = 50.0
    """Two heartbeats."""
    heartbeat: float = HEARTBEAT
    cuts: int = 50
    cut_count: int = 10_000
    cut_rate: float = 400.0
    dead_seconds: float = 60.0
    rate_seconds: float = 0.6
    clients: int = 1000
    """As in `wirehop bench`."""
    fan_seconds: float = 2.0
    fan_rounds: int = 3
    sizes_of_messages: bool = True


QUICK: Final = Plan(
    links=("rtt0", "loss5"),
    rounds=1,
    count=60,
    rate=40.0,
    weighed=2,
    idle_seconds=2.0,
    heartbeat=1.0,
    cuts=3,
    cut_count=200,
    cut_rate=100.0,
    dead_seconds=6.0,
    rate_seconds=0.0,
    clients=30,
    fan_seconds=0.1,
    fan_rounds=1,
    sizes_of_messages=False,
)
"""A look: few samples, nobody is ranked."""

HOW_RACED: Final = (
    "one way from the time at which it was to be sent, all techniques at once over the same emulated link, "
    "Python client (bare event stream and JSONP by hand), 64 bytes, {rate:g} a second"
)


def new_notebook() -> Notebook:
    """With the facts of this machine."""
    here = machine_facts()
    facts = {
        "processor": here.processor,
        "cores": str(here.cores),
        "system": here.system,
        "python": here.python,
        "wirehop": here.version,
        "date": here.date,
    }
    if platform.system() != "Windows":
        facts["load"] = f"{os.getloadavg()[0]:.1f} processes wanted to run when it began"
    return Notebook(here, facts)


async def measure(plan: Plan, say: Say, notebook: Notebook, beside: Beside | None = None) -> None:
    """Measure all parts into `notebook`; `beside` runs while nothing is timed that it could disturb."""
    count_programs(notebook)
    for title, part in PARTS.items():
        await _try(title, part(plan, notebook), say)
    calm = [_try(title, part(plan, notebook), say) for title, part in CALM.items()]
    await asyncio.gather(*calm, *([] if beside is None else [_try("browsers", beside(), say)]))


async def _try(title: str, part: Coroutine[Any, Any, None], say: Say) -> None:
    """What fails is said, and its cells are then not known."""
    say(title)
    try:
        await part
    except (WirehopError, OSError, TimeoutError, ExceptionGroup) as error:
        say(f"{title}: not measured ({error or type(error).__name__})")


def count_programs(notebook: Notebook) -> None:
    """Lines of the examples."""
    found = programs.counted()
    for name, (lines, method) in found.items():
        notebook.enter(name, lines, "lines", method=method, where="the repository")
    if not found:
        notebook.figures.update(programs.inherited())


async def _races(plan: Plan, notebook: Notebook) -> None:
    orderly = dict.fromkeys(READABLE, True)
    complete = dict.fromkeys(READABLE, True)
    lag = 0.0
    async with stage() as server:
        for link in plan.links:
            samples: dict[str, list[float]] = {technique: [] for technique in READABLE}
            missed = dict.fromkeys(READABLE, 0)
            for number in range(plan.rounds):
                order = READABLE[number % len(READABLE) :] + READABLE[: number % len(READABLE)]
                result = await race(
                    *(server.host, server.port, order, PRESETS[link].link.faults()),
                    channel=f"lab:race-{link}-{number}",
                    count=plan.count,
                    rate=plan.rate,
                    seed=number,
                )
                lag = max(lag, result.lag)
                for technique, lane in result.lanes.items():
                    samples[technique] += lane.in_order_of_sending
                    missed[technique] += lane.missed
                    if PRESETS[link].link.loss:
                        orderly[technique] &= not lane.disordered and not lane.doubled
                        complete[technique] &= not lane.missed
            _enter_latencies(plan, notebook, link, samples, missed)
    how = "races over links that lose 1, 5 and 20 %" if plan.links == LINKS else "races over links with loss"
    for technique in READABLE:
        notebook.enter(f"can/ordered/{technique}", float(orderly[technique]), method=how)
        notebook.enter(f"can/reliable/{technique}", float(complete[technique]), method=how)
    notebook.facts["lag"] = f"{lag:.0f} ms was the longest for which the measuring process stood still during races"


def _enter_latencies(
    plan: Plan, notebook: Notebook, link: str, samples: Mapping[str, Sequence[float]], missed: Mapping[str, int]
) -> None:
    method = f"{HOW_RACED.format(rate=plan.rate)}; {PRESETS[link].title}"
    for technique, values in samples.items():
        sent = plan.rounds * plan.count
        notebook.enter(f"missed/{technique}/{link}", missed[technique], "messages", samples=sent, method=method)
        for name, share in QUANTILES.items() if values else ():
            notebook.enter(
                f"latency/{technique}/{link}/{name}", bootstrap(values, share), "ms", samples=len(values), method=method
            )


async def _first(plan: Plan, notebook: Notebook) -> None:
    async with stage() as server:
        for technique, values in (await first_messages(server.host, server.port, READABLE, rounds=plan.rounds)).items():
            how = "plain HTTP, Python client, until the channel is live, over a link with a round trip of 200 ms"
            notebook.enter(f"first/{technique}/new", min(values), "round trips", samples=len(values), method=how)


async def _bytes(plan: Plan, notebook: Notebook) -> None:
    async with stage() as server:
        jobs = (weights.weigh(server.host, server.port, technique, count=plan.weighed) for technique in READABLE)
        found = dict(zip(READABLE, await asyncio.gather(*jobs), strict=True))
    way = "counted by a relay, both ways together, heads of TCP and IP left out, one message at a time"
    for technique, weight in found.items():
        for direction, sizes in (("down", weight.down), ("up", weight.up)):
            for size, each in sizes.items():
                name = f"bytes/{technique}/{direction}/{size}"
                notebook.enter(name, each, "bytes", samples=plan.weighed, method=f"{way}; Python client")
        how = "all bytes both ways until the channel is live, counted by a relay; Python client"
        notebook.enter(f"head/{technique}", weight.opened, "bytes", samples=1, method=how)


async def _cuts(plan: Plan, notebook: Notebook) -> None:
    async with stage() as server:
        found, roamed = await asyncio.gather(
            trials.cuts(server.host, server.port, READABLE, count=plan.cut_count, rate=plan.cut_rate, times=plan.cuts),
            trials.cuts(server.host, server.port, READABLE, count=300, rate=100, times=1, how="roam"),
        )
    for technique, outcome in found.items():
        how = f"the connection is reset {plan.cuts} times, {plan.cut_rate:g} messages a second"
        bad = outcome.lost + outcome.doubled + outcome.disordered
        notebook.enter(f"resume/{technique}", bad, "messages", samples=outcome.sent, method=how)
    for technique, outcome in roamed.items():
        bad = outcome.lost + outcome.doubled + outcome.disordered
        how = f"the client's address changes once within {outcome.sent} messages; all came once, in order"
        notebook.enter(f"can/roam/{technique}", float(not bad), samples=outcome.sent, method=how)


async def _proxies(_plan: Plan, notebook: Notebook) -> None:
    async with stage(trials.TRIAL_HEARTBEAT) as server:
        found = await trials.through_proxies(server.host, server.port, READABLE)
    for (name, technique), is_good in found.items():
        how = f"20 messages with a pause between, each within {trials.LATE:g} s, once"
        if name == "idle-cut":
            how += f"; cut after {trials.IDLE_CUT:g} s against heartbeats of {trials.TRIAL_HEARTBEAT:g} s (60 and 25 s)"
        notebook.enter(f"can/proxy-{name}/{technique}", float(is_good), samples=20, method=how)
    assert {name for name, _ in found} == {name for name in PROXIES if name}


async def _quiet(plan: Plan, notebook: Notebook) -> None:
    async with stage(plan.heartbeat) as server:
        dead, idle = await asyncio.gather(
            trials.dead(server.host, server.port, READABLE, most=plan.dead_seconds),
            weights.idle(server.host, server.port, READABLE, plan.idle_seconds),
        )
    beat = f"heartbeats of {plan.heartbeat:g} s"
    scale = 1.0
    if plan.heartbeat != HEARTBEAT:
        scale = HEARTBEAT / plan.heartbeat
        beat += f", scaled to the default of {HEARTBEAT:g} s"
    for technique, each in idle.items():
        is_beaten = technique in ("websocket", "sse", "sse-post", "stream")
        how = (
            f"{plan.idle_seconds:g} s counted by a relay, both ways together, {beat if is_beaten else 'Python client'}"
        )
        notebook.enter(f"idle/{technique}", each / (scale if is_beaten else 1.0), "bytes/h", samples=1, method=how)
    for technique, seconds in dead.items():
        how = f"a black hole on the way, until the Python client says so, {beat}"
        is_beaten = technique in ("websocket", "sse-post", "stream")
        notebook.enter(f"dead/{technique}", seconds * (scale if is_beaten else 1.0), "s", samples=1, method=how)


async def _sizes(plan: Plan, notebook: Notebook) -> None:
    if not plan.sizes_of_messages:
        return
    sizes = ", ".join(f"{each:,}" for each in trials.LARGEST)
    how = f"of {sizes} bytes the largest that came whole; our limits allow 8 MiB"
    async with stage() as server:
        for technique in READABLE:
            size = await trials.largest(server.host, server.port, technique)
            notebook.enter(f"largest/{technique}", size, "bytes", samples=1, method=how)
            notebook.enter(f"can/boundary/{technique}", float(size > 0), samples=1, method="each message came as one")


async def _rates(plan: Plan, notebook: Notebook) -> None:
    if not plan.rate_seconds:
        return
    how = "rising by half until p99 passes 100 ms or one is missing; sender, server, client on one machine"
    async with stage() as server:
        for technique in READABLE:
            rate = await trials.fastest(server.host, server.port, technique, seconds=plan.rate_seconds)
            if rate:
                notebook.enter(f"rate/{technique}", rate, "messages/s", samples=1, method=how)


async def _spent(plan: Plan, notebook: Notebook) -> None:
    kept: dict[str, list[machine.Spent]] = {}
    for _ in range(plan.fan_rounds):
        for technique in machine.MEASURABLE:
            kept.setdefault(technique, []).append(
                await machine.spend_apart(technique, clients=plan.clients, seconds=plan.fan_seconds)
            )
    for technique, found in kept.items():
        how = f"server and publisher of `wirehop bench`, {plan.clients} clients, 128 bytes, best of {len(found)}"
        if technique == "long-poll":
            how += "; polls of the channel's URL, asked again at once"
        deliveries = sum(each.deliveries for each in found)
        memory = sorted(each.memory for each in found)[len(found) // 2]
        notebook.enter(f"memory/{technique}", memory, "bytes", samples=plan.clients, method=how)
        notebook.enter(f"cpu/{technique}", min(each.cpu for each in found), "µs", samples=deliveries, method=how)
        fanout = max(each.fanout for each in found)
        notebook.enter(f"fanout/{technique}", fanout, "deliveries/s", samples=deliveries, method=how)


PARTS: Final = {
    "races": _races,
    "the first message": _first,
    "memory, processor time, fan-out": _spent,
    "rates": _rates,
    "cuts and changes of address": _cuts,
}
CALM: Final = {"bad proxies": _proxies, "sizes": _sizes, "silence, and idle connections": _quiet, "bytes": _bytes}
"""In which whole seconds count, or bytes: they run at the same time."""
