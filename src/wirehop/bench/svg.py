"""Plots as SVG text: bars and lines, small enough to write by hand, readable on light and on dark pages.

It knows shapes and colours. It does not know what is drawn. Values are of any unit; nothing here reads a file or
measures anything.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from msgspec import Struct

WIDTH: Final = 760
COLOURS: Final = ("#2f81f7", "#e5534b", "#57ab5a", "#c69026", "#986ee2", "#d4722c", "#768390", "#39c5cf")
QUIET: Final = "#768390"
OURS: Final = COLOURS[0]
STYLE: Final = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#57606a}.title{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#adbac7}}"
)
ROW, LABELS, HEAD = 26, 210, 34


class Bar(Struct, frozen=True):
    """One row: a name, its value, and whether it stands out."""

    label: str
    value: float
    is_ours: bool = False


class Line(Struct, frozen=True):
    """One line: a name and its points, by rising x."""

    label: str
    points: tuple[tuple[float, float], ...]
    is_ours: bool = False
    colour: str = ""
    """Empty: the next of `COLOURS`."""


def number(value: float) -> str:
    """Three digits that count, thousands with a comma."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _page(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}">\n<style>{STYLE}</style>\n'
        f'<text class="title" x="8" y="20">{escape(title)}</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def bars(title: str, rows: Sequence[Bar]) -> str:
    """A bar for each row, from the top down, with its value behind it."""
    most = max((row.value for row in rows), default=0) or 1
    room = WIDTH - LABELS - 80
    parts = []
    for place, row in enumerate(rows):
        top = HEAD + place * ROW
        width = max(1.0, room * row.value / most)
        colour = OURS if row.is_ours else QUIET
        parts += [
            f'<text x="{LABELS - 8}" y="{top + 15}" text-anchor="end">{escape(row.label)}</text>',
            f'<rect x="{LABELS}" y="{top + 2}" width="{width:.1f}" height="18" rx="2" fill="{colour}"/>',
            f'<text x="{LABELS + width + 6:.1f}" y="{top + 15}">{number(row.value)}</text>',
        ]
    return _page(HEAD + len(rows) * ROW + 8, title, parts)


def lines(title: str, series: Sequence[Line], *, x_title: str, height: int = 330) -> str:
    """Lines over a logarithmic x axis; y begins at zero. Names stand at the ends of the lines."""
    drawn = [line for line in series if line.points]
    xs = [x for line in drawn for x, _ in line.points] or [1.0]
    top_value = 1.08 * max((y for line in drawn for _, y in line.points), default=1.0) or 1.0
    left, right, top, bottom = 48.0, WIDTH - 200.0, 36.0, height - 44.0
    low, high = math.log10(min(xs)), math.log10(max(xs))
    span = (high - low) or 1.0

    def across(x: float) -> float:
        return left + (right - left) * (math.log10(x) - low) / span

    def down(y: float) -> float:
        return bottom - (bottom - top) * y / top_value

    parts = []
    for step in _steps(top_value):
        at = down(step)
        parts += [
            f'<line x1="{left:g}" x2="{right:g}" y1="{at:.1f}" y2="{at:.1f}" stroke="{QUIET}" stroke-opacity="0.25"/>',
            f'<text x="{left - 6:g}" y="{at + 4:.1f}" text-anchor="end">{step:g}</text>',
        ]
    last = 2.0 * WIDTH
    for x in sorted(set(xs), reverse=True):  # from the end, which is the one that must have its number
        if last - across(x) >= 46:
            last = across(x)
            parts.append(f'<text x="{last:.1f}" y="{bottom + 18:g}" text-anchor="middle">{x:,.0f}</text>')
    middle = (left + right) / 2
    parts.append(f'<text x="{middle:g}" y="{bottom + 37:g}" text-anchor="middle">{escape(x_title)}</text>')
    names: list[tuple[float, str, str]] = []
    for place, line in enumerate(drawn):
        colour = line.colour or COLOURS[place % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line.points)
        thick = 3 if line.is_ours else 1.5
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{thick}"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>' for x, y in line.points]
        names.append((down(line.points[-1][1]), line.label, colour))
    return _page(height, title, parts + _names_at_ends(names, right + 12))


def _names_at_ends(names: list[tuple[float, str, str]], x: float) -> list[str]:
    """Names beside the ends of their lines, moved down where they would lie on one another."""
    parts = []
    last = 0.0
    for y, label, colour in sorted(names):
        at = last = max(y + 4, last + 17)
        parts += [
            f'<circle cx="{x:g}" cy="{at - 4:.1f}" r="4" fill="{colour}"/>',
            f'<text x="{x + 9:g}" y="{at:.1f}">{escape(label)}</text>',
        ]
    return parts


def _steps(most: float) -> list[float]:
    """Four to eight round values from zero to `most`."""
    power: float = 10 ** math.floor(math.log10(most))
    step: float = next(power * part for part in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0) if most / (power * part) <= 8)
    return [round(step * count, 10) for count in range(int(most / step) + 1)]
