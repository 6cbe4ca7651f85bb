"""`wirehop lab report`: everything measured here, as one page, and as a profile for the tables and the advisor."""

import sys
import time
from pathlib import Path

import click
import msgspec

from wirehop.measured import Profile, load_profile


@click.command()
@click.option("--quick", is_flag=True, help="A look in half a minute: few samples, nobody is ranked.")
@click.option(
    "--browser", "programs", metavar="PROGRAM", multiple=True, help="Probe this browser (those that are found)."
)
@click.option("--no-browser", is_flag=True, help="Probe none.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the page (wirehop-lab.html).")
@click.option(
    "--json", "as_json", metavar="FILE", type=click.Path(path_type=Path), help="Write the profile (`-`: here)."
)
@click.option(
    "--profile",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Measure nothing: make the page of this profile.",
)
def report(
    *,
    quick: bool,
    programs: tuple[str, ...],
    no_browser: bool,
    out: Path | None,
    as_json: Path | None,
    profile: Path | None,
) -> None:
    """Measure every technique on this machine, and probe its browsers, without a window.

    Servers and relays are started on loopback, and end with it; nothing goes elsewhere. It takes less than ten
    minutes. A browser that does not come is said, and its cells are then not known.
    """
    from wirehop.lab.report import page

    found = _read(profile) if profile is not None else _measure(quick=quick, programs=programs, no_browser=no_browser)
    if as_json is not None:
        text = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
        if str(as_json) == "-":
            sys.stdout.write(text.decode())
        else:
            as_json.write_bytes(text)
    if out is not None or as_json is None:
        where = out or Path("wirehop-lab.html")
        where.write_text(page(found), encoding="utf-8")
        click.echo(f"{where}: {len(found.figures):,} figures", err=True)


def _read(path: Path) -> Profile:
    try:
        return load_profile(path)
    except (OSError, msgspec.DecodeError) as error:
        raise click.ClickException(f"{path} is no profile: {error}") from None


def _measure(*, quick: bool, programs: tuple[str, ...], no_browser: bool) -> Profile:
    from wirehop.lab.measure.browsers import BrowserAbsent, browser_of, found_browsers
    from wirehop.lab.measure.suite import QUICK, Plan
    from wirehop.lab.report import run_report

    began = time.monotonic()

    def say(what: str) -> None:
        click.echo(f"{time.monotonic() - began:5.0f} s  {what}", err=True)

    browsers = [] if no_browser or programs else found_browsers()
    for program in () if no_browser else programs:
        try:
            browsers.append(browser_of(program))
        except BrowserAbsent as error:
            say(f"not probed: {error}")
    found = run_report(QUICK if quick else Plan(), browsers, say)
    say("done")
    return found
