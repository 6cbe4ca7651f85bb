"""Which STUN and TURN servers a participant is told of, with credentials that end.

It knows URLs (RFC 7064, RFC 7065) and credentials. It does not know who may have them.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from wirehop.rtc.pure.credentials import Credential

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


class IceServer(Struct, frozen=True, omit_defaults=True):
    """One of a browser's `RTCConfiguration.iceServers`."""

    urls: list[str]
    username: str = ""
    credential: str = ""


class Relay(Struct, frozen=True):
    """A TURN server. `hosts` are its addresses or names, `secure_host` the name that its certificate has; a port that
    is 0 is not open."""

    hosts: tuple[str, ...]
    udp_port: int
    tcp_port: int = 0
    tls_port: int = 0
    secure_host: str = ""


def ice_servers(relay: Relay, credential: Credential) -> list[IceServer]:
    """STUN without a credential, TURN with it: UDP first, then TCP, then TLS."""
    hosts = [_spelled(host) for host in relay.hosts]
    stun = [f"stun:{host}:{relay.udp_port}" for host in hosts]
    turn = [f"turn:{host}:{relay.udp_port}?transport=udp" for host in hosts]
    if relay.tcp_port:
        turn += [f"turn:{host}:{relay.tcp_port}?transport=tcp" for host in hosts]
    if relay.tls_port:
        turn += [f"turns:{host}:{relay.tls_port}?transport=tcp" for host in _secure(relay, hosts)]
    return [IceServer(stun), IceServer(turn, credential.username, credential.password)]


def host_in(header: str) -> str:
    """The host that a `Host` header names, without its port and brackets; empty for none, and for what is no host."""
    if header.startswith("["):
        host = header[1:].partition("]")[0]
    else:
        host = header.rpartition(":")[0] if header.count(":") == 1 else header
    return host if _HOST.fullmatch(host) else ""


def _secure(relay: Relay, hosts: Sequence[str]) -> Sequence[str]:
    return [_spelled(relay.secure_host)] if relay.secure_host else hosts


def _spelled(host: str) -> str:
    return f"[{host}]" if ":" in host else host
