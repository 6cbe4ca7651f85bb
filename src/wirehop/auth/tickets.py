"""Tickets: what stands in a URL in the place of a token, where a browser can send no header.

A ticket is 128 random bits that stand for a token which was checked; here only their hash is kept. A `stream` ticket
reads, in the channels it is bound to, again and again until it expires (an EventSource reconnects with the same URL); a
newer use ends the older. A `websocket` or `jsonp` ticket is good for one use. Each ends with its token at the latest,
and a ticket of a revoked token is none. They live in the process that gave them.
"""

from hashlib import blake2b
from typing import Final, Literal

from msgspec import Struct

from wirehop.abc import Action, Clock, Ids
from wirehop.auth.tokens import ConnectionToken

MAX_TICKETS: Final = 100_000
"""Tickets that wait; one more pushes out the oldest, whose holder asks for a new one."""
MAX_PER_USER: Final = 64
"""Tickets of one user with a name; one more pushes out that user's oldest, so that nobody pushes out all others."""

TicketUse = Literal["stream", "websocket", "jsonp"]


class Ticket(Struct):
    """`channels`: those it is bound to; empty is all that its token may. `holder` is the session that uses it now, ""
    for none; it changes with each use of a `stream` ticket."""

    use: TicketUse
    token: ConnectionToken
    channels: frozenset[str]
    expires_at: float
    holder: str = ""

    def allows(self, action: Action, channel: str) -> bool:
        """Whether the ticket leaves that open; the token's own rights are asked besides."""
        if self.use == "stream" and action == "publish":
            return False
        return not self.channels or channel in self.channels

    @property
    def may_command(self) -> bool:
        """Whether its session may do more than read: rpc and send."""
        return self.use != "stream"


class Tickets:
    """The tickets of a node. Times are Unix times, as tokens' are."""

    def __init__(
        self,
        clock: Clock,
        ids: Ids,
        *,
        age: float,
        stream_age: float,
        most: int = MAX_TICKETS,
        per_user: int = MAX_PER_USER,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._ages: dict[TicketUse, float] = {"stream": stream_age, "websocket": age, "jsonp": age}
        self._most = most
        self._per_user = per_user
        self._tickets: dict[bytes, Ticket] = {}
        self._of_user: dict[str, dict[bytes, None]] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def issue(self, use: TicketUse, token: ConnectionToken, channels: frozenset[str]) -> tuple[str, float]:
        """A new ticket, and for how many seconds it is good."""
        now = self._clock.wall()
        age = self._ages[use]
        if token.expires_at:
            age = min(age, max(0.0, token.expires_at - now))
        text = self._ids.new()
        key = _hashed(text)
        own = self._of_user.setdefault(token.user, {})
        if token.user and len(own) >= self._per_user:
            self._drop(next(iter(own)))
        elif len(self._tickets) >= self._most:
            self._drop(next(iter(self._tickets)))
        self._tickets[key] = Ticket(use, token, channels, now + age)
        self._of_user.setdefault(token.user, {})[key] = None
        return text, age

    def redeem(self, text: str, use: TicketUse) -> Ticket | None:
        """The ticket, if it is good for this use; one for one use is used up by it, whatever becomes of the use."""
        key = _hashed(text)
        ticket = self._tickets.get(key)
        if ticket is None or ticket.use != use:
            return None
        if ticket.expires_at <= self._clock.wall():
            self._forget(key)
            return None
        if use != "stream":
            self._forget(key)
        return ticket

    def _drop(self, key: bytes) -> None:
        if self._tickets[key].expires_at > self._clock.wall():
            self.dropped += 1
        self._forget(key)

    def _forget(self, key: bytes) -> None:
        user = self._tickets.pop(key).token.user
        own = self._of_user[user]
        del own[key]
        if not own:
            del self._of_user[user]


def _hashed(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
