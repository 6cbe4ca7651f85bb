"""The slice of a history that shows a finding, as lines to read; and of many findings the one that is shortest to tell.

Pure. A line has the time, the client, the wire that it was on, and a sentence.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from wirehop.checker.adapter import Dropped, Joined, Left, Opened, Received, Subscribed
from wirehop.checker.history import (
    EVERYBODY,
    Acknowledged,
    Called,
    Closed,
    Entry,
    Failed,
    Faulted,
    History,
    MoveAsked,
    MoveFailed,
    Restarted,
    What,
)
from wirehop.checker.index import Finding, Kind

MOST_LINES: Final = 16
MOST_TRIED: Final = 40
"""Findings of a kind whose slices are compared."""


class Line(Struct, frozen=True):
    """One line of a trace. `client` -1: all."""

    at: float
    client: int
    wire: str
    text: str


class Trace(Struct, frozen=True):
    """A finding and what shows it."""

    finding: Finding
    lines: tuple[Line, ...]


def shortest(history: History, findings: Iterable[Finding]) -> dict[Kind, Trace]:
    """For each kind the finding with the fewest lines, then the shortest time."""
    by_kind: dict[Kind, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    result = {}
    for kind, found in by_kind.items():
        found.sort(key=lambda finding: finding.until - finding.since)
        fewest = min(found[:MOST_TRIED], key=lambda finding: len(_window(history, finding)))
        result[kind] = Trace(fewest, lines_of(history, fewest))
    return result


def lines_of(history: History, finding: Finding) -> tuple[Line, ...]:
    """What the client was told in that time, what was done to it, and the life of the publication."""
    lines = _window(history, finding)
    if finding.number:
        lines += [(True, line) for line in _life(history, finding)]
    lines.sort(key=lambda each: each[1].at)
    while len(lines) > MOST_LINES and not all(is_needed for is_needed, _ in lines):
        middle = [place for place, (is_needed, _) in enumerate(lines) if not is_needed]
        del lines[middle[len(middle) // 2]]
    return tuple(dict.fromkeys(line for _, line in lines))[:MOST_LINES]


def _window(history: History, finding: Finding) -> list[tuple[bool, Line]]:
    """What the client was told and what was done to it; True: at the edge, so it must stay."""
    own = history.of(finding.client)
    begin = bisect_left(own, finding.since, key=_at)
    end = bisect_right(own, finding.until, key=_at)
    wire = next((each.what.wire for each in reversed(own[:begin]) if isinstance(each.what, Opened)), "")
    lines: list[tuple[bool, Line]] = []
    for entry in own[begin:end]:
        if isinstance(entry.what, Opened):
            wire = entry.what.wire
        is_edge = entry.at in (finding.since, finding.until)
        if (text := _text(entry.what, finding)) and (not isinstance(entry.what, Received | Left | Joined) or is_edge):
            lines.append((is_edge, Line(entry.at, finding.client, wire, text)))
    lines += [
        (False, Line(entry.at, EVERYBODY, "", _text(entry.what, finding)))
        for entry in history.common
        if finding.since <= entry.at <= finding.until
    ]
    return lines


def _at(entry: Entry) -> float:
    return entry.at


def _life(history: History, finding: Finding) -> list[Line]:
    """The publication: its call, its answer, and the first that was given it."""
    lines = []
    first: Line | None = None
    for client in history.clients:
        for entry in history.of(client):
            what = entry.what
            if isinstance(what, Called | Acknowledged | Failed) and what.number == finding.number:
                lines.append(Line(entry.at, client, "", _text(what, finding)))
            elif isinstance(what, Received) and what.number == finding.number:
                if client == finding.client:
                    lines.append(Line(entry.at, client, "", _text(what, finding)))
                elif first is None or entry.at < first.at:
                    first = Line(entry.at, client, "", _text(what, finding))
                    if lines:
                        break
    return [*lines, first] if first is not None else lines


def _text(what: What, finding: Finding) -> str:
    match what:
        case Received(channel, number, epoch, offset):
            return f"was given {number}{_place(epoch, offset)}" if channel == finding.channel else ""
        case Subscribed(channel, recovered, epoch, offset):
            said = "" if recovered is None else f", recovered: {str(recovered).lower()}"
            return f"subscribed{_place(epoch, offset)}{said}" if channel == finding.channel else ""
        case Called(_, number):
            return f"publishes {number}" if number == finding.number else ""
        case Acknowledged(_, number, epoch, offset):
            return f"{number} was acknowledged{_place(epoch, offset)}" if number == finding.number else ""
        case Failed(_, number, is_unknown, reason):
            outcome = "outcome unknown" if is_unknown else "refused"
            return f"{number}: {outcome} ({reason})" if number == finding.number else ""
    return _event(what)


def _event(what: What) -> str:
    match what:
        case Opened(wire, who, is_resumed):
            return f"connected over {wire} as {who or 'somebody'}{', resumed' if is_resumed else ''}"
        case Dropped(reason):
            return f"lost its wire{f' ({reason})' if reason else ''}"
        case Joined(_, who) | Left(_, who):
            return f"was told that {who} {'came' if isinstance(what, Joined) else 'left'}"
        case MoveAsked(wire):
            return f"is to move to {wire}"
        case MoveFailed(reason):
            return f"could not move ({reason})"
        case Faulted(fault):
            return f"fault: {fault}"
        case Restarted(is_back):
            return "the server serves again" if is_back else "the server was ended"
        case Closed():
            return "closes"
    return ""


def _place(epoch: str, offset: int) -> str:
    return f" at {epoch}:{offset}" if offset or epoch else ""
