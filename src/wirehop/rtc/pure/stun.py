"""STUN messages (RFC 8489) and what TURN (RFC 8656) puts into them, to bytes and back.

    message = decode(data)                         # BadMessage for anything that is none
    message.value(Attribute.USERNAME)              # the first of its kind, or None
    message.is_signed_with(key)                    # MESSAGE-INTEGRITY, or the one with SHA-256 where it is there
    reply = encode(Method.BINDING, Kind.SUCCESS, message.transaction, [(type, value), ...], key=key)

It knows bytes, and the rules that hold for every message. It does not know what a method means, who may use it, nor
how messages travel.
"""

import binascii
import hmac
from enum import IntEnum
from hashlib import md5
from ipaddress import ip_address
from struct import Struct as Layout
from typing import Final

from msgspec import Struct

HEADER_BYTES: Final = 20
MAGIC: Final = 0x2112A442
TRANSACTION_BYTES: Final = 12
REQUIRED_BELOW: Final = 0x8000
"""Attributes below are comprehension-required: who does not know one may not process the message (section 5)."""

_MAGIC_BYTES: Final = MAGIC.to_bytes(4, "big")
_HEADER: Final = Layout("!HHI12s")
_PAIR: Final = Layout("!HH")
_FINGERPRINT_MASK: Final = 0x5354554E
_SHA1_BYTES: Final = 20
_SHA256_BYTES: Final = 32
_CHECKSUM_BYTES: Final = 4
_ATTRIBUTES: Final = 64  # more in one message are nobody's honest request


class Method(IntEnum):
    """What is asked; RFC 8489 section 18.2, RFC 8656 section 17."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009


class Kind(IntEnum):
    """The class of a message, as its two bits say it."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """Types of attributes: RFC 8489 section 18.3, RFC 8656 section 18, RFC 8445 section 20.2."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    EVEN_PORT = 0x0018
    REQUESTED_TRANSPORT = 0x0019
    DONT_FRAGMENT = 0x001A
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    XOR_MAPPED_ADDRESS = 0x0020
    RESERVATION_TOKEN = 0x0022
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    ADDITIONAL_ADDRESS_FAMILY = 0x8000
    ADDRESS_ERROR_CODE = 0x8001
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


class Family(IntEnum):
    """Address families as both protocols number them."""

    IPV4 = 1
    IPV6 = 2


REASONS: Final = {
    400: "Bad Request",
    401: "Unauthenticated",
    403: "Forbidden",
    420: "Unknown Attribute",
    437: "Allocation Mismatch",
    438: "Stale Nonce",
    440: "Address Family not Supported",
    441: "Wrong Credentials",
    442: "Unsupported Transport Protocol",
    443: "Peer Address Family Mismatch",
    486: "Allocation Quota Reached",
    500: "Server Error",
    508: "Insufficient Capacity",
}
"""Error codes and their phrases: RFC 8489 section 14.8, RFC 8656 section 19."""

Address = tuple[str, int]
"""An IP address as text, without a zone, and a port."""


class BadMessage(ValueError):
    """Bytes that are no STUN message; the text says why."""


