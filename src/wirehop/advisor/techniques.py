"""The techniques that are advised on, and the facts about them that are not measured: what the standards say.

`since` is the year from which the then current version of every browser engine had it; docs/advisor.md names the
source. It knows techniques. It does not know anybody's case.
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from wirehop.measured.profile import TECHNIQUES

Family = Literal["socket", "stream", "poll", "udp"]
"""What fails together: a proxy that refuses upgrades, one that holds streams back, none, a network without UDP."""


class Technique(Struct, frozen=True):
    """`way_up` says how a client sends, "" where it cannot; `text_only` that bytes must become text (a third more)."""

    name: str
    title: str
    family: Family
    since: int
    source: str
    way_up: str
    wire: str = ""
    """The SDK's name of the wire; "" where it is none."""

    text_only: bool = False


_MDN: Final = "MDN browser compatibility data"

ADVISED: Final = {
    each.name: each
    for each in (
        Technique(
            "websocket", "WebSocket", "socket", 2013, f"{_MDN}, WebSocket", "on the same connection", "websocket",
        ),
        Technique(
            "sse", "Server-Sent Events", "stream", 2020, f"{_MDN}, EventSource (Edge 79)",
            "an HTTP POST when there is something", "sse", text_only=True,
        ),
        Technique(
            "sse-post", "Server-Sent Events + POST", "stream", 2020, f"{_MDN}, EventSource (Edge 79)",
            "HTTP POSTs beside the stream", "sse", text_only=True,
        ),
        Technique(
            "stream", "HTTP stream", "stream", 2019, f"{_MDN}, Response.body (Firefox 65)",
            "HTTP POSTs beside the stream", "stream",
        ),
        Technique("long-poll", "long polling", "poll", 2000, "RFC 6202", "in the next poll", "long-poll"),
        Technique("short-poll", "short polling", "poll", 2000, "RFC 6202", "in the next poll", "short-poll"),
        Technique(
            "jsonp", "JSONP polling", "poll", 2000, "any browser that runs scripts",
            "in the address of the next poll", "jsonp", text_only=True,
        ),
        Technique(
            "webtransport", "WebTransport", "udp", 2026, f"{_MDN}, WebTransport (Safari 26.4)",
            "streams and datagrams of the same session",
        ),
        Technique(
            "data-channel", "WebRTC data channel", "udp", 2020, f"{_MDN}, RTCDataChannel (Edge 79)",
            "on the same channel",
        ),
        Technique(
            "data-channel-unreliable", "WebRTC data channel, unordered, without retransmission", "udp", 2020,
            f"{_MDN}, RTCDataChannel (Edge 79)", "on the same channel",
        ),
        Technique(
            "media", "WebRTC media", "udp", 2020, f"{_MDN}, RTCPeerConnection (Edge 79)",
            "tracks, and a data channel beside them",
        ),
    )
}  # fmt: skip
"""By name. A WebSocket on HTTP/2 is the same advice as a WebSocket."""

assert set(ADVISED) == set(TECHNIQUES) - {"websocket-h2"}

TURN: Final = "turn"
"""In a chain of fallbacks: the same technique through a TURN relay."""

UDP: Final = frozenset(name for name, each in ADVISED.items() if each.family == "udp")
STREAMS: Final = frozenset(name for name, each in ADVISED.items() if each.family == "stream")
CHANNELS: Final = frozenset({"data-channel", "data-channel-unreliable"})
POLLS: Final = frozenset({"short-poll", "long-poll", "jsonp"})
TEXT_ONLY: Final = frozenset(name for name, each in ADVISED.items() if each.text_only)


def title(name: str) -> str:
    """What to call a technique, or the step of a chain."""
    if name == TURN:
        return "the same through a TURN relay"
    return ADVISED[name].title if name in ADVISED else name


def titles(names: Iterable[str]) -> str:
    """Several of them."""
    return ", ".join(title(name) for name in sorted(names))
