"""Session tokens: what a client shows on a new wire to say which conversation it goes on with.

Each wire is given a fresh one with its connect result, and a number, `attach`. A token is good from its issue; it is
*proven* when it is shown, or when its number is named. That retires those issued before it: the client has a newer
one. Those issued after it stay good, because a proof may arrive late (the confirming ping of a wire, when the client
has already opened the next one with that wire's token): the newest must not be taken from a client that holds it.

At most the proven one and the four newest are known. Only hashes are kept, and compared in constant time.
"""

import hmac
from hashlib import sha256

MOST = 4
"""Issued and not proven, at a time."""


def hashed(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()[:16]


class Handles:
    """The tokens of one session. `attach` is the number of the last one that was issued."""

    __slots__ = ("_known", "attach", "proven")

    def __init__(self) -> None:
        self.attach = 0
        self.proven = 0  # its number; 0: none yet
        self._known: tuple[tuple[int, bytes], ...] = ()

    def issue(self, token: str) -> int:
        """Remember a fresh token; its number."""
        return self._issue(hashed(token))

    def _issue(self, digest: bytes) -> int:
        self.attach += 1
        known = (*self._known, (self.attach, digest))
        unproven = [number for number, _ in known if number != self.proven]
        dropped = unproven[:-MOST]
        self._known = tuple(each for each in known if each[0] not in dropped) if dropped else known
        return self.attach

    @property
    def known(self) -> tuple[tuple[int, bytes], ...]:
        """The hashes of the tokens that are good, by number."""
        return self._known

    def remember(self, digest: bytes) -> int:
        """A token that another node has made; its number."""
        return self._issue(digest)

    def adopt(self, known: tuple[tuple[int, bytes], ...], proven: int) -> None:
        """Take over what another node knew of them."""
        self._known, self.proven = known, proven
        self.attach = max([self.attach, *(number for number, _ in known)])

    def shown(self, token: str) -> bool:
        """Whether the token is this session's and still good; then it is proven by that."""
        digest, found = hashed(token), 0
        for number, known in self._known:
            if hmac.compare_digest(known, digest):
                found = number
        return bool(found) and self.prove(found)

    def prove(self, number: int) -> bool:
        """The client named this number, so it has its token. False for one that is not known (any more)."""
        if not any(number == each for each, _ in self._known):
            return False
        if self.proven != number:
            self.proven = number
            self._known = tuple(each for each in self._known if each[0] >= number)
        return True
