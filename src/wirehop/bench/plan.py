"""How much `wirehop bench` measures, and what the machine allows.

It knows counts and seconds. It does not know processes.
"""

import sys
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

SPARE_FILES: Final = 100
"""Descriptors that a process with N connections needs beside them."""

ECHOES: Final = 200
"""Clients that wait for an echo at the same time, at most."""

LATENCY_SHARE: Final = 0.25
"""Latency is measured at this share of the deliveries per second that fan-out reached."""


class Plan(Struct, frozen=True):
    """What one run of the bench does."""

    subscribers: int = 1000
    seconds: float = 2.0
    """Of publishing, in each measurement."""
    rounds: int = 3
    size: int = 128
    """Bytes of a payload."""

    @property
    def echoes(self) -> int:
        """Clients in the echo measurement."""
        return min(self.subscribers, ECHOES)


QUICK: Final = Plan(subscribers=200, seconds=0.3, rounds=1)


def raise_file_limit() -> int:
    """Allow this process, and those it starts, as many descriptors as it may have; that number (0: not known)."""
    if sys.platform == "win32":
        return 0
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 65_536)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (OSError, ValueError):  # macOS allows less than it says
        return soft
    return hard


def fitted(plan: Plan, files: int) -> tuple[Plan, str]:
    """The plan with as many subscribers as `files` descriptors allow, and a sentence where that is fewer."""
    room = files - SPARE_FILES
    if not files or plan.subscribers <= room:
        return plan, ""
    most = max(1, room)
    said = f"only {files:,} open files are allowed (ulimit -n): {most:,} subscribers instead of {plan.subscribers:,}"
    return replace(plan, subscribers=most), said
