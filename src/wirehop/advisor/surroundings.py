"""Hard rules about the surroundings: networks, hosts, proxies, browsers, origins, and what is not wanted."""

from typing import Final

from wirehop.advisor.case import Case
from wirehop.advisor.rules import MEASURED, STUDY, Rule, Ruling, points_for
from wirehop.advisor.techniques import ADVISED, CHANNELS, STREAMS, UDP, titles

ALL: Final = frozenset(ADVISED)
MANY_TABS: Final = 6
STREAM_LIMIT: Final = 100


def _udp(case: Case) -> Ruling | None:
    if "udp-blocked" not in case.facts.networks:
        return None
    if case.facts.turn_tls:
        return Ruling(
            "UDP is blocked: WebRTC goes through TURN over TLS on port 443, WebTransport does not go at all.",
            frozenset({"webtransport"}),
        )
    return Ruling("UDP is blocked, and there is no TURN server over TLS on port 443.", UDP)


def _serverless(case: Case) -> Ruling | None:
    if case.facts.hosting != "serverless":
        return None
    held = {"websocket", "stream", "webtransport"} | (set() if case.is_peer_to_peer else CHANNELS)
    if not case.facts.resume:
        return Ruling(
            "The host cannot hold connections, and without resuming a stream cannot come in slices.",
            frozenset(held | STREAMS),
        )
    return Ruling("The host cannot hold connections: polls, or a stream in slices that resumes.", frozenset(held))


def _other_origin(case: Case) -> Ruling | None:
    if case.facts.other_origin == "no-cors":
        return Ruling(
            "The other origin allows nothing but GET: JSONP, with a signed ticket for one use; its scripts run "
            "in your page, so trust it.",
            ALL - {"jsonp"},
        )
    if case.facts.browsers >= 2012:
        return Ruling("CORS (or the same origin) is there: nobody needs JSONP.", frozenset({"jsonp"}))
    return None


def _header_login(case: Case) -> Ruling | None:
    if case.facts.login != "header":
        return None
    return Ruling(
        "A browser's EventSource and WebSocket send no header of yours: the SDK reads the stream by fetch, or "
        "takes a ticket for one use."
    )


def _tabs(case: Case) -> Ruling | None:
    if "http2" in case.facts.front or case.facts.tabs <= MANY_TABS:
        return None
    limit = case.value("limit/sse/http1/chromium")
    measured = f" (measured: {limit:.0f})" if limit is not None else ""
    if case.facts.browsers < 2022:
        return Ruling(
            f"{case.facts.tabs} tabs over HTTP/1.1, where a browser opens {MANY_TABS} connections{measured} and "
            "lets the rest hang; "
            "browsers before 2022 have no Web Locks for a shared one.",
            STREAMS | {"long-poll"},
        )
    return Ruling(
        f"{case.facts.tabs} tabs over HTTP/1.1, where a browser opens {MANY_TABS} connections{measured}: all tabs "
        "share one (`shared`)."
    )


def _http2(case: Case) -> Ruling | None:
    if "http2" not in case.facts.front:
        return None
    limit = case.value("limit/sse/http2/chromium")
    measured = f" (measured: {limit:.0f})" if limit is not None else ""
    return Ruling(
        f"HTTP/2 in front: a stream each, {STREAM_LIMIT} by default{measured}, WebSockets too; one connection per "
        "tab, and a higher limit in the proxy."
    )


def _proxy(case: Case) -> Ruling | None:
    if "company-proxy" not in case.facts.networks:
        return None
    return Ruling(
        "Company proxies hold streams back or strip `Upgrade`: long polling comes right after the first choice; "
        "`wirehop doctor URL` says which.",
        favours=points_for(STREAMS, -1),
    )


def _background(case: Case) -> Ruling | None:
    if not case.facts.background:
        return None
    return Ruling(
        "Systems end the connections of what is in the background: a push service wakes up, then the session "
        "resumes what was missed."
    )


def _old_browsers(case: Case) -> Ruling | None:
    old = frozenset(name for name, each in ADVISED.items() if each.since > case.facts.browsers)
    return Ruling(f"Browsers of {case.facts.browsers} do not all have {titles(old)}.", old) if old else None


def _without(case: Case) -> Ruling | None:
    if not case.facts.without:
        return None
    return Ruling(f"Not wanted: {titles(case.facts.without)}.", frozenset(case.facts.without))


SURROUNDINGS: Final = (
    Rule(
        "H3",
        "hard",
        "UDP is blocked",
        "no WebTransport; WebRTC only through TURN over TLS on port 443",
        f"{STUDY}; RFC 8656",
        _udp,
    ),
    Rule(
        "H7",
        "hard",
        "the host cannot hold connections (serverless)",
        "polling, or event streams in slices that resume",
        "limits of such hosts, in their documentation",
        _serverless,
    ),
    Rule(
        "H8",
        "hard",
        "another origin that allows nothing but GET",
        "JSONP with a signed ticket for one use, and a warning; JSONP nowhere else but in browsers before CORS",
        "Fetch standard, CORS protocol",
        _other_origin,
    ),
    Rule(
        "H9",
        "hard",
        "login by a header",
        "an event stream read by fetch, or a ticket",
        "github.com/whatwg/html issue 2177; github.com/fastapi/fastapi issue 976",
        _header_login,
    ),
    Rule(
        "H10",
        "hard",
        f"HTTP/1.1 and more than {MANY_TABS} tabs",
        "one connection for all tabs; without Web Locks no stream or long poll per tab",
        f"{MEASURED}; MDN, EventSource",
        _tabs,
    ),
    Rule(
        "H11",
        "hard",
        "HTTP/2 in front",
        "one connection per tab; a higher limit of streams in the proxy",
        f"{MEASURED}; RFC 9113, RFC 8441",
        _http2,
    ),
    Rule(
        "H12",
        "hard",
        "company proxies",
        "long polling right after the first choice",
        "nginx issue 1505; what `wirehop doctor` finds",
        _proxy,
    ),
    Rule(
        "H13",
        "hard",
        "wanted while the page or app is closed",
        "a push service to wake up, and a session that resumes",
        STUDY,
        _background,
    ),
    Rule(
        "H15",
        "hard",
        "the oldest browser is older than a technique",
        "not that technique",
        "MDN browser compatibility data",
        _old_browsers,
    ),
    Rule("H21", "hard", "a technique is out of the question", "not that technique", "who asks", _without),
)
