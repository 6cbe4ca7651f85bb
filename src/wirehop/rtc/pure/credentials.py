"""Time-limited credentials for TURN: `expiry:user`, and a password that whoever has the secret can make.

    username = 1798761600:anna
    password = base64(HMAC-SHA1(secret, username))

That is how TURN servers do it (draft-uberti-behave-turn-rest-00, section 2.2): coturn takes the same credentials with
`use-auth-secret` and the same `static-auth-secret`. Nothing is stored; a credential ends by itself. It knows texts and
seconds since 1970. It does not know who may have one.
"""

import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

from msgspec import Struct

USERNAME_BYTES: Final = 508
"""RFC 8489 section 14.3: a username is shorter than 509 bytes."""

_PLAIN: Final = re.compile(r"[!-~]{1,128}")
_EXPIRY: Final = re.compile(r"[0-9]{1,15}")


class Credential(Struct, frozen=True):
    """What one participant signs in with at a TURN server, until `expires` (seconds since 1970)."""

    username: str
    password: str
    expires: int


def credential(secret: str, user: str, *, now: float, age: float) -> Credential:
    """A credential of `user` that ends `age` seconds from `now`. Users whose name cannot travel (empty, long, or not
    plain ASCII, for which the implementations differ) appear as a digest of it."""
    name = user if _PLAIN.fullmatch(user) else urlsafe_b64encode(sha256(user.encode()).digest()[:18]).decode()
    expires = int(now + age)
    username = f"{expires}:{name}"
    return Credential(username, password_of(secret, username), expires)


def password_of(secret: str, username: str) -> str:
    """The password that belongs to a username, whoever made it up."""
    return b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def expiry_of(username: str) -> int | None:
    """When it ends; None where it is not of this form."""
    expiry, colon, user = username.partition(":")
    return int(expiry) if colon and user and _EXPIRY.fullmatch(expiry) else None


def user_of(username: str) -> str:
    """Whose quota it counts against: the same for all credentials of one user."""
    return username.partition(":")[2]
