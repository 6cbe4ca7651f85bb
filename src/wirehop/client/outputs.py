"""What the client's machine tells its driver: wires to open, commands to send, what the application is to hear."""

from msgspec import Raw, Struct

from wirehop.client.messages import ClientReply
from wirehop.client.states import ClientState
from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import Command, Join, Leave, Position


class OpenWire(Struct, frozen=True):
    """Open a wire; say `opened` or `lost`."""


class Transmit(Struct, frozen=True):
    """Send these commands, in order."""

    commands: tuple[Command, ...]


class Pong(Struct, frozen=True):
    """Answer a ping."""


class CloseWire(Struct, frozen=True):
    """Close the wire; nothing of it is wanted any more."""


class Delivered(Struct, frozen=True):
    """A publication, once and in order."""

    channel: str
    publication: WirePublication


class Subscribed(Struct, frozen=True):
    """The channel is live. `recovered`: nothing was missed since the last time; None the first time."""

    channel: str
    recovered: bool | None
    position: Position | None


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
    | Delivered
    | Subscribed
    | Unsubscribed
    | PresenceChanged
    | Answered
    | MessageArrived
    | StateChanged
)
