"""What people ask for by name: each with the answers that it stands for, and the demo that shows it."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from wirehop.advisor.facts import Inputs


class Scenario(Struct, frozen=True):
    """`demo` is a path below a dev server's root, "" where there is none. `others` are parties beside the page."""

    title: str
    inputs: Inputs
    demo: str = ""
    others: Mapping[str, Inputs] = field(default_factory=dict)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "instant-messaging": Scenario(
        "Instant messaging, customer service",
        Inputs(direction="both", down=0.5, up=0.1, payload=300, kind="text", latency=500, loss="none", fanout=20,
               users=5000, networks=("open", "mobile"), resume=True, background=True, battery=True),
        "chat/",
    ),
    "documents": Scenario(
        "Collaborative documents",
        Inputs(direction="both", down=10, up=3, payload=60, kind="binary", latency=150, loss="none", fanout=5,
               users=1000, networks=("open",), resume=True, peers=6),
    ),
    "market": Scenario(
        "Market data and order book",
        Inputs(direction="both", down=30, up=0.1, payload=200, kind="text", latency=150, loss="latest", order=True,
               fanout=5000, users=5000, networks=("open", "mobile"), resume=False),
        "market/",
    ),
    "games": Scenario(
        "Multiplayer games (the server decides)",
        Inputs(direction="both", down=20, up=20, payload=120, kind="binary", latency=200, loss="latest", order=True,
               fanout=40, users=500, networks=("open", "mobile"), resume=False),
    ),
    "iot": Scenario(
        "IoT telemetry and server monitoring",
        Inputs(direction="down", down=5, up=0.01, payload=400, kind="text", latency=1000, loss="none", fanout=20,
               users=200, networks=("open",), resume=True),
        "monitor/",
        {"devices": Inputs(direction="both", down=0.01, up=1, payload=100, kind="text", latency=1000, loss="none",
                           fanout=20, users=10_000, networks=("mobile",), login="header", resume=True, battery=True)},
    ),
    "danmaku": Scenario(
        "Danmaku (comments over video)",
        Inputs(direction="both", down=30, up=0.05, payload=120, kind="text", latency=500, loss="any", fanout=20_000,
               users=20_000, networks=("open", "mobile"), resume=True),
    ),
    "ai": Scenario(
        "AI answers, streamed",
        Inputs(direction="down", down=40, up=0.02, payload=30, kind="tokens", latency=300, loss="none", fanout=1,
               users=500, networks=("open", "mobile"), resume=True),
        "ai/",
    ),
    "notifications": Scenario(
        "Notifications",
        Inputs(direction="down", down=0.01, up=0.01, payload=300, kind="text", latency=2000, loss="none", fanout=1,
               users=20_000, networks=("open", "mobile"), tabs=10, resume=True, background=True, battery=True),
        "notifications/",
    ),
    "logs": Scenario(
        "Logs and CI dashboards",
        Inputs(direction="down", down=200, up=0, payload=120, kind="text", latency=1000, loss="none", fanout=5,
               users=200, networks=("open",), resume=True),
        "board/",
    ),
    "news": Scenario(
        "News feeds",
        Inputs(direction="down", down=1 / 120, up=0, payload=1500, kind="text", latency=10_000, loss="none",
               fanout=50_000, users=50_000, networks=("open", "mobile"), front=("cdn",), login="none", resume=True),
    ),
    "displays": Scenario(
        "Monitoring displays, data walls",
        Inputs(direction="down", down=2, up=0, payload=1000, kind="text", latency=2000, loss="latest", fanout=50,
               users=50, networks=("open",), resume=False, battery=False),
        "monitor/",
    ),
    "presence": Scenario(
        "Collaboration status: who is here, cursors",
        Inputs(direction="both", down=60, up=10, payload=80, kind="text", latency=150, loss="latest", order=True,
               fanout=30, users=2000, networks=("open",), resume=False),
    ),
    "calls": Scenario(
        "Audio and video calls",
        Inputs(direction="both", down=0, up=0, latency=300, loss="any", media="video", peers=4, viewers=0,
               networks=("open", "mobile"), turn_tls=True, users=400),
        "call/",
    ),
    "assistance": Scenario(
        "Screen sharing and remote assistance",
        Inputs(direction="both", down=30, up=30, payload=40, kind="text", latency=90, loss="latest", order=False,
               media="screen", peers=2, viewers=0, networks=("open", "mobile"), turn_tls=True, users=100),
        "assist/",
    ),
    "live": Scenario(
        "Interactive live streaming",
        Inputs(direction="both", down=5, up=0.05, payload=200, kind="text", latency=400, loss="any", media="video",
               peers=3, viewers=80, fanout=80, networks=("open", "mobile"), turn_tls=True, users=1000),
    ),
    "files": Scenario(
        "File transfer from one to another",
        Inputs(direction="both", down=50, up=50, payload=16_384, kind="file", latency=5000, loss="none", fanout=1,
               peers=2, networks=("open", "mobile"), turn_tls=True, users=100, resume=True),
    ),
    "data-channel-games": Scenario(
        "Games over data channels",
        Inputs(direction="both", down=30, up=60, payload=60, kind="binary", latency=60, loss="latest", order=False,
               fanout=8, users=200, networks=("open", "mobile"), turn_tls=True, resume=False),
    ),
    "cameras": Scenario(
        "IoT video (cameras)",
        Inputs(direction="down", down=0, up=0, kind="binary", latency=400, loss="any", media="video", peers=1,
               viewers=3, networks=("open", "mobile"), turn_tls=True, users=100),
    ),
}  # fmt: skip
"""By id, in the order of the comparison."""
