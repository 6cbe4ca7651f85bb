"""What a transport gives the driver of a session: how to write, and how to end."""

from collections.abc import Callable, Sequence
from typing import Protocol

from wirehop.codecs.frame import Frame, Lane
from wirehop.core.codes import Code
from wirehop.core.messages import Reply
from wirehop.core.slot import Writable


class Wire(Protocol):
    """One live connection of a transport, as the node sees it.

    `lane` says how publications are written, `out` is where the fan-out writes them. The transport calls the driver's
    `received`, `heard`, `paused`, `resumed` and `lost`.
    """

    lane: Lane
    out: Writable

    def send(self, replies: Sequence[Reply]) -> int:
        """Write replies, pushes and pings in order; the number of bytes. Never called while the wire is paused."""
        ...

    def write(self, frames: Sequence[Frame]) -> None:
        """Write publications that did not take the fast lane, in order."""
        ...

    def close(self, code: Code, reason: str) -> None:
        """Tell the peer and close. Nothing is written afterwards."""
        ...


class Guests(Protocol):
    """Clients of one transport that wait for something and have no session: they count as connections, and are ended
    when the node stops. Nobody has to be asked whether they may (`Effects.asks_nobody`)."""

    name: str

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def ends(self) -> "list[Callable[[], None]]":
        """Calls that end them, a part each."""
        ...
