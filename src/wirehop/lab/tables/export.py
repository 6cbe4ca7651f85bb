"""The formats in which tables can be had."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from wirehop.lab.tables.document import Tables
from wirehop.lab.tables.drawing import drawing
from wirehop.lab.tables.html import page
from wirehop.lab.tables.markdown import comparison_page
from wirehop.lab.tables.sheet import sheet


class Format(Struct, frozen=True):
    """A file's name, its media type, and what writes it."""

    name: str
    type: str
    write: Callable[[Tables], str]


def as_json(tables: Tables) -> str:
    """As schema.json describes it."""
    return msgspec.json.format(msgspec.json.encode(tables), indent=1).decode() + "\n"


def schema() -> str:
    """The JSON schema of what `as_json` writes."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Tables)), indent=1).decode() + "\n"


FORMATS: Final[Mapping[str, Format]] = {
    "markdown": Format("comparison.md", "text/markdown", comparison_page),
    "csv": Format("comparison.csv", "text/csv", sheet),
    "json": Format("comparison.json", "application/json", as_json),
    "html": Format("comparison.html", "text/html", page),
    "svg": Format("comparison.svg", "image/svg+xml", drawing),
}
"""By what a reader asks for."""
