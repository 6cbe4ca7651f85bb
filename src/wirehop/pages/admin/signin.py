"""Who is signed in to the admin page: one password, random tokens, and a limit on wrong guesses.

Each sign-in has two tokens: one in a cookie that scripts cannot read, for the page's requests; and one that the page
gives with `connect`, for a session that may do everything. Both are kept as hashes and end together. It knows the
clock, and nothing of HTTP.
"""

import hmac
import secrets
from collections import OrderedDict
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from wirehop.abc import Clock
from wirehop.node.effects import VOUCHED

MOST_SIGN_INS = 100
"""Sign-ins at a time; one more ends the oldest."""
MOST_CLIENTS = 100
"""Sessions that one sign-in is remembered for, to end them with it."""
MOST_ADDRESSES = 1_000
"""Addresses whose wrong guesses are counted."""
GUESSES = 5
"""Wrong guesses of one address within `GUESS_SECONDS`."""
ALL_GUESSES = 100
"""Wrong guesses of all addresses within `GUESS_SECONDS`."""
GUESS_SECONDS = 60.0


class SignIn:
    """One sign-in. `until` is monotonic seconds; `pass_token` is known to the page only."""

    __slots__ = ("clients", "pass_token", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.pass_token = VOUCHED + secrets.token_urlsafe(24)
        self.clients: OrderedDict[str, None] = OrderedDict()


class SignIns:
    """All sign-ins of a node. Without a password everybody is signed in: that is development."""

    def __init__(self, password: str, clock: Clock, *, seconds: float) -> None:
        self._password = sha256(password.encode()).digest() if password else b""
        self._clock = clock
        self._seconds = seconds
        self._by_cookie: OrderedDict[bytes, SignIn] = OrderedDict()
        self._everybody = None if password else SignIn(float("inf"))
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._all_wrong: list[float] = []

    @property
    def is_open(self) -> bool:
        """Whether no password is asked for."""
        return self._everybody is not None

    def wait_of(self, address: str) -> float:
        """Seconds until this address may guess again; 0: now."""
        since = self._clock.now() - GUESS_SECONDS
        self._all_wrong = [at for at in self._all_wrong if at > since]
        own = [at for at in self._wrong.get(_of(address), ()) if at > since]
        waits = [0.0]
        if len(own) >= GUESSES:
            waits.append(own[-GUESSES] - since)
        if len(self._all_wrong) >= ALL_GUESSES:
            waits.append(self._all_wrong[-ALL_GUESSES] - since)
        return max(waits)

    def sign_in(self, password: str, address: str) -> tuple[str, SignIn] | None:
        """The cookie's token and the sign-in; None for a wrong password. Ask `wait_of` first."""
        now = self._clock.now()
        if not hmac.compare_digest(sha256(password.encode()).digest(), self._password):
            self._guessed_wrong(_of(address), now)
            return None
        token = secrets.token_urlsafe(24)
        sign_in = self._by_cookie[_hashed(token)] = SignIn(now + self._seconds)
        while len(self._by_cookie) > MOST_SIGN_INS:
            self._by_cookie.popitem(last=False)
        return token, sign_in

    def find(self, cookie: str) -> SignIn | None:
        """The sign-in of a cookie's token, if it has not ended."""
        if self._everybody is not None:
            return self._everybody
        sign_in = self._by_cookie.get(_hashed(cookie)) if cookie else None
        return sign_in if sign_in is not None and sign_in.until > self._clock.now() else None

    def sign_out(self, cookie: str) -> list[str]:
        """End it; the clients that came with its pass."""
        sign_in = self._by_cookie.pop(_hashed(cookie), None)
        return [] if sign_in is None else list(sign_in.clients)

    def vouch(self, token: str, client: str) -> float | None:
        """`node.Vouch`: the seconds for which the holder of a connect token may do everything (0: without end)."""
        if self._everybody is not None:
            return 0.0 if hmac.compare_digest(self._everybody.pass_token.encode(), token.encode()) else None
        now = self._clock.now()
        for sign_in in self._by_cookie.values():
            if sign_in.until > now and hmac.compare_digest(sign_in.pass_token.encode(), token.encode()):
                sign_in.clients[client] = None
                if len(sign_in.clients) > MOST_CLIENTS:
                    sign_in.clients.popitem(last=False)
                return sign_in.until - now
        return None

    def _guessed_wrong(self, who: str, now: float) -> None:
        self._all_wrong.append(now)
        own = self._wrong.setdefault(who, [])
        own.append(now)
        del own[:-GUESSES]
        self._wrong.move_to_end(who)
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)


def _hashed(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _of(address: str) -> str:
    """Whom an address stands for: a whole /64 in IPv6, where one person has that many."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(int(parsed) >> 64) if isinstance(parsed, IPv6Address) else address
