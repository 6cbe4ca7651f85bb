"""One thing that was looked at, and how it stands."""

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct

Verdict = Literal["ok", "warn", "bad"]
"""`ok`: nothing to do; `warn`: it works, at a price or not for long; `bad`: something will not work."""

_ORDER: tuple[Verdict, ...] = ("ok", "warn", "bad")


class Finding(Struct, frozen=True, omit_defaults=True):
    """`name` is one of those in docs/doctor.md, and stays. `change` says what to do, "" where that is nothing."""

    name: str
    verdict: Verdict
    seen: str
    change: str = ""


Found = Callable[[Finding], None]
"""Who is told of each finding as it is made."""


def worst(findings: Iterable[Finding]) -> Verdict:
    """How the whole stands."""
    return max((finding.verdict for finding in findings), key=_ORDER.index, default="ok")
