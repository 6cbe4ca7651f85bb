"""The interfaces between rooms: what each side may rely on, and nothing of how it is done.

This is a leaf. It imports values of the core, and none of the implementations imports another: brokers and transports
are strangers that the node joins. Each method's docstring states its guarantee.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Raw, Struct

from wirehop.core.messages import ClientInfo, Command, ConnectRequest, Position, Publication, Reply
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import Writable

# ---- time and identity ---------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where time comes from. The machines never ask it; whoever drives them does."""

    def now(self) -> float:
        """Seconds that only go forward (monotonic). The zero point means nothing."""
        ...

    def wall(self) -> float:
        """Unix time in seconds, for people and for `Publication.time`."""
        ...


class Ids(Protocol):
    """Where identifiers come from. Same source, same identifiers: tests give a counter."""

    def new(self) -> str:
        """A fresh identifier: at least 128 bits that nobody can guess, in URL-safe characters."""
        ...


# ---- brokers -------------------------------------------------------------------------------------------------------


class PublishOptions(Struct, frozen=True):
    """How a broker keeps a publication.

    `delivery` is the class of the channel's namespace. `history_size` (count) and `history_age` (seconds) bound its
    log; `key_limit` bounds the values of a `latest` channel. `idempotency_key`, where not empty, is unique within
    (channel, `publisher`) for `idempotency_seconds`.
    """

    delivery: Literal["log", "latest", "signal"] = "log"
    history_size: int = 100
    history_age: float = 300.0
    key_limit: int = 1000
    idempotency_key: str = ""
    publisher: str = ""
    idempotency_seconds: float = 300.0


class IdempotencyConflict(Exception):
    """The idempotency key was used before for other bytes. Attribute: `key`."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the idempotency key {key!r} was used before with another payload")
        self.key = key


class Receiver(Protocol):
    """What a broker calls on the node. Called on the loop's thread, per channel in the order of the offsets."""

    def published(self, channel: str, publication: Publication, epoch: str) -> None:
        """A publication of a channel this node subscribes to; `epoch` is empty for the `signal` class."""
        ...

    def joined(self, channel: str, info: ClientInfo, rev: int) -> None:
        """Somebody entered; `rev` is the channel's presence revision after the change."""
        ...

    def left(self, channel: str, info: ClientInfo, rev: int) -> None:
        """Somebody left; `rev` as in `joined`."""
        ...


class Broker(Protocol):
    """Carries publications between nodes and keeps the logs.

    An (epoch, offset) never names two publications. Where an acknowledged tail may have been lost, or a channel's top
    was evicted, a new epoch begins.
    """

    async def open(self, receiver: Receiver) -> None:
        """Connect. Afterwards `receiver` hears of the channels subscribed to."""
        ...

    async def close(self) -> None:
        """Let everything go. Nothing is called on the receiver afterwards."""
        ...

    async def publish(self, channel: str, publication: Publication, options: PublishOptions) -> Position:
        """Give the publication its offset, keep it, and pass it to every node that subscribes to the channel.

        Storing and passing on are in one order per channel. Repeated with the same idempotency key and the same bytes
        it returns the first position and passes nothing on; with other bytes it raises `IdempotencyConflict`.
        """
        ...

    async def subscribe(self, channel: str) -> None:
        """From the return on, every later publication of the channel reaches the receiver (until `unsubscribe`)."""
        ...

    async def unsubscribe(self, channel: str) -> None:
        """The receiver need not hear of the channel any more."""
        ...

    async def history(
        self, channel: str, since: Position | None, *, limit: int, max_bytes: int, reverse: bool = False
    ) -> HistoryPage:
        """Publications after `since` (None: from the oldest kept), at most `limit` and `max_bytes` of payload.

        `limit` 0 reads the top only. `reverse` walks from the newest (before `since`, where given) backwards.
        In a `latest` channel: the newest value of each key that changed after `since`, in offset order.
        """
        ...


