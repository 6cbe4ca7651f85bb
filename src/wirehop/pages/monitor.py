"""The figures of the monitor page: this machine in `monitor:system`, the server itself in `monitor:server`.

Both are loops that publish one object per interval until they are cancelled. Computing rates from cumulative
counters is separate and pure (`server_report`, `per_second`). This module knows psutil and nothing of how a
channel works: `publish` is given to it.
"""

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

Publish = Callable[[str, object], Awaitable[object]]

SYSTEM_CHANNEL = "monitor:system"
SERVER_CHANNEL = "monitor:server"
PROCESS_ROWS = 12
"""How many of the busiest processes are published."""
PROCESS_SECONDS = 2.0
"""The list of processes is read at most this often: it opens several files for each process."""
MISSING_SECONDS = 10.0
"""How often a page is told that psutil is missing."""


# ---- rates -------------------------------------------------------------------------------------------------


class WireFigures(Struct, frozen=True):
    """One wire: how many connections it has now, and messages in and out since the server started."""

    connections: int = 0
    received: int = msgspec.field(default=0, name="in")
    sent: int = msgspec.field(default=0, name="out")


class ServerFigures(Struct, frozen=True):
    """What the server counts, since its start. `drops` are messages that a slow client did not get."""

    wires: dict[str, WireFigures] = {}
    publications: int = 0
    drops: int = 0


class WireReport(Struct, frozen=True):
    """One wire: `connections` now, messages `in` and `out` per second."""

    connections: int
    received: float = msgspec.field(name="in")
    sent: float = msgspec.field(name="out")


class ServerReport(Struct, frozen=True):
    """What `monitor:server` carries: gauges, rates per second, and the drops since the start."""

    at: int  # Unix time in milliseconds
    connections: int
    wires: dict[str, WireReport]
    publications: float
    drops: int
    drop_rate: float


def per_second(before: float, after: float, seconds: float) -> float:
    """The rate of a cumulative counter.

    A counter that went down was started anew, so all of `after` is new. No time passed: 0.
    """
    if seconds <= 0:
        return 0.0
    grown = after - before if after >= before else after
    return round(grown / seconds, 2)


def server_report(before: ServerFigures | None, after: ServerFigures, *, seconds: float, at: int) -> ServerReport:
    """Gauges and rates of the `seconds` between two readings; without an earlier reading all rates are 0."""
    start = after if before is None else before

    def wire_report(name: str, wire: WireFigures) -> WireReport:
        # A wire that was not listed before had not been used: its counters began at 0.
        first = start.wires.get(name, WireFigures())
        return WireReport(
            connections=wire.connections,
            received=per_second(first.received, wire.received, seconds),
            sent=per_second(first.sent, wire.sent, seconds),
        )

    return ServerReport(
        at=at,
        connections=sum(wire.connections for wire in after.wires.values()),
        wires={name: wire_report(name, wire) for name, wire in after.wires.items()},
        publications=per_second(start.publications, after.publications, seconds),
        drops=after.drops,
        drop_rate=per_second(start.drops, after.drops, seconds),
    )


# ---- this machine ------------------------------------------------------------------------------------------


