"""TURN servers that tests know the address and the secret of, whoever they are."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import socket
import time

from .netns import Namespace

CREDENTIAL_SECONDS = 3600


@dataclasses.dataclass(frozen=True)
class TurnServer:
    """Where one is: UDP and TCP on one port, TLS on another (0: not there)."""

    address: str
    secret: str
    port: int
    tls_port: int = 0
    name: str = ""
    """For TLS, beside the address: Firefox uses no other."""

    def credentials(self, user: str) -> dict[str, str]:
        """Time-limited ones, as an ICE server's fields (draft-uberti-behave-turn-rest)."""
        username = f"{int(time.time()) + CREDENTIAL_SECONDS}:{user}"
        digest = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return {"username": username, "credential": base64.b64encode(digest).decode()}

    def urls(self, *ways: str) -> list[str]:
        """TURN by these of `udp`, `tcp` and `tls`, or `stun`."""
        every = {
            "stun": f"stun:{self.address}:{self.port}",
            "udp": f"turn:{self.address}:{self.port}?transport=udp",
            "tcp": f"turn:{self.address}:{self.port}?transport=tcp",
            "tls": f"turns:{self.address}:{self.tls_port}?transport=tcp",
        }
        by_name = [f"turns:{self.name}:{self.tls_port}?transport=tcp"] if self.name and "tls" in ways else []
        return [every[way] for way in ways] + by_name

    def ice_server(self, user: str, *ways: str) -> dict[str, object]:
        """As a peer connection takes it."""
        return {"urls": self.urls(*ways), **self.credentials(user)}


def listens(namespace: Namespace, address: str, port: int) -> bool:
    """Whether something in the namespace accepts TCP there."""
    with namespace.entered(), contextlib.suppress(OSError), socket.create_connection((address, port), 1.0):
        return True
    return False
