"""One channel of one session: asked for, granted, open, ended.

It turns what its slot does into what the session says: the subscribe reply, publications that were missed, the end.
It knows the session's command only by its id, and nothing of other subscriptions.

    ASKED ─granted→ OPENING ─started→ OPEN;  any ─ended→ ENDED
"""

from enum import Enum, auto

from msgspec import structs

from wirehop.core.effects import Grant
from wirehop.core.messages import Position, SubscribeRequest, SubscribeResult
from wirehop.core.replies import seconds_left
from wirehop.core.slot import Slot, Started
from wirehop.core.table import Table

FLAG_ERROR_ON_UNRECOVERABLE = 2
"""Bit in `SubscribeRequest.flag`: answer 112 where recovery is impossible."""


class SubscriptionState(Enum):
    ASKED = auto()
    OPENING = auto()
    OPEN = auto()
    ENDED = auto()


class SubscriptionInput(Enum):
    GRANT = auto()
    START = auto()
    END = auto()


_S, _I = SubscriptionState, SubscriptionInput
SUBSCRIPTION_TABLE: Table[SubscriptionState, SubscriptionInput] = Table(
    "subscription",
    {
        (_S.ASKED, _I.GRANT): (_S.OPENING,),
        (_S.ASKED, _I.END): (_S.ENDED,),
        (_S.OPENING, _I.START): (_S.OPEN,),
        (_S.OPENING, _I.END): (_S.ENDED,),
        (_S.OPEN, _I.END): (_S.ENDED,),
        (_S.ENDED, _I.END): (_S.ENDED,),
    },
)


def _reaches_back(earliest: Position, since: Position) -> bool:
    """Whether a right to read from `earliest` on covers a recovery from `since`."""
    return since.epoch == earliest.epoch and since.offset >= earliest.offset


class Subscription:
    """`command_id` is the id to answer while it opens (0 where the server subscribes: `is_by_server`); `read` the
    number of the history call that is open, 0 if none; `expires_at` when it ends unless it is refreshed."""

    __slots__ = (
        "_request",
        "channel",
        "command_id",
        "expires_at",
        "grant",
        "is_by_server",
        "is_in",
        "read",
        "slot",
        "state",
        "wants_joins",
    )

    def __init__(self, request: SubscribeRequest, command_id: int, *, is_by_server: bool = False) -> None:
        self.channel = request.channel
        self.command_id = command_id
        self.is_by_server = is_by_server
        self.is_in = False  # whether the session is in the channel's presence by it
        self.state = SubscriptionState.ASKED
        self.grant: Grant | None = None
        self.slot: Slot | None = None
        self.read = 0
        self.expires_at: float | None = None
        self.wants_joins = is_by_server or request.join_leave
        self._request: SubscribeRequest | None = request

    def granted(self, grant: Grant) -> Slot:
        """The right is there: the slot to attach and start."""
        SUBSCRIPTION_TABLE.enter(self.state, SubscriptionInput.GRANT)
        self.state = SubscriptionState.OPENING
        self.grant = grant
        request = self._request
        since = Position(request.epoch, request.offset) if request is not None and request.recover else None
        if since is not None and grant.since is not None and not _reaches_back(grant.since, since):
            since = Position("", 0)  # recovery must say that it did not happen, not be skipped
        self.slot = Slot(self.channel, grant.delivery, since=since)
        return self.slot

    @property
    def is_awaited(self) -> bool:
        """Whether it only stands for one that the client will ask for again."""
        return self.slot is None and self.grant is not None

    @property
    def watches(self) -> bool:
        """Whether joins and leaves are told to this subscriber."""
        return self.wants_joins and self.grant is not None and self.grant.join_leave

    def started(self, started: Started) -> SubscribeResult | None:
        """The subscribe result; None where the client wants an error instead of an incomplete recovery."""
        SUBSCRIPTION_TABLE.enter(self.state, SubscriptionInput.START)
        request, grant = self._request, self.grant
        assert request is not None
        assert grant is not None
        if request.recover and not started.recovered and request.flag & FLAG_ERROR_ON_UNRECOVERABLE:
            return None
        self.state = SubscriptionState.OPEN
        self._request = None  # not needed any more: an idle subscription is small
        if grant.data is not None:
            self.grant = structs.replace(grant, data=None)
        has_positions = grant.delivery != "signal"
        result = SubscribeResult(
            recoverable=has_positions,
            positioned=has_positions,
            epoch=started.position.epoch,
            offset=started.position.offset,
            recovered=started.recovered,
            was_recovering=request.recover,
            publications=started.publications,
            expires=grant.ttl > 0,
            ttl=seconds_left(grant.ttl),
        )
        if grant.data is not None:
            result = structs.replace(result, data=grant.data)
        return result

    def end(self) -> None:
        """Nothing is sent for it any more."""
        self.state = SubscriptionState.ENDED
        self._request = None
        if self.slot is not None:
            self.slot.stop()
