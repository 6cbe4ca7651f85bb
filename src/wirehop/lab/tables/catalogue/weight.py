"""What it weighs: bytes per message, per connection, per idle hour; rows 6 to 8."""

from typing import Final

from wirehop.lab.tables.catalogue.nature import CONSTANTS
from wirehop.lab.tables.cells import Cell, proved
from wirehop.lab.tables.lines import Line, fact_line, measured_line, probed_line

SIZES: Final = ("20", "200", "2000")
_FRAMES: Final = f"{CONSTANTS}test_heads_of_websocket_frames"
_EVENTS: Final = f"{CONSTANTS}test_what_stands_around_an_event"
_LINES: Final = f"{CONSTANTS}test_what_stands_around_a_line_of_a_stream"
_SCTP: Final = f"{CONSTANTS}test_heads_of_a_data_channel_message"
_RTP: Final = f"{CONSTANTS}test_head_of_an_rtp_packet"

_AROUND_EVENT: Final = proved(
    "8, or 17 with a four-digit id; as an HTTP/1.1 chunk 5 to 8 more, as an HTTP/2 frame 9 more", _EVENTS, value=8.0
)
FRAMING_DOWN: Final[dict[str, Cell]] = {
    "sse": _AROUND_EVENT,
    "sse-post": _AROUND_EVENT,
    "stream": proved("a line feed; as an HTTP/1.1 chunk 5 to 8 more", _LINES, value=1.0),
    "websocket": proved("2, 4 or 10: for up to 125, up to 65,535 and more bytes", _FRAMES, value=2.0),
    "websocket-h2": proved(
        "2, 4 or 10, and 9 of an HTTP/2 DATA frame", _FRAMES, f"{CONSTANTS}test_head_of_an_http_2_frame", value=11.0
    ),
    "jsonp": proved("a call of the callback", f"{CONSTANTS}test_what_stands_around_a_script"),
    "data-channel": proved("28 of SCTP, inside of DTLS and UDP", _SCTP, value=28.0),
    "data-channel-unreliable": proved("28 of SCTP, inside of DTLS and UDP", _SCTP, value=28.0),
    "media": proved("12 of RTP, inside of SRTP and UDP", _RTP, value=12.0),
}
FRAMING_UP: Final[dict[str, Cell]] = {
    "websocket": proved("6, 8 or 14: as down, and 4 of the mask", _FRAMES, value=6.0),
    "data-channel": proved("28 of SCTP, inside of DTLS and UDP", _SCTP, value=28.0),
    "data-channel-unreliable": proved("28 of SCTP, inside of DTLS and UDP", _SCTP, value=28.0),
    "media": proved("12 of RTP, inside of SRTP and UDP", _RTP, value=12.0),
}
HEARTBEAT: Final[dict[str, Cell]] = {
    "sse": proved("a comment of 3 bytes, by the server", f"{CONSTANTS}test_heartbeats"),
    "websocket": proved(
        "ping and pong frames of the protocol, 2 bytes and 6; by the server, no page can send one",
        f"{CONSTANTS}test_heartbeats",
        "tests/e2e/test_lab_tables.py::test_a_page_cannot_send_a_ping",
    ),
}

LINES: Final[tuple[Line, ...]] = (
    *(
        measured_line(
            f"bytes-{way}-{size}",
            6,
            f"On the wire for {int(size):,} bytes {way}",
            [f"bytes/{{technique}}/{way}/{size}"],
            better="low",
        )
        for way in ("down", "up")
        for size in SIZES
    ),
    fact_line("framing-down", 6, "Around a message down, by the protocol", FRAMING_DOWN, better="low"),
    fact_line("framing-up", 6, "Around a message up, by the protocol", FRAMING_UP, better="low"),
    measured_line("head", 7, "To open it, or of one request", ["head/{technique}"], better="low"),
    probed_line("head-browser", 7, "What a browser sends for it", "head/{technique}/{browser}", better="low"),
    measured_line("idle", 8, "In an hour in which nothing happens", ["idle/{technique}"], better="low"),
    fact_line("heartbeat", 8, "What keeps it alive", HEARTBEAT),
)
