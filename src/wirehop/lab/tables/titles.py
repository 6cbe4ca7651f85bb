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


def inside(text: str) -> str:
    """How a title goes on inside of a sentence: its first letter small, unless it is one of several capitals."""
    return text if text[:2].isupper() else text[0].lower() + text[1:]


def anchor(line: str, technique: str) -> str:
    """The anchor of a cell."""
    return f"cell-{line}-{technique}"
