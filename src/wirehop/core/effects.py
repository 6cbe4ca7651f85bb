"""What a session machine asks of the world, and what it tells it.

`Call`s carry a number and are answered by `Session.answer(number, …)`; a number that is no longer open is ignored. All
other outputs are told once and need no answer. They are values; the node executes them.
"""

from msgspec import Raw, Struct

from wirehop.core.codes import Code
from wirehop.core.messages import (
    ClientInfo,
    ConnectRequest,
    HistoryRequest,
    Position,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    PublishRequest,
    Reply,
    SubscribeRequest,
)
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import Slot

# ---- calls and their answers ---------------------------------------------------------------------------------------


class Authenticate(Struct, frozen=True):
    """Who is this? Answer: `Admitted` or `Failure`."""

    request: ConnectRequest


class Admitted(Struct, frozen=True):
    """`user` is empty for anonymous; `info` is what others see; `data` goes back in the connect result. The session
    expires after `ttl` seconds (0: never). `subs` are the channels that the server subscribes the session to."""

    user: str = ""
    info: Raw | None = None
    data: Raw | None = None
    ttl: float = 0
    subs: "dict[str, Grant]" = {}


class Authorize(Struct, frozen=True):
    """May the session subscribe? Answer: `Grant` or `Failure`."""

    request: SubscribeRequest


class Grant(Struct, frozen=True):
    """What a subscription gets. `delivery` is the channel's class; `info` is shown to others as `chan_info`. It expires
    after `ttl` seconds (0: never). A position before `since` is not recovered from."""

    delivery: str = "log"
    presence: bool = False
    join_leave: bool = False
    info: Raw | None = None
    data: Raw | None = None
    ttl: float = 0
    since: Position | None = None


class Refresh(Struct, frozen=True):
    """May the session go on? Answer: `Refreshed` or `Failure`."""

    token: str


class SubRefresh(Struct, frozen=True):
    """May the subscription go on? Answer: `Refreshed` or `Failure`; one with an unsubscribe code ends it."""

    channel: str
    token: str


class Refreshed(Struct, frozen=True):
    """It expires `ttl` seconds from now (0: never)."""

    ttl: float


class ReadPage(Struct, frozen=True):
    """Read history for a slot that is attached already. Answer: `PageRead` or `Failure`."""

    channel: str
    since: Position | None
    limit: int
    max_bytes: int


class PageRead(Struct, frozen=True):
    """`tail_from`: the lowest offset that the fan-out's shared tail of the channel still holds (0: it holds none)."""

    page: HistoryPage
    tail_from: int


class TakeOver(Struct, frozen=True):
    """The client has confirmed its wire, and the session is another node's: ask that one to hand it over. Answer:
    `HandOver` or `Failure`."""

    client: str
    owner: str
    attach: int


class Publish(Struct, frozen=True):
    """Publish for the session. Answer: `Position` or `Failure`."""

    request: PublishRequest


class ReadHistory(Struct, frozen=True):
    """Answer: `HistoryPage` or `Failure`."""

    request: HistoryRequest


class ReadPresence(Struct, frozen=True):
    """Answer: `PresenceResult` or `Failure`."""

    channel: str


class ReadPresenceStats(Struct, frozen=True):
    """Answer: `PresenceStatsResult` or `Failure`."""

    channel: str


class Invoke(Struct, frozen=True):
    """Run the application's method. Answer: `Invoked` or `Failure`."""

    method: str
    data: Raw


class Invoked(Struct, frozen=True):
    data: Raw


class Failure(Struct, frozen=True):
    """No: with an error code, a disconnect code that ends the session, or (of a `SubRefresh`) an unsubscribe code that
    ends the subscription. `message` replaces the code's text."""

    code: Code
    message: str = ""


Request = (
    Authenticate
    | Authorize
    | Refresh
    | SubRefresh
    | ReadPage
    | TakeOver
    | Publish
    | ReadHistory
    | ReadPresence
    | ReadPresenceStats
    | Invoke
)
Answer = (
    Admitted
    | Grant
    | Refreshed
    | PageRead
    | Position
    | HistoryPage
    | PresenceResult
    | PresenceStatsResult
    | Invoked
    | Failure
)


class Call(Struct, frozen=True):
    number: int
    request: Request


# ---- what is told --------------------------------------------------------------------------------------------------


class Send(Struct, frozen=True):
    """A reply, a ping or a push without offset for the client."""

    reply: Reply


class Attach(Struct, frozen=True):
    """From now on the fan-out tells the slot of publications. `watches`: also of joins and leaves."""

    slot: Slot
    watches: bool


class Watch(Struct, frozen=True):
    """From now on the fan-out tells the slot, which is attached, of joins and leaves as well."""

    slot: Slot


class Detach(Struct, frozen=True):
    """The fan-out forgets the slot."""

    slot: Slot


class SendMissed(Struct, frozen=True):
    """Write these publications of the slot's channel, from history."""

    slot: Slot
    publications: tuple[Publication, ...]


class SendTail(Struct, frozen=True):
    """Write the publications `first` to `last` of the slot's channel, from the shared tail."""

    slot: Slot
    first: int
    last: int


class Enter(Struct, frozen=True):
    """The session is in the channel now."""

    channel: str
    info: ClientInfo


class Leave(Struct, frozen=True):
    channel: str
    client: str


class Received(Struct, frozen=True):
    """The client sent something that wants no reply."""

    data: Raw


class Count(Struct, frozen=True):
    """Something was dropped: `what` names it for the metrics."""

    what: str
    count: int


class Close(Struct, frozen=True):
    """The session is over: close its wire with this code. Nothing follows."""

    code: Code
    reason: str


Output = Call | Send | Attach | Watch | Detach | SendMissed | SendTail | Enter | Leave | Received | Count | Close
