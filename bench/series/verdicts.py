"""The goals, and what a series says about each.

A ratio is the minimum over the rounds of the one side over the minimum of the other; beside it stands the median of
the ratios of neighbouring runs. It knows the goals and the form of results, and measures nothing.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]

ROUNDS_THAT_COUNT = 8
BATCH, WRITE, FLOOR = "wirehop", "wirehop-write", "floor"


@dataclass(frozen=True)
class Verdict:
    """What a series says about one goal."""

    goal: str
    limit: float
    unit: str
    """`x` for a ratio."""
    measured: float | None
    paired: float | None
    """Median over the rounds of the ratio within one round."""
    rounds: int

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None where it was not measured."""
        return None if self.measured is None else self.measured <= self.limit

    def as_row(self) -> dict[str, Any]:
        """For the file."""
        return {
            "goal": self.goal,
            "limit": self.limit,
            "unit": self.unit,
            "measured": None if self.measured is None else round(self.measured, 4),
            "paired": None if self.paired is None else round(self.paired, 4),
            "rounds": self.rounds,
            "holds": self.holds,
        }


def series(results: Results, workload: str, group: str, peer: str, figure: str) -> list[float | None]:
    """A figure over the rounds; None where a round has none, or where not all was published when it was due."""
    rounds = results["workloads"].get(workload, {}).get("rounds", [])
    cells = [one.get(group, {}).get(peer, {}) for one in rounds]
    return [cell.get(figure) if figure == "late" or not cell.get("late") else None for cell in cells]


def low(values: Sequence[float | None]) -> float | None:
    """The least of those that are there."""
    found = [value for value in values if value is not None]
    return min(found) if found else None


def _compared(goal: str, limit: float, ours: Sequence[float | None], others: Sequence[float | None]) -> Verdict:
    pairs = [(a, b) for a, b in zip(ours, others, strict=False) if a is not None and b]
    if not pairs:
        return Verdict(goal, limit, "x", None, None, 0)
    least = min(a for a, _ in pairs) / min(b for _, b in pairs)
    return Verdict(goal, limit, "x", least, statistics.median(a / b for a, b in pairs), len(pairs))


Judge = Callable[[Results], Verdict]


def _ratio(
    goal: str, limit: float, workload: str, group: str, ours: str, other: str, *, figure: str = "us", theirs: str = ""
) -> Judge:
    """`theirs`: the group of the other side, if it is not the same."""
    return lambda results: _compared(
        goal,
        limit,
        series(results, workload, group, ours, figure),
        series(results, workload, theirs or group, other, figure),
    )


def _figure(goal: str, limit: float, unit: str, workload: str, peer: str, figure: str, *, group: str = "ws") -> Judge:
    """A figure for itself: the least of the rounds."""

    def judge(results: Results) -> Verdict:
        values = [value for value in series(results, workload, group, peer, figure) if value is not None]
        middle = statistics.median(values) if values else None
        return Verdict(goal, limit, unit, low(values), middle, len(values))

    return judge


def _errors(goal: str, workload: str, peer: str) -> Judge:
    """Rounds in which something was refused, missing, doubled or dropped."""

    def judge(results: Results) -> Verdict:
        rounds = results["workloads"].get(workload, {}).get("rounds", [])
        cells = [group[peer] for one in rounds for group in one.values() if peer in group]
        bad = float(sum("error" in cell for cell in cells))
        return Verdict(goal, 0, "rounds with losses", bad if cells else None, None, len(rounds))

    return judge


def _unanswered(goal: str, peer: str) -> Judge:
    """Of the held connections, those that saw no ping."""

    def judge(results: Results) -> Verdict:
        pings = series(results, "hold", "ws", peer, "pings")
        ready = series(results, "hold", "ws", peer, "ready")
        gone = [max(0.0, there - seen) for seen, there in zip(pings, ready, strict=True) if seen is not None and there]
        return Verdict(goal, 0, "without ping", min(gone) if gone else None, None, len(gone))

    return judge


