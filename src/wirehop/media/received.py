"""A track of somebody else, as this side holds it: read all the time, whether or not somebody looks."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Literal

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

WAITING = {"audio": 50, "video": 8}
"""Frames that wait for who reads, by kind; the oldest gives way."""
FURTHEST_SECONDS = 1.0
"""So far a frame's own time may be from the time of its arrival."""
Name = Literal["microphone", "camera", "screen", "screen-audio"]
Frame = AudioFrame | VideoFrame


class ReceivedTrack:
    """`async for frame in track` gives `av` frames, the newest where the reader is slow.

    `frames` counts what has come, `dropped` what nobody has read in time. It outlives peer connections: when one is
    replaced the frames of the next one follow. `taken` is called with each frame and its time in seconds on the loop's
    clock, before anybody reads it.
    """

    def __init__(self, name: Name, taken: Callable[[Name, Frame, float], None]) -> None:
        self.name: Name = name
        self.kind = "audio" if name in ("microphone", "screen-audio") else "video"
        self.frames = 0
        self.dropped = 0
        self.newest: Frame | None = None
        self._taken = taken
        self._waiting: deque[Frame] = deque()
        self._news = asyncio.Event()
        self._is_over = False
        self._task: asyncio.Task[None] | None = None

    def follow(self, track: MediaStreamTrack) -> None:
        """Read this one from now on."""
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._run(track))

    async def close(self) -> None:
        """Nothing more will come."""
        self._is_over = True
        self._news.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def __aiter__(self) -> AsyncIterator[Frame]:
        while True:
            while not self._waiting:
                if self._is_over:
                    return
                self._news.clear()
                await self._news.wait()
            yield self._waiting.popleft()

    async def _run(self, track: MediaStreamTrack) -> None:
        clock, begin = asyncio.get_running_loop().time, None
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if not isinstance(frame, AudioFrame | VideoFrame):
                continue
            now, own = clock(), frame.time or 0.0
            if begin is None or abs(begin + own - now) > FURTHEST_SECONDS:
                begin = now - own
            self._take(frame, begin + own)

    def _take(self, frame: Frame, at: float) -> None:
        self.frames += 1
        self.newest = frame
        self._taken(self.name, frame, at)
        self._waiting.append(frame)
        self._news.set()
        if len(self._waiting) > WAITING[self.kind]:
            self._waiting.popleft()
            self.dropped += 1
