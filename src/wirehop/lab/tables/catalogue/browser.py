"""What browsers do with it; rows 10, 13, 14, 18 to 23."""

from typing import Final

from wirehop.lab.tables import sources
from wirehop.lab.tables.cells import cited
from wirehop.lab.tables.lines import Line, ability_line, fact_line, probed_line

_XHR = cited("Chrome 1, Firefox 1, Safari 3, Edge 12", sources.SUPPORT_XHR)
_EVENTS = cited("Chrome 6, Firefox 6, Safari 5, Edge 79", sources.SUPPORT_EVENTS)
_WEBRTC = cited("Chrome 56, Firefox 22, Safari 11, Edge 79", sources.SUPPORT_WEBRTC)
SUPPORT: Final = {
    "short-poll": _XHR,
    "long-poll": _XHR,
    "sse": _EVENTS,
    "sse-post": _EVENTS,
    "stream": cited("Chrome 43, Firefox 65, Safari 10.1, Edge 14", sources.SUPPORT_STREAMS),
    "websocket": cited("Chrome 5, Firefox 11, Safari 5, Edge 12", sources.SUPPORT_WEBSOCKET),
    "webtransport": cited("Chrome 97, Firefox 114, Safari 26.4, Edge 97", sources.SUPPORT_WEBTRANSPORT),
    "data-channel": _WEBRTC,
    "data-channel-unreliable": _WEBRTC,
    "media": _WEBRTC,
}

LINES: Final[tuple[Line, ...]] = (
    ability_line("text", 10, "Text", "text"),
    ability_line("binary", 10, "Binary, as it is", "binary"),
    ability_line("files", 10, "16 MB in one message", "files"),
    ability_line("upload-stream", 10, "A body that streams up", "upload-stream"),
    ability_line("backpressure", 13, "A sender sees what is not sent yet", "backpressure"),
    probed_line("reconnect", 14, "Until the browser connects again by itself", "reconnect/{technique}/{browser}"),
    ability_line("last-id", 14, "Says where it was when it comes back", "last-event-id"),
    probed_line("limit-http1", 18, "Over HTTP/1.1", "limit/{technique}/http1/{browser}", better="high"),
    probed_line("limit-http2", 18, "Over HTTP/2", "limit/{technique}/http2/{browser}", better="high"),
    ability_line("headers", 19, "Headers of one's own at connect", "headers"),
    ability_line("cookies", 19, "Sends cookies", "cookies"),
    ability_line("ticket", 19, "Takes a ticket in the URL", "ticket"),
    ability_line("cross-origin", 20, "To another origin", "cross-origin"),
    ability_line("preflight", 20, "Needs a preflight there", "preflight"),
    ability_line("credentials", 20, "With cookies there", "credentials"),
    ability_line("compression", 21, "Negotiates compression", "compression"),
    ability_line("worker", 22, "In a worker", "worker"),
    ability_line("background", 22, "Goes on in a background tab", "background"),
    ability_line("freeze", 22, "Outlives a frozen page", "freeze"),
    ability_line("bfcache", 22, "Comes back from the back/forward cache", "bfcache"),
    fact_line("support", 23, "Since", SUPPORT),
    ability_line("present", 23, "There in the browsers probed", "present"),
)
