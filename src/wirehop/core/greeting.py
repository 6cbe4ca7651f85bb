"""What a connect result is made of, while it is awaited: the positions that the client stated, and who it is."""

from msgspec import UNSET, Struct

from wirehop.core.effects import Admitted
from wirehop.core.messages import ConnectResult, ConnectWh, SubscribeRequest, SubscribeResult, Wh
from wirehop.core.replies import seconds_left
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
        self, terms: Terms, *, client: str, secret: str, subs: dict[str, SubscribeResult], wh: ConnectWh | None
    ) -> ConnectResult:
        """The result of the connect command."""
        admitted, heartbeat = self.admitted, terms.heartbeat
        assert admitted is not None
        return ConnectResult(
            client=client,
            version=terms.version,
            data=UNSET if admitted.data is None else admitted.data,
            expires=admitted.ttl > 0,
            ttl=seconds_left(admitted.ttl),
            subs=subs,
            ping=0 if heartbeat is None else max(1, round(heartbeat.interval)),
            pong=heartbeat is not None and heartbeat.wants_pong,
            session=secret,
            node=terms.node if secret else "",
            wh=wh,
        )
