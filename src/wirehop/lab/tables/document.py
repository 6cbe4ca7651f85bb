"""All tables of one profile as plain data: what is exported, and what every format is written from."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from wirehop.lab.tables.advantages import arguments
from wirehop.lab.tables.catalogue import LINES, ROWS
from wirehop.lab.tables.cells import NOT_KNOWN, Cell, Kind, Note
from wirehop.lab.tables.claims import CLAIMS, Claim
from wirehop.lab.tables.scenarios import Scenario, scenarios
from wirehop.lab.tables.titles import TITLES, anchor, inside
from wirehop.measured import TECHNIQUES, Profile

VERSION: Final = 1


class Entry(Struct, frozen=True, omit_defaults=True):
    """A cell. `notes` are numbers into the footnotes, the first being 1."""

    text: str = NOT_KNOWN
    kind: Kind | None = None
    notes: tuple[int, ...] = ()
    value: float | None = None


class Row(Struct, frozen=True):
    """One line of the technical table. `row` is its number in the catalogue, 1 to 32."""

    id: str
    row: int
    heading: str
    title: str
    kinds: tuple[Kind, ...]
    cells: Mapping[str, Entry]


class Found(Struct, frozen=True):
    """One cell that answers a claim: what it is about, its anchor, and what it says."""

    label: str
    where: str
    entry: Entry


class Answered(Struct, frozen=True):
    """A claim, and the cells that answer it; none where nothing is known."""

    id: str
    about: str
    said: str
    source: str
    url: str
    date: str
    found: tuple[Found, ...]


class Argued(Struct, frozen=True):
    """An advantage or a disadvantage. `where` is the anchor of its cell, `says` what that says."""

    technique: str
    side: str
    text: str
    says: str
    where: str


class Tables(Struct, frozen=True):
    """Everything. `facts` are those of the machine that measured."""

    version: int
    facts: Mapping[str, str]
    techniques: Mapping[str, str]
    technical: tuple[Row, ...]
    scenarios: tuple[Scenario, ...]
    claims: tuple[Answered, ...]
    arguments: tuple[Argued, ...]
    notes: tuple[Note, ...]


class Footnotes:
    """Numbers footnotes in the order in which they are first needed; the same one has one number."""

    def __init__(self) -> None:
        self._numbers: dict[Note, int] = {}

    def entry(self, cell: Cell) -> Entry:
        """The cell with its footnotes' numbers."""
        numbers = tuple(self._numbers.setdefault(note, len(self._numbers) + 1) for note in cell.notes)
        return Entry(cell.text, cell.kind, numbers, cell.value)

    def all(self) -> tuple[Note, ...]:
        """In order."""
        return tuple(self._numbers)


def make_tables(profile: Profile) -> Tables:
    """The tables of that profile."""
    cells = {line.id: {technique: line.cell(profile, technique) for technique in TECHNIQUES} for line in LINES}
    footnotes = Footnotes()
    technical = tuple(
        Row(
            line.id,
            line.row,
            ROWS[line.row],
            line.title,
            tuple(sorted(line.kinds)),
            {technique: footnotes.entry(cell) for technique, cell in cells[line.id].items()},
        )
        for line in LINES
        if not line.is_optional or any(cell.is_known for cell in cells[line.id].values())
    )
    rows = {row.id: row for row in technical}
    argued = tuple(
        Argued(each.technique, each.side, each.text, each.says, each.anchor)
        for each in arguments(cells, {line.id: line.better for line in LINES})
    )
    claims = tuple(_answered(rows, claim) for claim in CLAIMS)
    return Tables(VERSION, dict(profile.facts), TITLES, technical, scenarios(profile), claims, argued, footnotes.all())


def _answered(rows: Mapping[str, Row], claim: Claim) -> Answered:
    found = tuple(
        Found(f"{TITLES[technique]}, {inside(rows[line].title)}", anchor(line, technique), entry)
        for line, technique in claim.cells
        if (entry := rows[line].cells[technique]).kind is not None
    )
    source = claim.source
    return Answered(claim.id, claim.about, claim.said, source.title, source.url, source.date, found)
