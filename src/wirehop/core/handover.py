"""What one node tells another of a session that moves over, and how a `Resumable` gives it away or takes it.

Theory. A client comes with a token to a node that does not know it; the token names its owner. The receiver asks the
owner for a *copy* (who it is, what it is subscribed to) and for the number of the wire, which the owner gives out so
that wires that race on different nodes have an order. So far nothing has moved. When the client confirms its wire, the
receiver asks the owner to *hand over*: the owner fences its own wires and tells the rest: the numbers, the replies that
are not acknowledged, what is still running, the calls to the client. The first confirmation wins; a later one is
refused. Commands that run on at the old owner are answered through the new one.

Times are seconds from now: clocks differ between machines.
"""

from msgspec import Struct

from wirehop.core.effects import Grant
from wirehop.core.messages import Command, Push, Reply

RUNNING_SECONDS = 30.0
"""How long the new owner waits for the replies of commands that run at the old one; then they are 120."""


class HandedSubscription(Struct, frozen=True):
    """A subscription (`absence.Kept`); `expires_in` seconds (None: never)."""

    grant: Grant
    is_by_server: bool
    wants_joins: bool
    expires_in: float | None
    number: int = 0
    is_open: bool = True


class HandedCopy(Struct, frozen=True):
    """What a receiver needs for a trial: `attach` is the number of its wire."""

    client: str
    user: str
    attach: int
    window: float
    subscriptions: dict[str, HandedSubscription]
    ended: dict[str, int]


class HandedEntry(Struct, frozen=True):
    """A command that runs once: its reply, which counts for `size` bytes; None while it runs."""

    number: int
    reply: Reply | None
    size: int


class HandedCommand(Struct, frozen=True):
    """A command that waits for a gap in the numbers; `size` in bytes."""

    command: Command
    size: int


class HandOver(Struct, frozen=True):
    """The rest, told at the confirmation. `tokens` are the hashes of those that are still good, by number; `proven` is
    the number of the last one that was shown or named. `calls` are those to the client, by number."""

    copy: HandedCopy
    next: int
    entries: tuple[HandedEntry, ...]
    held: tuple[HandedCommand, ...]
    tokens: tuple[tuple[int, bytes], ...]
    proven: int
    calls: dict[int, Push]
    next_call: int
    expires_in: float | None
