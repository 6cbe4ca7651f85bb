"""Lines of the smallest programs: counted in the examples, which tests run.

A line counts that is neither blank nor only a comment; of a page those between `<script>` and `</script>`. Installed
packages have no examples: then the figures of the profile that comes with wirehop are as good.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wirehop.measured import load_profile
from wirehop.measured.profile import Figure

EXAMPLES: Final = Path(__file__).parents[4] / "examples"
OWN_WIRES: Final = ("short-poll", "long-poll", "jsonp", "sse", "sse-post", "stream", "websocket")
CLIENT_WIRES: Final = ("short-poll", "long-poll", "sse-post", "stream", "websocket")
PAGES: Final[Mapping[str, str]] = {
    "short-poll": "short_poll.html",
    "long-poll": "long_poll.html",
    "jsonp": "jsonp.html",
    "sse": "sse.html",
    "sse-post": "sse_post.html",
    "stream": "stream.html",
    "websocket": "websocket.html",
    "data-channel": "data_channel.html",
}
"""Pages without the SDK, in `examples/raw`."""

SERVER: Final = "channel.py"
FOLLOWER: Final = "follow.py"
_SCRIPT: Final = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


def lines_of(text: str) -> int:
    """Those that count."""
    stripped = [line.strip() for line in text.splitlines()]
    return sum(bool(line) and not line.startswith(("#", "//")) for line in stripped)


def lines_of_page(text: str) -> int:
    """Of its scripts."""
    return sum(lines_of(script) for script in _SCRIPT.findall(text))


def counted(folder: Path = EXAMPLES) -> dict[str, tuple[int, str]]:
    """By name of the figure: lines, and of which file. Empty where there are no examples."""
    raw = folder / "raw"
    if not (raw / SERVER).exists():
        return {}
    found: dict[str, tuple[int, str]] = {}
    server = lines_of((raw / SERVER).read_text(encoding="utf-8"))
    follower = lines_of((raw / FOLLOWER).read_text(encoding="utf-8"))
    for technique in OWN_WIRES:
        needs = "; with the setting `transports.jsonp`" if technique == "jsonp" else ""
        found[f"lines/server/{technique}"] = (server, f"examples/raw/{SERVER}, the same for every wire{needs}")
    for technique in CLIENT_WIRES:
        found[f"lines/python/{technique}"] = (follower, f"examples/raw/{FOLLOWER}, the same for every wire")
    for technique, page in PAGES.items():
        text = (raw / page).read_text(encoding="utf-8")
        found[f"lines/browser/{technique}"] = (lines_of_page(text), f"examples/raw/{page}, without the SDK")
    return found


def inherited() -> dict[str, Figure]:
    """Those of the profile that comes with wirehop."""
    return {name: figure for name, figure in load_profile().figures.items() if name.startswith("lines/")}
