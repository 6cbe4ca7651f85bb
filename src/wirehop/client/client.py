"""`Client`: a wirehop client for asyncio.

    async with Client("http://127.0.0.1:8000") as client:
        async with client.subscribe("news") as subscription:
            await client.publish("news", {"hello": "world"})
            async for publication in subscription:
                print(publication.offset, publication.data)

It turns calls into commands and replies into values. When to connect, what was received and what is sent again is the
machine's; how it reaches a network is the driver's.
"""

import asyncio
import random
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Raw

from wirehop.client.address import Address, read_address
from wirehop.client.channel import Subscription
from wirehop.client.choice import WireReport
from wirehop.client.driver import Driver, Handler
from wirehop.client.errors import ClientClosed, RequestFailed
from wirehop.client.machine import ClientMachine
from wirehop.client.outputs import Moved, PresenceChanged, StateChanged, Subscribed
from wirehop.client.publication import Publication
from wirehop.client.states import ClientState
from wirehop.client.wire import Wire
from wirehop.core import codes
from wirehop.core.messages import (
    ClientInfo,
    Command,
    ConnectRequest,
    Error,
    HistoryRequest,
    PayloadKind,
    PingRequest,
    Position,
    PresenceRequest,
    PublishRequest,
    PublishWh,
    RpcRequest,
    SendRequest,
)
from wirehop.version import __version__

T = TypeVar("T")
WireName = Literal["websocket", "sse", "stream", "long-poll", "short-poll"]
WIRES: tuple[WireName, ...] = ("websocket", "stream", "sse", "long-poll")
"""In this order, unless the application says otherwise."""


def make_wire(name: str, address: Address, tls: ssl.SSLContext | None, *, timeout: float) -> Wire:
    """A wire of that kind. What a kind needs is imported with its first use."""
    match name:
        case "websocket":
            from wirehop.client.wires.websocket import WebSocketWire

            return WebSocketWire(address, tls, timeout=timeout)
        case "sse":
            from wirehop.client.wires.sse import SseWire

            return SseWire(address, tls, timeout=timeout)
        case "stream":
            from wirehop.client.wires.stream import StreamWire

            return StreamWire(address, tls, timeout=timeout)
        case "long-poll" | "short-poll":
            from wirehop.client.wires.poll import PollWire

            return PollWire(address, tls, timeout=timeout, is_long=name == "long-poll")
    raise ValueError(f"there is no wire {name!r}; there are websocket, sse, stream, long-poll and short-poll")


