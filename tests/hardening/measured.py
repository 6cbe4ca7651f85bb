"""A server in a process of its own, and what it costs now: memory, objects, connections, what is left of anybody."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATIENCE = 20.0


class Measured:
    """A server under load. `settings`: sections `host`, `limits`, `heartbeat`, `namespace`."""

    def __init__(self, settings: dict[str, Any]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("measured_server.py")), json.dumps(settings)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port: int = self._read()["port"]

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def measure(self) -> dict[str, Any]:
        """What it costs, after a collection of garbage."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()

    def at_rest(self, *, others: int = 0) -> dict[str, Any]:
        """The same, as soon as nobody is connected (but `others`) and nothing is left of anybody."""
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self.measure()
            if said["open"] <= others and not said["leftovers"]:
                return said
            assert time.monotonic() < deadline, {key: said[key] for key in ("open", "leftovers", "counters", "closed")}
            time.sleep(0.05)


@contextlib.contextmanager
def measured(**settings: Any) -> Iterator[Measured]:
    """Start, and end it in any case."""
    server = Measured(settings)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()
