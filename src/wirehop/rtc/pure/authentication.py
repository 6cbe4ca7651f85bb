"""Who may ask a TURN server for something: the long-term mechanism of RFC 8489 (section 9.2) over time-limited
credentials. It keeps nothing of anybody. It knows one secret and the time it is told; not what is asked for.

    no signature                       401  credentials.missing, with a nonce: every conversation begins so
    a signature without its parts      400  credentials.incomplete
    a nonce that is old or foreign     438  nonce.stale, with a new one
    a username of another form         401  credentials.malformed
    a signature of another password    401  credentials.forged
    past its expiry                    401  credentials.expired, unless it goes on with an allocation that it has
"""

from msgspec import Struct

from wirehop.rtc.pure.credentials import expiry_of, password_of, user_of
from wirehop.rtc.pure.nonces import Nonces
from wirehop.rtc.pure.stun import Address, Attribute, Message, long_term_key


class Denied(Exception):
    """A request is answered with the error `code`, by the rule of that name. `is_stranger`: whoever sent it has not
    shown who they are, so the answer counts as one to a stranger and cannot be signed."""

    def __init__(
        self,
        code: int,
        rule: str,
        text: str = "",
        *,
        attributes: tuple[tuple[int, bytes], ...] = (),
        is_stranger: bool = False,
    ) -> None:
        super().__init__(text or rule)
        self.code = code
        self.rule = rule
        self.text = text
        self.attributes = attributes
        self.is_stranger = is_stranger


class Identity(Struct, frozen=True, gc=False):
    """Whoever signed a request. Answers are signed with the same key, by the same algorithm."""

    username: str
    user: str
    key: bytes
    sha256: bool


class Authentication:
    """Credentials of one secret and one realm."""

    __slots__ = ("_nonces", "_realm", "_secret")

    def __init__(self, secret: str, realm: str, nonces: Nonces) -> None:
        self._secret = secret
        self._realm = realm
        self._nonces = nonces

    def identify(self, message: Message, source: Address, *, now: float, wall: float, holder: str = "") -> Identity:
        """Who signed the request. Raises `Denied`. `holder` is the username of the allocation that it goes on with:
        that one may be past its expiry, as a call does not end because a credential does."""
        if not message.is_signed:
            raise self._again(401, "credentials.missing", source, now)
        username, realm = message.text(Attribute.USERNAME), message.text(Attribute.REALM)
        nonce = message.value(Attribute.NONCE)
        if username is None or realm is None or nonce is None:
            raise Denied(400, "credentials.incomplete", "USERNAME, REALM or NONCE is missing", is_stranger=True)
        if not self._nonces.is_good(nonce, source, now):
            raise self._again(438, "nonce.stale", source, now)
        expiry = expiry_of(username)
        if expiry is None or realm != self._realm:
            raise self._again(
                401, "credentials.malformed", source, now, "the username is not expiry:user of this realm"
            )
        key = long_term_key(username, self._realm, password_of(self._secret, username))
        if not message.is_signed_with(key):
            raise self._again(401, "credentials.forged", source, now, "the password is not that of the username")
        if expiry < wall and username != holder:
            raise self._again(401, "credentials.expired", source, now, f"{wall - expiry:.0f} s ago")
        return Identity(username, user_of(username), key, bool(message.sha256_at))

    def _again(self, code: int, rule: str, source: Address, now: float, text: str = "") -> Denied:
        """An error that tells the client what to sign with."""
        attributes = (
            (int(Attribute.REALM), self._realm.encode()),
            (int(Attribute.NONCE), self._nonces.make(source, now)),
        )
        return Denied(code, rule, text, attributes=attributes, is_stranger=True)
