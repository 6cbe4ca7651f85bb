"""Allocations held at a TURN server, the same way at every server: sockets with a channel to a peer each.

It knows TURN's client side as far as the bench needs it. It does not measure.
"""

import os
import socket
import time
from dataclasses import dataclass

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.credentials import credential
from wirehop.rtc.pure.stun import Address, Attribute, Kind, Message, Method

CHANNEL = 0x4000
SERVER = "127.0.0.1"
PEER = "127.0.0.2"
_UDP = (int(Attribute.REQUESTED_TRANSPORT), b"\x11\0\0\0")
_BUFFER = 1 << 22


class RefusedError(Exception):
    """The server said no."""


@dataclass(frozen=True)
class Pair:
    """A client with an allocation, and the peer at the other end of its channel; both sockets are connected."""

    client: socket.socket
    peer: socket.socket
    relayed: Address
    asker: "Asker"

    def refresh(self) -> None:
        """Bind the channel again: the permission that comes with it lasts 300 s (RFC 8656 section 9)."""
        self.client.settimeout(5)
        try:
            self.asker.bind(self.peer)
        finally:
            self.client.setblocking(False)


class Asker:
    """One client's requests over its own socket."""

    def __init__(self, port: int, secret: str, user: str) -> None:
        self.sock = _socket()
        self.sock.connect((SERVER, port))
        self.sock.settimeout(5)
        self._credential = credential(secret, user, now=time.time(), age=3600)
        self._signs: list[tuple[int, bytes]] = []
        self._key: bytes | None = None

    def ask(self, method: Method, *attributes: tuple[int, bytes]) -> Message:
        """The answer; the first one asks for what to sign with."""
        for _ in range(3):
            transaction = os.urandom(12)
            self.sock.send(stun.encode(method, Kind.REQUEST, transaction, [*attributes, *self._signs], key=self._key))
            answer = stun.decode(self._received())
            if answer.kind == Kind.SUCCESS:
                return answer
            error = answer.error()
            if error is None or error[0] not in (401, 438):
                raise RefusedError(f"{method.name}: {error}")
            self._sign(answer)
        raise RefusedError(f"{method.name}: {error}")

    def _received(self) -> bytes:
        """The next message; ChannelData of the load before is passed over."""
        while (data := self.sock.recv(2048))[0] & 0xC0:
            pass
        return data

    def bind(self, peer: socket.socket) -> None:
        """The channel, to this peer."""
        # An IPv4 address is masked with the magic cookie alone, so that any transaction id will do.
        at = stun.write_address(peer.getsockname()[:2], bytes(12))
        self.ask(
            Method.CHANNEL_BIND,
            (int(Attribute.CHANNEL_NUMBER), CHANNEL.to_bytes(2, "big") + b"\0\0"),
            (int(Attribute.XOR_PEER_ADDRESS), at),
        )

    def _sign(self, answer: Message) -> None:
        realm, nonce = answer.text(Attribute.REALM) or "", answer.value(Attribute.NONCE) or b""
        username, password = self._credential.username, self._credential.password
        self._key = stun.long_term_key(username, realm, password)
        self._signs = [
            (int(Attribute.USERNAME), username.encode()),
            (int(Attribute.REALM), realm.encode()),
            (int(Attribute.NONCE), nonce),
        ]


def allocate(port: int, secret: str, number: int) -> Pair:
    """One allocation with one channel to a peer of its own."""
    asker = Asker(port, secret, f"user{number}")
    answer = asker.ask(Method.ALLOCATE, _UDP)
    relayed = answer.address(Attribute.XOR_RELAYED_ADDRESS)
    assert relayed is not None
    peer = _socket(PEER)
    asker.bind(peer)
    peer.connect(relayed)
    for sock in (asker.sock, peer):
        sock.setblocking(False)
        os.set_inheritable(sock.fileno(), True)
    return Pair(asker.sock, peer, relayed, asker)


def _socket(host: str = SERVER) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (33, socket.SO_RCVBUF):  # SO_RCVBUFFORCE needs root
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            break
        except PermissionError:
            continue
    sock.bind((host, 0))
    return sock
