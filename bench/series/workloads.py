"""What is measured: workloads of groups of cells. A cell is one server under one load, and gives one line of figures.

The cells of a group are run one after the other, and the groups of a workload in rounds, so the servers that are
compared meet the same minutes. It knows loads and lanes; it does not run anything, and it does not judge.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from series.peers import PEERS, Arguments

WIREHOPS = ("wirehop", "wirehop-write")
LANES = ("ws", "sse", "poll", "resumable")
"""Of a fan-out; `resumable` are WebSockets whose sessions outlive them."""


@dataclass(frozen=True)
class Cell:
    """One server under one load."""

    peer: str
    arguments: Arguments


@dataclass(frozen=True)
class Group:
    """Cells that are compared with one another."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Workload:
    """One part of the series; the parts can be run one at a time."""

    name: str
    about: str
    groups: tuple[Group, ...]
    rounds: int = 8
    is_fresh: bool = False
    """A new server for every cell: memory that an earlier crowd left behind would serve the next one."""


@dataclass(frozen=True)
class Scale:
    """How long and how large; `scripts/bench --peers --quick` makes all of it small."""

    seconds: float = 0.6
    """Of publishing, each cell."""
    size: int = 128
    """Bytes of a payload."""
    shrink: int = 1
    """Divides numbers of connections."""

    def publishing(self, subscribers: int, *more: object) -> Arguments:
        """Publish to so many, in a closed loop unless `more` says otherwise."""
        return (
            *("--connections", max(2, subscribers // self.shrink), "--size", self.size),
            *("--warmup", 0.2, "--settle", 0.1, "--duration", self.seconds, *more),
        )


def _group(name: str, lane: str, load: Arguments, peers: Iterable[str], *, subscribers: int = 0) -> Group:
    cells = (
        Cell(each, (*PEERS[each].lanes[lane], *load))
        for each in peers
        if lane in PEERS[each].lanes and subscribers <= PEERS[each].most
    )
    return Group(name, tuple(cells))


def _fan_out(scale: Scale, subscribers: int) -> Workload:
    load = scale.publishing(subscribers)
    groups = [_group(lane, lane, load, PEERS, subscribers=subscribers) for lane in LANES]
    about = f"CPU per delivery, {subscribers:,} subscribers, one publication in flight"
    return Workload(f"fanout-{subscribers}", about, tuple(groups))


def _in_flight(scale: Scale) -> Workload:
    group = _group("ws", "ws", scale.publishing(1000, "--in-flight", 16), ("floor", *WIREHOPS, "centrifuge", "nchan"))
    return Workload("inflight", "CPU per delivery, 1,000 subscribers, 16 publications in flight", (group,))


def _open_loop(scale: Scale) -> Workload:
    load = scale.publishing(1000, "--rate", 500, "--duration", 2.5 * scale.seconds)
    about = "500 publications a second to 1,000 subscribers, whatever arrives: 500,000 deliveries a second"
    return Workload("openloop", about, (_group("ws", "ws", load, WIREHOPS),))


def _connect(scale: Scale) -> Workload:
    load = ("--connections", 2000 // scale.shrink, "--duration", 0, "--settle", 0.05)
    return Workload("connect", "CPU of a connect, with session and subscription where there are such", (
        _group("ws", "ws", load, PEERS, subscribers=2000),
    ))  # fmt: skip


def _commands(scale: Scale) -> Workload:
    load = (
        *("--connections", 1000 // scale.shrink, "--size", 64, "--warmup", 0.2, "--settle", 0.1),
        *("--duration", scale.seconds),
    )
    return Workload("commands", "CPU of a command, 1,000 clients with one each in flight, 64 bytes", (
        _group("rpc", "rpc", load, PEERS),
        _group("publish", "publish", load, PEERS),
    ))  # fmt: skip


def _idle(scale: Scale) -> Workload:
    load = ("--connections", 10_000 // scale.shrink, "--duration", 0, "--settle", 1, "--connect-limit", 60)
    groups = (_group("ws", "ws", load, PEERS, subscribers=10_000), _group("resumable", "resumable", load, WIREHOPS))
    return Workload("idle", "memory of 10,000 idle connections", groups, rounds=3, is_fresh=True)


def _hold(scale: Scale) -> Workload:
    idle = 40 if scale.shrink == 1 else 27
    load = ("--connections", 15_000 // scale.shrink, "--duration", 0, "--settle", 1, "--idle", idle)
    about = f"15,000 connections held for {idle} s, pings answered"
    return Workload("hold", about, (_group("ws", "ws", load, WIREHOPS),), rounds=1, is_fresh=True)


def _stalled(scale: Scale) -> Workload:
    groups = []
    for name, stalled in (("all read", 0), ("one stalled", 1)):
        load = (
            *("--connections", 300, "--size", 8192, "--rate", 200, "--warmup", 0.3, "--settle", 0.1),
            *("--duration", 5 * scale.seconds, "--stalled", stalled),
        )
        groups.append(_group(name, "ws", load, WIREHOPS))
    return Workload("stalled", "300 subscribers, 8 KiB 200 times a second, and one that does not read", tuple(groups))


SUBSCRIBERS = (100, 300, 1000, 3000, 5000, 10_000, 15_000)
CHANNELS: Mapping[int, tuple[int, int]] = {
    1: (10, 1),
    10: (100, 1),
    100: (1000, 1),
    1000: (1000, 10),
    10_000: (1000, 100),
}
"""Channels to connections, and channels of each: always ten subscribers in a channel."""


def _growth(scale: Scale) -> Workload:
    peers = ("floor", *WIREHOPS, "centrifuge", "nchan")
    groups = [_group(f"{count}", "ws", scale.publishing(count), peers, subscribers=count) for count in SUBSCRIBERS]
    return Workload("growth", "CPU per delivery by number of subscribers", tuple(groups), rounds=4)


def _channels(scale: Scale) -> Workload:
    groups = []
    for channels, (connections, each) in CHANNELS.items():
        load = (
            *("--connections", connections, "--channels", channels, "--each", each, "--in-flight", 4),
            *("--ready-on", f'"id":{each},"subscribe"', "--size", scale.size, "--warmup", 0.2, "--settle", 0.1),
            *("--duration", scale.seconds),
        )
        groups.append(_group(f"{channels}", "channels", load, (*WIREHOPS, "centrifuge")))
    about = "CPU per delivery by number of channels, ten subscribers in each, publications going round"
    return Workload("channels", about, tuple(groups), rounds=4)


def workloads(scale: Scale) -> dict[str, Workload]:
    """All of them, by name, in the order of the series."""
    made = (
        *(_fan_out(scale, 1000), _fan_out(scale, 5000), _in_flight(scale), _open_loop(scale), _connect(scale)),
        *(_commands(scale), _stalled(scale), _idle(scale), _hold(scale), _growth(scale), _channels(scale)),
    )
    return {workload.name: workload for workload in made}
