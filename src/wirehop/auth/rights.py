"""What one session may do beyond what its namespaces leave open: by its token, its ticket, and its subscriptions.

It holds what was granted and answers questions about it; who grants is `tokens` and the application. A grant of one
subscription lives no longer than that: whoever asks says which channels the session has.
"""

from collections.abc import Container

from wirehop.abc import Action
from wirehop.auth.tickets import Ticket
from wirehop.auth.tokens import ChannelGrant, ConnectionToken


class SpentTicket:
    """Stands for a ticket that was used, has expired, or never was: whoever brings one is refused."""


SPENT = SpentTicket()
Credential = str | Ticket | SpentTicket
"""What a wire brought with it: a token (of a header or a cookie; "" for none), or a ticket."""


class Rights:
    """`token` is None for sessions without one; `channels` holds the grants of single subscriptions, at most as many as
    a session may have subscriptions."""

    __slots__ = ("channels", "ticket", "token")

    def __init__(self, token: ConnectionToken | None = None, ticket: Ticket | None = None) -> None:
        self.token = token
        self.ticket = ticket
        self.channels: dict[str, ChannelGrant] | None = None

    def allows(self, action: Action, channel: str) -> bool:
        """Whether the ticket, where there is one, leaves that open."""
        return self.ticket is None or self.ticket.allows(action, channel)

    def grants(self, action: Action, channel: str, subscribed: Container[str]) -> bool:
        """Whether a token or the application granted that."""
        grant = self.grant(channel, subscribed)
        if grant is not None and action in grant.actions:
            return True
        return self.token is not None and self.token.grants(action, channel)

    def grant(self, channel: str, subscribed: Container[str]) -> ChannelGrant | None:
        """What the session's own subscription to the channel was granted."""
        if self.channels is None or channel not in subscribed:
            return None
        return self.channels.get(channel)

    def keep(self, channel: str, grant: ChannelGrant, subscribed: Container[str]) -> None:
        """The subscription to the channel was granted this; grants of subscriptions that are over are let go."""
        kept = {name: held for name, held in (self.channels or {}).items() if name in subscribed}
        self.channels = {**kept, channel: grant}

    def drop(self, channel: str) -> None:
        """The subscription to the channel is asked for anew: nothing is left of the old one's."""
        if self.channels is not None:
            self.channels.pop(channel, None)
