"""What is revoked: tokens by their id, a user's tokens issued before a time, all tokens issued before a time.

A revocation is remembered for `age` seconds, which is to be longer than any token lives. At most 100,000 are
remembered; one more is refused (106) rather than an older one forgotten, because a forgotten revocation is a token that
works again. It knows no sessions: who revokes also ends them.
"""

from typing import Final

from wirehop.abc import Clock
from wirehop.core import codes
from wirehop.core.errors import Refused

MAX_REVOCATIONS: Final = 100_000


class Revocations:
    """`clock.wall()` is what tokens' `iat` is compared with."""

    def __init__(self, clock: Clock, age: float, *, most: int = MAX_REVOCATIONS) -> None:
        self._clock = clock
        self._age = age
        self._most = most
        self._ids: dict[str, float] = {}  # token id → when it may be forgotten, in order
        self._users: dict[str, tuple[float, float]] = {}  # user → (before, when it may be forgotten), in order
        self._before = 0.0

    def __len__(self) -> int:
        return len(self._ids) + len(self._users)

    def revoke_id(self, token_id: str) -> None:
        """The token with this id. Raises `Refused` (106) where no more can be remembered."""
        self._make_room(token_id in self._ids)
        self._ids.pop(token_id, None)
        self._ids[token_id] = self._clock.wall() + self._age

    def revoke_user(self, user: str, before: float) -> None:
        """The user's tokens issued before this Unix time. Raises `Refused` (106)."""
        self._make_room(user in self._users)
        known, _ = self._users.pop(user, (0.0, 0.0))
        self._users[user] = (max(known, before), self._clock.wall() + self._age)

    def revoke_before(self, before: float) -> None:
        """All tokens issued before this Unix time. Never forgotten, and never taken back."""
        self._before = max(self._before, before)

    def covers(self, user: str, token_id: str, issued_at: float) -> bool:
        """Whether such a token is revoked. One without `iat` counts as the oldest; one issued in the very second of a
        revocation counts as before it, because `iat` has no finer grain."""
        if issued_at <= self._before and self._before:
            return True
        if token_id and token_id in self._ids:
            return True
        before, _ = self._users.get(user, (0.0, 0.0)) if user else (0.0, 0.0)
        return bool(before) and issued_at <= before

    def _make_room(self, is_known: bool) -> None:
        if is_known or len(self) < self._most:
            return
        now = self._clock.wall()
        while self._ids and self._ids[next(iter(self._ids))] <= now:
            del self._ids[next(iter(self._ids))]
        while self._users and self._users[next(iter(self._users))][1] <= now:
            del self._users[next(iter(self._users))]
        if len(self) >= self._most:
            raise Refused(
                codes.LIMIT_EXCEEDED, f"{self._most} revocations are remembered; revoke before a time instead"
            )
