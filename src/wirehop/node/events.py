"""What an application's handlers are given and give back."""

from typing import TYPE_CHECKING, TypeVar, overload

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Peer
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import ConnectRequest

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
    wire."""

    __slots__ = ("_data", "name", "peer", "token", "version")

    def __init__(self, request: ConnectRequest, peer: Peer) -> None:
        self.token = request.token
        self.name = request.name
        self.version = request.version
        self.peer = peer
        self._data = request.data

    @overload
    def data(self) -> object: ...
    @overload
    def data(self, type: type[T]) -> T: ...
    def data(self, type: type[T] | None = None) -> object:  # noqa: A002
        """What the client sent with connect, checked against `type`; nothing counts as null. What does not fit refuses
        the connection with 107."""
        raw = bytes(self._data) if isinstance(self._data, Raw) else b"null"
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

    @property
    def channels(self) -> list[str]:
        """What the session is subscribed to."""
        return list(self._driver.session.subscriptions)
