"""Whether a tree can be used: every value in its range, and no two that contradict each other.

It knows the tree and the rules between options. It opens no file and no socket.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from wirehop.core.errors import SettingsError
from wirehop.settings.check_auth import contradictions_of_auth
from wirehop.settings.check_rtc import contradictions_of_rtc
from wirehop.settings.options import (
    DEFAULT_NAME,
    NAMESPACES,
    OPTIONS,
    Option,
    is_namespace_name,
    spelled,
    value_of,
)
from wirehop.settings.tree import ANY_ORIGIN, DEFAULT_NAMESPACE, LOOPBACK_ORIGIN, Namespace, Settings
from wirehop.settings.values import read

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@*\s,]+")  # RFC 6454 section 6.2: scheme, host and port only

_ENDPOINT: Final = re.compile(r"https?://[^?#@\s]+")


def check(settings: Settings, origins: Mapping[str, str] | None = None) -> None:
    """Raise `SettingsError` for the first thing wrong. `origins` says per key where a value came from."""
    came_from = origins or {}
    for name in settings.namespaces:
        _check_name(name)
    for option in options_in(settings):
        read(option, value_of(settings, option), came_from.get(option.key, "code"))
    for key, problem in _contradictions(settings):
        origin = came_from.get(key, "code")
        raise SettingsError(f"{key} (from {origin}) {problem}", key=key, origin=origin)


def options_in(settings: Settings) -> Iterator[Option]:
    """Every option of this tree, those of namespaces once per namespace."""
    names = sorted(settings.namespaces)
    of_namespace = [option for option in OPTIONS.values() if option.is_of_namespace]
    for option in OPTIONS.values():
        if not option.is_of_namespace:
            yield option
        elif option is of_namespace[0]:
            for name in names:
                yield from (each.of_namespace(spelled(name)) for each in of_namespace)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name to listen on."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_name(name: str) -> None:
    if name == DEFAULT_NAMESPACE:
        return
    key = f"{NAMESPACES}.{name}"
    if name == DEFAULT_NAME:
        raise SettingsError(
            f"{key}: {DEFAULT_NAME!r} is how files spell the default namespace; in the tree its key is ''",
            key=key,
        )
    if not is_namespace_name(name):
        raise SettingsError(
            f"{key}: a namespace's name is 1 to 32 of the characters a-z, 0-9, _ and -; not {name!r}", key=key
        )


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    server = settings.server
    if settings.dev and not is_loopback(server.host):
        problem = (
            f"is {server.host!r}, but dev opens everything and so listens on loopback only; "
            "allowed: 127.0.0.1, ::1 or localhost (or another host without dev)"
        )
        yield "server.host", problem
    if bool(server.certificate) != bool(server.private_key):
        missing = "private_key" if server.certificate else "certificate"
        yield f"server.{missing}", "is empty; TLS needs both server.certificate and server.private_key"
    for network in server.trusted_proxies:
        if not _is_network(network):
            may_be = "addresses and networks such as 10.0.0.0/8 (no bits after the prefix)"
            yield "server.trusted_proxies", f"has {network!r}; allowed: {may_be}"
    for origin in settings.origins.allowed:
        if origin not in (ANY_ORIGIN, LOOPBACK_ORIGIN) and not _ORIGIN.fullmatch(origin):
            may_be = "origins such as https://example.org (lower-case scheme, no path, no wildcard inside)"
            yield (
                "origins.allowed",
                f"has {origin!r}; allowed: {may_be}, {ANY_ORIGIN!r} and {LOOPBACK_ORIGIN!r}",
            )
    if settings.demos.ai_url and not _ENDPOINT.fullmatch(settings.demos.ai_url):
        yield (
            "demos.ai_url",
            f"is {settings.demos.ai_url!r}; allowed: the base of an API, such as https://example.org/v1",
        )
    yield from contradictions_of_auth(settings)
    yield from contradictions_of_rtc(settings.rtc)
    for key, text, least in (("api.key", settings.api.key, 16), ("admin.password", settings.admin.password, 8)):
        if text and len(text) < least:
            yield key, f"has {len(text)} characters; allowed: {least} or more"
    if "://" not in settings.broker.url:
        yield "broker.url", "is not a URL; allowed: memory:// and the URLs of other brokers"
    for name, namespace in settings.namespaces.items():
        yield from _contradictions_of(f"{NAMESPACES}.{spelled(name)}", namespace)


def _contradictions_of(key: str, namespace: Namespace) -> Iterator[tuple[str, str]]:
    if namespace.delivery == "signal":
        return
    needs = f"but delivery {namespace.delivery!r} recovers from history"
    if namespace.history_size < 1:
        yield f"{key}.history_size", f"is 0, {needs}; allowed: at least 1, or delivery 'signal'"
    if namespace.history_age <= 0:
        yield f"{key}.history_age", f"is 0, {needs}; allowed: more than 0, or delivery 'signal'"


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
