"""How the checker speaks to a server: one `Adapter` is one client, and tells what happens to it as `Happening`s.

It knows no server and no library. Whoever writes an adapter for another server implements the seven methods below and a
function `make(url, number, wires) -> Adapter` (a `MakeAdapter`).

Rules for adapters: the client reconnects by itself, as its library does by default where that loses nothing on purpose;
what the library gives to an application is passed on as it is, also twice, also out of order: the checker judges. An
adapter never raises from `events()`; it ends when the client is closed.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct


class Capabilities(Struct, frozen=True):
    """What can be asked of a server through this adapter; what it lacks is not asked, and not judged.

    `has_positions`: publications carry (epoch, offset). `tells_recovery`: `Subscribed.recovered` is given after every
    return. `acknowledges`: `publish` returns only when the server has the publication. `has_presence`: `Joined` and
    `Left` are told. `moves`: `move` changes the wire of a live client. `wires` are the names of the wires it has.
    `accepts_keys`: a publish repeated with its key is done once.
    """

    name: str
    version: str = ""
    wires: tuple[str, ...] = ("websocket",)
    has_positions: bool = False
    tells_recovery: bool = False
    acknowledges: bool = True
    has_presence: bool = False
    moves: bool = False
    accepts_keys: bool = False


class Answer(Struct, frozen=True):
    """The server has taken a publication: where it stands, or ("", 0) where that is not told."""

    epoch: str = ""
    offset: int = 0


class PublishFailed(Exception):
    """`is_unknown`: nobody knows whether it was done (the wire was lost before the answer); else it was not done."""

    def __init__(self, reason: str, *, is_unknown: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unknown = is_unknown


class Received(Struct, frozen=True):
    """The application was given a publication. `number` is what `publish` was called with."""

    channel: str
    number: int
    epoch: str = ""
    offset: int = 0


class Subscribed(Struct, frozen=True):
    """The channel is live. `recovered`: None the first time; True: the server says that nothing was missed; False: it
    says that something may have been. (epoch, offset) is where the client stands once it has been given what came with
    the answer: say `Subscribed` before those publications."""

    channel: str
    recovered: bool | None
    epoch: str = ""
    offset: int = 0


class Joined(Struct, frozen=True):
    """Somebody came; `who` is an id as `Opened.who` has it."""

    channel: str
    who: str


class Left(Struct, frozen=True):
    """Somebody went."""

    channel: str
    who: str


class Opened(Struct, frozen=True):
    """The client is connected over `wire`: the first time, again, or after a move. `who` is its id in presence, and
    `is_resumed` is whether the server says that it is the conversation of before."""

    wire: str
    who: str = ""
    is_resumed: bool = False


class Dropped(Struct, frozen=True):
    """The client has no wire now; it tries again by itself."""

    reason: str = ""


Happening = Received | Subscribed | Joined | Left | Opened | Dropped


class Adapter(Protocol):
    """One client. Nothing of it may block the loop, and nothing waits longer than it is told to be cancelled."""

    def capabilities(self) -> Capabilities:
        """What can be asked. May be called before `connect`."""
        ...

    async def connect(self) -> None:
        """Connect for the first time; returns when connected. Raises `OSError` (or a subclass) if it is not possible.
        Lost connections are repaired by the client itself from then on."""
        ...

    async def subscribe(self, channel: str) -> None:
        """Subscribe, with recovery and presence events where the server has them; returns when the server has granted
        it. Called once per channel, after `connect`."""
        ...

    async def publish(self, channel: str, number: int, key: str) -> Answer:
        """Publish the JSON object `{"n": number}`; returns when the server has answered. Without a connection it may
        wait for one. `key` is unique to this publication, for servers that know idempotency keys. Several may run at
        a time, and are to be sent in the order of the calls. Raises `PublishFailed`; may be cancelled."""
        ...

    def events(self) -> AsyncIterator[Happening]:
        """All that happens, in order, from `connect` on; called once, and read without pause by the checker. At most
        some 10,000 may wait."""
        ...

    async def move(self, wire: str) -> None:
        """Go on over another wire, by overlap, without losing anything; returns when the new wire is in use. Raises
        `OSError` where that was not possible, the old wire being in use still or again."""
        ...

    async def close(self) -> None:
        """End for good, politely: the server is to know that this client is gone. Ends `events`."""
        ...


class MakeAdapter(Protocol):
    """Makes the client with this number (from 0), which may use these wires; the first is the one to begin with."""

    def __call__(self, url: str, number: int, wires: tuple[str, ...]) -> Adapter: ...
