"""The tables as Markdown: the pages in docs, the block in the README, and the export."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from wirehop.lab.tables.catalogue import ROWS
from wirehop.lab.tables.cells import KIND_WORDS, NOT_KNOWN, Kind
from wirehop.lab.tables.document import Answered, Entry, Row, Tables
from wirehop.lab.tables.scenarios import Scenario
from wirehop.lab.tables.titles import TITLES, anchor, inside

COMPARISON: Final = "comparison.md"
"""The page that has the cells."""

README_LINES: Final = (
    *("direction", "trips-new", "trips-warm", "latency-rtt100", "missed-rtt100", "latency-loss5", "bytes-down-20"),
    *("bytes-up-20", "framing-down", "idle", "reconnect", "limit-http1", "memory", "proxy-strip-upgrade"),
    *("proxy-buffering", "sticky"),
)
README_TECHNIQUES: Final = ("websocket", "sse", "stream", "long-poll", "short-poll", "data-channel")


def comparison_page(tables: Tables) -> str:
    """docs/comparison.md."""
    return "\n".join(
        [
            "# The techniques compared",
            "",
            *_legend(tables),
            "",
            "Made by `scripts/docs` of the profile that comes with wirehop; `wirehop lab report` makes them of one",
            "that was measured on your machine. The lab has them (`/lab/`, Tables) to filter and to download, as",
            "Markdown, CSV, JSON (schema: `src/wirehop/lab/tables/schema.json`), HTML and SVG, and fills in what only",
            "your browser and your network can say.",
            "",
            "- [Technical features](#technical-features)",
            "- [Scenarios](#scenarios)",
            "- [Commonly said, measured here](#commonly-said-measured-here)",
            "- [Footnotes](#footnotes)",
            "- [Advantages and disadvantages](advantages.md)",
            "",
            "## Technical features",
            "",
            *_technical(tables),
            "## Scenarios",
            "",
            *_scenarios(tables.scenarios),
            "",
            "## Commonly said, measured here",
            "",
            *_claims(tables.claims),
            "",
            "## Footnotes",
            "",
            *_footnotes(tables),
            "",
        ]
    )


def advantages_page(tables: Tables) -> str:
    """docs/advantages.md: every line leads to the cell that it rests on."""
    lines = [
        "# Advantages and disadvantages",
        "",
        "Made of the cells of [the comparison](comparison.md): each line leads to the one that it rests on, and is not",
        "here where that is not known. What all of them can is no advantage of any; a figure counts from half as much",
        "again as the median of all techniques on.",
        "",
    ]
    for technique, title in TITLES.items():
        lines += [f"## {title}", ""]
        for side, sign in (("advantage", "+"), ("disadvantage", "−")):
            lines += [
                f"- **{sign}** {_escape(each.text)}: [{_escape(each.says)}]({COMPARISON}#{each.where})"
                for each in tables.arguments
                if (each.technique, each.side) == (technique, side)
            ]
        if lines[-1] == "":
            lines.append("Nothing is known.")
        lines.append("")
    return "\n".join(lines)


def readme_block(tables: Tables) -> str:
    """A few lines of the technical table, for the README."""
    rows = [row for row in tables.technical if row.id in README_LINES]
    shown = [row for row in rows if any(row.cells[each].kind is not None for each in README_TECHNIQUES)]
    head = ["", *(TITLES[each] for each in README_TECHNIQUES)]
    body = [[_name(row), *(_brief(row.cells[each]) for each in README_TECHNIQUES)] for row in shown]
    kinds = ", ".join(f"{word} ({kind})" for kind, word in KIND_WORDS.items() if kind is not Kind.DOCTOR)
    words = (
        f"Every cell is {kinds}, or says that it is not known. All {len(ROWS)} rows, {len(tables.techniques)} "
        f"techniques, {len(tables.scenarios)} scenarios and the footnotes: [docs/comparison.md](docs/comparison.md); "
        "what speaks for and against each: [docs/advantages.md](docs/advantages.md)."
    )
    return "\n".join([*table(head, body), "", words])


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """A table; cells are Markdown already."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, body)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _legend(tables: Tables) -> list[str]:
    kinds = "; ".join(f"**{kind}** {word}" for kind, word in KIND_WORDS.items())
    machine = "; ".join(
        value if value.lower().startswith(name) else f"{name} {value}" for name, value in tables.facts.items()
    )
    lines = [f"Each cell says how it is known: {kinds}. What has no proof is *{NOT_KNOWN}*. Numbers lead to footnotes."]
    return [*lines, "", f"Measured on: {machine}."] if machine else lines


