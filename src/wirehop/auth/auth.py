"""What a node asks about tokens: one object that joins keys, revocations, tickets and the application.

It maps what is wrong with a token to the code that tells a client what to do: 109 where a newer token would do, 3500
or 103 where none like it will. It knows no sessions, no sockets and no channels beyond their names.
"""

import logging

from wirehop.abc import Clock, Ids
from wirehop.auth.asking import Asking
from wirehop.auth.revocations import Revocations
from wirehop.auth.tickets import Tickets
from wirehop.auth.tokens import BadToken, ChannelGrant, ConnectionToken, Tokens
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.errors import Refused
from wirehop.settings import tree

log = logging.getLogger("wirehop.auth")


class Auth:
    """`tokens` and `asking` are None where they are not set up."""

    def __init__(self, settings: tree.Auth, clock: Clock, ids: Ids) -> None:
        self.settings = settings
        self._clock = clock
        self.tokens = Tokens(settings, clock) if settings.secrets or settings.keys else None
        self.asking = Asking(settings, clock) if settings.ask_url else None
        self.revocations = Revocations(clock, settings.revocation_age)
        self.tickets = Tickets(clock, ids, age=settings.ticket_age, stream_age=settings.stream_ticket_age)

    @property
    def needs_credentials(self) -> bool:
        """Whether somebody without any is turned away."""
        is_set_up = self.tokens is not None or "connect" in self.settings.ask_about
        return is_set_up and not self.settings.anonymous

    @property
    def may_wait(self) -> bool:
        """Whether checking something may have to wait for the network."""
        return bool(self.settings.keys) or self.asking is not None

    def asks_about(self, action: str) -> bool:
        """Whether the application decides this action (connect, refresh, sub_refresh)."""
        return self.asking is not None and action in self.settings.ask_about

    async def connection(self, token: str) -> ConnectionToken:
        """What a connection token says. Raises `Refused`: 109 expired, 3500 not good."""
        assert self.tokens is not None
        try:
            found = await self.tokens.connection(token)
        except BadToken as error:
            raise _refused(error, codes.INVALID_TOKEN) from None
        return self.still_good(found)

    def still_good(self, token: ConnectionToken) -> ConnectionToken:
        """The same token, unless it has been revoked or its session's time is over. Raises `Refused`."""
        if self.revocations.covers(token.user, token.token_id, token.issued_at):
            raise Refused(codes.INVALID_TOKEN, "the token was revoked")
        if token.expires_at and self._clock.wall() >= token.expires_at + self.settings.leeway:
            raise Refused(codes.TOKEN_EXPIRED)
        return token

    async def subscription(self, token: str, channel: str, user: str) -> ChannelGrant:
        """What a subscription token grants. Raises `Refused`: 109 expired, 103 not good or not for them."""
        if self.tokens is None:
            raise Refused(codes.PERMISSION_DENIED, "no tokens are checked here")
        try:
            grant = await self.tokens.subscription(token, channel, user)
        except BadToken as error:
            raise _refused(error, codes.PERMISSION_DENIED) from None
        if self.revocations.covers(user, grant.token_id, grant.issued_at):
            raise Refused(codes.PERMISSION_DENIED, "the token was revoked")
        return grant

    def remaining(self, expires_at: float) -> float:
        """Seconds until this Unix time, at least one; 0 where it never comes."""
        return max(1.0, expires_at - self._clock.wall()) if expires_at else 0.0

    def close(self) -> None:
        """Let connections go."""
        for each in (self.tokens, self.asking):
            if each is not None:
                each.close()


def _refused(error: BadToken, code: Code) -> Refused:
    # why is for the log: a stranger learns only that it is not good
    log.info("a token was refused: %s", error.reason)
    return Refused(codes.TOKEN_EXPIRED if error.is_expired else code)
