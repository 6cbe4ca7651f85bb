"""A cell of a comparison: what it says, how that is known, and the footnotes that say so.

A cell is one of five kinds, or "not known". Nothing here measures; a cell of kind measured or probed is made of figures
of a profile (`figures.py`), a derived one names the tests that prove it, a cited one its sources.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from wirehop.lab.tables.sources import Source

NOT_KNOWN: Final = "not known"


class Kind(StrEnum):
    """How a cell is known."""

    MEASURED = "M"
    PROVED = "P"
    PROBED = "B"
    DOCTOR = "D"
    CITED = "C"


KIND_WORDS: Final = {
    Kind.MEASURED: "measured",
    Kind.PROVED: "derived by a test from a standard's bytes or from the running server",
    Kind.PROBED: "probed in a browser",
    Kind.DOCTOR: "probed from your own network, on the lab's page",
    Kind.CITED: "cited",
}


class Note(Struct, frozen=True, omit_defaults=True):
    """A footnote: method, machine or browser, date and samples; or the test that proves it; or the source."""

    kind: Kind
    text: str
    url: str = ""


class Cell(Struct, frozen=True):
    """What a table says in one place. `value` is there where the cell is a single number, to compare by."""

    text: str = NOT_KNOWN
    kind: Kind | None = None
    notes: tuple[Note, ...] = ()
    value: float | None = None
    tests: tuple[str, ...] = ()
    """Of a proved cell: the tests, as `path::function`."""

    @property
    def is_known(self) -> bool:
        """Whether there is proof."""
        return self.kind is not None


UNKNOWN: Final = Cell()


def proved(text: str, *tests: str, value: float | None = None) -> Cell:
    """A cell that these tests prove (`path::function`)."""
    notes = tuple(Note(Kind.PROVED, test) for test in tests)
    return Cell(text, Kind.PROVED, notes, value, tests)


def cited(text: str, *sources: Source, value: float | None = None) -> Cell:
    """A cell that these sources say."""
    notes = tuple(Note(Kind.CITED, f"{source.title}, {source.date}", source.url) for source in sources)
    return Cell(text, Kind.CITED, notes, value)
