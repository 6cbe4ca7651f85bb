"""Which web pages may talk to the server: the `Origin` header against a list, and the CORS headers that follow.

A browser sends `Origin` with every WebSocket handshake, every cross-origin request and every POST. Programs send
none, and are not pages: they pass. Cookies are no authentication across ports or sites, so `*` never goes with
credentials.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from wirehop.settings.tree import ANY_ORIGIN, LOOPBACK_ORIGIN

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_PREFLIGHT_SECONDS = "600"


class Origins:
    """The list of allowed origins, beside the server's own."""

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self._any = ANY_ORIGIN in allowed
        self._loopback = LOOPBACK_ORIGIN in allowed
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed)

    def allows(self, origin: str, *, host: str, scheme: str) -> bool:
        """Whether a page of `origin` may connect to the server that was addressed as `scheme`://`host`."""
        if not origin or self._any:
            return True
        origin = origin.lower()
        if origin == f"{scheme}://{host.lower()}" or origin in self._allowed:
            return True
        return self._loopback and self._is_loopback(origin)

    def trusts(self, origin: str, *, host: str, scheme: str) -> bool:
        """Whether a page of `origin` may come with credentials: its origin is named, or is the server's own. `*` names
        nobody."""
        origin = origin.lower()
        if origin == "null":
            return False  # every sandboxed frame and every file has this one
        if origin == f"{scheme}://{host.lower()}" or (origin in self._allowed and origin != ANY_ORIGIN):
            return True
        return self._loopback and self._is_loopback(origin)

    @staticmethod
    def _is_loopback(origin: str) -> bool:
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK_HOSTS
        except ValueError:
            return False

    def cors(self, request_headers: Mapping[str, str], *, scheme: str) -> list[tuple[str, str]]:
        """The CORS headers of an answer; none where there is no `Origin` or it is not allowed."""
        origin = request_headers.get("origin", "")
        if not origin or not self.allows(origin, host=request_headers.get("host", ""), scheme=scheme):
            return []
        if self._any:
            return [
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Expose-Headers", "ETag, Retry-After"),
            ]
        return [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "ETag, Retry-After"),
            ("Vary", "Origin"),
        ]

    def preflight(self, request_headers: Mapping[str, str], *, scheme: str, methods: str) -> list[tuple[str, str]]:
        """The headers that answer an OPTIONS request of a browser."""
        headers = self.cors(request_headers, scheme=scheme)
        if not headers:
            return []
        return [
            *headers,
            ("Access-Control-Allow-Methods", methods),
            (
                "Access-Control-Allow-Headers",
                "Content-Type, Authorization, Idempotency-Key, Event-Name, Last-Event-ID, If-None-Match",
            ),
            ("Access-Control-Max-Age", _PREFLIGHT_SECONDS),
        ]
