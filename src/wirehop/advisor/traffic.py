"""Hard rules about what is sent: live media, bytes, rates, loss, order, and from whom to whom."""

from typing import Final

from wirehop.advisor.case import DATA_MESH, MESH, Case
from wirehop.advisor.rules import MEASURED, STUDY, Rule, Ruling, points_for
from wirehop.advisor.techniques import ADVISED, CHANNELS, POLLS, STREAMS, TEXT_ONLY

ALL: Final = frozenset(ADVISED)
LL_HLS_MILLISECONDS: Final = 2000.0
MANY_VIEWERS: Final = 100
FREQUENT: Final = 5.0
"""Messages a second from which a request for each is too much."""

FAST: Final = 30.0
"""Messages a second, both ways, from which one lost packet holds back many behind it."""

SHORT_POLL_SECONDS: Final = 5.0


def topology_of(case: Case) -> str:
    """How media goes: `mesh`, `sfu`, `sfu-tree`; "" where there is none."""
    if case.facts.media == "none":
        return ""
    if case.facts.viewers > MANY_VIEWERS:
        return "sfu-tree"
    return "mesh" if case.people <= MESH else "sfu"


def _media(case: Case) -> Ruling | None:
    if case.facts.media == "none":
        return Ruling("There is no live sound or picture.", frozenset({"media"}))
    if not case.is_conversation and case.facts.latency >= LL_HLS_MILLISECONDS:
        return Ruling(
            "Pictures may be seconds old: LL-HLS from a CDN is cheaper than media of one's own for each viewer."
        )
    topology = topology_of(case)
    says = {
        "mesh": f"{case.people} people: each sends to each (at most {MESH} cameras).",
        "sfu": f"{case.people} people: a server passes packets on (SFU); in a mesh each viewer costs an encoding.",
        "sfu-tree": f"{case.facts.viewers} viewers: SFUs behind one another, or LL-HLS for those who only watch.",
    }[topology]
    if case.is_conversation:
        return Ruling(says, ALL - {"media"}, {"media": 20.0})
    return Ruling(says, TEXT_ONLY | POLLS | CHANNELS, {"media": 20.0})


def _secrecy(case: Case) -> Ruling | None:
    if not case.facts.secrecy:
        return None
    if case.is_peer_to_peer:
        return Ruling(
            "The server must not see it: from browser to browser it never gets it.", favours=points_for(CHANNELS, 6)
        )
    return Ruling(
        "The server must not see it: encrypt in the page; the server passes on and keeps what it cannot read."
    )


def _frequent_sends(case: Case) -> Ruling | None:
    if case.facts.up <= FREQUENT:
        return None
    return Ruling(
        f"Clients send {case.facts.up:g} times a second: a request each time is too much; streams need batches of "
        "POSTs.",
        POLLS,
        points_for(STREAMS, -1),
    )


def _binary(case: Case) -> Ruling | None:
    if case.is_text or case.facts.media != "none":
        return None
    return Ruling("Bytes: text-only techniques would need base64, a third more.", TEXT_ONLY)


def _stale(case: Case) -> Ruling | None:
    if not case.is_stale_worse or not case.is_lossy:
        return None
    p99 = case.p99("websocket")
    rate = min(case.facts.down, case.facts.up)
    is_late = case.facts.latency <= 100 and max(case.facts.down, case.facts.up) >= 1
    if is_late and (case.facts.latency < 50 or rate >= FAST or (p99 is not None and p99 > case.facts.latency)):
        measured = f" (measured: {p99:.0f} ms at p99 over a WebSocket)" if p99 is not None else ""
        return Ruling(
            f"A late value is worse than none, and {case.facts.latency:g} ms are less than TCP needs to repeat a "
            f"packet{measured}: "
            "an unordered channel without retransmission.",
            favours={"data-channel-unreliable": 10.0, "webtransport": 2.0},
        )
    return Ruling(
        "A late value is worse than none: over TCP send only the latest (class `latest`), so that nothing queues."
    )


