"""What networks do to it; rows 24 and 25. The line of kind D is filled in on the lab's page, where it is seen."""

from typing import Final

from wirehop.lab.tables.cells import UNKNOWN, Kind
from wirehop.lab.tables.lines import Line, passing_line

PROXIES: Final = {
    "buffering": "that holds answers back until 32 KiB or some seconds",
    "idle-cut": "that cuts what is idle",
    "strip-upgrade": "that strips Upgrade",
    "gzip": "that compresses event streams",
    "inspect": "that answers upgrades itself",
    "block-udp": "with UDP blocked",
}

LINES: Final[tuple[Line, ...]] = (
    *(
        passing_line(f"proxy-{name}", 25 if name == "block-udp" else 24, f"Through a proxy {words}", f"proxy-{name}")
        for name, words in PROXIES.items()
    ),
    Line(
        "your-network", 24, "Through your own network", frozenset({Kind.DOCTOR}), lambda _profile, _technique: UNKNOWN
    ),
    passing_line("relayed", 25, "Through a TURN relay", "relayed"),
)
