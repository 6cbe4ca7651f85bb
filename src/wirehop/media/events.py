"""What a call tells who has joined it."""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from wirehop.media.channels import DataChannel
    from wirehop.media.errors import MediaError
    from wirehop.media.participant import Participant
    from wirehop.media.received import ReceivedTrack

State = Literal["connecting", "connected", "reconnecting", "closed"]


class Joined(Struct, frozen=True):
    """Somebody is in the room."""

    participant: "Participant"


class Left(Struct, frozen=True):
    """Somebody is not any more."""

    participant: "Participant"


class StateChanged(Struct, frozen=True):
    """The connection to a participant."""

    participant: "Participant"
    state: State


class TrackStarted(Struct, frozen=True):
    """The first frame of a track has come."""

    participant: "Participant"
    track: "ReceivedTrack"


class ChannelOpened(Struct, frozen=True):
    """A participant has opened a data channel."""

    participant: "Participant"
    channel: "DataChannel"


class Failed(Struct, frozen=True):
    """Something did not work; what can be tried again is."""

    participant: "Participant | None"
    error: "MediaError"


Event = Joined | Left | StateChanged | TrackStarted | ChannelOpened | Failed