def _technical(tables: Tables) -> list[str]:
    """A table for each row of the catalogue: techniques down, its lines across."""
    lines: list[str] = []
    for number, group in groupby(tables.technical, key=lambda row: row.row):
        rows = list(group)
        lines += [f"### {number}. {rows[0].heading}", ""]
        head = ["", *(_escape(row.title) for row in rows)]
        body = [[TITLES[each], *(_cell(row, each) for row in rows)] for each in tables.techniques]
        lines += [*table(head, body), ""]
    return lines


def _cell(row: Row, technique: str) -> str:
    entry = row.cells[technique]
    if entry.kind is None:
        return NOT_KNOWN
    return f'<a id="{anchor(row.id, technique)}"></a>{_escape(entry.text)}{_marks(entry)}'


def _marks(entry: Entry) -> str:
    links = " ".join(f"[{entry.kind}{number}](#note-{number})" for number in entry.notes)
    return f" <sup>{links}</sup>" if links else ""


def _brief(entry: Entry) -> str:
    """Without what explains it: that is one link away."""
    if entry.kind is None:
        return NOT_KNOWN
    said = re.split("[:;]", entry.text, maxsplit=1)[0]
    return f"{_escape(said)} <sup>{entry.kind}</sup>"


def _name(row: Row) -> str:
    return row.heading if row.title == row.heading else f"{row.heading}: {inside(row.title)}"


def _scenarios(scenarios: Sequence[Scenario]) -> list[str]:
    head = ["Scenario", "Traits", "First choice", "Fallbacks", "Beside it", "Why", "p99", "Bytes a minute", "Run it"]
    body = [
        [
            f'<a id="scenario-{each.id}"></a>{_escape(each.title)}',
            _escape(f"{each.direction}; {each.rate}; {each.loss}; {each.fanout}"),
            _escape(each.first),
            _escape(", then ".join(each.fallbacks)) or "none",
            _escape(each.side) or "nothing",
            ", ".join(f"[{rule}](advisor.md#{rule.lower()})" for rule in each.why),
            each.p99 if each.p99 == NOT_KNOWN else f"{each.p99} <sup>{each.kind}</sup>",
            each.bytes_per_minute
            if each.bytes_per_minute == NOT_KNOWN
            else f"{each.bytes_per_minute} <sup>{each.kind}</sup>",
            f"`wirehop demo`, {each.demo}" if each.demo else "no demo yet",
        ]
        for each in scenarios
    ]
    return table(head, body)


def _claims(claims: Sequence[Answered]) -> list[str]:
    head = ["About", "Commonly said", "Where", "Here"]
    body = [
        [
            _escape(each.about),
            _escape(each.said),
            f"[{_escape(each.source)}]({each.url}), {each.date}"
            if each.url
            else f"{_escape(each.source)}, {each.date}",
            "<br>".join(
                f"{_escape(found.label)}: [{_escape(found.entry.text)}](#{found.where}) <sup>{found.entry.kind}</sup>"
                for found in each.found
            )
            or NOT_KNOWN,
        ]
        for each in claims
    ]
    return table(head, body)


def _footnotes(tables: Tables) -> list[str]:
    return [
        f'<a id="note-{number}"></a>{number}. {KIND_WORDS[note.kind]}: '
        + (
            f"[{_escape(note.text)}]({note.url})"
            if note.url
            else f"`{note.text}`"
            if note.kind is Kind.PROVED
            else _escape(note.text)
        )
        + "<br>"
        for number, note in enumerate(tables.notes, 1)
    ]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
