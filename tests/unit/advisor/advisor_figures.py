"""Figures to reason with, of the kind and size that the lab measures; their names are those of `measured.profile`."""

from wirehop.advisor.techniques import ADVISED, UDP
from wirehop.measured.profile import Figure, Profile

HEADS = {
    "long-poll": 621,
    "short-poll": 621,
    "jsonp": 633,
    "websocket": 545,
    "sse": 594,
    "sse-post": 594,
    "stream": 700,
}
DOWN = {"websocket": 54, "sse": 75, "sse-post": 75, "stream": 60, "long-poll": 850, "short-poll": 850, "jsonp": 880}
UP = {"websocket": 60, "sse-post": 700, "stream": 700, "long-poll": 850, "short-poll": 850, "jsonp": 900}
LINES = {"websocket": 6, "sse": 3, "sse-post": 8, "stream": 14, "long-poll": 16, "short-poll": 9, "jsonp": 18}
MEMORY = {"websocket": 3_044, "sse": 3_600, "sse-post": 3_600, "stream": 3_700, "long-poll": 4_800, "short-poll": 3_000}
CPU = {"websocket": 6.1, "sse": 5.5, "sse-post": 5.5, "stream": 6.0, "long-poll": 20.0, "short-poll": 45.0}
FIRST = {"websocket": 3, "sse": 1, "sse-post": 1, "stream": 1, "long-poll": 1, "short-poll": 1, "jsonp": 1}
LATENCY = {"rtt0": 4, "rtt20": 14, "rtt100": 54, "rtt300": 155, "loss1": 90, "loss5": 300, "loss20": 900}


def figures() -> dict[str, float]:
    """By name."""
    found: dict[str, float] = {}
    for name in ADVISED:
        if name in UDP:
            continue
        for link, milliseconds in LATENCY.items():
            found[f"latency/{name}/{link}/p99"] = milliseconds * (1.1 if "poll" in name else 1.0)
        for size in (20, 200, 2000):
            found[f"bytes/{name}/down/{size}"] = size + DOWN[name]
            if name in UP:
                found[f"bytes/{name}/up/{size}"] = size + UP[name]
        found[f"head/{name}"] = HEADS[name]
        found[f"idle/{name}"] = 144 * 20 if "poll" not in name else 65 * 900
        found[f"first/{name}/warm"] = FIRST[name]
        found[f"lines/browser/{name}"] = LINES[name]
        if name in CPU:
            found[f"cpu/{name}"], found[f"memory/{name}"] = CPU[name], MEMORY[name]
    found["limit/sse/http1/chromium"] = 6
    found["latency/data-channel-unreliable/loss1/p99"] = 45
    found["latency/data-channel-unreliable/rtt20/p99"] = 14
    return found


PROFILE = Profile(facts={"made": "for tests"}, figures={name: Figure(value, "") for name, value in figures().items()})
EMPTY = Profile()
