"""The tables as CSV: a line for each cell, so that any program can turn it round."""

import csv
import io
from typing import Final

from wirehop.lab.tables.cells import Note
from wirehop.lab.tables.document import Entry, Tables

HEAD: Final = ("table", "number", "id", "row", "column", "text", "value", "kind", "proof")


def sheet(tables: Tables) -> str:
    """All of them in one sheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)

    def proof(entry: Entry) -> str:
        return " | ".join(" ".join(filter(None, (note.text, note.url))) for note in _notes(tables, entry))

    for row in tables.technical:
        for technique, entry in row.cells.items():
            value = "" if entry.value is None else f"{entry.value:.12g}"
            title = f"{row.heading}: {row.title}"
            writer.writerow(
                ("technical", row.row, row.id, title, technique, entry.text, value, entry.kind or "", proof(entry))
            )
    for number, scenario in enumerate(tables.scenarios, 1):
        for name in ("direction", "rate", "loss", "fanout", "first", "side", "p99", "bytes_per_minute", "demo"):
            text = getattr(scenario, name)
            writer.writerow(("scenarios", number, scenario.id, scenario.title, name, text, "", "", ""))
        for name, parts in (("fallbacks", scenario.fallbacks), ("why", scenario.why)):
            writer.writerow(("scenarios", number, scenario.id, scenario.title, name, ", ".join(parts), "", "", ""))
    for number, claim in enumerate(tables.claims, 1):
        source = f"{claim.source} {claim.url} {claim.date}"
        writer.writerow(("claims", number, claim.id, claim.about, "said", claim.said, "", "C", source))
        for found in claim.found:
            entry = found.entry
            writer.writerow(
                ("claims", number, claim.id, claim.about, found.label, entry.text, "", entry.kind, proof(entry))
            )
    return out.getvalue()


def _notes(tables: Tables, entry: Entry) -> list[Note]:
    return [tables.notes[number - 1] for number in entry.notes]
