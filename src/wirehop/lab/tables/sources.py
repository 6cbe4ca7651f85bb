"""What is cited, with the date on which it was read or, for standards, published."""

from typing import Final

from msgspec import Struct


class Source(Struct, frozen=True):
    """Where something is said. `date` is ISO 8601: of the standard's publication, else of reading."""

    title: str
    url: str
    date: str


RFC3758: Final = Source("RFC 3758, SCTP Partial Reliability", "https://www.rfc-editor.org/rfc/rfc3758", "2004-05")
RFC6455: Final = Source("RFC 6455, The WebSocket Protocol", "https://www.rfc-editor.org/rfc/rfc6455", "2011-12")
RFC8441: Final = Source("RFC 8441, WebSockets with HTTP/2", "https://www.rfc-editor.org/rfc/rfc8441", "2018-09")
RFC8445: Final = Source("RFC 8445, ICE", "https://www.rfc-editor.org/rfc/rfc8445", "2018-07")
RFC8656: Final = Source("RFC 8656, TURN", "https://www.rfc-editor.org/rfc/rfc8656", "2020-02")
RFC8827: Final = Source("RFC 8827, WebRTC Security Architecture", "https://www.rfc-editor.org/rfc/rfc8827", "2021-01")
RFC8831: Final = Source("RFC 8831, WebRTC Data Channels", "https://www.rfc-editor.org/rfc/rfc8831", "2021-01")
RFC8834: Final = Source("RFC 8834, Media Transport in WebRTC", "https://www.rfc-editor.org/rfc/rfc8834", "2021-01")
RFC9001: Final = Source("RFC 9001, Using TLS to Secure QUIC", "https://www.rfc-editor.org/rfc/rfc9001", "2021-05")
RFC9147: Final = Source("RFC 9147, DTLS 1.3", "https://www.rfc-editor.org/rfc/rfc9147", "2022-04")
RFC9260: Final = Source("RFC 9260, SCTP", "https://www.rfc-editor.org/rfc/rfc9260", "2022-06")
WEBTRANSPORT: Final = Source("W3C WebTransport, working draft", "https://www.w3.org/TR/webtransport/", "2026-11-28")

_EXPLORER = "https://web-platform-dx.github.io/web-features-explorer/features"
_READ = "2026-11-28"


def _support(name: str, feature: str) -> Source:
    return Source(f"Web features explorer (compatibility data of MDN), {name}", f"{_EXPLORER}/{feature}", _READ)


SUPPORT_XHR: Final = _support("XMLHttpRequest", "xhr")
SUPPORT_EVENTS: Final = _support("Server-sent events", "server-sent-events")
SUPPORT_FETCH: Final = _support("Fetch", "fetch")
SUPPORT_WEBSOCKET: Final = _support("WebSockets", "websockets")
SUPPORT_WEBTRANSPORT: Final = _support("WebTransport", "webtransport")
SUPPORT_WEBRTC: Final = _support("WebRTC", "webrtc")
SUPPORT_STREAMS: Final = Source(
    "Compatibility data of MDN, ReadableStream",
    "https://github.com/mdn/browser-compat-data/blob/main/api/ReadableStream.json",
    _READ,
)

CURL_WEBSOCKET: Final = Source(
    "Everything curl, WebSocket: support", "https://everything.curl.dev/helpers/ws/support", _READ
)
FIREFOX_EVENTS: Final = Source(
    "Firefox, developer tools: inspecting server-sent events",
    "https://github.com/mozilla-firefox/firefox/blob/main/devtools/docs/user/network_monitor/inspecting_server-sent_events/index.md",
    _READ,
)
FETCH_EVENT_SOURCE_3: Final = Source(
    "Azure/fetch-event-source#3", "https://github.com/Azure/fetch-event-source/issues/3", _READ
)
API_GATEWAY: Final = Source(
    "Amazon API Gateway, quotas of WebSocket APIs",
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html",
    _READ,
)
VERCEL_WEBSOCKET: Final = Source(
    "Vercel, Do Vercel Functions support WebSocket connections?",
    "https://vercel.com/kb/guide/do-vercel-serverless-functions-support-websocket-connections",
    "2026-10-01",
)
VERCEL_DURATION: Final = Source(
    "Vercel, maximum duration of functions",
    "https://vercel.com/docs/functions/configuring-functions/duration",
    "2026-08-24",
)

# ---- what others publish about these techniques

DECISION_GUIDE: Final = Source(
    "websocket.org, decision guide", "https://websocket.org/comparisons/decision-guide/", "2026-11-23"
)
DATASTREAM: Final = Source(
    "DataStream, protocol comparison", "https://docs.datastream.andrebassi.com.br/protocols/comparison", _READ
)
NXMR: Final = Source("nxmr.cn, comparison of 2025", "http://www.nxmr.cn/Finance/28441.html", _READ)
EWBANG: Final = Source(
    "ewbang.com, SSE, WebSocket and polling", "https://www.ewbang.com/community/article/details/1000267820.html", _READ
)
REVIDD: Final = Source(
    "revidd.com, WebRTC vs LL-HLS", "https://revidd.com/blog/low-latency-streaming-webrtc-vs-ll-hls", _READ
)
SSE_GUIDE: Final = Source(
    "server-sent-events.com, setting the retry interval",
    "https://www.server-sent-events.com/sse-protocol-fundamentals-architecture/event-id-retry-mechanism-design/setting-the-retry-interval-in-sse-streams/",
    _READ,
)
WEBSOCKET_LIST: Final = Source(
    "public-html-comments, limits of WebSocket connections",
    "https://www.w3.org/mid/c5b3a7130810291217i2835a3b0w9d1bc80db8edc0b3@mail.gmail.com",
    "2008-10-29",
)
MDN_EVENTS: Final = Source("MDN, EventSource", "https://developer.mozilla.org/en-US/docs/Web/API/EventSource", _READ)
MINHVO: Final = Source(
    "minhvo.is-a.dev, WebSockets vs SSE vs long polling",
    "https://minhvo.is-a.dev/blogs/websockets-vs-server-sent-events-vs-long-polling",
    _READ,
)
