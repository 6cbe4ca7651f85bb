"""While a session has no wire: what it is subscribed to, what of that has ended, and when it or one of them expires."""

from msgspec import Struct

from wirehop.core.codes import Code
from wirehop.core.effects import Grant


class Kept(Struct, frozen=True):
    """A subscription, as it waits for a wire. `wants_joins`: the client is told of joins and leaves. `number` is the
    command's that it began with (0: the server's). Not `is_open`: the client asks for it again, and has not left its
    presence meanwhile."""

    grant: Grant
    is_by_server: bool
    wants_joins: bool
    expires_at: float | None
    number: int = 0
    is_open: bool = True


class Absence:
    """`kept` are the subscriptions by channel, `ended` the codes of those that are over; `expires_at` is the session's
    own end (None: never)."""

    __slots__ = ("ended", "expires_at", "kept")

    def __init__(self, kept: dict[str, Kept], *, expires_at: float | None = None) -> None:
        self.kept = kept
        self.ended: dict[str, int] = {}
        self.expires_at = expires_at

    def deadline(self, grace: float) -> float | None:
        """When the first of them expires; each may be refreshed `grace` seconds longer."""
        ends = [self.expires_at, *(each.expires_at for each in self.kept.values())]
        return min((at + grace for at in ends if at is not None), default=None)

    def has_expired(self, now: float, grace: float) -> bool:
        """Whether the session itself is over."""
        return self.expires_at is not None and now >= self.expires_at + grace

    def expired(self, now: float, grace: float) -> list[str]:
        """Channels whose subscriptions are over."""
        found = self.kept.items()
        return [channel for channel, each in found if each.expires_at is not None and now >= each.expires_at + grace]

    def unsubscribe(self, channel: str, code: Code) -> Kept | None:
        """One of them is over; the client hears of it when it comes back. None: there is no such."""
        kept = self.kept.pop(channel, None)
        if kept is not None:
            self.ended[channel] = code.number
        return kept
