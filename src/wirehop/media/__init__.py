"""Calls from Python: a participant that publishes a file, a test picture or a camera, and records what it receives.

from wirehop.media import TestPicture, join

async with Client("http://127.0.0.1:8000") as client:
    async with join(client, "room:demo", publish=TestPicture(), record="recordings") as call:
        ...

Needs the extra `media`. What is large is imported with the first call.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wirehop.media.call import Call, join
    from wirehop.media.channels import DataChannel
    from wirehop.media.errors import MediaError, MediaMissing
    from wirehop.media.events import ChannelOpened, Event, Failed, Joined, Left, StateChanged, TrackStarted
    from wirehop.media.participant import Participant
    from wirehop.media.picture import read_clock
    from wirehop.media.received import ReceivedTrack
    from wirehop.media.sources import Camera, MediaFile, Source, TestPicture

_WHERE = {
    "Call": "call",
    "Camera": "sources",
    "ChannelOpened": "events",
    "DataChannel": "channels",
    "Event": "events",
    "Failed": "events",
    "Joined": "events",
    "Left": "events",
    "MediaError": "errors",
    "MediaFile": "sources",
    "MediaMissing": "errors",
    "Participant": "participant",
    "ReceivedTrack": "received",
    "Source": "sources",
    "StateChanged": "events",
    "TestPicture": "sources",
    "TrackStarted": "events",
    "join": "call",
    "read_clock": "picture",
}

__all__ = [
    "Call",
    "Camera",
    "ChannelOpened",
    "DataChannel",
    "Event",
    "Failed",
    "Joined",
    "Left",
    "MediaError",
    "MediaFile",
    "MediaMissing",
    "Participant",
    "ReceivedTrack",
    "Source",
    "StateChanged",
    "TestPicture",
    "TrackStarted",
    "join",
    "read_clock",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name not in ("MediaError", "MediaMissing"):
        from wirehop.media.errors import check_installed

        check_installed()
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
