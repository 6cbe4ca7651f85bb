"""`wirehop doctor [URL]`: what is wrong here, or with the way to a server, each with what to change.

The exit code is 1 where something will not work.
"""

import asyncio
import sys
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from wirehop.core.errors import SettingsError
from wirehop.doctor.calls import examine_calls
from wirehop.doctor.findings import Finding, Found, worst
from wirehop.doctor.ice import Sought
from wirehop.doctor.machine import CONNECTIONS, examine_machine
from wirehop.doctor.machine_rtc import examine_rtc
from wirehop.doctor.visit import Questions, examine_url
from wirehop.settings.check_rtc import EMBEDDED, OFF
from wirehop.settings.flags import settings_options
from wirehop.settings.load import DEFAULT_ORIGIN, Flags, load
from wirehop.settings.tree import Settings
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
@click.option("--webrtc", is_flag=True,
              help="Look at calls: the STUN and TURN servers that URL, or these settings, send people to.")  # fmt: skip
@click.option("--channel", default=Sought(url="").channel, show_default=True, metavar="CHANNEL",
              help="With --webrtc: the room to ask for its ICE servers.")  # fmt: skip
@click.option("--token", default="", metavar="TEXT", help="With --webrtc: token to join the room with.")
@click.option("--username", default="", metavar="TEXT", help="With --webrtc: username at a TURN server.")
@click.option("--password", default="", metavar="TEXT", help="With --webrtc: its password.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")
def doctor(
    flags: Flags,
    *,
    url: str | None,
    connections: int,
    idle: float,
    origin: str,
    ca: Path | None,
    webrtc: bool,
    channel: str,
    token: str,
    username: str,
    password: str,
    as_json: bool,
) -> int:
    """Say what is wrong, and what to change: on this machine with these settings, or with the server at URL and what
    stands in front of it."""
    show = _show_json if as_json else _show
    if webrtc:
        sought = Sought(
            url=url or "",
            channel=channel,
            token=token,
            username=username,
            password=password,
            authorities=str(ca or ""),
        )
        return _exit_code(_examine_calls(flags, sought, show))
    if url is None:
        return _exit_code(_examine_here(flags, connections, show))
    if not as_json and sys.stderr.isatty() and idle:
        click.echo(f"-- silence is tried for {idle:g} s at the end", err=True)
    questions = Questions(idle=idle, origin=origin, authorities=str(ca or ""))
    return _exit_code(asyncio.run(examine_url(url, questions, show)))


def _examine_calls(flags: Flags, sought: Sought, show: Found) -> list[Finding]:
    """Of `sought.url`, else of the server that these settings make."""
    try:
        settings = load(flags).settings
    except SettingsError as error:
        return [_bad_settings(error, show)]
    findings: list[Finding] = []
    url = sought.url
    if not url:
        for finding in examine_rtc(settings, is_running=True):
            findings.append(finding)
            show(finding)
        url = _own_url(settings)
    if not url:
        return findings
    return findings + asyncio.run(examine_calls(replace(sought, url=url, rtc=settings.rtc), show))


def _own_url(settings: Settings) -> str:
    """Of the TURN server that participants are sent to; empty: there is none."""
    rtc, server = settings.rtc, settings.server
    if rtc.turn != EMBEDDED:
        return "" if rtc.turn == OFF else rtc.turn
    host = server.host if server.host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared with
    return f"http{'s' if server.certificate else ''}://{f'[{host}]' if ':' in host else host}:{server.port}"


def _bad_settings(error: SettingsError, show: Found) -> Finding:
    found = Finding("settings", "bad", str(error), "`wirehop config` shows each setting and where it comes from")
    show(found)
    return found


def _examine_here(flags: Flags, connections: int, show: Found) -> list[Finding]:
    try:
        loaded = load(flags)
    except SettingsError as error:
        return [_bad_settings(error, show)]
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
