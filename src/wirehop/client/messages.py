"""Replies as a client reads them: the server's structures, with publications as they stand on the wire."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import (
    Disconnect,
    Error,
    Join,
    Leave,
    Message,
    PingResult,
    PresenceResult,
    PresenceStatsResult,
    PublishResult,
    PushWh,
    Refresh,
    RefreshResult,
    ReplyWh,
    RpcResult,
    Subscribe,
    Unsubscribe,
    UnsubscribeResult,
)


class ClientSubscribeResult(Struct, frozen=True):
    recoverable: bool = False
    positioned: bool = False
    epoch: str = ""
    offset: int = 0
    recovered: bool = False
    was_recovering: bool = False
    publications: list[WirePublication] = []
    data: Raw | UnsetType = UNSET


class ClientConnectWh(Struct, frozen=True):
    next: int = 0
    limit: int = 0
    attach: int = 0
    token: str = ""
    window: int = 0
    resumed: bool = False
    subs: dict[str, ClientSubscribeResult] = {}
    ended: dict[str, int] = {}
    keep: int = 0
    wires: dict[str, str] = {}


class ClientConnectResult(Struct, frozen=True):
    client: str = ""
    version: str = ""
    data: Raw | UnsetType = UNSET
    expires: bool = False
    ttl: int = 0
    subs: dict[str, ClientSubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    wh: ClientConnectWh | None = None


class ClientHistoryResult(Struct, frozen=True):
    publications: list[WirePublication] = []
    epoch: str = ""
    offset: int = 0


class ClientPush(Struct, frozen=True):
    channel: str = ""
    pub: WirePublication | None = None
    join: Join | None = None
    leave: Leave | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    message: Message | None = None
    disconnect: Disconnect | None = None
    refresh: Refresh | None = None
    wh: PushWh | None = None


class ClientReply(Struct, frozen=True):
    """One line from the server. With nothing set it is a ping."""

    id: int = 0
    error: Error | None = None
    connect: ClientConnectResult | None = None
    subscribe: ClientSubscribeResult | None = None
    unsubscribe: UnsubscribeResult | None = None
    publish: PublishResult | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: ClientHistoryResult | None = None
    ping: PingResult | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None
    push: ClientPush | None = None
    wh: ReplyWh | None = None

    @property
    def is_ping(self) -> bool:
        return self.id == 0 and self.push is None and self.error is None


_REPLY = msgspec.json.Decoder(ClientReply)


def decode_replies(data: bytes) -> list[ClientReply]:
    """All replies in one message. Raises `msgspec.DecodeError` for what is not the protocol."""
    try:
        return [_REPLY.decode(line) for line in data.split(b"\n") if line.strip()]
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
