"""The bench from start to end: children started, measured in turn, round by round, and the least of each kept.

wirehop and the floor take turns within a round, so that what the machine does meanwhile hits both. It knows the
children's words and the order of things. How it looks is for `report`, and for whoever calls.
"""

import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wirehop.bench import words
from wirehop.bench.compiler import build_floor
from wirehop.bench.plan import LATENCY_SHARE, Plan
from wirehop.bench.processes import BenchFailed, Child, child, cores_for_two, cpu_seconds, memory_bytes
from wirehop.version import __version__

START_SECONDS: Final = 20.0
ANSWER_SECONDS: Final = 90.0
"""Beside the time of measuring itself."""
ECHO_BYTES: Final = 64

Say = Callable[[str, float], None]
"""Called with what begins now, and about how many seconds it takes."""


class Side(Struct, frozen=True):
    """What one server did: the least cost of all rounds. None: not known here."""

    name: str
    connect_us: float | None = None
    connects_per_second: float = 0.0
    bytes_each: float | None = None
    fan_out_us: float | None = None
    deliveries_per_second: float = 0.0
    echo_us: float | None = None
    echoes_per_second: float = 0.0
    steady_per_second: float = 0.0
    """Deliveries a second at which latency was measured."""
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    shape: tuple[int, ...] = ()
    shape_ms: float = 0.0
    missing: int = 0
    """Deliveries that did not come; there should be none."""


class Machine(Struct, frozen=True):
    """Where and when."""

    date: str
    version: str
    system: str
    processor: str
    cores: int
    python: str
    loop: str = ""
    sender: str = ""


class Report(Struct, frozen=True):
    """All that came out."""

    machine: Machine
    plan: Plan
    wirehop: Side
    floor: Side | None = None
    no_floor: str = ""
    """Why there is none."""


class _Server(Struct, frozen=True):
    name: words.Target
    port: int
    process: Child

    async def cpu(self) -> float | None:
        """Seconds used so far."""
        if self.name == "wirehop":
            return (await self.process.ask(None, words.Used, START_SECONDS)).cpu
        return cpu_seconds(self.process.pid)


def expected_seconds(plan: Plan) -> float:
    """About how long a run takes, with both servers: the sum of what `say` is told."""
    return 2.0 + 2 * plan.rounds * (connecting_seconds(plan) + 3 * plan.seconds)


def connecting_seconds(plan: Plan) -> float:
    """About how long all subscribers take to connect."""
    return 0.5 + plan.subscribers / 3000


async def run(plan: Plan, say: Say) -> Report:
    """Measure. Raises `BenchFailed`."""
    say("building the C program", 1.0)
    with tempfile.TemporaryDirectory(prefix="wirehop-bench-") as folder:
        program, why = build_floor(Path(folder))
        async with contextlib.AsyncExitStack() as stack:
            server_cores, load_cores = cores_for_two()
            say("starting the servers", 1.0)
            process = await stack.enter_async_context(
                child("server", [sys.executable, "-m", "wirehop.bench.server"], cores=server_cores)
            )
            started = msgspec.json.decode(await process.line(START_SECONDS), type=words.Started)
            servers = [_Server("wirehop", started.port, process)]
            if program is not None:
                process = await stack.enter_async_context(child("floor", [str(program), "0"], cores=server_cores))
                servers.append(_Server("floor", int(await process.line(START_SECONDS)), process))
            generator = await stack.enter_async_context(
                child("load generator", [sys.executable, "-m", "wirehop.bench.load"], cores=load_cores)
            )
            await generator.ask(words.Close(), words.Close, START_SECONDS)  # it has started, and shares what it shares
            sides = await _rounds(plan, servers, generator, say)
    machine = replace(machine_facts(), loop=started.loop, sender=started.sender)
    return Report(machine, plan, sides["wirehop"], sides.get("floor"), why)


async def _rounds(plan: Plan, servers: list[_Server], generator: Child, say: Say) -> dict[str, Side]:
    sides = {server.name: Side(server.name) for server in servers}
    kept = {str(name): side for name, side in sides.items()}
    for number in range(plan.rounds):
        for server in servers if number % 2 == 0 else reversed(servers):
            one = await _measure(plan, server, generator, say, f"round {number + 1} of {plan.rounds}, {server.name}")
            kept[server.name] = merged(kept[server.name], one, is_first=number == 0)
    return kept


