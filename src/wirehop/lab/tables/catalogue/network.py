"""What networks do to it; rows 24 and 25. The lines of kind D are filled in on the lab's page."""

from typing import Final

from wirehop.lab.tables.cells import UNKNOWN, Kind
from wirehop.lab.tables.lines import Line, passing_line

PROXIES: Final = {
    "buffering": "that holds answers back until 32 KiB or some seconds",
    "idle-cut": "that cuts what is idle",
    "strip-upgrade": "that strips Upgrade",
    "gzip": "that compresses event streams",
    "inspecting": "that answers upgrades itself",
    "block-udp": "with UDP blocked",
}


def _from_the_page(line_id: str, row: int, title: str) -> Line:
    """What nobody knows but who looks at it."""
    return Line(line_id, row, title, frozenset({Kind.DOCTOR}), lambda _profile, _technique: UNKNOWN)


LINES: Final[tuple[Line, ...]] = (
    *(
        passing_line(f"proxy-{name}", 25 if name == "block-udp" else 24, f"Through a proxy {words}", f"proxy-{name}")
        for name, words in PROXIES.items()
    ),
    _from_the_page("your-network", 24, "Through your own network"),
    _from_the_page("your-udp", 25, "UDP and relays, from your own network"),
    passing_line("relayed", 25, "Through a TURN relay", "relayed"),
)
