"""What a connect result is made of, while it is awaited: the positions that the client stated, and who it is; and what
the session begins with by that."""

from msgspec import UNSET, Struct
from msgspec.structs import replace

from wirehop.core import codes
from wirehop.core.absence import Kept
from wirehop.core.effects import Admitted, Grant
from wirehop.core.membership import Membership
from wirehop.core.messages import ConnectResult, ConnectWh, Stated, SubscribeRequest, SubscribeResult, Wh
from wirehop.core.replies import seconds_left
from wirehop.core.resumable import Resumable
from wirehop.core.subscription_host import Opening
from wirehop.core.terms import Terms


class Greeting(Struct):
    """`positions` are those of subscriptions that the server made, by channel; `command_id` is the connect's. `wh` is
    what the client said of a session that moves; where it is resumed (`is_resumed`), `token` is its fresh token and
    `ended` holds the codes of subscriptions that do not go on."""

    command_id: int
    positions: dict[str, SubscribeRequest]
    wh: Wh | None = None
    admitted: Admitted | None = None
    is_resumed: bool = False
    token: str = ""
    ended: dict[str, int] = {}

    def result(
        self,
        terms: Terms,
        *,
        client: str,
        secret: str,
        subs: dict[str, SubscribeResult],
        membership: Membership | None,
    ) -> ConnectResult:
        """The result of the connect command. `membership`: of a session that moves."""
        admitted, heartbeat = self.admitted, terms.heartbeat
        assert admitted is not None
        return ConnectResult(
            client=client,
            version=terms.version,
            data=UNSET if admitted.data is None else admitted.data,
            expires=admitted.ttl > 0,
            ttl=seconds_left(admitted.ttl),
            subs={} if self.is_resumed else subs,
            ping=0 if heartbeat is None else max(1, round(heartbeat.interval)),
            pong=heartbeat is not None and heartbeat.wants_pong,
            session=secret,
            node=terms.node if secret else "",
            wh=None if membership is None else self._about_session(membership, terms, subs),
        )

    def _about_session(self, membership: Membership, terms: Terms, subs: dict[str, SubscribeResult]) -> ConnectWh:
        return ConnectWh(
            next=membership.resumable.numbers.next,
            limit=terms.limits.pending_commands,
            attach=membership.wire,
            token=self.token,
            window=terms.window,
            resumed=self.is_resumed,
            subs=subs if self.is_resumed else {},
            ended=self.ended,
            keep=terms.keep,
            wires=terms.wires,
        )

    def openings(self, grants: dict[str, Grant], resumable: Resumable | None, now: float) -> list[Opening]:
        """What the session begins with: what the server grants, and where it is resumed what goes on."""
        openings = []
        kept = resumable.kept() if self.is_resumed and resumable is not None else {}
        for channel, grant in grants.items():
            if channel not in kept:
                known = self.positions.get(channel, SubscribeRequest())
                request = SubscribeRequest(channel, recover=known.recover, epoch=known.epoch, offset=known.offset)
                openings.append(Opening(grant, request))
        if not self.is_resumed or resumable is None:
            return openings
        stated = (self.wh.positions if self.wh is not None else None) or {}
        was_ended, ended = resumable.ended, {}
        for channel in stated:
            if not (channel in kept and kept[channel].is_open) and channel not in grants:
                ended[channel] = was_ended.get(channel, codes.INSUFFICIENT_STATE.number)
        self.ended = ended
        for channel, held in kept.items():
            if held.is_open and (channel in stated or held.is_by_server):
                openings.append(_going_on(channel, held, stated.get(channel), now))
        return openings


def _going_on(channel: str, held: Kept, stated: Stated | None, now: float) -> Opening:
    """A subscription of a resumed session, from where its client stands. One that the server made and the client does
    not name begins anew."""
    epoch, offset = (stated.epoch, stated.offset) if stated is not None else ("", 0)
    request = SubscribeRequest(
        channel, recover=bool(epoch), epoch=epoch, offset=offset, join_leave=held.wants_joins and not held.is_by_server
    )
    ttl = 0.0 if held.expires_at is None else max(held.expires_at - now, 0.001)
    return Opening(replace(held.grant, ttl=ttl), request, held.is_by_server)
