"""Nonces that need no memory: the time they were made at, and a proof that this server made them for that address.

    nonce = seconds (8 hex digits) + first 16 hex digits of HMAC-SHA256(key, seconds, host, port)

RFC 8489 section 9.2 lets a server choose them so; a captured one is of no use from another address, and of none to
anybody once it is old. It knows a key and the time it is told.
"""

import hmac
from typing import Final

from wirehop.rtc.pure.stun import Address

_TIME: Final = 8
_PROOF: Final = 16


class Nonces:
    """Nonces of one server. `key`: at least 16 random bytes; `age`: how many seconds one is good."""

    __slots__ = ("_age", "_key")

    def __init__(self, key: bytes, *, age: float = 3600.0) -> None:
        self._key = key
        self._age = age

    def make(self, source: Address, now: float) -> bytes:
        """One for requests from that address."""
        begin = b"%08x" % (int(now) & 0xFFFFFFFF)
        return begin + self._proof(begin, source)

    def is_good(self, nonce: bytes, source: Address, now: float) -> bool:
        """Whether it was made here for that address, and is not old."""
        begin = nonce[:_TIME]
        if len(nonce) != _TIME + _PROOF or not hmac.compare_digest(nonce[_TIME:], self._proof(begin, source)):
            return False
        return 0 <= now - int(begin, 16) <= self._age

    def _proof(self, begin: bytes, source: Address) -> bytes:
        text = begin + f"|{source[0]}|{source[1]}".encode()
        return hmac.digest(self._key, text, "sha256").hex()[:_PROOF].encode()
