"""A server in a process of its own that says, when asked by a line on its input, what it costs: for `measured`."""

import asyncio
import gc
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "behaviour"))

from msgspec import structs
from node_under_test import OPEN, running

from wirehop.hosts.native import HostOptions
from wirehop.settings.tree import Heartbeat, Limits


def memory() -> dict[str, int]:
    """Resident and proportional bytes of this process."""
    found = {"rss": 0, "pss": 0}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.lower() in found:
            found[name.lower()] = int(value.split()[0]) * 1024
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def main(given: dict[str, Any]) -> None:
    limits = structs.replace(Limits(), **given.get("limits", {}))
    namespace = structs.replace(OPEN, **given.get("namespace", {}))
    async with running(
        options=HostOptions(**given.get("host", {})),
        limits=limits,
        heartbeat=Heartbeat(**given.get("heartbeat", {})),
        namespaces={"": namespace},
    ) as server:
        loop = asyncio.get_running_loop()
        print(json.dumps({"port": server.port}), flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            server.node.wheel.sweep()
            gc.collect()
            objects = gc.get_objects()
            said = {
                **memory(),
                "objects": len(objects),
                "kinds": Counter(type(each).__name__ for each in objects).most_common(12),
                "open": server.host.connections,
                "files": open_files(),
                "timers": len(server.node.wheel),
                "leftovers": server.leftovers(),
                "counters": dict(server.host.counters),
                "closed": {f"{name} {code}": count for (name, code), count in server.node.metrics.closed.items()},
                "errors": server.node.metrics.errors.total(),
            }
            del objects
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(json.loads(sys.argv[1])))
