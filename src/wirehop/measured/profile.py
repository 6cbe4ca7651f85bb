"""A profile: figures by name, each with its unit, its spread, and where and when it was measured.

Names are paths. The parts in braces vary; `technique` is one of `TECHNIQUES`, `link` is a preset of the lab, `browser`
is `chromium` or `firefox`.

    first/{technique}/{new|warm}                   round trips to the first message
    latency/{technique}/{link}/{p50|p95|p99}       ms, one way, from the intended send time
    missed/{technique}/{link}                      messages that never came, of `samples`
    bytes/{technique}/{down|up}/{20|200|2000}      bytes on the wire for one message of so many payload bytes
    head/{technique}[/{browser}]                   bytes to open a connection, or of one request
    idle/{technique}                               bytes an hour of a connection in which nothing happens
    rate/{technique}                               messages a second over one connection, p99 below 100 ms
    resume/{technique}                             messages lost or doubled, of `samples`, over cuts
    dead/{technique}                               s until a dead peer is noticed
    reconnect/{technique}/{browser}                s until the browser connects again by itself
    limit/{technique}/{http1|http2}/{browser}      connections to one origin
    memory/{technique}                             bytes of the server for an idle connection
    cpu/{technique}                                µs of the server for a delivered message
    fanout/{technique}                             deliveries a second of one server process
    can/{ability}/{technique}[/{browser}]          1 or 0
    lines/{server|browser|python}/{technique}      lines of the smallest program

A figure that is missing was not measured: nobody may guess it.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

TECHNIQUES: Final = (
    "short-poll",
    "long-poll",
    "jsonp",
    "sse",
    "sse-post",
    "stream",
    "websocket",
    "websocket-h2",
    "webtransport",
    "data-channel",
    "data-channel-unreliable",
    "media",
)
"""The columns of every comparison. `sse` is a bare event stream, `sse-post` the one with a way up."""

OWN: Final = Path(__file__).with_name("profile.json")


class Figure(Struct, frozen=True, omit_defaults=True):
    """One measured value. `low` and `high` bound it (95 %); `date` is ISO 8601; `where` names machine or browser."""

    value: float
    unit: str
    samples: int = 0
    low: float | None = None
    high: float | None = None
    method: str = ""
    where: str = ""
    date: str = ""


class Profile(Struct, frozen=True):
    """Figures by name, and the facts of the machine that they come from."""

    facts: dict[str, str] = {}
    figures: dict[str, Figure] = {}

    def value(self, name: str) -> float | None:
        """The value of that name, if it was measured."""
        figure = self.figures.get(name)
        return None if figure is None else figure.value


def load_profile(path: Path = OWN) -> Profile:
    """The profile in that file; without one, the profile that comes with wirehop.

    Raises `OSError`, `msgspec.DecodeError`, `msgspec.ValidationError`.
    """
    return msgspec.json.decode(path.read_bytes(), type=Profile)
