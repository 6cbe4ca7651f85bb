"""The cookie that may hold a token, and when it counts.

A browser sends cookies with requests that any page makes it send. So a cookie counts only with an `Origin` that is
allowed by name (never by `*`), or without one and with `Sec-Fetch-Site: same-origin`, which no page can forge. Two
cookies of the name count as none: one of them may have been set by somebody else's subdomain.
"""

from collections.abc import Mapping
from typing import Final, Literal

from wirehop.auth.origins import Origins

MAX_COOKIE_BYTES: Final = 4096
"""What browsers keep at least: RFC 6265 section 6.1."""


class Cookies:
    """One cookie, by name. An empty name: there is none, and none is looked at."""

    def __init__(self, name: str, same_site: Literal["strict", "lax", "none"], origins: Origins) -> None:
        self.name = name
        self._same_site = same_site.capitalize()
        self._origins = origins

    def comes_from_own_page(self, headers: Mapping[str, str], *, scheme: str) -> bool:
        """Whether a page that may have credentials has sent this request."""
        origin = headers.get("origin", "")
        if origin:
            return self._origins.trusts(origin, host=headers.get("host", ""), scheme=scheme)
        return headers.get("sec-fetch-site", "") == "same-origin"

    def token(self, headers: Mapping[str, str], *, scheme: str) -> str:
        """The token in the cookie, if the cookie counts; else ""."""
        if not self.name or "cookie" not in headers or not self.comes_from_own_page(headers, scheme=scheme):
            return ""
        found = [
            value.strip().strip('"')
            for name, equals, value in (each.partition("=") for each in headers["cookie"].split(";"))
            if equals and name.strip() == self.name
        ]
        return found[0] if len(found) == 1 else ""

    def set(self, token: str, *, seconds: float, scheme: str) -> str:
        """The value of `Set-Cookie`. `seconds` 0: until the browser is closed."""
        age = f"; Max-Age={int(seconds)}" if seconds else ""
        return f"{self.name}={token}; Path=/{age}; HttpOnly; SameSite={self._same_site}{self._secure(scheme)}"

    def clear(self, *, scheme: str) -> str:
        """The value of `Set-Cookie` that removes it."""
        return f"{self.name}=; Path=/; Max-Age=0; HttpOnly; SameSite={self._same_site}{self._secure(scheme)}"

    def _secure(self, scheme: str) -> str:
        # names with these prefixes are refused by browsers without it: RFC 6265bis section 4.1.3
        is_secure = scheme == "https" or self.name.lower().startswith(("__host-", "__secure-"))
        return "; Secure" if is_secure or self._same_site == "None" else ""