class Client:
    """One conversation with a server, over one wire after the other: nothing lost, nothing twice, all in order.

    `wires` are the kinds that it may use (websocket, sse, stream, long-poll, short-poll), the first one that works is
    taken; `wire` is the short way to say one. `token` goes with connect: a string, or an async function that is asked
    for a fresh one before each connect and when the session is about to expire. `timeout` (seconds) bounds the first
    connection (None: try for ever), `wire_timeout` each attempt. `on_state` hears every change of state, `on_message`
    what the server sends outside of channels, `on_moved` that another wire has taken over; they are plain functions
    that must not block. What is asked without a connection waits for one: 10,000 commands and 1 MiB at most.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | Callable[[], Awaitable[str]] = "",
        data: object = None,
        name: str = "wirehop-python",
        wires: Sequence[WireName] = WIRES,
        wire: WireName | None = None,
        timeout: float | None = 10.0,
        wire_timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
        on_state: Callable[[StateChanged], None] | None = None,
        on_message: Callable[[object], None] | None = None,
        on_moved: Callable[[Moved], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        request = ConnectRequest(
            token=token if isinstance(token, str) else "",
            data=UNSET if data is None else _raw(data),
            name=name,
            version=__version__,
        )
        address = read_address(url)
        tls = address.tls(tls)
        names = wires if wire is None else (wire,)
        for each in names:
            if each not in get_args(WireName):
                raise ValueError(f"there is no wire {each!r}; there are {', '.join(get_args(WireName))}")
        self._driver = Driver(
            ClientMachine(request, jitter=jitter),
            lambda kind: make_wire(kind, address, tls, timeout=wire_timeout),
            names=names,
            on_moved=on_moved,
            fresh_token=None if isinstance(token, str) else token,
            on_state=on_state,
            on_message=None if on_message is None else lambda data: on_message(msgspec.json.decode(data)),
        )
        self._where = f"{address.authority} over {' or '.join(names)}"
        self._timeout = timeout

    # ---- life ------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        """IDLE, OPENING, CONNECTING, CONNECTED, WAITING (to connect again) or CLOSED."""
        return self._driver.state

    @property
    def id(self) -> str:
        """The session's public id; empty without a connection."""
        return self._driver.machine.client

    @property
    def wire(self) -> str:
        """The kind of the current wire; empty for none."""
        return self._driver.wire_name

    @property
    def is_synced(self) -> bool:
        """Whether everything that was asked has reached the server, and been answered."""
        return self._driver.is_synced

    async def synced(self) -> None:
        """Return when it is so."""
        await self._driver.synced()

    @property
    def moves(self) -> int:
        """How often another wire has taken over, the session going on."""
        return self._driver.moves

    @property
    def failed_moves(self) -> int:
        """How often another wire was to take over and did not; the one before went on."""
        return self._driver.failed_moves

    def wires(self) -> list[WireReport]:
        """What was seen of each kind of wire."""
        return self._driver.choice.report()

    @property
    def why(self) -> str:
        """Why this kind of wire was chosen, in words."""
        return self._driver.choice.why

    def move(self, *to: WireName, reason: str = "the application asks for it") -> None:
        """Go on over another wire: one of `to` (none: any other), beside the current one until it is confirmed. The
        current one stays where that fails. `on_moved` says when it is done."""
        self._driver.move(to, reason)

    def on_call(self, method: str) -> Callable[[Handler], Handler]:
        """`@client.on_call("method")` on `async def (data) -> result`: answers calls of the server. What it raises
        goes back as an error."""

        def register(handler: Handler) -> Handler:
            self._driver.handlers[method] = handler
            return handler

        return register

    async def __aenter__(self) -> "Client":
        try:
            async with asyncio.timeout(self._timeout):
                await self._driver.connect()
        except TimeoutError:
            last = self._driver.last
            await self.close()
            text = f"no connection to {self._where} within {self._timeout:g} s: {last.reason or 'no answer'}"
            raise ClientClosed(last.code, text) from None
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End for good. Requests without an answer fail with 120; subscriptions end."""
        await self._driver.close()

    # ---- what an application asks ----------------------------------------------------------------------------------

    async def publish(self, channel: str, data: object, *, key: str = "", event: str = "") -> Position:
        """Publish; the position it got (offset 0 in `signal` channels).

        `data` is anything JSON can hold, `msgspec.Raw` for JSON as it stands, or `bytes`. `key` makes it idempotent:
        the same key within the server's time does nothing again. Raises `RequestFailed`. Without a connection it
        waits for one.
        """
        kind = PayloadKind.JSON
        if isinstance(data, bytes):
            data, kind = b64encode(data).decode(), PayloadKind.BINARY
        reply = await self._driver.request(
            Command(publish=PublishRequest(channel, _raw(data), PublishWh(key, event, kind)))
        )
        wh = reply.publish.wh if reply.publish is not None else None
        return Position("", 0) if wh is None else Position(wh.epoch, wh.offset)

    async def rpc(self, method: str, data: object = None) -> Any:
        """Call a method of the server; its result. Raises `RequestFailed`."""
        reply = await self._driver.request(Command(rpc=RpcRequest(method, _raw(data))))
        result = reply.rpc.data if reply.rpc is not None else UNSET
        return msgspec.json.decode(bytes(result)) if isinstance(result, Raw) else None

    async def send(self, data: object) -> None:
        """Send something that wants no reply; returns when the server has accepted it. Raises `RequestFailed` (120
        where the wire was lost before that)."""
        await asyncio.gather(
            self._driver.request(Command(send=SendRequest(_raw(data)))),
            self._driver.request(Command(ping=PingRequest())),  # its reply shows that all before it was accepted
        )

    async def history(
        self, channel: str, *, limit: int = 100, since: Position | None = None, reverse: bool = False
    ) -> tuple[list[Publication], Position]:
        """A page of a channel's history, and the position of its top when it was read. Raises `RequestFailed`."""
        reply = await self._driver.request(Command(history=HistoryRequest(channel, limit, since, reverse)))
        page = _result(reply.history)
        found = [
            Publication(channel, each, Position(page.epoch, each.offset), is_after_gap=False)
            for each in page.publications
        ]
        return found, Position(page.epoch, page.offset)

    async def presence(self, channel: str) -> Mapping[str, ClientInfo]:
        """Who is in the channel, by client id. Raises `RequestFailed`."""
        reply = await self._driver.request(Command(presence=PresenceRequest(channel)))
        return _result(reply.presence).presence

    def subscribe(
        self,
        channel: str,
        *,
        position: Position | None = None,
        limit: int = 1000,
        join_leave: bool = False,
        on_subscribed: Callable[[Subscribed], None] | None = None,
        on_presence: Callable[[PresenceChanged], None] | None = None,
        on_publication: Callable[[Publication], None] | None = None,
    ) -> Subscription:
        """A subscription, to be entered: from `position` where one is known, else from now on.

        At most `limit` publications wait for the reader; see `inbox` for what happens then. `on_subscribed` hears
        when the channel is live and, after a loss, whether everything missed came along; `on_presence` hears joins
        and leaves, where `join_leave` asks for them. With `on_publication` publications go there, in order with what
        the other two hear, instead of to the iterator. One subscription per channel.
        """
        return Subscription(
            self._driver,
            channel,
            position=position,
            limit=limit,
            join_leave=join_leave,
            on_subscribed=on_subscribed,
            on_presence=on_presence,
            on_publication=on_publication,
        )


def _raw(value: object) -> Raw:
    """As JSON. Raises `RequestFailed` (107) for what JSON cannot hold."""
    if isinstance(value, Raw):
        return value
    try:
        return Raw(msgspec.json.encode(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestFailed(Error(codes.BAD_REQUEST.number, f"cannot be written as JSON: {error}")) from None


def _result(result: T | None) -> T:
    if result is None:
        raise RequestFailed(Error(codes.INTERNAL.number, "the server's reply holds no result"))
    return result
