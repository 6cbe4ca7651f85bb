"""The addresses of this machine: what to listen on, what to relay from, and what a relay must never send to."""

import contextlib
import ipaddress
import socket
from itertools import pairwise
from pathlib import Path
from typing import Final

from msgspec import Struct

from wirehop.rtc.pure.stun import Family

_FIB: Final = Path("/proc/net/fib_trie")
_IF_INET6: Final = Path("/proc/net/if_inet6")
_FAMILIES: Final = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
# Addresses for documentation (RFC 5737, RFC 3849): asked for their route, never sent to.
_FAR: Final = {Family.IPV4: "192.0.2.1", Family.IPV6: "2001:db8::1"}
_ANY: Final = frozenset(("", "0.0.0.0", "::"))  # noqa: S104 - compared with


class RelayAddress(Struct, frozen=True):
    """Where relayed addresses are bound, and what peers are told."""

    bound: str
    announced: str


def own_addresses() -> list[str]:
    """All addresses of this machine that can be found; on Linux that is all of them, elsewhere those of its name."""
    found: dict[str, None] = {}
    with contextlib.suppress(OSError):
        lines = _FIB.read_text(encoding="ascii").splitlines()
        for before, line in pairwise(lines):
            if line.strip().startswith("/32 host LOCAL"):
                found[before.split()[-1]] = None
    with contextlib.suppress(OSError):
        for line in _IF_INET6.read_text(encoding="ascii").splitlines():
            found[str(ipaddress.IPv6Address(int(line.split()[0], 16)))] = None
    if not found:
        with contextlib.suppress(OSError):
            for *_, address in socket.getaddrinfo(socket.gethostname(), None):
                found[str(address[0]).partition("%")[0]] = None
    found |= {address: None for address in map(routed_address, Family) if address}
    return list(found)


def routed_address(family: Family) -> str:
    """The address that packets to the open network leave from; empty: there is no way there."""
    with contextlib.suppress(OSError), socket.socket(_FAMILIES[family], socket.SOCK_DGRAM) as sock:
        sock.connect((_FAR[family], 9))
        return str(sock.getsockname()[0])
    return ""


def listening_addresses(host: str) -> list[str]:
    """What to bind for a server on `host`. Every address by itself, as an answer must leave from the one that was
    asked; link-local ones are left out."""
    if host not in _ANY:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
    wanted = (4,) if host == "0.0.0.0" else (4, 6) if not host else (6,)  # noqa: S104 - compared with
    found_own = [ipaddress.ip_address(each) for each in own_addresses()]
    own = [str(each) for each in found_own if each.version in wanted and not each.is_link_local]
    return own or [host or "0.0.0.0"]  # noqa: S104 - what the settings say


def relay_addresses(host: str, announced: tuple[str, ...]) -> dict[Family, RelayAddress]:
    """For each family what relayed addresses are bound to. `announced` are those of `rtc.address`: where one is no
    address of this machine (behind a NAT that maps one to one) what is bound is the one that has the route."""
    own = set(own_addresses())
    found: dict[Family, RelayAddress] = {}
    if announced:
        for address in announced:
            family = Family.IPV6 if ":" in address else Family.IPV4
            bound = address if address in own else routed_address(family)
            if bound:
                found[family] = RelayAddress(bound, address)
        return found
    likely: list[str] = []
    with contextlib.suppress(OSError):  # a name that is none: whoever listens will say so
        likely = listening_addresses(host)
    if host in _ANY:  # the one with the route; else one that is not loopback
        likely.sort(key=lambda each: ipaddress.ip_address(each).is_loopback)
        likely = [*map(routed_address, _families_of(host)), *likely]
    for address in filter(None, likely):
        found.setdefault(Family.IPV6 if ":" in address else Family.IPV4, RelayAddress(address, address))
    return found


def _families_of(host: str) -> tuple[Family, ...]:
    if host == "0.0.0.0":  # noqa: S104 - compared with
        return (Family.IPV4,)
    return (Family.IPV4, Family.IPV6)
