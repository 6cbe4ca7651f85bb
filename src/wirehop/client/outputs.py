"""What the client's machine tells its driver: wires to open, commands to send, what the application is to hear.

Wires have numbers, given by the machine: 1, 2, 3 …
"""

from msgspec import Raw, Struct

from wirehop.client.messages import ClientReply
from wirehop.client.states import ClientState
from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import Command, Join, Leave, Position


class OpenWire(Struct, frozen=True):
    """Open a wire; say `opened` or `lost`. `to`: names of transports that are wished for (none: any). `is_move`: beside
    one that works, so take another kind."""

    wire: int
    to: tuple[str, ...] = ()
    is_move: bool = False
    reason: str = ""


class Transmit(Struct, frozen=True):
    """Send these commands on the wire, in order."""

    wire: int
    commands: tuple[Command, ...]


class Pong(Struct, frozen=True):
    """Answer a ping."""

    wire: int


class CloseWire(Struct, frozen=True):
    """Close the wire; nothing of it is wanted any more. `is_bye`: the session ends with it, in order."""

    wire: int
    is_bye: bool = False


class Moved(Struct, frozen=True):
    """The conversation goes on over this wire. `is_resumed`: it is the same session."""

    wire: int
    is_resumed: bool


class TrialFailed(Struct, frozen=True):
    """A wire that was to take over has failed; the old one stays."""

    wire: int
    code: int
    reason: str


class Delivered(Struct, frozen=True):
    """A publication, once and in order."""

    channel: str
    publication: WirePublication


class Subscribed(Struct, frozen=True):
    """The channel is live. `recovered`: nothing was missed since the last time; None the first time. `is_by_server`:
    nobody has asked for it here."""

    channel: str
    recovered: bool | None
    position: Position | None
    is_by_server: bool = False


class Unsubscribed(Struct, frozen=True):
    """The subscription ended for good."""

    channel: str
    code: int
    reason: str


class PresenceChanged(Struct, frozen=True):
    channel: str
    join: Join | None
    leave: Leave | None


class Answered(Struct, frozen=True):
    """The reply (or error) to the request `call`."""

    call: int
    reply: ClientReply


class MessageArrived(Struct, frozen=True):
    data: Raw


class CallArrived(Struct, frozen=True):
    """The server asks; `answer` it with the number."""

    number: int
    method: str
    data: Raw


class RefreshWanted(Struct, frozen=True):
    """The session will expire: give a fresh token (`refreshed`)."""


class Synced(Struct, frozen=True):
    """Whether everything that was asked has reached the server."""

    is_synced: bool


class StateChanged(Struct, frozen=True):
    """`code` and `reason` say why, where there is a why."""

    state: ClientState
    code: int = 0
    reason: str = ""
    delay: float = 0.0


ClientOutput = (
    OpenWire
    | Transmit
    | Pong
    | CloseWire
    | Moved
    | TrialFailed
    | Delivered
    | Subscribed
    | Unsubscribed
    | PresenceChanged
    | Answered
    | MessageArrived
    | CallArrived
    | RefreshWanted
    | Synced
    | StateChanged
)
