"""What is commonly said, beside what was found here: each claim with its source and the cells that answer it."""

from typing import Final

from msgspec import Struct

from wirehop.lab.tables import sources
from wirehop.lab.tables.sources import Source


class Claim(Struct, frozen=True):
    """`cells` are (line, technique) of the technical table; `said` is the claim in our words, with its figures."""

    id: str
    about: str
    said: str
    source: Source
    cells: tuple[tuple[str, str], ...]


CLAIMS: Final = (
    Claim(
        "latency-datastream",
        "Latency",
        "WebSocket 1–5 ms, SSE 10–50 ms, requests 50–200 ms; p99 8.2, 62.1 and 180 ms",
        sources.DATASTREAM,
        (("latency-rtt0", "websocket"), ("latency-rtt0", "sse"), ("latency-rtt0", "long-poll")),
    ),
    Claim(
        "latency-nxmr",
        "Latency",
        "polling 300–500 ms, WebSocket 50–100 ms, SSE 100–200 ms",
        sources.NXMR,
        (("latency-rtt100", "long-poll"), ("latency-rtt100", "websocket"), ("latency-rtt100", "sse")),
    ),
    Claim(
        "latency-websocket",
        "Latency",
        "WebSocket: milliseconds; polling: low immediacy",
        sources.EWBANG,
        (("latency-rtt0", "websocket"), ("latency-rtt0", "long-poll"), ("latency-rtt0", "short-poll")),
    ),
    Claim(
        "media-latency",
        "Media latency",
        "WebRTC: picture and sound below 500 ms, often below 200 ms",
        sources.REVIDD,
        (("latency-rtt0", "media"), ("latency-rtt100", "media")),
    ),
    Claim(
        "websocket-head",
        "WebSocket's header",
        "2–14 bytes a message",
        sources.MINHVO,
        (("framing-down", "websocket"), ("framing-up", "websocket"), ("bytes-down-200", "websocket")),
    ),
    Claim(
        "websocket-no-head",
        "WebSocket's header",
        "no overhead of headers",
        sources.EWBANG,
        (("framing-down", "websocket"), ("framing-up", "websocket"), ("head-browser", "websocket")),
    ),
    Claim(
        "sse-head",
        "SSE's framing",
        "about 50 bytes a message",
        sources.DATASTREAM,
        (("framing-down", "sse"), ("bytes-down-200", "sse")),
    ),
    Claim(
        "poll-bytes",
        "Bytes of a request",
        "about 200",
        sources.DATASTREAM,
        (("bytes-down-20", "short-poll"), ("head-browser", "short-poll")),
    ),
    Claim(
        "sse-reconnect",
        "SSE reconnects",
        "by itself, after about 3 seconds",
        sources.SSE_GUIDE,
        (("reconnect", "sse"),),
    ),
    Claim(
        "websocket-limit",
        "WebSockets to one origin",
        "no limit",
        sources.WEBSOCKET_LIST,
        (("limit-http1", "websocket"),),
    ),
    Claim(
        "sse-limit",
        "Event streams to one origin",
        "6 for each browser and domain, but over HTTP/2",
        sources.MDN_EVENTS,
        (("limit-http1", "sse"), ("limit-http2", "sse")),
    ),
    Claim(
        "heartbeat",
        "WebSocket's heartbeat",
        "built in",
        sources.NXMR,
        (("heartbeat", "websocket"), ("dead", "websocket")),
    ),
    Claim(
        "sse-proxies",
        "SSE through proxies",
        "always",
        sources.DATASTREAM,
        (("proxy-buffering", "sse"), ("proxy-gzip", "sse"), ("proxy-idle-cut", "sse")),
    ),
    Claim(
        "websocket-proxies",
        "WebSocket through proxies",
        "sometimes",
        sources.DATASTREAM,
        (("proxy-strip-upgrade", "websocket"), ("proxy-inspecting", "websocket"), ("proxy-idle-cut", "websocket")),
    ),
    Claim(
        "rate",
        "Messages a second, one connection",
        "WebSocket 50,000, SSE 20,000, requests 100,000",
        sources.DATASTREAM,
        (("rate", "websocket"), ("rate", "sse"), ("rate", "long-poll")),
    ),
    Claim(
        "memory",
        "Server memory of an idle connection",
        "SSE 4 kB",
        sources.DATASTREAM,
        (("memory", "sse"), ("memory", "websocket"), ("memory", "long-poll")),
    ),
    Claim(
        "resume",
        "After a lost connection",
        "SSE goes on by itself; WebSocket has to be written by hand",
        sources.EWBANG,
        (("resume", "sse"), ("resume", "websocket"), ("resume", "long-poll")),
    ),
    Claim(
        "webtransport",
        "WebTransport in browsers",
        "limited",
        sources.DECISION_GUIDE,
        (("support", "webtransport"), ("present", "webtransport")),
    ),
    Claim(
        "long-poll-loss",
        "Long polling",
        "simulates both ways, at high latency",
        sources.DECISION_GUIDE,
        (("direction", "long-poll"), ("latency-rtt100", "long-poll"), ("missed-rtt100", "long-poll")),
    ),
)
