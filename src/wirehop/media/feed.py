"""One local track for many peer connections: each has an outlet with a short queue of its own, so that a slow one loses
frames and delays nobody."""

import asyncio
from collections import deque
from typing import Any, TypeAlias

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.frame import Frame
from av.packet import Packet

Item: TypeAlias = "Frame | Packet[Any]"
"""Decoded, or encoded already."""
WAITING = {"audio": 25, "video": 2}
"""Frames that wait in one outlet, by kind; the oldest gives way."""


class Feed:
    """Reads the track from the moment at which somebody takes of it. `dropped` counts frames that an outlet had no
    place for, `frames` those that were read."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.kind: str = track.kind
        self.frames = 0
        self.dropped = 0
        self.ended = asyncio.Event()
        self._track = track
        self._outlets: set[Outlet] = set()
        self._task: asyncio.Task[None] | None = None

    def outlet(self) -> "Outlet":
        """A track for one peer connection, which ends when that stops it, or with the source."""
        return Outlet(self)

    def enter(self, outlet: "Outlet") -> None:
        """It wants frames from now on."""
        self._outlets.add(outlet)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self, outlet: "Outlet") -> None:
        """It wants no more."""
        self._outlets.discard(outlet)

    async def close(self) -> None:
        """Let go of the source."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._track.stop()
        self._end()

    async def _run(self) -> None:
        try:
            while True:
                frame = await self._track.recv()
                self.frames += 1
                for outlet in self._outlets:
                    self.dropped += outlet.put(frame)
        except MediaStreamError:
            self._end()

    def _end(self) -> None:
        self.ended.set()
        for outlet in list(self._outlets):
            outlet.end()


class Outlet(MediaStreamTrack):
    """What one peer connection sends."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.kind = feed.kind
        self._feed = feed
        self._frames: deque[Item] = deque()
        self._news = asyncio.Event()

    def put(self, frame: Item) -> int:
        """Take it; how many were dropped for it."""
        self._frames.append(frame)
        self._news.set()
        if len(self._frames) <= WAITING[self.kind]:
            return 0
        self._frames.popleft()
        return 1

    def end(self) -> None:
        """No more will come."""
        self._news.set()

    async def recv(self) -> Item:
        """The next frame. Raises `MediaStreamError` when there is none any more."""
        if self.readyState != "live":
            raise MediaStreamError
        self._feed.enter(self)
        while not self._frames:
            if self._feed.ended.is_set():
                self.stop()
                raise MediaStreamError
            self._news.clear()
            await self._news.wait()
        return self._frames.popleft()

    def stop(self) -> None:
        """The peer connection wants no more."""
        self._feed.leave(self)
        self._frames.clear()
        super().stop()
