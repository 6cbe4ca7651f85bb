"""Whom a relay may send to: a TURN server inside a network is a way into that network unless it says no.

    1. `allow` has it                                       yes
    2. it is the relay's own announced address              yes, but to living allocations only (`turn` sees to that)
    3. `deny` has it                                        no: denied
    4. it is an address of this machine                     no: own
    5. it is in one of the ranges below                     no, by the range's name
    6. else                                                 yes

RFC 8656 section 21.1.6 and 21.2 ask for the filter; the ranges are those of the IANA registries of special addresses
(RFC 6890) that are not somebody else's in the open network. It knows addresses; it does not know who asks.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

_RANGES: Final = tuple(
    (name, ip_network(network))
    for name, networks in (
        ("unspecified", "0.0.0.0/8 ::/128"),
        ("loopback", "127.0.0.0/8 ::1/128"),
        ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
        ("shared", "100.64.0.0/10"),
        ("link_local", "169.254.0.0/16 fe80::/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        # An IPv4 address in the clothes of IPv6 would pass by the rules for IPv4.
        ("translated", "::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 2001::/32 2002::/16"),
        ("reserved", "192.0.0.0/24 240.0.0.0/4"),
    )
    for network in networks.split()
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
_REMEMBERED: Final = 4096


class PeerRules:
    """The rules of one relay. `own`: the addresses of this machine; `relays`: those that it announces."""

    __slots__ = ("_allow", "_deny", "_known", "_own", "relays")

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        own: Iterable[str] = (),
        relays: Iterable[str] = (),
    ) -> None:
        self._allow = [ip_network(each) for each in allow]
        self._deny = [ip_network(each) for each in deny]
        self._own = {ip_address(each) for each in own}
        self.relays = frozenset(str(ip_address(each)) for each in relays)
        self._known: dict[str, str] = {}

    def refusal(self, host: str) -> str:
        """The name of the rule that forbids the peer; empty: none does."""
        found = self._known.get(host)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[host] = self._judge(host)
        return found

    def is_allowed_explicitly(self, host: str) -> bool:
        """Whether `allow` has it, so that the machine's own programs may be reached too."""
        return bool(self._allow) and _is_in(ip_address(host), self._allow)

    def _judge(self, host: str) -> str:
        address = ip_address(host)
        if _is_in(address, self._allow) or host in self.relays:
            return ""
        if _is_in(address, self._deny):
            return "denied"
        if address in self._own:
            return "own"
        for name, network in _RANGES:
            if address.version == network.version and address in network:
                return name
        return "reserved" if isinstance(address, IPv6Address) and address not in _GLOBAL_6 else ""


def is_private(host: str) -> bool:
    """Whether an address means something in its own network only."""
    return bool(PeerRules().refusal(host))


def _is_in(address: IPv4Address | IPv6Address, networks: list[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