def _each_sender() -> list[Judge]:
    judges: list[Judge] = []
    for peer, how in ((BATCH, "batch sender"), (WRITE, "transport.write")):
        judges += [
            _ratio(f"16 in flight to 1,000, {how}: x C send", 0.15, "inflight", "ws", peer, FLOOR),
            _figure(f"500,000 deliveries/s, {how}: p99", 30, "ms", "openloop", peer, "p99_ms"),
            _figure(f"500,000 deliveries/s, {how}: publications late", 0, "late", "openloop", peer, "late"),
            _errors(f"500,000 deliveries/s, {how}: nothing lost", "openloop", peer),
            _ratio(f"connect with session, {how}: x Centrifuge", 0.95, "connect", "ws", peer, "centrifuge",
                   figure="connect_us"),
            _ratio(f"publish by a client, {how}: x C echo", 3.3, "commands", "publish", peer, FLOOR),
            _ratio(f"rpc echo, {how}: x C echo", 2.4, "commands", "rpc", peer, FLOOR),
            _ratio(f"rpc echo, {how}: x Centrifuge", 1.0, "commands", "rpc", peer, "centrifuge"),
            _figure(f"memory of an idle connection, {how}", 3072, "bytes", "idle", peer, "bytes"),
            _figure(f"memory of an idle resumable session, {how}", 4096, "bytes", "idle", peer, "bytes",
                    group="resumable"),
            _errors(f"15,000 held, {how}", "hold", peer),
            _unanswered(f"15,000 held, {how}: pings answered", peer),
            _errors(f"one stalled in 300, {how}: the others lose nothing", "stalled", peer),
            _ratio(f"one stalled in 300, {how}: p99 of the others", 1.2, "stalled", "one stalled", peer, peer,
                   figure="p99_ms", theirs="all read"),
        ]  # fmt: skip
    return judges


def _fan_out() -> list[Judge]:
    judges: list[Judge] = []
    for count, batch in ((1000, 0.9), (5000, 0.95)):
        where, said = f"fanout-{count}", f"{count:,} subscribers"
        judges += [
            _ratio(f"WebSocket, {said}, batch sender: x C send", batch, where, "ws", BATCH, FLOOR),
            _ratio(f"WebSocket, {said}, transport.write: x C send", 1.35, where, "ws", WRITE, FLOOR),
            _ratio(
                f"resumable sessions, {said}, batch sender: x C send",
                batch,
                where,
                "resumable",
                BATCH,
                FLOOR,
                theirs="ws",
            ),
            _ratio(
                f"resumable sessions, {said}, transport.write: x C send",
                1.35,
                where,
                "resumable",
                WRITE,
                FLOOR,
                theirs="ws",
            ),
            _ratio(f"SSE, {said}, batch sender: x C send", 1.0, where, "sse", BATCH, FLOOR),
            _ratio(f"SSE, {said}, transport.write: x C send", 1.4, where, "sse", WRITE, FLOOR),
            _ratio(f"long poll, {said}, batch sender: x nchan", 1.25, where, "poll", BATCH, "nchan"),
            _ratio(f"long poll, {said}, transport.write: x nchan", 1.25, where, "poll", WRITE, "nchan"),
        ]
        for lane, wire in (("ws", "WebSocket"), ("sse", "SSE")):
            judges += [
                _ratio(f"{wire}, {said}, batch sender: x nchan", 1.0, where, lane, BATCH, "nchan"),
                _ratio(f"{wire}, {said}, batch sender: x Centrifuge", 0.6, where, lane, BATCH, "centrifuge"),
            ]
    return judges


def judged(results: Results) -> list[Verdict]:
    """All goals."""
    return [judge(results) for judge in (*_fan_out(), *_each_sender())]


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """For people: one line a goal."""
    words = {True: "holds", False: "FAILS", None: "-"}
    shown = []
    for verdict in verdicts:
        form = "{:.2f}" if verdict.unit == "x" else "{:,.0f}" if verdict.limit > 100 or not verdict.limit else "{:.1f}"
        measured = form.format(verdict.measured) if verdict.measured is not None else "not measured"
        paired = f" ({form.format(verdict.paired)})" if verdict.paired is not None else ""
        few = f", {verdict.rounds} rounds" if 0 < verdict.rounds < ROUNDS_THAT_COUNT else ""
        asked = f"at most {form.format(verdict.limit)} {verdict.unit}"
        shown.append(f"{words[verdict.holds]:<6} {verdict.goal:<66} {measured:>12}{paired:<10} {asked}{few}")
    return shown
