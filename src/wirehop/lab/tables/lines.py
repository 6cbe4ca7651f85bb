"""A line of the technical table: its place in the catalogue, which kinds of proof it takes, and how a cell is made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from wirehop.lab.tables.cells import UNKNOWN, Cell, Kind
from wirehop.lab.tables.figures import Show, amount, measured, probed, yes_or_no
from wirehop.measured import Profile

Better = Literal["", "low", "high"]


class Line(Struct, frozen=True):
    """`id` is its anchor; `row` the number in the catalogue; `better` says which values are the good ones. An
    optional line is left out of the tables where none of its cells is known."""

    id: str
    row: int
    title: str
    kinds: frozenset[Kind]
    make: Callable[[Profile, str], Cell]
    better: Better = ""
    is_optional: bool = False

    def cell(self, profile: Profile, technique: str) -> Cell:
        """What it says of that technique. A cell of another kind than the line takes is a mistake in the source."""
        cell = self.make(profile, technique)
        if cell.kind is not None and cell.kind not in self.kinds:
            raise ValueError(f"{self.id}, {technique}: a cell of kind {cell.kind} is not for this line")
        return cell


def measured_line(
    line_id: str, row: int, title: str, names: Sequence[str], *, show: Show = amount, better: Better = ""
) -> Line:
    """Figures of the profile; `{technique}` in their names stands for the column."""

    def make(profile: Profile, technique: str) -> Cell:
        return measured(profile, [name.replace("{technique}", technique) for name in names], show)

    return Line(line_id, row, title, frozenset({Kind.MEASURED}), make, better)


def probed_line(line_id: str, row: int, title: str, name: str, *, show: Show = amount, better: Better = "") -> Line:
    """Figures of the profile by browser; `{technique}` and `{browser}` stand in the name."""

    def make(profile: Profile, technique: str) -> Cell:
        return probed(profile, name.replace("{technique}", technique), show)

    return Line(line_id, row, title, frozenset({Kind.PROBED}), make, better)


def ability_line(line_id: str, row: int, title: str, ability: str) -> Line:
    """What a browser was found to be able to do."""
    return probed_line(line_id, row, title, f"can/{ability}/{{technique}}/{{browser}}", show=yes_or_no)


def passing_line(line_id: str, row: int, title: str, ability: str) -> Line:
    """What was found to work, without a browser."""
    return measured_line(line_id, row, title, [f"can/{ability}/{{technique}}"], show=yes_or_no)


def fact_line(line_id: str, row: int, title: str, cells: Mapping[str, Cell], *, better: Better = "") -> Line:
    """What follows from standards or is proved by tests: the same in every profile."""
    kinds = frozenset({Kind.PROVED, Kind.CITED})
    return Line(line_id, row, title, kinds, lambda _, technique: cells.get(technique, UNKNOWN), better)
