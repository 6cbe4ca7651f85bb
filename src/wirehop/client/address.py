"""Where a server is: `http://host:port`, `https://…`, `ws://…` or `wss://…`, perhaps with a path before wirehop's own
paths.

It reads URLs. It opens nothing.
"""

import ssl
from urllib.parse import quote, urlsplit

from msgspec import Struct

from wirehop.client.errors import AddressError

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


class Address(Struct, frozen=True):
    """`host` without brackets; `base` is the path in front, without a slash at its end."""

    host: str
    port: int
    is_secure: bool = False
    base: str = ""

    @property
    def authority(self) -> str:
        """Host and port as the Host header wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.is_secure else 80)
        return host if is_default else f"{host}:{self.port}"

    def url(self, path: str, *, scheme: str = "http") -> str:
        """The whole URL of a path, for `http` or `ws`."""
        return f"{scheme}{'s' if self.is_secure else ''}://{self.authority}{self.base}{path}"

    def tls(self, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
        """The context to connect with; None for plain TCP."""
        return (given or ssl.create_default_context()) if self.is_secure else None


def channel_path(channel: str) -> str:
    """The path of a channel's URL."""
    return f"/channels/{quote(channel, safe=':/')}"


def read_address(url: str) -> Address:
    """Read it. Raises `AddressError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        raise AddressError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in _SECURE:
        raise AddressError(f"{url!r} must begin with http://, https://, ws:// or wss://")
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise AddressError(f"{url!r} must be a scheme, a host, perhaps a port and a path, and nothing else")
    is_secure = _SECURE[parts.scheme]
    return Address(host, port or (443 if is_secure else 80), is_secure, parts.path.rstrip("/"))
