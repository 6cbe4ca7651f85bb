"""`wirehop doctor [URL]`: what is wrong here, or with the way to a server, each with what to change.

The exit code is 1 where something will not work.
"""

import asyncio
import sys
from pathlib import Path

import click
import msgspec

from wirehop.core.errors import SettingsError
from wirehop.doctor.findings import Finding, Found, worst
from wirehop.doctor.machine import CONNECTIONS, examine_machine
from wirehop.doctor.visit import Questions, examine_url
from wirehop.settings.flags import settings_options
from wirehop.settings.load import DEFAULT_ORIGIN, Flags, load
from wirehop.settings.units import parse_duration

_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "bad": ("BAD ", "red")}
_NAME_WIDTH = 18


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}") from None


@click.command()
@settings_options
@click.argument("url", required=False)
@click.option("--connections", type=click.IntRange(1), default=CONNECTIONS, show_default=True, metavar="NUMBER",
              help="How many connections this machine should hold.")  # fmt: skip
@click.option("--idle", default="30s", show_default=True, metavar="DURATION", callback=_seconds,
              help="Of URL: how long a silence to try on each kind of wire; 0 for none.")  # fmt: skip
@click.option("--origin", default="", metavar="ORIGIN", help="Of URL: whose pages should be let in, beside its own.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Of URL: certificates (PEM) to trust instead of the system's.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")
def doctor(
    flags: Flags,
    *,
    url: str | None,
    connections: int,
    idle: float,
    origin: str,
    ca: Path | None,
    as_json: bool,
) -> int:
    """Say what is wrong, and what to change: on this machine with these settings, or with the server at URL and what
    stands in front of it."""
    show = _show_json if as_json else _show
    if url is None:
        return _exit_code(_examine_here(flags, connections, show))
    if not as_json and sys.stderr.isatty() and idle:
        click.echo(f"-- silence is tried for {idle:g} s at the end", err=True)
    questions = Questions(idle=idle, origin=origin, authorities=str(ca or ""))
    return _exit_code(asyncio.run(examine_url(url, questions, show)))


def _examine_here(flags: Flags, connections: int, show: Found) -> list[Finding]:
    try:
        loaded = load(flags)
    except SettingsError as error:
        found = Finding("settings", "bad", str(error), "`wirehop config` shows each setting and where it comes from")
        show(found)
        return [found]
    given = sorted({origin for origin in loaded.origins.values() if origin != DEFAULT_ORIGIN})
    found = Finding("settings", "ok", f"the settings are good (from {', '.join(given) or 'the defaults'})")
    show(found)
    return [found, *examine_machine(loaded.settings, connections=connections, found=show)]


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(mark, fg=colour)}  {finding.name:{_NAME_WIDTH}} {finding.seen}")
    if finding.change:
        click.echo(f"{'':{_NAME_WIDTH + 7}}-> {finding.change}")


def _show_json(finding: Finding) -> None:
    click.echo(msgspec.json.encode(finding))


def _exit_code(findings: list[Finding]) -> int:
    return 1 if worst(findings) == "bad" else 0
