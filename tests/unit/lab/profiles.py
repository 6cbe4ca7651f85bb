"""Profiles for tests: one in which everything that a table can show was measured, made of the catalogue itself."""

import zlib
from typing import ClassVar

from wirehop.lab.tables.catalogue import LINES
from wirehop.lab.tables.catalogue.delivery import LINKS, LOSSES, PLACES
from wirehop.measured import TECHNIQUES, Figure, Profile

METHOD, WHERE, DATE = "a fixture", "nowhere", "2026-11-28"
NAMES = (
    *(f"first/{{technique}}/{each}" for each in ("new", "warm")),
    *(
        f"latency/{{technique}}/{link}/{quantile}"
        for link in (*LINKS, *LOSSES, *PLACES)
        for quantile in ("p50", "p95", "p99")
    ),
    *(f"missed/{{technique}}/{link}" for link in (*LINKS, *LOSSES, *PLACES)),
    *(f"bytes/{{technique}}/{way}/{size}" for way in ("down", "up") for size in (20, 200, 2000)),
    *("head/{technique}", "head/{technique}/chromium", "head/{technique}/firefox", "idle/{technique}"),
    *("rate/{technique}", "resume/{technique}", "dead/{technique}", "memory/{technique}", "cpu/{technique}"),
    *("fanout/{technique}", "reconnect/{technique}/chromium", "reconnect/{technique}/firefox"),
    *(f"limit/{{technique}}/{http}/{browser}" for http in ("http1", "http2") for browser in ("chromium", "firefox")),
    *(f"lines/{side}/{{technique}}" for side in ("server", "browser", "python")),
)
"""The names that the profile's module lists, but for abilities."""


def figure(name: str) -> Figure:
    """A value that depends on nothing but the name."""
    number = zlib.crc32(name.encode())
    value = float(number % 2) if name.startswith("can/") else 1 + number % 5000 / 10
    return Figure(value, "" if name.startswith("can/") else "ms", 1200, method=METHOD, where=WHERE, date=DATE)


def abilities() -> list[str]:
    """The names of abilities that the catalogue asks for."""

    class Asked(dict[str, Figure]):
        names: ClassVar[list[str]] = []

        def __contains__(self, name: object) -> bool:
            self.names.append(str(name))
            return False

    asked = Asked()
    profile = Profile(figures=asked)
    for line in LINES:
        for technique in TECHNIQUES:
            line.cell(profile, technique)
    return [name for name in asked.names if name.startswith("can/")]


def full_profile() -> Profile:
    """Everything."""
    names = [name.replace("{technique}", technique) for name in NAMES for technique in TECHNIQUES]
    return Profile({"processor": "a fixture"}, {name: figure(name) for name in [*names, *abilities()]})
