"""What every measurement here needs: tools built, cores pinned, servers started and ended, facts noted.

It knows nothing of wirehop. A server is a command line with a port; a measurement is a line of JSON that the
load generator prints. Standard library only.
"""

import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
BIN = BENCH / "bin"
SOURCES = {"load": BENCH / "load", "floor": ROOT / "src" / "wirehop" / "bench" / "floor"}
"""Of the C programs. The floor is part of the package, because `wirehop bench` builds it too."""

SERVER_CORE = 0
LOADER_CORE = 1

Result = dict[str, Any]


class RigError(Exception):
    """Something the measurement stands on is missing; the text says what and what to do."""


def build(name: str, *, into: Path = BIN, compiler: str = "cc") -> Path:
    """Compile the C files of `SOURCES` unless the program is newer than they are; returns the program."""
    folder, program = SOURCES[name], into / name
    sources = sorted(folder.glob("*.c"))
    newest = max(file.stat().st_mtime for file in folder.glob("*.[ch]"))
    if program.exists() and program.stat().st_mtime > newest:
        return program
    into.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", program, *sources], check=True)
    except FileNotFoundError:
        raise RigError(f"no C compiler: {compiler!r} is not on the path (Debian: apt install gcc libc6-dev)") from None
    return program


@contextlib.contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Processes started inside run on that core. With a single core there is nothing to choose."""
    before = os.sched_getaffinity(0)
    if core in before and len(before) > 1:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """One server under test, alive."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self.process.poll() is None


@contextlib.contextmanager
def serving(
    name: str, command: Sequence[object], port: int, *, patience: float = 15.0, also: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a server on its core, wait until it accepts connections, end it afterwards. `also`: more environment."""
    with pinned_to(SERVER_CORE):
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **(also or {})},
        )
    server = Server(name, port, process)
    try:
        deadline = time.monotonic() + patience
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if not server.is_alive() or time.monotonic() > deadline:
                raise RigError(f"{name} does not accept connections on port {port}: {' '.join(map(str, command))}")
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_quiet(servers: Sequence[Server], *, patience: float = 1.0) -> None:
    """Until these servers have stopped working on what is over, such as closing ten thousand connections."""
    deadline = time.monotonic() + patience
    before = _cpu_seconds(servers)
    while time.monotonic() < deadline:
        time.sleep(0.03)
        now = _cpu_seconds(servers)
        if now - before < 0.003:
            return
        before = now


def _cpu_seconds(servers: Sequence[Server]) -> float:
    pids = [server.process.pid for server in servers]
    for pid in list(pids):
        with contextlib.suppress(OSError):
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):  # Linux: the clock of a process is its number, turned around (clockid_t)
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def run_loader(command: Sequence[object], *, patience: float = 120.0) -> Result:
    """Run a load generator on its core; returns the JSON line that it printed."""
    with pinned_to(LOADER_CORE):
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        output, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RigError(f"no result in {patience:.0f} s: {' '.join(map(str, command))}") from None
    if not output.strip():
        raise RigError(f"no result (status {process.returncode}): {' '.join(map(str, command))}")
    result: Result = json.loads(output.splitlines()[-1])
    return result


def low_and_middle(values: Sequence[float]) -> tuple[float, float]:
    """Minimum and median: what the program costs on a quiet machine, and what the hour made of it."""
    return min(values), statistics.median(values)


# ---- facts ------------------------------------------------------------------------------------------------


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _as_typed(program: str) -> str:
    """A program of this repository, from its root; no machine's paths."""
    path = Path(program).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def facts(packages: Sequence[str]) -> dict[str, Any]:
    """What a reader needs to judge figures: machine, versions, commit, command and date."""
    changed = _output("git", "status", "--porcelain", "--", "src", "bench")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join((_as_typed(sys.argv[0]), *sys.argv[1:])),
        "commit": _output("git", "rev-parse", "--short=12", "HEAD") + ("-changed" if changed else ""),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "compiler": _output("cc", "--version").partition("\n")[0],
        "packages": {package: _version(package) for package in packages},
        "load_average": os.getloadavg(),
    }