class Message(Struct, frozen=True, kw_only=True):
    """One decoded message. `attributes` are in the order in which they came; those after a signature are left out, as
    nobody vouches for them (RFC 8489 section 14.5)."""

    method: int
    kind: Kind
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()
    data: bytes = b""
    sha1_at: int = 0
    """Where MESSAGE-INTEGRITY begins in `data`; 0: there is none."""
    sha256_at: int = 0
    """The same of MESSAGE-INTEGRITY-SHA256."""

    @property
    def is_signed(self) -> bool:
        """Whether there is a signature, whatever it is worth."""
        return bool(self.sha1_at or self.sha256_at)

    def value(self, kind: Attribute) -> bytes | None:
        """The value of the first attribute of that type: later ones count for nothing (RFC 8489 section 14)."""
        for each, value in self.attributes:
            if each == kind:
                return value
        return None

    def values(self, kind: Attribute) -> list[bytes]:
        """All of them, for XOR-PEER-ADDRESS in CreatePermission."""
        return [value for each, value in self.attributes if each == kind]

    def text(self, kind: Attribute) -> str | None:
        """The value as text; None where it is missing or no UTF-8."""
        value = self.value(kind)
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None

    def address(self, kind: Attribute) -> Address | None:
        """The value of an XOR-… attribute; None where it is missing or malformed."""
        value = self.value(kind)
        return None if value is None else read_address(value, self.transaction)

    def unknown(self) -> tuple[int, ...]:
        """The comprehension-required types here that this codec has no name for."""
        return tuple({kind: None for kind, _ in self.attributes if kind < REQUIRED_BELOW and kind not in _KNOWN})

    def error(self) -> tuple[int, str] | None:
        """Code and phrase of ERROR-CODE."""
        value = self.value(Attribute.ERROR_CODE)
        if value is None or len(value) < 4:
            return None
        return (value[2] & 7) * 100 + value[3], value[4:].decode(errors="replace")

    def is_signed_with(self, key: bytes) -> bool:
        """Whether the signature is one of this key. Where both kinds are there the stronger one decides."""
        if self.sha256_at:
            value = self.value(Attribute.MESSAGE_INTEGRITY_SHA256) or b""
            # Section 14.6: it may be truncated, to a multiple of four bytes, 16 at least.
            if not 16 <= len(value) <= _SHA256_BYTES or len(value) % 4:
                return False
            made = _signature(self.data[: self.sha256_at], key, "sha256", len(value))
            return hmac.compare_digest(made[: len(value)], value)
        if self.sha1_at:
            made = _signature(self.data[: self.sha1_at], key, "sha1", _SHA1_BYTES)
            return hmac.compare_digest(made, self.value(Attribute.MESSAGE_INTEGRITY) or b"")
        return False


_KNOWN: Final = frozenset(Attribute)


# ---- messages ------------------------------------------------------------------------------------------------------


def decode(data: bytes) -> Message:
    """The message that `data` is, all of it. Raises `BadMessage`. A FINGERPRINT that is there must be right."""
    if len(data) < HEADER_BYTES:
        raise BadMessage("shorter than a header")
    word, length, magic, transaction = _HEADER.unpack_from(data)
    if word & 0xC000:
        raise BadMessage("the first two bits are not zero")
    if magic != MAGIC:
        raise BadMessage("no magic cookie")
    if length % 4 or length + HEADER_BYTES != len(data):
        raise BadMessage("the length is wrong")
    attributes: list[tuple[int, bytes]] = []
    sha1_at = sha256_at = 0
    at = HEADER_BYTES
    while at < len(data):
        kind, size = _PAIR.unpack_from(data, at)
        begin, end = at + 4, at + 4 + size
        if end > len(data):
            raise BadMessage("an attribute is longer than the message")
        if len(attributes) >= _ATTRIBUTES:
            raise BadMessage("too many attributes")
        if kind == Attribute.FINGERPRINT:
            _demand_fingerprint(data, at, size)
        elif sha256_at or (sha1_at and kind != Attribute.MESSAGE_INTEGRITY_SHA256):
            pass  # after a signature: section 14.5 and 14.6
        else:
            if kind == Attribute.MESSAGE_INTEGRITY:
                if size != _SHA1_BYTES:
                    raise BadMessage("a signature of a wrong size")
                sha1_at = at
            elif kind == Attribute.MESSAGE_INTEGRITY_SHA256:
                sha256_at = at
            attributes.append((kind, data[begin:end]))
        at = end + -size % 4
    return Message(
        method=_method_of(word),
        kind=Kind((word >> 7 & 2) | (word >> 4 & 1)),
        transaction=transaction,
        attributes=tuple(attributes),
        data=data,
        sha1_at=sha1_at,
        sha256_at=sha256_at,
    )


