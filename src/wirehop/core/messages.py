"""What travels: commands, replies and pushes, as the protocol page names them.

Payloads are `msgspec.Raw` (in commands, the bytes of one JSON value) or plain bytes (in a `Publication`); nothing here
decodes them. Field names are those of the wire, so that these structs are the schema of the JSON codec as well.
They hold values and no rules; the machines hold the rules.
"""

from enum import IntEnum
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

CONNECT_ID = 4_294_967_295
"""The id of a `connect` from a client that numbers its commands (`wh`): outside of the numbering."""
FIRST_UNNUMBERED_ID = 4_000_000_000
"""Ids from here on are not numbered: they are run at once, whatever came before."""


class Position(Struct, frozen=True, gc=False):
    """A place in a channel's log: after the publication `offset` of the log `epoch`. Offset 0 is the beginning."""

    epoch: str
    offset: int


class PayloadKind(IntEnum):
    """What the bytes of a payload are."""

    JSON = 0  # one JSON value in UTF-8, without CR or LF
    TEXT = 1  # UTF-8 text
    BINARY = 2  # any bytes


class ClientInfo(Struct, frozen=True, gc=False):
    """Who a session is, as others in a channel see it. `conn_info` and `chan_info` are JSON values; `user` and `client`
    are always sent, empty where there is none, as others' clients read them."""

    user: str = ""
    client: str = ""
    conn_info: Raw | UnsetType = UNSET
    chan_info: Raw | UnsetType = UNSET


class Publication(Struct, frozen=True, gc=False):
    """One item published to a channel.

    `data` holds the payload's bytes, of the kind `kind` says; `offset` is 0 in channels of the `signal` class;
    `time` is Unix time in milliseconds, 0 if unknown; `key` is the item's key in channels of the `latest` class.
    """

    data: bytes
    kind: PayloadKind = PayloadKind.JSON
    offset: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    time: int = 0
    key: str = ""


# ---- commands: what clients ask ------------------------------------------------------------------------------------


class Stated(Struct, frozen=True, omit_defaults=True):
    """Where a client stands in a channel: all fields empty where it has no position."""

    epoch: str = ""
    offset: int = 0


class Wh(Struct, frozen=True, omit_defaults=True):
    """What a connect brings of wirehop's additions; empty says that the client speaks them. `token` is the newest one
    of the session that it goes on with, `positions` what it is subscribed to there."""

    acked: tuple[int, ...] = ()
    token: str = ""
    positions: dict[str, Stated] | None = None


class CommandWh(Struct, frozen=True, omit_defaults=True):
    """What a command brings: `attach` makes the wire with that number current, `acked` names replies that have arrived
    (all up to the first, and these), `bye` ends the session."""

    attach: int = 0
    acked: tuple[int, ...] = ()
    bye: bool = False


class SubscribeRequest(Struct, frozen=True, omit_defaults=True):
    channel: str = ""
    token: str = ""
    data: Raw | UnsetType = UNSET
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    flag: int = 0
    tf: Raw | UnsetType = UNSET

    @property
    def has_filter(self) -> bool:
        """Whether it asks for publications by their tags only, which nobody here can."""
        return self.tf is not UNSET and bytes(self.tf) != b"null"


class ConnectRequest(Struct, frozen=True, omit_defaults=True):
    token: str = ""
    data: Raw | UnsetType = UNSET
    subs: dict[str, SubscribeRequest] = {}
    name: str = ""
    version: str = ""
    headers: dict[str, str] = {}
    wh: Wh | None = None


class UnsubscribeRequest(Struct, frozen=True, omit_defaults=True):
    channel: str = ""


class PublishWh(Struct, frozen=True, omit_defaults=True):
    """`key` makes a publish idempotent: see the protocol page, Publish. `event` names the event on event streams.
    `kind` says what the JSON value in `data` stands for: itself, a text (a string) or bytes (a string in base64)."""

    key: str = ""
    event: str = ""
    kind: PayloadKind = PayloadKind.JSON


class PublishRequest(Struct, frozen=True, omit_defaults=True):
    channel: str = ""
    data: Raw = Raw()
    wh: PublishWh | None = None


class PresenceRequest(Struct, frozen=True, omit_defaults=True):
    channel: str = ""


class PresenceStatsRequest(Struct, frozen=True, omit_defaults=True):
    channel: str = ""


class HistoryRequest(Struct, frozen=True, omit_defaults=True):
    """`limit` 0 asks for the position only, -1 for as many as the server gives."""

    channel: str = ""
    limit: int = 0
    since: Position | None = None
    reverse: bool = False


class RpcRequest(Struct, frozen=True, omit_defaults=True):
    method: str = ""
    data: Raw = Raw()


class SendRequest(Struct, frozen=True, omit_defaults=True):
    data: Raw = Raw()


class PingRequest(Struct, frozen=True, omit_defaults=True):
    pass


class RefreshRequest(Struct, frozen=True, omit_defaults=True):
    token: str = ""


class SubRefreshRequest(Struct, frozen=True, omit_defaults=True):
    channel: str = ""
    token: str = ""


Uint32 = Annotated[int, Meta(ge=0, le=4_294_967_295)]


