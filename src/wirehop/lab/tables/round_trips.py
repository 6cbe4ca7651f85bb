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
REQUEST: Final = Step("request; its answer begins", 1, "RFC 9112, section 2")
UPGRADE: Final = Step("upgrade; what the server says follows in the same flight", 1, "RFC 6455, section 1.3")

SETTINGS: Final = Step("settings of HTTP/2; the server allows extended CONNECT", 1, "RFC 8441, section 3")
EXTENDED: Final = Step("extended CONNECT; what the server says follows in the same flight", 1, "RFC 8441, section 5")
ICE: Final = Step("ICE: a connectivity check", 1, "RFC 8445, section 7")
DTLS: Final = Step("DTLS 1.2 handshake", 2, "RFC 6347, section 4.2")
SCTP: Final = Step("SCTP association", 2, "RFC 9260, section 5.1")

POLLS_AND_STREAMS: Final = ("short-poll", "long-poll", "jsonp", "sse", "sse-post", "stream")
NEW: Final = {
    **dict.fromkeys(POLLS_AND_STREAMS, (TCP, TLS13, REQUEST)),
    "websocket": (TCP, TLS13, UPGRADE),
    "websocket-h2": (TCP, TLS13, SETTINGS, EXTENDED),
    "data-channel": (ICE, DTLS, SCTP),
    "data-channel-unreliable": (ICE, DTLS, SCTP),
    "media": (ICE, DTLS),
}
"""To an origin that the browser has no connection to; what WebRTC takes begins when signaling is through."""
WARM: Final = {
    **dict.fromkeys(POLLS_AND_STREAMS, (REQUEST,)),
    "websocket": (TCP, TLS13, UPGRADE),
    "websocket-h2": (EXTENDED,),
}
"""With an open connection at hand: a request takes it, an upgrade of HTTP/1.1 needs one of its own."""


def trips(steps: tuple[Step, ...]) -> int:
    """All of them."""
    return sum(step.trips for step in steps)