def _head_of_line(case: Case) -> Ruling | None:
    if min(case.facts.down, case.facts.up) < FAST or not case.is_lossy or case.facts.loss == "none":
        return None
    return Ruling(
        f"{FAST:g} messages a second or more both ways over links that lose packets: on TCP each loss holds back all "
        "that follow.",
        favours={"data-channel-unreliable": 4.0, "webtransport": 2.0},
    )


def _direction(case: Case) -> Ruling | None:
    if case.is_one_way:
        return Ruling(
            "Clients only receive (what they say now and then is a request of its own).", frozenset({"sse-post"})
        )
    return Ruling("Clients send too: a bare event stream has no way up.", frozenset({"sse"}))


def _reliability(case: Case) -> Ruling | None:
    if case.facts.loss == "none":
        return Ruling("Nothing may be lost.", frozenset({"data-channel-unreliable"}))
    if case.facts.order:
        return Ruling("Order matters.", frozenset({"data-channel-unreliable"}))
    return None


def _short_poll(case: Case) -> Ruling | None:
    if case.facts.interval >= SHORT_POLL_SECONDS:
        return None
    return Ruling(
        f"Every {case.facts.interval:g} s is too often to ask whether there is anything.", frozenset({"short-poll"})
    )


def _mesh(case: Case) -> Ruling | None:
    if case.facts.media != "none" or case.is_peer_to_peer or case.facts.peers == 0:
        return None
    return Ruling(f"{case.people} people: more than {DATA_MESH} data channels each are too many.", CHANNELS)


def _reliable_to_server(case: Case) -> Ruling | None:
    if case.facts.media != "none" or case.facts.peers:
        return None
    return Ruling(
        "All goes through the server: a reliable data channel to it does what a WebSocket does, with more parts.",
        frozenset({"data-channel"}),
    )


TRAFFIC: Final = (
    Rule(
        "H1",
        "hard",
        "live sound or picture",
        "WebRTC media: a mesh of up to four people, an SFU above; more than 100 who only watch: SFUs in a tree, "
        "or LL-HLS. Without media: no media track",
        f"{STUDY}; screensy issue 48 (each viewer costs an encoding in a mesh)",
        _media,
    ),
    Rule(
        "H2",
        "hard",
        "the server must not see what is said",
        "a data channel between people, else encryption in the page over any technique",
        STUDY,
        _secrecy,
    ),
    Rule(
        "H4",
        "hard",
        f"clients send more than {FREQUENT:g} messages a second",
        "no polling; streams with batches of POSTs",
        f"{STUDY}; a POST's head is {MEASURED}",
        _frequent_sends,
    ),
    Rule(
        "H5",
        "hard",
        "binary messages or files",
        "no technique that carries only text (base64: a third more)",
        STUDY,
        _binary,
    ),
    Rule(
        "H6",
        "hard",
        "a stale value is worse than a lost one",
        "an unordered data channel or datagrams where TCP is too late on links that lose packets; else only the "
        "latest value over TCP",
        f"{STUDY}; {MEASURED}",
        _stale,
    ),
    Rule(
        "H14",
        "hard",
        f"{FAST:g} messages a second or more both ways on links that lose packets, and loss is allowed",
        "not over TCP",
        f"{MEASURED} (latency on links with loss)",
        _head_of_line,
    ),
    Rule(
        "H16",
        "hard",
        "direction",
        "no bare event stream where clients send; no POSTs beside it where they do not",
        "HTML standard, EventSource",
        _direction,
    ),
    Rule(
        "H17",
        "hard",
        "nothing may be lost, or order matters",
        "no channel without retransmission",
        "RFC 8831, RFC 3758",
        _reliability,
    ),
    Rule(
        "H18",
        "hard",
        f"an update is wanted more often than every {SHORT_POLL_SECONDS:g} s",
        "no short polling",
        "arithmetic: requests a day",
        _short_poll,
    ),
    Rule(
        "H19",
        "hard",
        f"more than {DATA_MESH} people who would send to one another directly",
        "no data channels between them",
        "connections grow with the square",
        _mesh,
    ),
    Rule(
        "H20",
        "hard",
        "all goes through the server",
        "no reliable data channel: a WebSocket does the same",
        "RFC 8831 beside RFC 6455",
        _reliable_to_server,
    ),
)