class Command(Struct, frozen=True, omit_defaults=True):
    """One thing asked: exactly one of the fields after `id` is set. Without any it is an answer to a ping (`{}`)."""

    id: Uint32 = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    publish: PublishRequest | None = None
    presence: PresenceRequest | None = None
    presence_stats: PresenceStatsRequest | None = None
    history: HistoryRequest | None = None
    ping: PingRequest | None = None
    send: SendRequest | None = None
    rpc: RpcRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None
    wh: CommandWh | None = None


# ---- replies: what the server answers ------------------------------------------------------------------------------


class Error(Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    temporary: bool = False


class SubscribeResult(Struct, frozen=True, omit_defaults=True):
    recoverable: bool = False
    positioned: bool = False
    epoch: str = ""
    offset: int = 0
    recovered: bool = False
    was_recovering: bool = False
    publications: tuple[Publication, ...] = ()
    data: Raw | UnsetType = UNSET
    expires: bool = False
    ttl: int = 0


class ConnectWh(Struct, frozen=True, omit_defaults=True):
    """`next`: the lowest command number not yet accepted, or less; `limit`: how many commands may be unanswered.
    `attach` is the wire's number, `token` what a next wire shows, `window` how many seconds the session waits for it.
    `resumed`: it is the session that was asked for; then `subs` holds what goes on and `ended` the codes of what does
    not, by channel. `keep`: seconds for which idempotency keys are kept. `wires`: paths of the wires that the server
    offers, by name."""

    next: int = 0
    limit: int = 0
    attach: int = 0
    token: str = ""
    window: int = 0
    resumed: bool = False
    subs: dict[str, SubscribeResult] = {}
    ended: dict[str, int] = {}
    keep: int = 0
    wires: dict[str, str] = {}


class ConnectResult(Struct, frozen=True, omit_defaults=True):
    client: str = ""
    version: str = ""
    data: Raw | UnsetType = UNSET
    expires: bool = False
    ttl: int = 0
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    wh: ConnectWh | None = None


class UnsubscribeResult(Struct, frozen=True, omit_defaults=True):
    pass


class PublishWhResult(Struct, frozen=True, omit_defaults=True):
    offset: int = 0
    epoch: str = ""


class PublishResult(Struct, frozen=True, omit_defaults=True):
    wh: PublishWhResult | None = None


class PresenceResult(Struct, frozen=True, omit_defaults=True):
    """`presence` maps client id → who; `rev` counts the changes of the channel's presence so far."""

    presence: dict[str, ClientInfo]
    rev: int = 0


class PresenceStatsResult(Struct, frozen=True):
    num_clients: int
    num_users: int


class HistoryResult(Struct, frozen=True):
    publications: tuple[Publication, ...]
    epoch: str
    offset: int


class RpcResult(Struct, frozen=True, omit_defaults=True):
    data: Raw | UnsetType = UNSET


class PingResult(Struct, frozen=True, omit_defaults=True):
    pass


class RefreshResult(Struct, frozen=True, omit_defaults=True):
    """`ttl`: seconds until the session expires, where it `expires`."""

    client: str = ""
    version: str = ""
    expires: bool = False
    ttl: int = 0


class SubRefreshResult(Struct, frozen=True, omit_defaults=True):
    expires: bool = False
    ttl: int = 0


class ReplyWh(Struct, frozen=True, omit_defaults=True):
    next: int = 0


class Reply(Struct, frozen=True, omit_defaults=True):
    """The answer to the command `id`: an error or the one result; or, with id 0, a push or a ping (all unset)."""

    id: int = 0
    error: Error | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: UnsubscribeResult | None = None
    publish: PublishResult | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    ping: PingResult | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None
    push: "Push | None" = None
    wh: ReplyWh | None = None


# ---- pushes: what the server says unasked --------------------------------------------------------------------------


class Join(Struct, frozen=True, omit_defaults=True):
    info: ClientInfo
    rev: int = 0


class Leave(Struct, frozen=True, omit_defaults=True):
    info: ClientInfo
    rev: int = 0


class Subscribe(Struct, frozen=True, omit_defaults=True):
    """The server has subscribed the session; its publications follow from `offset` on."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    data: Raw | UnsetType = UNSET


class Refresh(Struct, frozen=True, omit_defaults=True):
    """The server has changed when the session expires."""

    expires: bool = False
    ttl: int = 0


class Unsubscribe(Struct, frozen=True):
    code: int
    reason: str


class Message(Struct, frozen=True):
    data: Raw


class Disconnect(Struct, frozen=True, omit_defaults=True):
    code: int
    reason: str
    reconnect: bool = False


class Move(Struct, frozen=True, omit_defaults=True):
    """The server asks for another wire: one of `to` (empty: any other), within `spread_ms` milliseconds."""

    to: tuple[str, ...] = ()
    spread_ms: int = 0
    reason: str = ""


class PushWh(Struct, frozen=True, omit_defaults=True):
    """What the server says to this session alone. `call` is the number of a call to the client, `method` what it asks
    for; the data is in the `message`."""

    move: Move | None = None
    call: int = 0
    method: str = ""


class Push(Struct, frozen=True, omit_defaults=True):
    channel: str = ""
    pub: Publication | None = None
    join: Join | None = None
    leave: Leave | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    message: Message | None = None
    disconnect: Disconnect | None = None
    refresh: Refresh | None = None
    wh: PushWh | None = None


PING = Reply()
"""The ping of a session wire: an empty reply, `{}`."""
