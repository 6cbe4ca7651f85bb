"""The table and the plot of docs/turn.md, from a kept run of `python -m bench.turn`.

It knows the form of that file. It runs nothing.
"""

from collections.abc import Mapping
from typing import Any

from wirehop.bench import svg

Results = Mapping[str, Any]

GOALS = {("out", 40_000): 1.5, ("back", 20_000): 2.0}
"""Ours over coturn's, at most: CPU per datagram, by direction and rate."""
WAYS = {"out": "client → peer", "back": "peer → client"}
PICTURE = "pictures/turn-cpu.svg"
_COLOURS = {"wirehop": svg.OURS, "coturn": svg.COLOURS[1]}


def least(row: Mapping[str, Any], server: str, figure: str = "us_per_packet") -> float:
    """The least of a figure over the rounds that lost least: a server that did not get its core for a while has
    datagrams in heaps, which are cheap, and loses some."""
    fewest = min(each["lost"] for each in row["rounds"][server])
    return float(min(each[figure] for each in row["rounds"][server] if each["lost"] == fewest))


def lost(row: Mapping[str, Any], server: str) -> str:
    """Of all rounds together, in percent where it is any."""
    rounds = row["rounds"][server]
    missing, sent = sum(each["lost"] for each in rounds), sum(each["sent"] for each in rounds)
    return f"{100 * missing / sent:.2g} %" if missing else "0"


def block(results: Results) -> str:
    """What stands between the marks."""
    facts, held = results["facts"], results["bytes_each"]
    rounds = len(results["rows"][0]["rounds"]["wirehop"])
    introduction = (
        f"Measured on {facts['cpu']}, {facts['cores']} cores, {facts['date'][:10]}, commit {facts['commit']}, load "
        f"average {facts['load_average'][0]:.1f}; coturn {facts['coturn']} with one relay thread. Datagrams of 1,000 "
        f"bytes over loopback, {results['held']:,} allocations held at each server, the servers in turn, the least of "
        f"{rounds} rounds, of those that lost nothing where there are any. *Over*: through how many allocations."
    )
    memory = (
        f"An allocation with one channel takes {held['wirehop']:,} bytes of the process (coturn: {held['coturn']:,}), "
        "and a socket in the kernel."
    )
    return "\n\n".join((introduction, "\n".join(table(results)), memory, f"![CPU per datagram]({PICTURE})"))


def table(results: Results) -> list[str]:
    """Markdown lines, one for each direction and rate."""
    lines = [
        "| | over | a second | wirehop µs | coturn µs | ratio | lost, wirehop | coturn | p99 ms, wirehop | coturn |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in results["rows"]:
        ours, theirs = least(row, "wirehop"), least(row, "coturn")
        goal = GOALS.get((row["direction"], row["rate"]))
        ratio = f"{ours / theirs:.2f}" + (f" (goal {goal})" if goal else "")
        late = [f"{least(row, server, 'p99_us') / 1000:.1f}" for server in ("wirehop", "coturn")]
        figures = [f"{ours:.1f}", f"{theirs:.1f}", ratio, lost(row, "wirehop"), lost(row, "coturn"), *late]
        lines.append(f"| {WAYS[row['direction']]} | {row['active']} | {row['rate']:,} | " + " | ".join(figures) + " |")
    return lines


def picture(results: Results) -> str:
    """CPU per datagram by rate, over one allocation."""
    drawn = []
    for direction, way in WAYS.items():
        for server in ("wirehop", "coturn"):
            rows = [row for row in results["rows"] if row["direction"] == direction and row["active"] == 1]
            points = tuple((float(row["rate"]), least(row, server)) for row in rows)
            drawn.append(svg.Line(f"{server}, {way}", points, server == "wirehop"))
    return svg.lines("CPU per relayed datagram (µs)", drawn, x_title="datagrams a second")
