"""One pair's peer connection, driven: the negotiation says what to do with it, one thing after the other.

aiortc can neither roll back nor restart ICE, and gathers before it has a description: so this side is `fixed`, all its
candidates stand in its descriptions, and a broken connection is replaced by a new one.

It knows what is sent (`Feed`) and hands on what comes. It does not know rooms, presence or names.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from aiortc import RTCDataChannel, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from wirehop.media.errors import MediaError, NegotiationFailed
from wirehop.media.feed import Feed
from wirehop.media.ice import IceServers
from wirehop.media.received import Name
from wirehop.rtc.pure.negotiation import Negotiation
from wirehop.rtc.pure.signals import (
    AddCandidate,
    Apply,
    Candidate,
    Close,
    MakeAnswer,
    MakeOffer,
    NegotiationOutput,
    Open,
    Send,
    Signal,
    StateChanged,
)

log = logging.getLogger("wirehop.media")
FIRST_REPAIR, LONGEST_REPAIR = 1.0, 30.0
"""Seconds before a broken connection is replaced; twice as long each time until one works."""
CLOSE_SECONDS = 5.0
_NAMES: dict[str, tuple[Name, Name]] = {"audio": ("microphone", "screen-audio"), "video": ("camera", "screen")}


class LinkWorld(Protocol):
    """What a link tells, and needs."""

    def say(self, signal: Signal) -> None:
        """To the other participant."""

    def opened(self, connection: RTCPeerConnection) -> None:
        """There is another peer connection, with a place for data channels."""

    def dropped_connection(self) -> None:
        """It is gone."""

    def changed(self, state: str) -> None:
        """`connectionState` is this now."""

    def received(self, name: Name, track: MediaStreamTrack) -> None:
        """A track of the other side."""

    def data(self, channel: RTCDataChannel) -> None:
        """A data channel of the other side."""

    def failed(self, error: MediaError) -> None:
        """Something did not work."""


class Link:
    """`connections` counts the peer connections that were made."""

    def __init__(self, me: str, peer: str, *, feeds: Sequence[Feed], ice: IceServers, world: LinkWorld) -> None:
        self.connection: RTCPeerConnection | None = None
        self.connections = 0
        self.negotiation = Negotiation(me, peer, new_instance=lambda: secrets.token_hex(8), is_fixed=True)
        self._feeds = feeds
        self._ice = ice
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._todo: list[NegotiationOutput] = []
        self._worker: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._repair: asyncio.TimerHandle | None = None
        self._repair_seconds = FIRST_REPAIR
        self._attempt = 0  # failures since a connection worked
        self._tracks: dict[str, int] = {}
        self._has_channels = False
        self._instance = ""
        self._asked: RTCPeerConnection | None = None
        self._closes = 0
        self._is_over = False

    # ---- what the participant does with it

    @property
    def is_new(self) -> bool:
        """Whether nothing was said yet, on either side."""
        return self.negotiation.state.name == "NEW"

    @property
    def instance(self) -> str:
        """The newest peer connection's id, as the other side knows it."""
        return self._instance

    def call(self) -> None:
        """Offer."""
        self._run(lambda now: self.negotiation.needed(now))

    def received(self, signal: Signal) -> None:
        """The other side says something."""
        self._run(lambda now: self.negotiation.received(signal, now))

    def restart(self) -> None:
        """Another connection."""
        self._run(lambda now: self.negotiation.restart(now))

    async def close(self) -> None:
        """Say goodbye, and drop it. What is to be said was given to `world.say` when this begins to wait."""
        if self._is_over:
            return
        self._run(lambda _: self.negotiation.close())
        self._is_over = True
        for timer in (self._timer, self._repair):
            if timer is not None:
                timer.cancel()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        self._drop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ---- the negotiation

    def _run(self, change: Callable[[float], None]) -> None:
        if self._is_over:
            return
        change(self._loop.time())
        for output in self.negotiation.take():
            match output:
                case Send(signal):
                    self._world.say(signal)
                case Close():
                    self._todo.clear()
                    self._closes += 1
                    self._drop()
                case StateChanged(state, _):
                    if state == "stable":
                        self._agreed()
                case _:
                    self._todo.append(output)
        self._arm()
        if self._todo and self._worker is None:
            self._worker = self._loop.create_task(self._work())

    async def _work(self) -> None:
        while self._todo:
            output, connection = self._todo.pop(0), self.connection
            try:
                if isinstance(output, Open):
                    await self._open(output)
                elif connection is not None:
                    await self._do(connection, output)
            except Exception as error:
                if self.connection is not connection:
                    continue  # of one that was dropped meanwhile
                number = getattr(output, "number", None)
                if number is None:
                    continue  # a candidate that cannot be used: others can
                log.debug("%s failed", type(output).__name__, exc_info=True)
                self._world.failed(NegotiationFailed(f"{type(output).__name__}: {type(error).__name__}: {error}"))
                self._run(lambda now, number=number: self.negotiation.failed(number, now))  # type: ignore[misc]
        self._worker = None

    async def _do(self, connection: RTCPeerConnection, output: NegotiationOutput) -> None:
        match output:
            case MakeOffer(number, _):
                self._place(connection)
                await connection.setLocalDescription(await connection.createOffer())
                self._described(connection, number)
            case MakeAnswer(number):
                await connection.setLocalDescription(await connection.createAnswer())
                self._described(connection, number)
            case Apply(number, kind, sdp):
                await connection.setRemoteDescription(RTCSessionDescription(sdp, kind))
                if kind == "offer":
                    self._adopt(connection)
                self._run(lambda now: self.negotiation.applied(number, now))
            case AddCandidate(candidate):
                await _add(connection, candidate)

    def _described(self, connection: RTCPeerConnection, number: int) -> None:
        if self.connection is connection:
            sdp = connection.localDescription.sdp
            self._run(lambda now: self.negotiation.described(number, sdp, now))

    def _agreed(self) -> None:
        """Where the other side's offer had no place for something of ours, ask once in an offer of ours."""
        connection = self.connection
        if connection is None or self._asked is connection:
            return
        self._asked = connection
        sent = {each.kind for each in connection.getTransceivers() if each.sender.track is not None}
        if any(feed.kind not in sent for feed in self._feeds) or not self._has_channels:
            self._loop.call_soon(self.call)

    # ---- the peer connection

    async def _open(self, output: Open) -> None:
        closes = self._closes
        self._drop()
        try:
            await self._ice.fresh()
        except MediaError as error:
            self._world.failed(error)
        if self._is_over or self._closes != closes:
            return
        connection = self.connection = RTCPeerConnection(self._ice.configuration(self._attempt))
        self.connections += 1
        self._instance = output.instance
        self._tracks = {}
        self._has_channels = False
        connection.on("connectionstatechange", lambda: self._changed(connection))
        connection.on("track", lambda track: self._track(connection, track))
        connection.on("datachannel", lambda channel: self._data(connection, channel))

    def _drop(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self._world.dropped_connection()
            self._spawn(_close(connection))

    def _changed(self, connection: RTCPeerConnection) -> None:
        if self.connection is not connection or self._is_over:
            return
        state = connection.connectionState
        if state == "connected":
            self._attempt, self._repair_seconds = 0, FIRST_REPAIR
        elif state in ("failed", "closed") and self._repair is None:
            self._attempt += 1
            self._repair = self._loop.call_later(self._repair_seconds, self._mend, connection)
            self._repair_seconds = min(2 * self._repair_seconds, LONGEST_REPAIR)
        self._world.changed(state)

    def _mend(self, connection: RTCPeerConnection) -> None:
        self._repair = None
        if self.connection is connection:
            self.restart()

    def _place(self, connection: RTCPeerConnection) -> None:
        """Places for a microphone, a camera and data, before an offer. The order matters to aiortc: the first
        transceiver has the transport."""
        for kind in ("audio", "video"):
            if not any(each.kind == kind for each in connection.getTransceivers()):
                self._give(connection.addTransceiver(kind))
        self._adopt(connection)
        self._place_data(connection)

    def _adopt(self, connection: RTCPeerConnection) -> None:
        """The first places of each kind are ours too."""
        for kind in ("audio", "video"):
            slot = next((each for each in connection.getTransceivers() if each.kind == kind), None)
            if slot is not None and slot.sender.track is None:
                self._give(slot)
        if connection.sctp is not None:
            self._place_data(connection)

    def _give(self, slot: RTCRtpTransceiver) -> None:
        feed = next((each for each in self._feeds if each.kind == slot.kind), None)
        if feed is not None:
            slot.sender.replaceTrack(feed.outlet())
            slot.direction = "sendrecv"

    def _place_data(self, connection: RTCPeerConnection) -> None:
        if not self._has_channels:
            self._has_channels = True
            connection.createDataChannel("wirehop", negotiated=True, id=0)
            self._world.opened(connection)

    def _track(self, connection: RTCPeerConnection, track: MediaStreamTrack) -> None:
        if self.connection is connection:
            number = self._tracks[track.kind] = self._tracks.get(track.kind, -1) + 1
            self._world.received(_NAMES[track.kind][min(number, 1)], track)

    def _data(self, connection: RTCPeerConnection, channel: RTCDataChannel) -> None:
        if self.connection is connection:
            self._world.data(channel)

    # ---- time

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.negotiation.deadline()
        self._timer = None if due is None else self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._run(lambda now: self.negotiation.tick(now))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _add(connection: RTCPeerConnection, candidate: Candidate | None) -> None:
    """All goes over one transport here, whichever part of the description the candidate names."""
    if candidate is not None and not candidate.candidate:
        return  # the end of one generation
    slots = connection.getTransceivers()
    transport = slots[0].receiver.transport if slots else connection.sctp.transport if connection.sctp else None
    if transport is None:
        return
    if candidate is None:
        await transport.transport.addRemoteCandidate(None)
    else:
        await transport.transport.addRemoteCandidate(candidate_from_sdp(candidate.candidate.removeprefix("candidate:")))


async def _close(connection: RTCPeerConnection) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.close()
