"""The README's part of a series: a table of all servers, and the pictures. Made by `scripts/docs` from the kept file.

It knows the form of results. It measures nothing, and it does not judge: that is `verdicts`.
"""

from collections.abc import Sequence
from typing import Any

from series.verdicts import Results, low
from series.verdicts import series as over_rounds
from wirehop.bench import svg

ORDER = ("floor", "wirehop", "wirehop-write", "nchan", "centrifuge", "ws", "starlette", "socketio", "channels")
OURS = ("wirehop", "wirehop-write")
COLOURS = {
    "floor": "#768390", "wirehop": "#2f81f7", "wirehop-write": "#39c5cf", "nchan": "#57ab5a", "centrifuge": "#e5534b",
}  # fmt: skip

# title, workload, group, figure, digits
COLUMNS: Sequence[tuple[str, str, str, str, int]] = (
    ("WebSocket, 1,000", "fanout-1000", "ws", "us", 1),
    ("WebSocket, 5,000", "fanout-5000", "ws", "us", 1),
    ("SSE, 1,000", "fanout-1000", "sse", "us", 1),
    ("long poll, 1,000", "fanout-1000", "poll", "us", 1),
    ("16 in flight", "inflight", "ws", "us", 2),
    ("connect", "connect", "ws", "connect_us", 0),
    ("rpc or echo", "commands", "rpc", "us", 1),
    ("bytes, idle", "idle", "ws", "bytes", 0),
)


def _least(results: Results, workload: str, group: str, peer: str, figure: str) -> float | None:
    return low(over_rounds(results, workload, group, peer, figure))


def _present(results: Results) -> list[str]:
    return [name for name in ORDER if name in results["peers"]]


def _title(results: Results, name: str) -> str:
    return str(results["peers"][name]["title"])


def table(results: Results) -> list[str]:
    """Markdown lines; what was not measured, or does not exist, is a dash."""
    lines = ["| | " + " | ".join(column[0] for column in COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    for name in _present(results):
        cells = []
        for _, workload, group, figure, digits in COLUMNS:
            value = _least(results, workload, group, name, figure)
            cells.append("–" if value is None else f"{value:,.{digits}f}")
        shown = f"**{_title(results, name)}**" if name in OURS else _title(results, name)
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return lines


def introduction(results: Results) -> list[str]:
    """When, on what, and which versions."""
    workload = results["workloads"]["fanout-1000"]
    facts: dict[str, Any] = workload["facts"]
    versions = [
        f"{_title(results, name).split(' (')[0].split(' on ')[0]} {results['peers'][name]['version']}"
        for name in _present(results)
        if name not in ("floor", *OURS)
    ]
    return [
        f"Measured {facts['date'][:10]} with `scripts/bench --peers`: {facts['cpu']}, {facts['cores']} cores, Linux",
        f"{facts['kernel']}, Python {facts['python']}, uvloop {facts['packages']['uvloop']}. One process on one core,",
        f"the load generator on the other; {workload['scale']['size']} bytes; the same load on every server in turn,",
        f"the minimum of {len(workload['rounds'])} rounds. Microseconds of processor time per delivery, per connect",
        "and per echo; bytes of memory of an idle connection, with session and subscription where the server",
        f"has them. {', '.join(versions)}.",
    ]


def readme_block(results: Results) -> str:
    """What stands between the marks."""
    note = (
        "The C program does nothing but `send(2)`. wirehop, Centrifuge and nchan keep history; the others do not. "
        "`wirehop bench` measures your machine; "
        "[bench/README.md](bench/README.md) says how to read this, and how to repeat it."
    )
    pictures = [f"![{text}](docs/pictures/{name})" for name, (text, _) in pictures_of(results).items()]
    parts = ["\n".join(introduction(results)), "\n".join(table(results)), note, *pictures]
    return "\n\n".join(parts)


def pictures_of(results: Results) -> dict[str, tuple[str, str]]:
    """File name to what it shows in words, and the SVG."""
    fan_out = "CPU per delivery, 1,000 WebSocket subscribers (µs)"
    rows = [
        svg.Bar(_title(results, name), value, name in OURS)
        for name in _present(results)
        if (value := _least(results, "fanout-1000", "ws", name, "us")) is not None
    ]
    made = {"bench-fanout.svg": (fan_out, svg.bars(fan_out, sorted(rows, key=lambda row: row.value)))}
    for workload, title, x_title in (
        ("growth", "CPU per delivery by number of subscribers (µs)", "WebSocket subscribers of one channel"),
        ("channels", "CPU per delivery by number of channels (µs)", "channels, ten subscribers each"),
    ):
        drawn = _growth(results, workload)
        if drawn:
            made[f"bench-{workload}.svg"] = (title, svg.lines(title, drawn, x_title=x_title))
    return made


def _growth(results: Results, workload: str) -> list[svg.Line]:
    rounds = results["workloads"].get(workload, {}).get("rounds", [])
    groups = sorted({int(group) for one in rounds for group in one})
    drawn = []
    for name in _present(results):
        found = ((float(group), _least(results, workload, f"{group}", name, "us")) for group in groups)
        points = tuple((x, y) for x, y in found if y is not None)
        if points:
            drawn.append(svg.Line(_title(results, name), points, name in OURS, COLOURS[name]))
    return drawn
