"""What an application's handlers are given and give back."""

from typing import TYPE_CHECKING, TypeVar, overload

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Peer
from wirehop.codecs.payload import json_payload
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import ConnectRequest
from wirehop.node.lasting import lasting_of

if TYPE_CHECKING:
    from wirehop.node.driver import Driver

T = TypeVar("T")


class User(Struct, frozen=True):
    """Who connected, as `on_connect` says. `id` is the user's name everywhere; `info` is shown to others; `data` goes
    back to the client with the connect result. Both may be anything that JSON can hold. `subs` are channels that the
    session is subscribed to by the server; `ttl` is the seconds until it expires unless it is refreshed (0: never)."""

    id: str = ""
    info: object = None
    data: object = None
    subs: tuple[str, ...] = ()
    ttl: float = 0


class Connecting:
    """Somebody who wants to connect: `token`, `data`, the client's `name` and `version`, and the `peer` behind the
    wire. `user` is whom a checked token names; empty for nobody, and where no tokens are set up."""

    __slots__ = ("_carries_bytes", "_data", "name", "peer", "token", "user", "version")

    def __init__(self, request: ConnectRequest, peer: Peer, *, user: str = "", carries_bytes: bool = False) -> None:
        self.token = request.token
        self.user = user
        self.name = request.name
        self.version = request.version
        self.peer = peer
        self._data = request.data
        self._carries_bytes = carries_bytes

    @overload
    def data(self) -> object: ...
    @overload
    def data(self, type: type[T]) -> T: ...
    def data(self, type: type[T] | None = None) -> object:  # noqa: A002
        """What the client sent with connect, checked against `type`; nothing counts as null. What does not fit refuses
        the connection with 107. `bytes` are as in handlers: what was sent, where the wire carries bytes."""
        raw = bytes(self._data) if isinstance(self._data, Raw) else b"null"
        if type is bytes and self._carries_bytes:
            return bytes(self._data) if isinstance(self._data, Raw) else b""
        try:
            return msgspec.json.decode(raw) if type is None else msgspec.json.decode(raw, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(codes.BAD_REQUEST, str(error)) from None


class Client:
    """One session, as handlers see it."""

    __slots__ = ("_driver",)

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver

    def __repr__(self) -> str:
        return f"<Client {self.id} user={self.user!r} wire={self.wire}>"

    @property
    def id(self) -> str:
        """The session's public id."""
        return self._driver.session.client

    @property
    def user(self) -> str:
        """The user's id; empty for anonymous."""
        return self._driver.session.user

    @property
    def wire(self) -> str:
        """The name of the transport, `websocket` say."""
        return self._driver.wire_name

    @property
    def peer(self) -> Peer:
        """The other end of the wire."""
        return self._driver.peer

    async def call(self, method: str, data: object = None, *, timeout: float = 10.0) -> object:
        """Ask the client, and wait for its answer; the question survives a change of wire. Raises `Refused` with the
        client's error (108: the client takes no calls; 120: its session ended first) and `TimeoutError`."""
        return msgspec.json.decode(await lasting_of(self._driver).call(method, as_json_value(data), timeout))

    @property
    def channels(self) -> list[str]:
        """What the session is subscribed to."""
        return list(self._driver.session.subscriptions)


def as_raw(value: object) -> Raw | None:
    """What a handler gave back, as JSON; None stays nothing."""
    return None if value is None else as_json_value(value)


def as_json_value(value: object) -> Raw:
    """What a handler gave back as JSON. `Raw` is checked and compacted: a line break in it would forge a reply."""
    return Raw(json_payload(bytes(value)) if isinstance(value, Raw) else msgspec.json.encode(value))