PublishAtOnce = Callable[[str, Publication, PublishOptions], Position]
"""What a broker may have beside `Broker`, as its method `publish_at_once`: `publish` for a broker that never waits."""


class PresenceStore(Protocol):
    """Who is in which channel, over all nodes. A member is a client id."""

    async def enter(self, channel: str, info: ClientInfo) -> None:
        """Add or replace the member `info.client`; the first time every node's receiver hears `joined`."""
        ...

    async def leave(self, channel: str, client: str) -> None:
        """Remove the member; if it was there every node's receiver hears `left`."""
        ...

    async def members(self, channel: str) -> tuple[Mapping[str, ClientInfo], int]:
        """All members by client id, and the revision."""
        ...

    async def counts(self, channel: str) -> tuple[int, int]:
        """Number of clients and number of distinct users."""
        ...


# ---- who may do what -----------------------------------------------------------------------------------------------


class Identity(Struct, frozen=True):
    """Who connected: `user` is empty for anonymous; `info` is shown to others as `conn_info`; `data` goes back."""

    user: str = ""
    info: Raw | None = None
    data: Raw | None = None


class Peer(Struct, frozen=True):
    """What a host knows of the other end: address, origin ("" if none was sent), transport's name; `host` is the name
    or address of ours that it has asked for ("" if it said none)."""

    address: str = ""
    origin: str = ""
    transport: str = ""
    user_agent: str = ""
    host: str = ""


Action = Literal["subscribe", "publish", "history", "presence"]


class Authorizer(Protocol):
    """Decides; refusal is raised as `wirehop.core.errors.Refused` with a code of the table."""

    async def authenticate(self, request: ConnectRequest, peer: Peer) -> Identity:
        """Who is this?"""
        ...

    def permits(self, action: Action, channel: str, user: str) -> bool:
        """Whether the channel's namespace lets this user do that. Cheap: asked for every command."""
        ...


# ---- codecs --------------------------------------------------------------------------------------------------------


class Codec(Protocol):
    """Bytes ⇄ messages, for session wires."""

    name: str
    carries_bytes: bool
    """Whether payloads are any bytes on its wires. If not they are JSON values."""

    def decode_commands(self, data: bytes) -> list[Command]:
        """All commands in one message or body. Raises `wirehop.core.errors.BadMessage` for what is not the protocol."""
        ...

    def encode_replies(self, replies: Sequence[Reply]) -> bytes:
        """One message that holds them all, in order."""
        ...


# ---- hosts: one HTTP request, one WebSocket ------------------------------------------------------------------------


