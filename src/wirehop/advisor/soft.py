"""The soft rules: what fits, where several things work."""

from typing import Final

from wirehop.advisor.case import Case
from wirehop.advisor.rules import MEASURED, STUDY, Rule, Ruling
from wirehop.advisor.techniques import CHANNELS

SLOW_SECONDS: Final = 30.0
BIG: Final = 10_000


def _one_way_text(case: Case) -> Ruling | None:
    if not case.is_one_way or not case.is_text:
        return None
    return Ruling("Text in one direction: an event stream is the simplest that works.", favours={"sse": 3.0})


def _two_way(case: Case) -> Ruling | None:
    if case.is_one_way and case.is_text:
        return None
    why = "Both send" if not case.is_one_way else "Bytes"
    return Ruling(f"{why}: one WebSocket instead of a stream and requests.", favours={"websocket": 4.0})


def seconds_between(case: Case) -> float:
    """Seconds from one message to the next, for one who receives them."""
    return 1 / case.facts.down if case.facts.down else SLOW_SECONDS


def is_slow(case: Case) -> bool:
    """One direction, and something new so rarely that asking for it is not absurd."""
    return case.is_one_way and seconds_between(case) >= SLOW_SECONDS


def _slow(case: Case) -> Ruling | None:
    between = seconds_between(case)
    if not is_slow(case) or case.facts.interval < max(between, SLOW_SECONDS) / 2:
        return None
    requests = 86_400 / case.facts.interval
    return Ruling(
        f"Something new every {between:.0f} s, and {case.facts.interval:g} s old will do: ask, with an ETag "
        f"({requests:,.0f} requests a day and person).",
        favours={"short-poll": 10.0},
    )


def _tokens(case: Case) -> Ruling | None:
    if case.facts.kind != "tokens":
        return None
    return Ruling(
        "Tokens of a generator: a stream that resumes at the same token; stop is a POST. A WebSocket if voice or "
        "tools talk back.",
        favours={"sse": 3.0, "sse-post": 3.0, "stream": 2.0},
    )


def _signaling(case: Case) -> Ruling | None:
    if case.facts.media == "none" and not case.facts.peers:
        return None
    return Ruling("Signaling goes over the session that is open anyway.")


def _big(case: Case) -> Ruling | None:
    if case.facts.fanout <= BIG:
        return None
    return Ruling(
        "The same bytes for very many: framed once per technique, and no compression of each connection's own."
    )


def _battery(case: Case) -> Ruling | None:
    if not case.facts.battery:
        return None
    return Ruling("Battery: fewer, larger messages, and heartbeats no more often than every 30 s.")


def _cdn(case: Case) -> Ruling | None:
    if "cdn" not in case.facts.front:
        return None
    return Ruling(
        "A CDN in front: history can be cached, and short polls are answered at the edge.",
        favours={"sse": 0.5, "short-poll": 1.5},
    )


def _parts(_: Case) -> Ruling:
    return Ruling(
        "Everything else being equal, fewer moving parts.",
        favours={
            "sse": 0.5,
            "websocket": 0.4,
            "sse-post": 0.2,
            "long-poll": 0.2,
            "short-poll": 0.2,
            **dict.fromkeys(sorted(CHANNELS | {"media"}), -1.0),
            "webtransport": -1.0,
        },
    )


def _event_stream(case: Case) -> Ruling | None:
    if not case.is_text:
        return None
    return Ruling(
        "Text: of two streams the one that proxies, caches and developer tools know by its type.",
        favours={"sse": 1.5, "sse-post": 1.5},
    )


def _young(case: Case) -> Ruling | None:
    if case.facts.browsers < 2026:
        return None
    return Ruling(
        "WebTransport is young: tried where it is asked for, never the silent first choice.",
        favours={"webtransport": -2.0},
    )


def _peers(case: Case) -> Ruling | None:
    if case.facts.media != "none" or not case.is_peer_to_peer or case.facts.kind != "file":
        return None
    return Ruling(
        "Something large from one to another: it need not go through the server.", favours={"data-channel": 9.0}
    )


SOFT: Final = (
    Rule("S1", "soft", "text in one direction", "Server-Sent Events first", STUDY, _one_way_text),
    Rule("S2", "soft", "both send, or bytes", "WebSocket first", STUDY, _two_way),
    Rule(
        "S3",
        "soft",
        f"a change every {SLOW_SECONDS:g} s or more, and half of that old will do",
        "short polling with an ETag",
        "arithmetic: requests a day",
        _slow,
    ),
    Rule(
        "S4",
        "soft",
        "tokens of a generator",
        "an event stream with resume; stop by POST",
        "github.com/vercel/ai issue 5881",
        _tokens,
    ),
    Rule(
        "S5", "soft", "WebRTC", "signaling over the session that is open", "RFC 9429 leaves signaling open", _signaling
    ),
    Rule(
        "S6",
        "soft",
        f"more than {BIG:,} recipients of the same bytes",
        "framed once, not compressed per connection",
        f"{MEASURED} (fan-out)",
        _big,
    ),
    Rule(
        "S7",
        "soft",
        "battery counts",
        "batches, heartbeats of 30 s or more; bytes count twice",
        STUDY,
        _battery,
    ),
    Rule("S8", "soft", "a CDN in front", "what can be cached", "RFC 9111", _cdn),
    Rule("S9", "soft", "always", "fewer moving parts", STUDY, _parts),
    Rule(
        "S10",
        "soft",
        "text",
        "an event stream rather than a stream of one's own",
        "HTML standard, text/event-stream",
        _event_stream,
    ),
    Rule(
        "S11",
        "soft",
        "browsers that have WebTransport",
        "not first, unless it is far ahead",
        "github.com/quic-go/webtransport-go issue 262",
        _young,
    ),
    Rule("S12", "soft", "files between a few people", "a data channel between them", STUDY, _peers),
)
