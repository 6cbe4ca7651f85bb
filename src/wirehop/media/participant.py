"""Somebody else in a room: who it is, what comes from there, and the connection to it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiortc import RTCDataChannel, RTCPeerConnection
from aiortc.mediastreams import MediaStreamTrack
from msgspec import Struct

from wirehop.core.messages import ClientInfo
from wirehop.media.channels import DataChannel, DataChannels
from wirehop.media.errors import MediaError
from wirehop.media.events import ChannelOpened, Event, Failed, State, StateChanged, TrackStarted
from wirehop.media.feed import Feed
from wirehop.media.ice import IceServers
from wirehop.media.link import Link
from wirehop.media.received import Frame, Name, ReceivedTrack
from wirehop.media.recording import Recording
from wirehop.rtc.pure.signals import Signal

RETRY_SECONDS, LONGEST_RETRY = 2.0, 32.0
"""After a signal was refused all is said again, after this and then ever longer."""


class Setting(Struct):
    """What all participants of a call share. `recording` makes one for a participant's file, whose name ends so."""

    me: str
    feeds: Sequence[Feed]
    ice: IceServers
    info: dict[str, Any]
    say: Callable[["Participant", object], None]
    tell: Callable[[Event], None]
    recording: Callable[["Participant", str], Recording] | None


class Participant:
    """`tracks` are those of which a frame has come, by name: microphone, camera, screen, screen-audio. `recordings` are
    the files that are written. `dropped` counts signals that came and were not used, by reason."""

    def __init__(self, identity: str, setting: Setting) -> None:
        self.id = identity
        self.user = ""
        self.name = ""
        self.info: object = None
        self.state: State = "connecting"
        self.tracks: dict[Name, ReceivedTrack] = {}
        self.recordings: dict[str, Recording] = {}
        self._setting = setting
        self._known: dict[Name, ReceivedTrack] = {}
        self._theirs = ""
        self._bad = 0
        self._retry = RETRY_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._was_connected = False
        self._channels = DataChannels(lambda channel: self._tell(ChannelOpened(self, channel)))
        self._link = Link(setting.me, identity, feeds=setting.feeds, ice=setting.ice, world=self)

    def __repr__(self) -> str:
        return f"<Participant {self.name or self.id} {self.state}>"

    @property
    def connection(self) -> RTCPeerConnection | None:
        """The peer connection, for what is not offered here. It is another one after each reconnect."""
        return self._link.connection

    @property
    def connections(self) -> int:
        """How many were made."""
        return self._link.connections

    @property
    def dropped(self) -> Counter[str]:
        return self._link.negotiation.dropped + Counter(bad=self._bad)

    def channel(self, label: str, *, is_reliable: bool = True, is_ordered: bool = True) -> DataChannel:
        """A data channel; both have it, whoever asks first. Not reliable: what is lost is not sent again. Raises
        `ChannelFull` above 64."""
        return self._channels.get(label, is_reliable=is_reliable, is_ordered=is_ordered)

    def restart(self) -> None:
        """Another connection, now."""
        self._link.restart()

    # ---- what the call does with it

    def met(self, info: ClientInfo) -> None:
        """The server says who it is."""
        self.user = info.user or self.user
        if isinstance(info.conn_info, msgspec.Raw) and self.info is None:
            self.info = msgspec.json.decode(bytes(info.conn_info))
        self.name = self.name or self.user

    def call(self) -> None:
        """Offer, unless something is under way."""
        if self._link.is_new:
            self._link.call()

    def introduce(self) -> None:
        """Say who we are, and what we send."""
        self._setting.say(self, {"instance": self._link.instance, "info": self._setting.info})

    def heard(self, said: dict[str, Any]) -> None:
        """It says something to us."""
        if isinstance(info := said.get("info"), dict):
            self.name = info["name"] if isinstance(info.get("name"), str) and info["name"] else self.name
            self.info = info.get("data", self.info)
            return
        try:
            signal = msgspec.convert(said, Signal)
        except msgspec.ValidationError:
            self._bad += 1
            return
        if signal.instance != self._theirs and (signal.offer or signal.answer or signal.restart):
            self._theirs = signal.instance
            self.introduce()  # perhaps nobody was listening there before
        self._link.received(signal)

    def unheard(self) -> None:
        """A signal of ours was refused: begin again, not at once."""
        if self._timer is None and self.state != "closed":
            self._timer = asyncio.get_running_loop().call_later(self._retry, self._again)
            self._retry = min(2 * self._retry, LONGEST_RETRY)

    async def close(self) -> None:
        """It is gone, or we are."""
        if self._timer is not None:
            self._timer.cancel()
        self._is("closed")
        await self._link.close()
        self._channels.close()
        for track in self._known.values():
            await track.close()
        for recording in self.recordings.values():
            await recording.close()

    def _again(self) -> None:
        self._timer = None
        self.introduce()
        self._link.restart()

    # ---- what the link tells

    def say(self, signal: Signal) -> None:
        self._setting.say(self, signal)

    def opened(self, connection: RTCPeerConnection) -> None:
        self._channels.opened(connection)

    def dropped_connection(self) -> None:
        self._channels.dropped()
        if self.state == "connected":
            self._is("reconnecting")

    def changed(self, state: str) -> None:
        if state == "connected":
            self._was_connected = True
            self._retry = RETRY_SECONDS
            self._is("connected")
        elif state in ("failed", "closed"):
            self._is("reconnecting" if self._was_connected else "connecting")

    def received(self, name: Name, track: MediaStreamTrack) -> None:
        if name not in self._known:
            self._known[name] = ReceivedTrack(name, self._taken)
        self._known[name].follow(track)

    def data(self, channel: RTCDataChannel) -> None:
        self._channels.arrived(channel)

    def failed(self, error: MediaError) -> None:
        self._tell(Failed(self, error))

    # ---- inside

    def _taken(self, name: Name, frame: Frame, at: float) -> None:
        if name not in self.tracks:
            track = self.tracks[name] = self._known[name]
            self._tell(TrackStarted(self, track))
        if self._setting.recording is not None:
            which = "-screen" if name.startswith("screen") else ""
            if which not in self.recordings:
                self.recordings[which] = self._setting.recording(self, which)
            self.recordings[which].take(frame, at)

    def _is(self, state: State) -> None:
        if state != self.state and self.state != "closed":
            self.state = state
            self._tell(StateChanged(self, state))

    def _tell(self, event: Event) -> None:
        self._setting.tell(event)
