"""How `wirehop subscribe` shows what comes: for people or, with --json, one JSON object a line.

Publications go to the standard output, changes of the connection to the standard error, so that a pipe gets
publications only.
"""

import sys
import time
from typing import Any

import click
import msgspec
from msgspec import Raw, Struct


class Shown(Struct, omit_defaults=True):
    """A publication. `time` is Unix time in seconds; `data` is base64 where `encoding` says so."""

    channel: str
    data: Raw
    offset: int = 0
    cursor: str = ""
    event: str = ""
    time: float = 0.0
    key: str = ""
    encoding: str = ""


class Screen:
    """Where it is shown."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._is_coloured = sys.stdout.isatty()

    def publication(self, shown: Shown) -> None:
        """One publication, flushed: it may be long until the next."""
        if self._as_json:
            click.echo(msgspec.json.encode(shown))
            return
        parts = [
            click.style(_clock(shown.time), dim=True),
            click.style(f"#{shown.offset}" if shown.offset else "-", fg="cyan"),
            *([click.style(shown.event, fg="green")] if shown.event else []),
            _payload(shown),
        ]
        line = "  ".join(parts)
        click.echo(line if self._is_coloured else click.unstyle(line))

    def state(self, state: str, text: str, **more: object) -> None:
        """The connection changed."""
        if self._as_json:
            click.echo(msgspec.json.encode({"state": state, **more}), err=True)
        else:
            click.echo(click.style(f"-- {text}", dim=True) if sys.stderr.isatty() else f"-- {text}", err=True)

    def live(self, *, recovered: bool | None, where: str) -> None:
        """The channel is being received; after a loss: whether everything came along."""
        words = {
            None: f"subscribed over {where}",
            True: f"subscribed over {where}: recovered, nothing was missed",
            False: f"subscribed over {where}: NOT recovered, publications may be missing",
        }
        more: dict[str, Any] = {} if recovered is None else {"recovered": recovered}
        self.state("subscribed", words[recovered], **more)

    def lost(self, reason: str, delay: float) -> None:
        """No connection."""
        self.state("waiting", f"{reason}; next try in {delay:.1f} s", reason=reason, delay=round(delay, 3))


def _clock(at: float) -> str:
    """The local time of day."""
    at = at or time.time()
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at % 1 * 1000):03d}"


def _payload(shown: Shown) -> str:
    """Text as it is, everything else as JSON; what would move the cursor is escaped."""
    value = msgspec.json.decode(bytes(shown.data))
    if isinstance(value, str) and not shown.encoding:
        return "".join(character if character.isprintable() else repr(character)[1:-1] for character in value)
    return bytes(shown.data).decode() + (f"  ({shown.encoding})" if shown.encoding else "")
