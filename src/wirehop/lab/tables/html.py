"""The tables as HTML: a part of the report, and a page of its own for the export. No script, no file beside it."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Final

from wirehop.lab.tables.cells import KIND_WORDS, NOT_KNOWN
from wirehop.lab.tables.document import Answered, Entry, Row, Tables, make_tables
from wirehop.lab.tables.scenarios import Scenario
from wirehop.lab.tables.titles import TITLES, anchor
from wirehop.measured import Profile

STYLE: Final = (
    ".tables{color-scheme:light dark;font:14px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif}"
    ".tables .scroll{overflow:auto;max-height:85vh;margin:0 0 24px}"
    ".tables table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums}"
    ".tables th,.tables td{padding:6px 10px;border-bottom:1px solid light-dark(#d8dbe2,#3a3f4b);text-align:left;"
    "vertical-align:top;min-width:110px;max-width:260px}"
    ".tables thead th{position:sticky;top:0;z-index:2;background:light-dark(#f4f5f8,#1d2027)}"
    ".tables tbody th{position:sticky;left:0;background:light-dark(#fff,#16181d);font-weight:550;min-width:150px}"
    ".tables tbody.part th[colspan]{background:light-dark(#eceef3,#252932);font-weight:650}"
    ".tables .unknown{color:light-dark(#6b7280,#9aa3b2);font-style:italic}"
    ".tables sup{line-height:0}.tables sup a{margin-left:3px;color:light-dark(#3a45c8,#9aa8ff);text-decoration:none}"
    ".tables :target{outline:2px solid light-dark(#3a45c8,#9aa8ff)}"
)


def render_html(profile: Profile) -> str:
    """The tables of that profile, as a section for a page."""
    return section(make_tables(profile))


def page(tables: Tables) -> str:
    """A page of its own."""
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark"><title>The techniques compared</title>'
        f"<style>body{{margin:24px}}</style>\n{section(tables)}</html>\n"
    )


def section(tables: Tables) -> str:
    """A section for a page."""
    kinds = "; ".join(f"<b>{kind}</b> {escape(word)}" for kind, word in KIND_WORDS.items())
    return "\n".join(
        [
            f'<section class="tables"><style>{STYLE}</style>',
            '<h2 id="technical-features">Technical features</h2>',
            f"<p>Each cell says how it is known: {kinds}. What has no proof is <i>{NOT_KNOWN}</i>.</p>",
            *_technical(tables),
            '<h2 id="scenarios">Scenarios</h2>',
            *_scenarios(tables.scenarios),
            '<h2 id="claims">Commonly said, measured here</h2>',
            *_claims(tables.claims),
            '<h2 id="advantages">Advantages and disadvantages</h2>',
            *_arguments(tables),
            '<h2 id="footnotes">Footnotes</h2>',
            *_footnotes(tables),
            "</section>",
            "",
        ]
    )


def _table(head: Sequence[str], bodies: Sequence[str], label: str) -> list[str]:
    heads = "".join(f'<th scope="col">{each}</th>' for each in head)
    return [
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table><thead><tr>{heads}</tr></thead>',
        *bodies,
        "</table></div>",
    ]


def _technical(tables: Tables) -> list[str]:
    bodies = []
    for number, group in groupby(tables.technical, key=lambda row: row.row):
        rows = list(group)
        span = len(tables.techniques) + 1
        lines = [f'<tr><th colspan="{span}" scope="rowgroup">{number}. {escape(rows[0].heading)}</th></tr>']
        for row in rows:
            cells = "".join(_cell(row, technique) for technique in tables.techniques)
            lines.append(f'<tr><th scope="row">{escape(row.title)}</th>{cells}</tr>')
        bodies.append(f'<tbody class="part">{"".join(lines)}</tbody>')
    return _table(["", *map(escape, tables.techniques.values())], bodies, "Technical features")


def _cell(row: Row, technique: str) -> str:
    entry = row.cells[technique]
    if entry.kind is None:
        return f'<td class="unknown">{NOT_KNOWN}</td>'
    return f'<td id="{anchor(row.id, technique)}">{escape(entry.text)}{_marks(entry)}</td>'


def _marks(entry: Entry) -> str:
    return "".join(f'<sup><a href="#note-{number}">{entry.kind}{number}</a></sup>' for number in entry.notes)


def _figure(text: str, kind: str) -> str:
    if text == NOT_KNOWN:
        return f'<td class="unknown">{NOT_KNOWN}</td>'
    return f"<td>{escape(text)} <sup>{kind}</sup></td>"


def _scenarios(scenarios: Sequence[Scenario]) -> list[str]:
    head = ["Scenario", "Traits", "First choice", "Fallbacks", "Beside it", "Why", "p99", "Bytes a minute", "Run it"]
    bodies = []
    for each in scenarios:
        traits = "<br>".join(map(escape, (each.direction, each.rate, each.loss, each.fanout)))
        cells = [
            f"<td>{traits}</td><td><b>{escape(each.first)}</b></td>",
            f"<td>{escape(', then '.join(each.fallbacks)) or 'none'}</td><td>{escape(each.side) or 'nothing'}</td>",
            f"<td>{escape(', '.join(each.why))}</td>",
            _figure(each.p99, each.kind),
            _figure(each.bytes_per_minute, each.kind),
            f"<td>{escape(each.demo) or 'no demo yet'}</td>",
        ]
        bodies.append(
            f'<tr id="scenario-{escape(each.id)}"><th scope="row">{escape(each.title)}</th>{"".join(cells)}</tr>'
        )
    return _table(head, [f"<tbody>{''.join(bodies)}</tbody>"], "Scenarios")


def _claims(claims: Sequence[Answered]) -> list[str]:
    bodies = []
    for each in claims:
        source = f'<a href="{escape(each.url)}">{escape(each.source)}</a>' if each.url else escape(each.source)
        found = "<br>".join(
            f'{escape(part.label)}: <a href="#{part.where}">{escape(part.entry.text)}</a> <sup>{part.entry.kind}</sup>'
            for part in each.found
        )
        here = f"<td>{found}</td>" if found else f'<td class="unknown">{NOT_KNOWN}</td>'
        bodies.append(
            f'<tr><th scope="row">{escape(each.about)}</th><td>{escape(each.said)}</td>'
            f"<td>{source}, {each.date}</td>{here}</tr>"
        )
    return _table(["About", "Commonly said", "Where", "Here"], [f"<tbody>{''.join(bodies)}</tbody>"], "Claims")


def _arguments(tables: Tables) -> list[str]:
    lines = []
    for technique, title in TITLES.items():
        lines.append(f"<h3>{escape(title)}</h3><ul>")
        lines += [
            f"<li><b>{'+' if each.side == 'advantage' else '−'}</b> {escape(each.text)}: "
            f'<a href="#{each.where}">{escape(each.says)}</a></li>'
            for each in tables.arguments
            if each.technique == technique
        ]
        lines.append("</ul>")
    return lines


def _footnotes(tables: Tables) -> list[str]:
    lines = ["<ol>"]
    for number, note in enumerate(tables.notes, 1):
        text = f'<a href="{escape(note.url)}">{escape(note.text)}</a>' if note.url else escape(note.text)
        lines.append(f'<li id="note-{number}">{escape(KIND_WORDS[note.kind])}: {text}</li>')
    return [*lines, "</ol>"]
