"""What a relayed datagram costs: the embedded TURN server and coturn under the same load, in turn.

    python -m bench.turn --json bench/results/turn.json         about five minutes; needs coturn and cc
    python -m bench.turn --quick                                a look

Both hold the same allocations over UDP, each with one channel to a peer of its own; a C program sends ChannelData
(client to peer) or bare datagrams (peer to client) at a steady rate over some of them and counts what comes out. The
figure is the server's process clock over the datagrams that arrived. Run from the repository's root.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rig

from turn.allocations import CHANNEL, Pair, RefusedError, allocate

SECRET = "bench-bench-bench-bench"
SIZE = 1000
GOALS = {("out", 40_000): 1.5, ("back", 20_000): 2.0}
"""Ours over coturn's, at most: CPU per datagram, and nothing lost."""
rig.SOURCES["turn-load"] = Path(__file__).parent


@dataclass
class Held:
    """A server with allocations."""

    name: str
    pid: int
    pairs: list[Pair]
    bytes_each: float


def main() -> int:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--held", type=int, default=1000, help="allocations at each server")
    parser.add_argument("--rates", default="5000,20000,40000,80000")
    parser.add_argument("--active", default="1,50", help="over how many of them the datagrams go")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.seconds, given.held, given.rates, given.active = 1, 1.0, 20, "20000,40000", "1"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    loader = rig.build("turn-load")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serving(name, given.held)) for name in ("wirehop", "coturn")]
        rows = measure(servers, loader, given)
    report = {
        "facts": rig.facts(["uvloop"]) | {"coturn": _coturn_version()},
        "held": given.held,
        "bytes_each": {server.name: round(server.bytes_each) for server in servers},
        "rows": rows,
    }
    show(report)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(servers: list[Held], loader: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """All rounds, the servers in turn, each second round backwards."""
    rows = []
    for active in map(int, given.active.split(",")):
        for direction in ("out", "back"):
            for rate in map(int, given.rates.split(",")):
                found: dict[str, list[dict[str, Any]]] = {server.name: [] for server in servers}
                for round_ in range(given.rounds):
                    for server in servers if round_ % 2 == 0 else servers[::-1]:
                        result = load(loader, server, direction, rate, min(active, len(server.pairs)), given.seconds)
                        found[server.name].append(result)
                        print(".", end="", file=sys.stderr, flush=True)
                rows.append({"active": active, "direction": direction, "rate": rate, "rounds": found})
    print(file=sys.stderr)
    return rows


def load(loader: Path, server: Held, direction: str, rate: int, active: int, seconds: float) -> dict[str, Any]:
    """One run of the load generator."""
    pairs = server.pairs[:active]
    clients, peers = [pair.client.fileno() for pair in pairs], [pair.peer.fileno() for pair in pairs]
    sources, targets = (clients, peers) if direction == "out" else (peers, clients)
    header = (CHANNEL.to_bytes(2, "big") + SIZE.to_bytes(2, "big")).hex()
    way = ["--head", header, "--skip", 0] if direction == "out" else ["--skip", 4]
    command = [
        *(loader, "--rate", rate, "--seconds", seconds, "--size", SIZE, "--server-pid", server.pid, *way),
        *("--from", ",".join(map(str, sources)), "--to", ",".join(map(str, targets))),
    ]
    with rig.pinned_to(rig.LOADER_CORE):
        done = subprocess.run(
            [str(part) for part in command], stdout=subprocess.PIPE, pass_fds=(*clients, *peers), timeout=60, check=True
        )
    time.sleep(0.05)
    result: dict[str, Any] = json.loads(done.stdout)
    result["lost"] = result["sent"] - result["received"]
    return result


@contextlib.contextmanager
def serving(name: str, held: int) -> Iterator[Held]:
    """A server on its core, with its allocations."""
    port = rig.free_port()
    commands: dict[str, list[object]] = {
        "wirehop": [
            *(
                sys.executable,
                "-m",
                "wirehop",
                "serve",
                "--port",
                port,
                "--rtc-turn",
                "embedded",
                "--rtc-secret",
                SECRET,
            ),
            *("--rtc-allow-peers", "127.0.0.0/8", "--rtc-bandwidth", "0", "--rtc-allocations", held + 100),
            *("--rtc-unauthenticated-rate", 1_000_000, "--server-log-level", "error"),
        ],
        "coturn": [
            *("turnserver", "-n", "--no-cli", "--log-file", "/dev/null", "--no-tls", "--no-dtls", "--relay-threads", 1),
            *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", port),
            *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm", "wirehop", "--allow-loopback-peers"),
            *("--pidfile", f"/tmp/bench-turn-{os.getpid()}.pid", "--no-multicast-peers"),
        ],
    }
    if name == "coturn" and not shutil.which("turnserver"):
        raise rig.RigError("no coturn: apt install coturn")
    with rig.serving(name, commands[name], port) as server:
        _first(port)
        before = _pss(server.process.pid)
        pairs = [allocate(port, SECRET, number) for number in range(held)]
        yield Held(name, server.process.pid, pairs, (_pss(server.process.pid) - before) / held)
        for pair in pairs:
            pair.client.close()
            pair.peer.close()


def _first(port: int) -> None:
    """Until the server answers over UDP too."""
    deadline = time.monotonic() + 10
    while True:
        try:
            pair = allocate(port, SECRET, 0)
        except (OSError, RefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            pair.client.close()
            pair.peer.close()
            return


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _coturn_version() -> str:
    done = subprocess.run(["turnserver", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "unknown"


def show(report: dict[str, Any]) -> None:
    """A table, and the goals."""
    print(f"allocations held: {report['held']}; bytes of each: {report['bytes_each']}")
    print(
        f"{'way':5} {'over':>5} {'rate/s':>7} {'wirehop us':>11} {'coturn us':>10} {'ratio':>6} {'lost':>12} {'p99 us':>13}"
    )
    for row in report["rows"]:
        ours, theirs = row["rounds"]["wirehop"], row["rounds"]["coturn"]
        low, other = (min(each["us_per_packet"] for each in rounds) for rounds in (ours, theirs))
        lost = f"{sum(each['lost'] for each in ours)} / {sum(each['lost'] for each in theirs)}"
        late = f"{min(each['p99_us'] for each in ours):.0f} / {min(each['p99_us'] for each in theirs):.0f}"
        goal = GOALS.get((row["direction"], row["rate"]))
        verdict = "" if goal is None else f"  goal {goal}: {'reached' if low <= goal * other else 'missed'}"
        print(
            f"{row['direction']:5} {row['active']:5} {row['rate']:7} {low:11.2f} {other:10.2f} {low / other:6.2f} "
            f"{lost:>12} {late:>13}{verdict}"
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
