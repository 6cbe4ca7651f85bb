"""Whether the section `auth` can be used: secrets long enough, keys that can be told apart, an application that can be
asked. Called by `check`; it opens no file and no socket.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from wirehop.settings.options import NAMESPACES, spelled
from wirehop.settings.tree import Auth, Namespace, Settings

MIN_SECRET_BYTES: Final = 32
"""An HMAC secret is at least as long as what it makes: RFC 7518 section 3.2."""
ASKABLE: Final = ("connect", "refresh", "sub_refresh")

_COOKIE_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def contradictions_of_auth(settings: Settings) -> Iterator[tuple[str, str]]:
    """Key and problem of everything that does not work."""
    auth = settings.auth
    yield from _secrets(auth)
    for key in auth.keys:
        if "://" in key and not _is_safe_url(key):
            yield "auth.keys", f"has {key!r}; allowed: files, https URLs, and http URLs of this machine"
    yield from _asking(auth)
    if auth.cookie and not _COOKIE_NAME.fullmatch(auth.cookie):
        yield "auth.cookie", f"is {auth.cookie!r}; allowed: 1 to 64 of A-Z, a-z, 0-9, _, . and -"
    if auth.cookie and not verifies_tokens(auth):
        yield "auth.cookie", "names a cookie that holds a token, so tokens must be set up: auth.secrets or auth.keys"
    for name, namespace in settings.namespaces.items():
        yield from _namespace(f"{NAMESPACES}.{spelled(name)}", namespace, auth)


def verifies_tokens(auth: Auth) -> bool:
    """Whether there is a key to check tokens with."""
    return bool(auth.secrets or auth.keys)


def _secrets(auth: Auth) -> Iterator[tuple[str, str]]:
    hint = "`wirehop token --secret` makes one"
    for secret in auth.secrets:
        if len(secret.encode()) < MIN_SECRET_BYTES:
            yield (
                "auth.secrets",
                f"has one of {len(secret.encode())} bytes; allowed: {MIN_SECRET_BYTES} or more; {hint}",
            )
        if "-----BEGIN" in secret:
            yield "auth.secrets", "has a key in PEM form, which is no secret; give its file in auth.keys"
    if auth.ask_secret and len(auth.ask_secret.encode()) < MIN_SECRET_BYTES:
        yield "auth.ask_secret", f"is shorter than {MIN_SECRET_BYTES} bytes; {hint}"


def _asking(auth: Auth) -> Iterator[tuple[str, str]]:
    for about in auth.ask_about:
        if about not in ASKABLE:
            may_be = ", ".join(ASKABLE) + " (subscribe and publish: by namespace)"
            yield "auth.ask_about", f"has {about!r}; allowed: {may_be}"
    if auth.ask_about and not auth.ask_url:
        yield "auth.ask_url", "is empty, but auth.ask_about names what the application is asked about"
    if not auth.ask_url:
        return
    if not _is_http_url(auth.ask_url):
        yield "auth.ask_url", f"is {auth.ask_url!r}; allowed: an http or https URL without user, password and fragment"
    if not auth.ask_secret:
        yield "auth.ask_secret", "is empty; questions to auth.ask_url are signed with it"


def _namespace(key: str, namespace: Namespace, auth: Auth) -> Iterator[tuple[str, str]]:
    for action in ("subscribe", "publish"):
        who = getattr(namespace, action)
        if who == "ask" and not auth.ask_url:
            yield f"{key}.{action}", "is 'ask', but auth.ask_url is empty"
        if who == "token" and not verifies_tokens(auth) and not auth.ask_url:
            yield f"{key}.{action}", "is 'token', but no token can be checked: set auth.secrets or auth.keys"


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and not (parts.username or parts.password or parts.fragment)
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


def _is_safe_url(url: str) -> bool:
    """Nobody on the way can put other keys in its place."""
    if not _is_http_url(url):
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
