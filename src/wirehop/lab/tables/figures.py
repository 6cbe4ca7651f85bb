"""Cells made of a profile's figures: measured ones, and those that a browser was probed for.

Where a figure is missing the cell is not known; nothing is filled in.
"""

from collections.abc import Callable, Sequence
from typing import Final

from wirehop.lab.tables.cells import UNKNOWN, Cell, Kind, Note
from wirehop.measured import Figure, Profile

BROWSERS: Final = {"chromium": "Chromium", "firefox": "Firefox"}
Show = Callable[[Figure], str]


def number(value: float) -> str:
    """Three digits that count, thousands with a comma."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2g}" if size < 1 else f"{value:.3g}"


def amount(figure: Figure) -> str:
    """The value with its unit."""
    return f"{number(figure.value)} {figure.unit}".rstrip()


def yes_or_no(figure: Figure) -> str:
    """An ability."""
    return "yes" if figure.value else "no"


def of_samples(figure: Figure) -> str:
    """How many of how many."""
    return f"{number(figure.value)} of {figure.samples:,}" if figure.samples else number(figure.value)


def _note(kind: Kind, figure: Figure) -> Note:
    samples = f"{figure.samples:,} samples" if figure.samples > 1 else ""
    return Note(kind, "; ".join(filter(None, (figure.method, figure.where, samples, figure.date))))


def _notes(kind: Kind, figures: Sequence[Figure]) -> tuple[Note, ...]:
    return tuple(dict.fromkeys(_note(kind, figure) for figure in figures))


def measured(profile: Profile, names: Sequence[str], show: Show = amount) -> Cell:
    """The figures of these names beside one another; their common unit stands once, at the end. The last of them is
    what is compared by: of quantiles, the highest."""
    found = [profile.figures[name] for name in names if name in profile.figures]
    if not found or len(found) < len(names):
        return UNKNOWN
    if len(found) == 1:
        text = show(found[0])
    else:
        text = f"{' / '.join(number(figure.value) for figure in found)} {found[0].unit}".rstrip()
    return Cell(text, Kind.MEASURED, _notes(Kind.MEASURED, found), found[-1].value)


def probed(profile: Profile, name: str, show: Show = amount) -> Cell:
    """The figures of that name for each browser that was there; `{browser}` stands in its place."""
    found = {
        title: profile.figures[each]
        for browser, title in BROWSERS.items()
        if (each := name.replace("{browser}", browser)) in profile.figures
    }
    if not found:
        return UNKNOWN
    words = {title: show(figure) for title, figure in found.items()}
    same = len(set(words.values())) == 1 and len(words) == len(BROWSERS)
    text = next(iter(words.values())) if same else ", ".join(f"{title} {said}" for title, said in words.items())
    values = {figure.value for figure in found.values()}
    return Cell(
        text, Kind.PROBED, _notes(Kind.PROBED, list(found.values())), values.pop() if len(values) == 1 else None
    )