class Request(Struct, frozen=True):
    """One HTTP request as a host has read and checked it.

    `path` is percent-decoded and starts with `/`; `query` is the raw query string; header names are lower case,
    values of repeated headers are joined with ", " ("; " for cookie). `body` is whole, at most the host's limit.
    `address` and `scheme` are the client's own, also behind a trusted proxy.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    address: str = ""
    scheme: Literal["http", "https"] = "http"


class Out(Protocol):
    """Where prebuilt bytes go; on the native host the asyncio transport itself."""

    def write(self, data: bytes) -> None:
        """Never blocks and never raises; bytes after a close are ignored."""
        ...


class Batch(Protocol):
    """Wires that are sent the same bytes together, by one call for all of them where the system has one."""

    def add(self, out: Writable) -> None:
        """Let a wire in. One that cannot be sent to together is written to."""
        ...

    def remove(self, out: Writable) -> None:
        """Let it go; one that went by itself, at its end, is gone already."""
        ...

    def write(self, data: bytes) -> None:
        """What `out.write(data)` on each of them would do, but in any order among them. Never blocks and never
        raises."""
        ...

    def close(self) -> None:
        """Let all go."""
        ...


class BatchSender(Protocol):
    """Sends to many wires for less than it costs to write to each."""

    @property
    def smallest(self) -> int:
        """How many wires are worth a batch; it may change at any time."""
        ...

    def batch(self) -> Batch:
        """A new one, empty."""
        ...


Framing = Literal["websocket", "websocket-deflate", "chunked", "identity"]
"""What bytes given to `Out.write` must already be: WebSocket frames, such frames of which the large ones are deflated
each by itself (RFC 7692), HTTP chunks, or just the payload."""


class Listener(Protocol):
    """What a host calls for an open stream or WebSocket. Never after `closed`, never from inside a call to the host
    except `closed`, which may come from inside `close` or `abort`."""

    def received(self, data: bytes, is_binary: bool) -> None:
        """One whole message; text is valid UTF-8. Only on a `Duplex`."""
        ...

    def ponged(self) -> None:
        """The peer answered a ping frame (opcode 10). Only on a `Duplex`."""
        ...

    def paused(self) -> None:
        """The write buffer passed its high-water mark: stop writing what can wait."""
        ...

    def resumed(self) -> None:
        """The write buffer drained."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """The wire is gone, once. WebSocket close code as received (1005 none given, 1006 lost, 1009 too big …); for a
        stream 1000 after our own `end`, else 1006."""
        ...


class Stream(Protocol):
    """An HTTP response body being sent, piece by piece."""

    out: Out
    framing: Framing

    def send(self, data: bytes) -> None:
        """Write `data` (not empty) with the framing added."""
        ...

    def end(self) -> None:
        """Finish the body after all that was written; `Listener.closed(1000, "")` follows."""
        ...

    def abort(self, reason: str) -> None:
        """Drop the connection at once, whatever is unsent. `reason` is for the log."""
        ...


class Duplex(Protocol):
    """One open WebSocket."""

    out: Out

    @property
    def framing(self) -> Framing:
        """What bytes given to `out` must be."""
        ...

    def send(self, data: bytes, *, is_binary: bool = False) -> None:
        """Send one whole message, framing added."""
        ...

    def ping(self) -> None:
        """Send a ping frame."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after all that was written, wait for the peer's for a short time, then close. Nothing
        more is `received`."""
        ...

    def abort(self, reason: str) -> None:
        """Drop the connection at once. `reason` is for the log."""
        ...


Headers = Sequence[tuple[str, str]]


class Exchange(Protocol):
    """One HTTP request to be answered exactly once, by one of `respond`, `stream` and `upgrade`: now or later."""

    request: Request

    @property
    def framing(self) -> Framing:
        """What a stream opened on this exchange will need."""
        ...

    def respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer whole. The host adds Content-Length and Connection, and leaves the body out where HTTP says so
        (HEAD, 204, 304)."""
        ...

    def stream(self, status: int, headers: Headers, listener: Listener) -> Stream:
        """Send the head and open the body. Of the framing headers only those not in `headers` are added."""
        ...

    def upgrade(self, listener: Listener, *, subprotocol: str = "", max_message: int = 65_536) -> Duplex | None:
        """Check the WebSocket handshake and accept it; None where it was refused (the host has answered 400 or 426 with
        the reason). Messages over `max_message` bytes close with 1009. The first `received` comes after the return."""
        ...

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call `callback` once if the peer goes away before the answer."""
        ...


Handler = Callable[[Exchange], None]
"""What a host calls for each request. It returns at once; whoever needs to wait keeps the exchange."""


class Transport(Protocol):
    """A kind of wire, as `site` mounts it: a name and what handles its requests."""

    name: str

    def open(self, exchange: Exchange) -> None:
        """Serve one request (or upgrade) of this kind of wire."""
        ...


class MediaEngine(Protocol):
    """Speaks ICE, DTLS and SRTP for rooms. No implementation is part of the core; rtc brings one as an extra."""

    async def open(self, participant: str, offer: str, generation: int) -> str:
        """Apply an offer (SDP) of this generation and return the answer. A lower generation than the last is
        refused."""
        ...

    async def candidate(self, participant: str, candidate: str, generation: int) -> None:
        """Add a trickled candidate; one of another generation is ignored."""
        ...

    async def close(self, participant: str) -> None:
        """Let the participant's transports go."""
        ...
