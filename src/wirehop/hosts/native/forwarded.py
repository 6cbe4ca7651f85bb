"""Who the client is, behind proxies: `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` (RFC 7239).

They are believed only from a TCP peer in the trusted networks; the list is walked from the right, past
trusted proxies, to the first address that is not one. Where a request has both kinds, `X-Forwarded-*` counts.
Pure.
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

Scheme = Literal["http", "https"]

_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*')
_PORT = re.compile(r"\[?([^\[\]]*?)\]?(?::\d+)?")


def plain_address(address: str) -> str:
    """`address` without the IPv6 clothing of an IPv4 client."""
    return address[7:] if address.startswith("::ffff:") and "." in address else address


class Proxies:
    """The networks whose word is taken. Raises ValueError for what is not a CIDR."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(net, strict=False) for net in networks]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trust(self, address: str) -> bool:
        """Whether `address` is in one of the networks."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def resolve(self, peer: str, scheme: Scheme, headers: Mapping[str, str]) -> tuple[str, Scheme]:
        """The client's address and scheme; what the TCP connection says where nothing better is believed."""
        if not self._networks or not self.trust(peer):
            return peer, scheme
        if "x-forwarded-for" in headers or "x-forwarded-proto" in headers:
            hops = [_without_port(hop) for hop in _split(headers.get("x-forwarded-for", ""))]
            protos = _split(headers.get("x-forwarded-proto", ""))
        elif "forwarded" in headers:
            elements = [_element(text) for text in _split(headers["forwarded"])]
            hops = [_without_port(element.get("for", "")) for element in elements]
            protos = [element.get("proto", "") for element in elements]
        else:
            return peer, scheme
        return self._walk(peer, scheme, hops, protos)

    def _walk(self, peer: str, scheme: Scheme, hops: list[str], protos: list[str]) -> tuple[str, Scheme]:
        address, index = peer, len(hops)
        while index and self.trust(address):
            hop = hops[index - 1]
            if not _is_address(hop):  # "unknown", an obfuscated name, garbage: nothing further left can be believed
                break
            address = hop
            index -= 1
        # with one protocol per hop take the client's, else what the nearest proxy said
        proto = (protos[index] if len(protos) == len(hops) and index < len(protos) else protos[-1]) if protos else ""
        proto = proto.lower()
        return address, "https" if proto == "https" else "http" if proto == "http" else scheme


def _split(value: str) -> list[str]:
    """At commas outside quotes; empty members are dropped (RFC 9110 section 5.6.1)."""
    parts = value.split(",") if '"' not in value else re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+', value)
    return [part.strip() for part in parts if part.strip()]


def _element(text: str) -> dict[str, str]:
    """One forwarded-element (RFC 7239 section 4); {} where it is malformed."""
    pairs: dict[str, str] = {}
    for part in text.split(";"):
        match = _PAIR.fullmatch(part)
        if match is None:
            return {}
        pairs[match[1].lower()] = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
    return pairs


def _without_port(hop: str) -> str:
    if hop.count(":") > 1 and not hop.startswith("["):
        return plain_address(hop)  # a bare IPv6 address
    match = _PORT.fullmatch(hop)
    return plain_address(match[1]) if match else hop


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
