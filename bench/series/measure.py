"""Running a series: servers alive side by side, cells in turn, figures kept, and the file written after every round.

It knows how a cell is run and what is kept of it. What the figures mean is for `verdicts` and `report`.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rig

from series.peers import PEERS, Arguments, Peer
from series.workloads import Workload

FORMAT = 1
PACKAGES = ("wirehop", "uvloop", "httptools", "msgspec", "uvicorn", "websockets")
OURS = ("floor", "wirehop", "wirehop-write")

Figures = dict[str, Any]


def say(text: str) -> None:
    """Progress goes to stderr, so that stdout is the tables."""
    print(text, file=sys.stderr, flush=True)


class Servers:
    """Servers that are alive, by name; one that died is started again when it is asked for."""

    def __init__(self) -> None:
        self._alive: dict[str, tuple[contextlib.ExitStack, rig.Server]] = {}

    def get(self, peer: Peer, *, is_fresh: bool) -> rig.Server:
        """The running server of a peer."""
        held = self._alive.get(peer.name)
        if held is not None and (is_fresh or not held[1].is_alive()):
            self.end(peer.name)
            held = None
        if held is None:
            stack, port = contextlib.ExitStack(), rig.free_port()
            server = stack.enter_context(rig.serving(peer.name, peer.command(port), port, also=peer.also))
            held = self._alive[peer.name] = (stack, server)
        return held[1]

    def end(self, name: str) -> None:
        """Stop one, if it is alive."""
        if name in self._alive:
            self._alive.pop(name)[0].close()

    def wait_until_quiet(self) -> None:
        """Until none of them works on what is over."""
        rig.wait_until_quiet([server for _, server in self._alive.values()])

    def close(self) -> None:
        """Stop them all."""
        for name in list(self._alive):
            self.end(name)


@contextlib.contextmanager
def serving_peers() -> Iterator[Servers]:
    """Servers for a series; they end with it."""
    servers = Servers()
    try:
        yield servers
    finally:
        servers.close()


def kept_figures(result: rig.Result) -> Figures:
    """Of a line of the load generator, what results keep; `error` says why a cell has none that count."""
    connections, deliveries, server = result["connections"], result["deliveries"], result["server"]
    lost = connections["failed"] + connections["dropped"] + deliveries["missing"] + deliveries["duplicates"]
    if lost or result["first_error"]:
        counts = {name: connections[name] for name in ("ready", "failed", "dropped")}
        counts |= {name: deliveries[name] for name in ("count", "missing", "duplicates")}
        return {"error": result["first_error"] or "deliveries are wrong", **counts}
    figures = {
        "connect_us": server["cpu_us_per_connect"],
        "connects_per_second": connections["per_second"],
        "bytes": server["bytes_per_connection"],
    }
    if deliveries["count"]:
        figures = {
            "us": server["cpu_us_per_delivery"],
            "per_second": deliveries["per_second"],
            "p50_ms": result["latency_ms"]["p50"],
            "p99_ms": result["latency_ms"]["p99"],
            "cpu_share": server["cpu_share"],
            "loader_share": result["loader"]["cpu_share"],
            "late": result["publications"]["late"],
        }
    elif server["idle_cpu_share"]:
        figures |= {"idle_cpu_share": server["idle_cpu_share"], "pings": result["pings"], "ready": connections["ready"]}
    return {name: float(f"{value:.5g}") for name, value in figures.items()}


def run_cell(servers: Servers, peer: Peer, arguments: Arguments, *, is_fresh: bool) -> Figures:
    """One line of figures."""
    try:
        server = servers.get(peer, is_fresh=is_fresh)
        servers.wait_until_quiet()
        target = ("--port", server.port, "--server-pid", server.process.pid)
        figures = kept_figures(rig.run_loader([rig.BIN / "load", *target, *arguments]))
    except rig.RigError as error:
        figures = {"error": str(error)[:300]}
    if is_fresh or "error" in figures:
        servers.end(peer.name)
    return figures


class Series:
    """Workloads run in rounds, into one file."""

    def __init__(self, path: Path | None, *, chosen: set[str], is_resumed: bool) -> None:
        self._path = path
        self._started = time.monotonic()
        self._is_resumed = is_resumed
        self._peers = {name: peer for name, peer in PEERS.items() if not chosen or name in chosen}
        self.results: dict[str, Any] = {"format": FORMAT, "peers": {}, "workloads": {}}
        if path is not None and path.exists():
            held = json.loads(path.read_text(encoding="utf-8"))
            if held.get("format") == FORMAT:
                self.results = held

    def build(self) -> None:
        """Build what is measured; who cannot be measured here is left out, and it is said why."""
        rig.build("load")
        for name, peer in list(self._peers.items()):
            if why := peer.missing():
                say(f"without {peer.title}: {why}")
                del self._peers[name]
                continue
            peer.build()
            self.results["peers"][name] = {"title": peer.title, "version": peer.version()}

    def run(self, workload: Workload, rounds: int, scale: dict[str, Any]) -> int:
        """Run the rounds that are not there yet; how many cells gave no figures."""
        facts = rig.facts(PACKAGES)
        held = self.results["workloads"].get(workload.name)
        if not (self._is_resumed and held and held["facts"]["commit"] == facts["commit"] and held["scale"] == scale):
            held = {"about": workload.about, "facts": facts, "scale": scale, "rounds": []}
        self.results["workloads"][workload.name] = held
        errors = 0
        with serving_peers() as servers:
            while len(held["rounds"]) < rounds:
                elapsed = time.monotonic() - self._started
                say(f"{elapsed:5.0f} s  {workload.name}, round {len(held['rounds']) + 1} of {rounds}")
                one = self._round(servers, workload, is_reversed=len(held["rounds"]) % 2 == 1)
                errors += sum("error" in figures for group in one.values() for figures in group.values())
                held["rounds"].append(one)
                self.save()
        return errors

    def _round(self, servers: Servers, workload: Workload, *, is_reversed: bool) -> dict[str, dict[str, Figures]]:
        """Every group once; each second round runs backwards, so that nobody is always first."""
        turn = -1 if is_reversed else 1
        found: dict[str, dict[str, Figures]] = {group.name: {} for group in workload.groups}
        for group in workload.groups[::turn]:
            for cell in group.cells[::turn]:
                if cell.peer not in self._peers:
                    continue
                figures = run_cell(servers, self._peers[cell.peer], cell.arguments, is_fresh=workload.is_fresh)
                if "error" in figures:
                    say(f"  {group.name}, {cell.peer}: {figures['error']}")
                found[group.name][cell.peer] = figures
        return found

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        made = self._path.with_suffix(".part")
        made.write_text(dump(self.results), encoding="utf-8")
        made.replace(self._path)


def dump(results: dict[str, Any]) -> str:
    """JSON with a line for each group of each round: short, and a diff can be read."""
    lines = []
    for name, workload in results["workloads"].items():
        head = json.dumps({key: value for key, value in workload.items() if key != "rounds"})
        rounds = ",\n".join(
            "   {" + ",\n    ".join(f"{json.dumps(group)}: {json.dumps(cells)}" for group, cells in one.items()) + "}"
            for one in workload["rounds"]
        )
        lines.append(f'  {json.dumps(name)}: {head[:-1]}, "rounds": [\n{rounds}\n  ]}}')
    rest = {key: value for key, value in results.items() if key != "workloads"}
    body = json.dumps(rest, indent=1)[:-2]
    return body + ',\n "workloads": {\n' + ",\n".join(lines) + "\n }\n}\n"