def encode(
    method: int,
    kind: Kind,
    transaction: bytes,
    attributes: "list[tuple[int, bytes]] | tuple[tuple[int, bytes], ...]" = (),
    *,
    key: bytes | None = None,
    sha256: bool = False,
    fingerprint: bool = False,
) -> bytes:
    """The bytes of a message; signed with `key` where there is one, with SHA-256 instead of SHA-1 if so asked."""
    parts = [b""]
    for each, value in attributes:
        parts += _PAIR.pack(each, len(value)), value, bytes(-len(value) % 4)
    body = b"".join(parts)
    head = _HEADER.pack(_word(method, kind), len(body), MAGIC, transaction)
    data = head + body
    if key is not None:
        name, size = ("sha256", _SHA256_BYTES) if sha256 else ("sha1", _SHA1_BYTES)
        signature = _signature(data, key, name, size)
        data = _longer(data, 4 + size)
        data += _PAIR.pack(_SIGNATURES[name], size) + signature
    if fingerprint:
        data = _longer(data, 4 + _CHECKSUM_BYTES)
        checksum = binascii.crc32(data) ^ _FINGERPRINT_MASK
        data += _PAIR.pack(Attribute.FINGERPRINT, _CHECKSUM_BYTES) + checksum.to_bytes(4, "big")
    return data


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of the long-term mechanism (RFC 8489 section 9.2.2, password algorithm MD5)."""
    return md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def is_stun(data: bytes) -> bool:
    """Whether this may be a STUN message: the quick look of who tells protocols on one port apart (RFC 7983)."""
    return len(data) >= HEADER_BYTES and data[0] < 4 and data[4:8] == _MAGIC_BYTES


# ---- values --------------------------------------------------------------------------------------------------------


def read_address(value: bytes, transaction: bytes) -> Address | None:
    """The address in the value of an XOR-… attribute (RFC 8489 section 14.2); None where it is malformed."""
    if len(value) not in (8, 20) or value[1] != (Family.IPV4 if len(value) == 8 else Family.IPV6):
        return None
    port = int.from_bytes(value[2:4], "big") ^ MAGIC >> 16
    mask = _MAGIC_BYTES + transaction
    return _text_of(bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))), port


def write_address(address: Address, transaction: bytes) -> bytes:
    """The value of an XOR-… attribute."""
    host, port = address
    packed = bytes_of(host)
    family = Family.IPV4 if len(packed) == 4 else Family.IPV6
    masked = bytes(a ^ b for a, b in zip(packed, _MAGIC_BYTES + transaction, strict=False))
    return bytes((0, family)) + (port ^ MAGIC >> 16).to_bytes(2, "big") + masked


def write_error(code: int, phrase: str = "") -> bytes:
    """The value of ERROR-CODE."""
    return bytes((0, 0, code // 100, code % 100)) + (phrase or REASONS.get(code, "Error")).encode()


def write_types(kinds: "tuple[int, ...]") -> bytes:
    """The value of UNKNOWN-ATTRIBUTES."""
    return b"".join(kind.to_bytes(2, "big") for kind in kinds)


def family_of(host: str) -> Family:
    """Of an address as text."""
    return Family.IPV6 if ":" in host else Family.IPV4


def bytes_of(host: str) -> bytes:
    """An address as 4 or 16 bytes. Raises `ValueError` for anything else."""
    return ip_address(host).packed


def _text_of(packed: bytes) -> str:
    return str(ip_address(packed))


# ---- bytes ---------------------------------------------------------------------------------------------------------

_SIGNATURES: Final = {"sha1": Attribute.MESSAGE_INTEGRITY, "sha256": Attribute.MESSAGE_INTEGRITY_SHA256}


def _word(method: int, kind: Kind) -> int:
    """Figure 3 of RFC 8489: the method's bits with those of the class between them."""
    spread = (method & 0x00F) | (method & 0x070) << 1 | (method & 0xF80) << 2
    return spread | (kind & 1) << 4 | (kind & 2) << 7


def _method_of(word: int) -> int:
    return (word & 0x000F) | (word & 0x00E0) >> 1 | (word & 0x3E00) >> 2


def _longer(data: bytes, by: int) -> bytes:
    """The message with `by` more in its length, as signatures and checksums count themselves in."""
    length = len(data) - HEADER_BYTES + by
    return data[:2] + length.to_bytes(2, "big") + data[4:]


def _signature(data: bytes, key: bytes, name: str, size: int) -> bytes:
    """Over the message up to the attribute, with a length that ends after it (RFC 8489 section 14.5)."""
    return hmac.digest(key, _longer(data, 4 + size), name)


def _demand_fingerprint(data: bytes, at: int, size: int) -> None:
    """Section 14.7: the last attribute, over everything before it."""
    if size != _CHECKSUM_BYTES or at + 4 + size != len(data):
        raise BadMessage("a fingerprint that is not the last attribute")
    checksum = binascii.crc32(data[:at]) ^ _FINGERPRINT_MASK
    if checksum.to_bytes(4, "big") != data[at + 4 :]:
        raise BadMessage("the fingerprint is wrong")
