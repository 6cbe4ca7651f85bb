"""What a relayed datagram costs: the embedded TURN server and coturn under the same load, in turn.

    python -m bench.turn --json bench/results/turn.json         about seven minutes; needs coturn and cc
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
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rig

from turn import report
from turn.allocations import CHANNEL, Pair, RefusedError, allocate

SECRET = "bench-bench-bench-bench"  # noqa: S105 - of servers that live for minutes, on loopback
SIZE = 1000
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
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    loader = rig.build("turn-load")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(serving(name, given.held)) for name in ("wirehop", "coturn")]
        rows = measure(servers, loader, given)
    results = {
        "facts": rig.facts(["uvloop"]) | {"coturn": _coturn_version()},
        "held": given.held,
        "bytes_each": {server.name: round(server.bytes_each) for server in servers},
        "rows": rows,
    }
    show(results)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
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
    for pair in pairs:
        pair.refresh()
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
            # Quietly: for every port that somebody has it says so.
            *("sh", "-c", 'exec "$@" 2>/dev/null', "sh"),
            *("turnserver", "-n", "--no-cli", "--log-file", "/dev/null", "--no-tls", "--no-dtls", "--relay-threads", 1),
            *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", port),
            *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm", "wirehop", "--allow-loopback-peers"),
            *("--pidfile", f"{tempfile.gettempdir()}/bench-turn-{os.getpid()}.pid", "--no-multicast-peers"),
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


def show(results: dict[str, Any]) -> None:
    """A table."""
    print(f"allocations held: {results['held']}; bytes of each: {results['bytes_each']}")
    print("\n".join(report.table(results)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
