"""What the techniques are called in tables."""

from typing import Final

TITLES: Final = {
    "short-poll": "Short polling",
    "long-poll": "Long polling",
    "jsonp": "JSONP polling",
    "sse": "SSE",
    "sse-post": "SSE + POST",
    "stream": "HTTP stream",
    "websocket": "WebSocket",
    "websocket-h2": "WebSocket on HTTP/2",
    "webtransport": "WebTransport",
    "data-channel": "Data channel, reliable",
    "data-channel-unreliable": "Data channel, unreliable",
    "media": "Media track",
}
"""By name; in the order of the columns."""


def anchor(line: str, technique: str) -> str:
    """The anchor of a cell."""
    return f"cell-{line}-{technique}"