class _Machine:
    """Reads psutil. The first reading of anything that is a rate gives 0; psutil keeps the reading before."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._network: tuple[float, int, int] | None = None  # monotonic seconds, bytes in, bytes out
        self._processors = psutil.cpu_count() or 1
        psutil.cpu_percent(percpu=True)

    def read(self) -> dict[str, object]:
        """All but the processes: a few files of /proc, well below a millisecond each."""
        psutil = self._psutil
        cores: list[float] = psutil.cpu_percent(percpu=True)
        memory = psutil.virtual_memory()
        swap = psutil.swap_memory()
        return {
            "at": round(time.time() * 1000),
            "cpu": {"total": round(sum(cores) / max(1, len(cores)), 1), "cores": cores},
            "memory": {
                "total": memory.total,
                "used": memory.total - memory.available,
                "swap_total": swap.total,
                "swap_used": swap.used,
            },
            "network": self._network_rates(),
            "load": [round(value, 2) for value in psutil.getloadavg()],
            "uptime": round(time.time() - psutil.boot_time()),
        }

    def _network_rates(self) -> dict[str, float]:
        counters = self._psutil.net_io_counters()
        if counters is None:  # a machine without interfaces
            return {"in": 0.0, "out": 0.0}
        now = time.monotonic()
        then, received, sent = self._network or (now, counters.bytes_recv, counters.bytes_sent)
        self._network = (now, counters.bytes_recv, counters.bytes_sent)
        return {
            "in": per_second(received, counters.bytes_recv, now - then),
            "out": per_second(sent, counters.bytes_sent, now - then),
        }

    def busiest(self) -> list[dict[str, object]]:
        """The processes that use the most CPU. Takes tens of milliseconds: for a thread.

        Names only: command lines may hold secrets. `cpu` is the share of the whole machine, in percent.
        """
        rows = [
            {
                "pid": process.pid,
                "name": process.info["name"] or "?",
                "cpu": round((process.info["cpu_percent"] or 0.0) / self._processors, 1),
                "memory": process.info["memory_info"].rss if process.info["memory_info"] else 0,
            }
            for process in self._psutil.process_iter(["name", "cpu_percent", "memory_info"])
        ]
        rows.sort(key=lambda row: (row["cpu"], row["memory"]), reverse=True)
        return rows[:PROCESS_ROWS]


def _psutil() -> Any | None:
    """psutil, or None where it is not installed. Imported here because only this page needs it."""
    try:
        return importlib.import_module("psutil")
    except ImportError:
        return None


# ---- the loops ---------------------------------------------------------------------------------------------


async def publish_system(publish: Publish, *, interval: float = 1.0) -> None:
    """Publish this machine's figures to `monitor:system` every `interval` seconds, until cancelled.

    `processes` is in those publications only for which the list was read again. Without psutil the publications
    are `{"error": …}` with a sentence for the page.
    """
    psutil = _psutil()
    if psutil is None:
        reason = "This page needs psutil on the server: pip install 'wirehop[demos]', then start it again."
        while True:
            await publish(SYSTEM_CHANNEL, {"error": reason})
            await asyncio.sleep(MISSING_SECONDS)

    machine = _Machine(psutil)
    clock = asyncio.get_running_loop().time
    next_reading = next_processes = clock()
    while True:
        report = machine.read()
        if clock() >= next_processes:
            # Half an interval early, so that it falls on the reading nearest to it and not on the one after.
            next_processes = clock() + PROCESS_SECONDS - interval / 2
            report["processes"] = await asyncio.to_thread(machine.busiest)
        await publish(SYSTEM_CHANNEL, report)
        next_reading = _after(next_reading, interval, clock())
        await asyncio.sleep(next_reading - clock())


async def publish_server(
    publish: Publish, read_figures: Callable[[], Mapping[str, object]], *, interval: float = 1.0
) -> None:
    """Publish the server's own figures to `monitor:server` every `interval` seconds, until cancelled.

    `read_figures` returns counters since the start, in the shape of `ServerFigures`:
    `{"wires": {"websocket": {"connections": 3, "in": 120, "out": 4000}}, "publications": 17, "drops": 0}`.
    """
    clock = asyncio.get_running_loop().time
    before: ServerFigures | None = None
    next_reading = read_at = clock()
    while True:
        now = clock()
        figures = msgspec.convert(read_figures(), ServerFigures)
        report = server_report(before, figures, seconds=now - read_at, at=round(time.time() * 1000))
        before, read_at = figures, now
        await publish(SERVER_CHANNEL, cast("dict[str, object]", msgspec.to_builtins(report)))
        next_reading = _after(next_reading, interval, clock())
        await asyncio.sleep(next_reading - clock())


def _after(due: float, interval: float, now: float) -> float:
    """When the next reading is due: on the beat, but beats that were missed are not made up for."""
    return max(due + interval, now)
