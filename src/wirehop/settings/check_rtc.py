"""Whether the section `rtc` can be used: a TURN server that can be found, ports and networks that are some. Called by
`check`; it opens no socket.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Final

from wirehop.settings.tree import Rtc

EMBEDDED: Final = "embedded"
OFF: Final = "off"
COTURN: Final = "coturn://"
MIN_SECRET: Final = 16
"""Characters of the secret of TURN credentials at least: HMAC-SHA1 with less could be guessed offline."""

_SERVER: Final = re.compile(r"coturn://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/?")
_PORTS: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
_REALM: Final = re.compile(r"[!#-\[\]-~]{1,127}")


def coturn_address(turn: str) -> tuple[str, int] | None:
    """Host (an IPv6 address without brackets) and port of `coturn://host:port`; None where it is none. The port is
    3478 where none is given, as RFC 8656 section 15 has it."""
    found = _SERVER.fullmatch(turn)
    if found is None or int(found["port"] or 3478) not in range(1, 65_536):
        return None
    return found["host"].strip("[]"), int(found["port"] or 3478)


def port_range(text: str) -> tuple[int, int] | None:
    """First and last port of `49152-65535`; None where it is no range."""
    found = _PORTS.fullmatch(text.strip())
    if found is None:
        return None
    low, high = int(found[1]), int(found[2])
    return (low, high) if 1024 <= low <= high <= 65_535 else None


def addresses(text: str) -> tuple[str, ...] | None:
    """The addresses of `rtc.address`, at most one of each family; None where one is none or there are two."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        found = [ip_address(part) for part in parts]
    except ValueError:
        return None
    if len({each.version for each in found}) != len(found):
        return None
    return tuple(str(each) for each in found)


def contradictions_of_rtc(rtc: Rtc) -> Iterator[tuple[str, str]]:
    """Key and problem of everything that does not work."""
    if rtc.turn not in (EMBEDDED, OFF) and coturn_address(rtc.turn) is None:
        yield "rtc.turn", f"is {rtc.turn!r}; allowed: {EMBEDDED}, {OFF} and coturn://host:port"
    if rtc.turn.startswith(COTURN) and not rtc.secret:
        yield "rtc.secret", "is empty, but coturn must know the same one (its static-auth-secret)"
    if rtc.secret and len(rtc.secret) < MIN_SECRET:
        yield "rtc.secret", f"has {len(rtc.secret)} characters; allowed: {MIN_SECRET} or more"
    if not _REALM.fullmatch(rtc.realm):
        yield "rtc.realm", f"is {rtc.realm!r}; allowed: 1 to 127 plain characters, no quotes, no spaces"
    if addresses(rtc.address) is None:
        yield "rtc.address", f"is {rtc.address!r}; allowed: an IP address, or one of IPv4 and one of IPv6"
    if port_range(rtc.relay_ports) is None:
        yield "rtc.relay_ports", f"is {rtc.relay_ports!r}; allowed: two ports from 1024 on, such as 49152-65535"
    for key, networks in (("allow_peers", rtc.allow_peers), ("deny_peers", rtc.deny_peers)):
        for network in networks:
            if not _is_network(network):
                yield f"rtc.{key}", f"has {network!r}; allowed: networks such as 10.0.0.0/8 (no bits after the prefix)"


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