async def _measure(plan: Plan, server: _Server, generator: Child, say: Say, where: str) -> Side:
    """One round of one server."""
    say(f"{where}: connecting {plan.subscribers:,} clients", connecting_seconds(plan))
    memory, cpu = memory_bytes(server.process.pid), await server.cpu()
    opened = await _open(server, generator, "subscribe", plan.subscribers)
    connect_us = _each(cpu, await server.cpu(), plan.subscribers)
    grown = memory_bytes(server.process.pid)
    bytes_each = None if memory is None or grown is None else max(0.0, (grown - memory) / plan.subscribers)

    say(f"{where}: fan-out", plan.seconds)
    cpu = await server.cpu()
    fan_out = await _publish(generator, words.Publish(plan.seconds, plan.size))
    fan_out_us = _each(cpu, await server.cpu(), fan_out.count)

    say(f"{where}: latency", plan.seconds)
    rate = max(1.0, LATENCY_SHARE * fan_out.count / fan_out.seconds / plan.subscribers)
    steady = await _publish(generator, words.Publish(plan.seconds, plan.size, rate))
    await generator.ask(words.Close(), words.Close, ANSWER_SECONDS)

    say(f"{where}: echo", plan.seconds)
    await _open(server, generator, "echo", plan.echoes)
    cpu = await server.cpu()
    echoed = _good(await generator.ask(words.Echo(plan.seconds, ECHO_BYTES), words.Measured, _patience(plan.seconds)))
    echo_us = _each(cpu, await server.cpu(), echoed.count)
    await generator.ask(words.Close(), words.Close, ANSWER_SECONDS)
    return Side(
        name=server.name,
        connect_us=connect_us,
        connects_per_second=opened.ready / opened.seconds,
        bytes_each=bytes_each,
        fan_out_us=fan_out_us,
        deliveries_per_second=fan_out.count / fan_out.seconds,
        echo_us=echo_us,
        echoes_per_second=echoed.count / echoed.seconds,
        steady_per_second=rate * plan.subscribers,
        p50_ms=steady.p50_ms,
        p90_ms=steady.p90_ms,
        p99_ms=steady.p99_ms,
        shape=steady.shape,
        shape_ms=steady.shape_ms,
        missing=fan_out.missing + steady.missing,
    )


async def _open(server: _Server, generator: Child, task: words.Task, count: int) -> words.Opened:
    command = words.Open(server.name, task, server.port, count)
    opened = await generator.ask(command, words.Opened, words.CONNECT_SECONDS + ANSWER_SECONDS)
    if opened.ready < count:
        raise BenchFailed(f"{server.name}: {opened.ready} of {count} clients connected: {opened.error}")
    return opened


async def _publish(generator: Child, command: words.Publish) -> words.Measured:
    return _good(await generator.ask(command, words.Measured, _patience(command.seconds)))


def _patience(seconds: float) -> float:
    return seconds + words.DRAIN_SECONDS + ANSWER_SECONDS


def _good(measured: words.Measured) -> words.Measured:
    if not measured.count:
        raise BenchFailed(f"nothing arrived: {measured.error or 'no reason is known'}")
    return measured


def _each(before: float | None, after: float | None, count: int) -> float | None:
    """Microseconds for each of `count`."""
    return None if before is None or after is None or not count else (after - before) * 1e6 / count


def merged(held: Side, one: Side, *, is_first: bool) -> Side:
    """The least cost and the highest rate of both; latencies of the round with the lower 99th percentile.

    Memory counts from the first round only: a process hands out a second time what it already has.
    """
    if is_first:
        return one
    steadier = one if one.p99_ms < held.p99_ms else held
    return replace(
        steadier,
        connect_us=_least(held.connect_us, one.connect_us),
        connects_per_second=max(held.connects_per_second, one.connects_per_second),
        bytes_each=held.bytes_each,
        fan_out_us=_least(held.fan_out_us, one.fan_out_us),
        deliveries_per_second=max(held.deliveries_per_second, one.deliveries_per_second),
        echo_us=_least(held.echo_us, one.echo_us),
        echoes_per_second=max(held.echoes_per_second, one.echoes_per_second),
        missing=held.missing + one.missing,
    )


def _least(one: float | None, other: float | None) -> float | None:
    found = [value for value in (one, other) if value is not None]
    return min(found) if found else None


def machine_facts() -> Machine:
    """What a reader needs to judge the figures."""
    return Machine(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
    )


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
