"""An answer in plain text, for terminals."""

from collections.abc import Iterator, Sequence
from typing import Final

from wirehop.advisor.answer import Advice
from wirehop.advisor.cost import Cost, CostItem
from wirehop.advisor.declared import Comment, Declared
from wirehop.advisor.facts import QUESTIONS
from wirehop.advisor.flips import shown
from wirehop.advisor.techniques import title

MARKS: Final = {"ok": " ", "hint": "·", "warn": "!"}


def text_of(advice: Advice, *, recipes: bool = True) -> str:
    """The whole advice."""
    lines = [advice.sentence, "", *_ways(advice)]
    if advice.ranked:
        lines += ["", *_table(advice)]
    lines += ["", "Why", *(f"  {rule.id:<4} {rule.says}" for rule in advice.rules if rule.favours or not rule.drops)]
    if advice.dropped:
        says = {rule.id: rule.says for rule in advice.rules}
        lines += ["", "Out", *(f"  {each.title}: {says[each.rules[0]]} ({each.rules[0]})" for each in advice.dropped)]
    if advice.flips:
        lines += ["", "Would change if", *(f"  {flip.says}" for flip in advice.flips)]
    if advice.cost is not None:
        lines += ["", "Cost", *_cost(advice.cost)]
    if advice.assumed:
        facts = advice.facts
        assumed = (f"{name} {shown(QUESTIONS[name], getattr(facts, name))}" for name in advice.assumed)
        lines += ["", "Assumed", *wrapped(list(assumed))]
    lines += [f"  {note}" for note in advice.notes]
    if recipes and advice.settings:
        for name, text in (("wirehop.toml", advice.settings), ("app.py", advice.server), ("page", advice.page)):
            lines += ["", f"--- {name}", "", text.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _ways(advice: Advice) -> Iterator[str]:
    if not advice.main:
        return
    yield f"confidence  {advice.confidence}"
    for name, value in (
        ("up", advice.upstream),
        ("signaling", title(advice.signaling)),
        ("beside it", title(advice.side)),
    ):
        if value:
            yield f"{name:<11} {value}"


def _table(advice: Advice) -> Iterator[str]:
    rows = (
        (
            each.title,
            f"{each.score:.1f}",
            "-" if each.p99 is None else f"{each.p99:.0f} ms",
            "-" if each.bytes_per_minute is None else f"{each.bytes_per_minute:,.0f}",
            "" if each.in_wirehop else "not yet in wirehop",
        )
        for each in advice.ranked
    )
    yield from aligned([("", "points", "p99", "bytes/min", ""), *rows])


def aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns: the first to the left, the others to the right, the last as it is."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [
            f"{row[0]:<{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:-1], widths[1:], strict=True)),
        ]
        yield "  ".join(["", *cells, row[-1]]).rstrip()


def _cost(cost: Cost) -> Iterator[str]:
    for item in cost.items.values():
        if item.name != "money" or item.value is not None:
            yield f"  {item.name:<10} {amount(item):<18} {item.worked}".rstrip()


def amount(item: CostItem) -> str:
    """A number with its unit."""
    if item.value is None:
        return "not measured"
    return f"{item.value:,.3g} {item.unit}".rstrip() if item.value < 100 else f"{item.value:,.0f} {item.unit}".rstrip()


def wrapped(parts: list[str], width: int = 100) -> Iterator[str]:
    """Lines of parts with commas."""
    line = " "
    for at, part in enumerate(parts):
        piece = f" {part}{',' if at < len(parts) - 1 else ''}"
        if len(line) + len(piece) > width:
            yield line
            line = " "
        line += piece
    yield line


def text_of_declared(declared: Declared) -> str:
    """The comments on an application."""
    lines: list[str] = []
    for channel in declared.channels:
        lines += [f"namespace {channel.namespace}", f"  {channel.advice.sentence}"]
        lines += [*map(_comment, channel.comments), ""]
    if declared.server:
        lines += ["server", *map(_comment, declared.server), ""]
    return "\n".join(lines) or "nothing is declared\n"


def _comment(comment: Comment) -> str:
    change = f" → {comment.change}" if comment.change else ""
    return f"  {MARKS[comment.verdict]} {comment.about}: {comment.says}{change}"
