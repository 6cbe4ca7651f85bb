"""The browser's end, as it is served at `/sdk/`: built from `sdk/` and committed, so that nobody needs Node.

`FILES` are the names in `STATIC` that anyone may have: the module, what it loads where tabs share a connection, their
types, the module for audio, video and data between participants with its types, and a script for browsers without
WebSocket, EventSource, fetch and Promise. A test fails where they differ from their sources.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable

STATIC: Traversable = files(__name__)
FILES = (
    "wirehop.js",
    "wirehop.shared.js",
    "wirehop.d.ts",
    "wirehop.rtc.js",
    "wirehop.rtc.d.ts",
    "wirehop.old.js",
)
HEADERS = (("Access-Control-Allow-Origin", "*"), ("Cross-Origin-Resource-Policy", "cross-origin"))
"""Any page may use it, one that is isolated from other origins too."""
CACHE_CONTROL = "public, max-age=300, stale-while-revalidate=86400"
"""Names without a version: a new release is used soon, and nothing waits for the check."""
