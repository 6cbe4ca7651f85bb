"""What a technique is: direction, protocol, encryption, round trips; rows 1 to 3."""

from typing import Final

from wirehop.lab.tables import sources
from wirehop.lab.tables.cells import Cell, cited, proved
from wirehop.lab.tables.lines import Line, fact_line, measured_line
from wirehop.lab.tables.round_trips import DTLS, EXTENDED, ICE, NEW, SCTP, SETTINGS, TLS13, WARM, Step, trips

CONTRACTS: Final = "tests/behaviour/test_technique_contracts.py::"
CONSTANTS: Final = "tests/unit/lab/test_constants.py::"
MEDIA: Final = "tests/behaviour/test_media.py::"

HTTP_TECHNIQUES: Final = ("short-poll", "long-poll", "jsonp", "sse", "sse-post", "stream")
ONE_PORT: Final = f"{CONTRACTS}test_every_wire_is_served_by_one_port_in_plain_http"
EACH_WAY: Final = f"{CONTRACTS}test_messages_go_each_way"

DIRECTION: Final = {
    "short-poll": proved("both ways, in requests that the client makes", EACH_WAY),
    "long-poll": proved("both ways, in requests that the client makes; one is always held", EACH_WAY),
    "jsonp": proved("both ways, in scripts that the page asks for", EACH_WAY),
    "sse": proved("server to client", f"{CONTRACTS}test_a_bare_event_stream_only_comes_down"),
    "sse-post": proved("both ways: down one stream, up a request for each", EACH_WAY),
    "stream": proved("both ways: down one stream, up a request for each", EACH_WAY),
    "websocket": proved("both ways, at any time", EACH_WAY),
    "websocket-h2": cited("both ways, at any time", sources.RFC8441),
    "webtransport": cited("both ways: streams and datagrams, opened by either side", sources.WEBTRANSPORT),
    "data-channel": proved(
        "both ways, between the ends", f"{MEDIA}test_data_channels_carry_both_ways_and_outlive_a_restart"
    ),
    "data-channel-unreliable": proved(
        "both ways, between the ends", f"{MEDIA}test_data_channels_carry_both_ways_and_outlive_a_restart"
    ),
    "media": proved("both ways, between the ends", f"{MEDIA}test_two_see_and_hear_each_other_and_read_the_clock"),
}

PROTOCOL: Final = {
    **{technique: proved("HTTP requests, over TCP", ONE_PORT) for technique in ("short-poll", "long-poll", "jsonp")},
    **{technique: proved("one HTTP answer that does not end, over TCP", ONE_PORT) for technique in HTTP_TECHNIQUES[3:]},
    "websocket": proved(
        "an HTTP/1.1 upgrade, then frames over the same TCP connection",
        f"{CONSTANTS}test_the_answer_to_a_websocket_key_is_that_of_the_standard",
    ),
    "websocket-h2": cited("one HTTP/2 stream among others, opened by extended CONNECT", sources.RFC8441),
    "webtransport": cited("HTTP/3: QUIC over UDP", sources.WEBTRANSPORT),
    "data-channel": cited("SCTP over DTLS over UDP, along a path that ICE finds", sources.RFC8831),
    "data-channel-unreliable": cited(
        "SCTP over DTLS over UDP, along a path that ICE finds; nothing is sent again", sources.RFC8831, sources.RFC3758
    ),
    "media": cited("RTP encrypted by SRTP, over UDP, along a path that ICE finds", sources.RFC8834),
}

_ICE_PORTS = cited(
    "those that ICE finds; a TURN server by default 3478, with TLS 5349", sources.RFC8445, sources.RFC8656
)
PORT: Final = {
    **{technique: proved("the page's own", ONE_PORT) for technique in (*HTTP_TECHNIQUES, "websocket")},
    "websocket-h2": cited("the page's own", sources.RFC8441),
    "data-channel": _ICE_PORTS,
    "data-channel-unreliable": _ICE_PORTS,
    "media": _ICE_PORTS,
}

ENCRYPTION: Final = {
    **{technique: proved("not required", ONE_PORT) for technique in (*HTTP_TECHNIQUES, "websocket")},
    "webtransport": cited("always: TLS 1.3 inside of QUIC", sources.RFC9001),
    "data-channel": cited("always: DTLS", sources.RFC8827),
    "data-channel-unreliable": cited("always: DTLS", sources.RFC8827),
    "media": cited("always: SRTP, keys by DTLS", sources.RFC8827),
}

HANDSHAKES: Final = "tests/unit/lab/test_handshakes.py::"
_FLIGHTS: Final = {
    TLS13: f"{HANDSHAKES}test_a_tls_1_3_handshake_takes_one_round_trip",
    SETTINGS: f"{HANDSHAKES}test_a_websocket_on_http_2_waits_for_the_settings_once_and_then_takes_one_round_trip",
    EXTENDED: f"{HANDSHAKES}test_a_websocket_on_http_2_waits_for_the_settings_once_and_then_takes_one_round_trip",
    ICE: f"{HANDSHAKES}test_a_check_of_ice_is_a_request_and_its_answer",
    DTLS: f"{HANDSHAKES}test_a_dtls_1_2_handshake_takes_two_round_trips",
    SCTP: f"{HANDSHAKES}test_an_sctp_association_takes_two_round_trips",
}
_SUM: Final = f"{HANDSHAKES}test_round_trips_add_up"


def _counted(steps: tuple[Step, ...]) -> Cell:
    """The sum, and of what; each handshake in it is one that a test has counted."""
    after = " when signaling is through: " if ICE in steps else ": "
    parts = ", ".join(f"{step.name.partition(':')[0].partition(';')[0]} {step.trips}" for step in steps)
    proofs = dict.fromkeys([*(_FLIGHTS[step] for step in steps if step in _FLIGHTS), _SUM])
    return proved(f"{trips(steps)}{after}{parts}", *proofs, value=float(trips(steps)))


TRIPS_NEW: Final = {technique: _counted(steps) for technique, steps in NEW.items()}
TRIPS_WARM: Final = {technique: _counted(steps) for technique, steps in WARM.items()}

LINES: Final[tuple[Line, ...]] = (
    fact_line("direction", 1, "Direction", DIRECTION),
    fact_line("protocol", 2, "Protocol under it", PROTOCOL),
    fact_line("port", 2, "Port", PORT),
    fact_line("encryption", 2, "Encryption", ENCRYPTION),
    measured_line("first-new", 3, "Measured, to a new origin", ["first/{technique}/new"], better="low"),
    measured_line(
        "first-warm", 3, "Measured, from a page with open connections", ["first/{technique}/warm"], better="low"
    ),
    fact_line("trips-new", 3, "By the standards, to a new origin", TRIPS_NEW, better="low"),
    fact_line("trips-warm", 3, "By the standards, from a page with open connections", TRIPS_WARM, better="low"),
)
