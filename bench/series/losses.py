"""The README's table of what servers lose in the same experiment, from the kept run of `bench/check_peers`.

It knows the form of that file. It runs nothing.
"""

from collections.abc import Mapping
from typing import Any

Checked = Mapping[str, Any]

OURS = "wirehop"
COLUMNS = ("lost", "doubled", "out of order", "outcome unknown", "sessions begun anew", "longest silence")


def block(checked: Checked) -> str:
    """What stands between the marks."""
    seconds, clients, rate = (f"{checked[name]:g}" for name in ("seconds", "clients", "rate"))
    introduction = (
        f"For 2 s of every 6 nothing gets through, {seconds} s long: {clients} clients publish {rate} numbers a second "
        "in all, and each of them should be seen by everybody once, in order. Every server with its own client, "
        f"unmodified ({checked['date']}, `bench/check_peers`)."
    )
    note = (
        "*Lost*: a subscriber never got it, of all that had to be delivered. *Outcome unknown*: the client cannot tell "
        "its user whether it was published. *Begun anew*: the server had forgotten the session, with its "
        "presence and calls. "
        "*Longest silence*: of one subscriber, the drop itself included. "
        "`wirehop check` does this to your server, with seventeen more scenarios: [docs/checker.md](docs/checker.md)."
    )
    return "\n\n".join((introduction, "\n".join(table(checked)), note))


def table(checked: Checked) -> list[str]:
    """Markdown lines, one for each server and client."""
    clients = int(checked["clients"])
    lines = ["| | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    for row in checked["rows"]:
        title = (
            f"**{row['title']}**" if row["title"].startswith(OURS) else f"{row['title']} {row['version'].lstrip('v')}"
        )
        counts = row["counts"]
        lost = f"{counts['lost']:,} of {row['published'] * clients:,}" if counts["lost"] else "0"
        cells = (lost, counts["doubled"], counts["out_of_order"], row["unknown"], row["anew"],
                 f"{row['longest_silence']:.1f} s")  # fmt: skip
        lines.append(f"| {title} | " + " | ".join(str(cell) for cell in cells) + " |")
    return lines
