"""Round trips until a client has the first message, counted flight by flight.

A flight is what must have crossed before the other side can go on. Each step says where it comes from; how long a round
trip takes does not matter here.
"""

from typing import Final

from msgspec import Struct


class Step(Struct, frozen=True):
    """Something that takes so many round trips, and the section that says so."""

    name: str
    trips: int
    source: str


TCP: Final = Step("TCP handshake", 1, "RFC 9293, section 3.5")
TLS13: Final = Step("TLS 1.3 handshake", 1, "RFC 8446, section 2")
REQUEST: Final = Step("request and the beginning of its answer", 1, "RFC 9112, section 2")
UPGRADE: Final = Step("upgrade; what the server says follows in the same flight", 1, "RFC 6455, section 1.3")

NEW: Final = {
    "short-poll": (TCP, TLS13, REQUEST),
    "long-poll": (TCP, TLS13, REQUEST),
    "jsonp": (TCP, TLS13, REQUEST),
    "sse": (TCP, TLS13, REQUEST),
    "sse-post": (TCP, TLS13, REQUEST),
    "stream": (TCP, TLS13, REQUEST),
    "websocket": (TCP, TLS13, UPGRADE),
}
"""To an origin that the browser has no connection to."""
WARM: Final = {technique: (TCP, TLS13, UPGRADE) if technique == "websocket" else (REQUEST,) for technique in NEW}
"""With an open HTTP/1.1 connection at hand: a request takes it, an upgrade needs one of its own."""


def trips(steps: tuple[Step, ...]) -> int:
    """All of them."""
    return sum(step.trips for step in steps)
