"""Another protocol on the host's port: a connection whose first byte no HTTP request begins with.

Whoever brings the protocol gives a `Reception`; the host knows nothing of it but which first bytes are its own. The
guest has the transport from there on, and stays one of the host's connections: counted, and dropped when it stops.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wirehop.hosts.native.context import HostContext, log


class GuestProtocol(Protocol):
    """What the guest's connection is told."""

    def data_received(self, data: bytes) -> None:
        """Bytes, the first ones too."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        ...

    def pause_writing(self) -> None:
        """More than the mark is unsent."""
        ...

    def resume_writing(self) -> None:
        """No more."""
        ...


class Reception(Struct, frozen=True):
    """Which first bytes belong to the guest, what ALPN (RFC 7301) calls it, and who takes a connection: the transport,
    the peer's address, whether it is TLS."""

    first_bytes: frozenset[int]
    alpn: str
    welcome: Callable[[asyncio.Transport, str, bool], GuestProtocol]


class Guest(asyncio.Protocol):
    """A connection that has become the guest's."""

    __slots__ = ("_context", "_inner", "_transport")

    def __init__(self, context: HostContext, transport: asyncio.Transport, inner: GuestProtocol) -> None:
        self._context = context
        self._transport = transport
        self._inner = inner

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        try:
            self._inner.data_received(data)
        except Exception:
            log.exception("a guest of the port failed")
            self._context.counters["guest.failed"] += 1
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        self._context.leave(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It does."""
        self._inner.resume_writing()

    def abort(self, reason: str) -> None:
        """Drop it."""
        self._transport.abort()

    def close_if_idle(self) -> None:
        """What it does is not for the host to know: it stays until the host stops."""


def take_in(context: HostContext, transport: asyncio.Transport, address: str, data: bytes) -> bool:
    """Give a connection to the guest, with what has come over it, if that is how the guest's begin."""
    guests = context.guests
    if guests is None or data[0] not in guests.first_bytes:
        return False
    guest = Guest(context, transport, guests.welcome(transport, address, context.options.ssl_context is not None))
    context.wires.add(guest)
    transport.set_protocol(guest)
    if context.is_draining:
        transport.abort()
    else:
        guest.data_received(data)
    return True
