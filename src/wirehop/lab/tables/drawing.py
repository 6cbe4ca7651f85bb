"""The technical table as one SVG: text in columns, readable on light and on dark pages."""

import textwrap
from html import escape
from itertools import groupby
from typing import Final

from wirehop.lab.tables.cells import NOT_KNOWN
from wirehop.lab.tables.document import Row, Tables

LABEL, COLUMN, LINE, PAD = 210, 148, 14, 9
LABEL_LETTERS, LETTERS = 32, 23
STYLE: Final = (
    "text{font:11px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2430}.head{font-weight:650}"
    ".part{font-weight:650;fill:#3a45c8}.unknown{fill:#6b7280;font-style:italic}.rule{stroke:#d0d4dc}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e7ee}.part{fill:#9aa8ff}.unknown{fill:#9aa3b2}.rule{stroke:#3a3f4b}}"
)


def drawing(tables: Tables) -> str:
    """The technical table; what is long is broken into lines."""
    width = LABEL + COLUMN * len(tables.techniques) + PAD
    parts: list[str] = []
    top = _texts(parts, 24, [("", "head"), *((title, "head") for title in tables.techniques.values())])
    for number, group in groupby(tables.technical, key=lambda row: row.row):
        rows = list(group)
        parts.append(f'<line class="rule" x1="0" x2="{width}" y1="{top - LINE + 2}" y2="{top - LINE + 2}"/>')
        top = _texts(parts, top + 4, [(f"{number}. {rows[0].heading}", "part")])
        for row in rows:
            top = _texts(parts, top, [(row.title, ""), *(_cell(row, technique) for technique in tables.techniques)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}" '
        f'role="img" aria-label="Technical features of the techniques">\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _cell(row: Row, technique: str) -> tuple[str, str]:
    entry = row.cells[technique]
    return (NOT_KNOWN, "unknown") if entry.kind is None else (f"{entry.text} ({entry.kind})", "")


def _texts(parts: list[str], top: int, cells: list[tuple[str, str]]) -> int:
    """Write a row of cells; where the next one begins."""
    most = 1
    for column, (text, style) in enumerate(cells):
        letters = LABEL_LETTERS if column == 0 else LETTERS
        left = PAD if column == 0 else LABEL + (column - 1) * COLUMN
        lines = textwrap.wrap(text, letters * 3 if style == "part" else letters) or [""]
        most = max(most, len(lines))
        look = f' class="{style}"' if style else ""
        parts += [
            f'<text{look} x="{left}" y="{top + number * LINE}">{escape(line)}</text>'
            for number, line in enumerate(lines)
            if line
        ]
    return top + most * LINE + PAD
