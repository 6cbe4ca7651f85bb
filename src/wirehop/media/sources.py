"""What can be published: a test picture with a tone, a file, a camera.

A source says what it is; `open` gives its tracks, at most one of each kind. Tracks are paced: they give a frame when it
is due, and what nobody takes by then is skipped or dropped by who reads them.
"""

import asyncio
import sys
import time
from array import array
from fractions import Fraction
from math import pi, sin
from pathlib import Path
from typing import Protocol

from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, FFmpegError, VideoFrame
from msgspec import Struct

from wirehop.media.errors import SourceFailed
from wirehop.media.picture import Picture

SAMPLE_RATE = 48_000
SAMPLES = 960  # 20 ms
VIDEO_CLOCK = 90_000


class Source(Protocol):
    """Something to publish."""

    def open(self) -> list[MediaStreamTrack]:
        """Its tracks, to be read until they end and then stopped. Raises `SourceFailed`."""
        ...


class TestPicture(Struct, frozen=True):
    """A clock that moves, for people and for `read_clock`, on one colour; and a tone of `frequency` Hz, a whole number
    (0: none). `width` must be a multiple of 16, `height` even."""

    __test__ = False  # it is no test

    width: int = 320
    height: int = 180
    rate: int = 20
    colour: tuple[int, int, int] = (40, 90, 160)
    frequency: int = 440

    def open(self) -> list[MediaStreamTrack]:
        """Never fails, except by `ValueError` for a size that is none."""
        video: MediaStreamTrack = _Clock(Picture(self.width, self.height, self.colour), self.rate)
        return [_Tone(self.frequency), video] if self.frequency else [video]


class MediaFile(Struct, frozen=True):
    """A file's first audio and first video, as long as they last, at their own pace. Anything FFmpeg reads."""

    path: str | Path

    def open(self) -> list[MediaStreamTrack]:
        """Raises `SourceFailed`."""
        return _play(str(self.path), None, {})


class Camera(Struct, frozen=True):
    """A camera: `/dev/video0`, or what FFmpeg calls it on other systems (`default:none`, `video=…`). `format` is
    FFmpeg's name of the kind of device; empty for the system's own."""

    device: str = "/dev/video0"
    width: int = 640
    height: int = 480
    rate: int = 30
    format: str = ""

    def open(self) -> list[MediaStreamTrack]:
        """Raises `SourceFailed`."""
        kind = self.format or {"darwin": "avfoundation", "win32": "dshow"}.get(sys.platform, "v4l2")
        options = {"video_size": f"{self.width}x{self.height}", "framerate": str(self.rate)}
        return _play(self.device, kind, options)


def _play(name: str, kind: str | None, options: dict[str, str]) -> list[MediaStreamTrack]:
    try:
        player = MediaPlayer(name, format=kind, options=options)
    except (OSError, FFmpegError, ValueError) as error:
        raise SourceFailed(f"{name}: {error}") from error
    tracks = [track for track in (player.audio, player.video) if track is not None]
    if not tracks:
        raise SourceFailed(f"{name}: there is neither audio nor video in it")
    return tracks


class _Paced(MediaStreamTrack):
    """Gives one item every `seconds`; where it was late it skips, so that it is never behind."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._began = 0.0
        self._count = -1

    async def _next(self) -> int:
        """Wait until the next item is due; its number."""
        loop = asyncio.get_running_loop()
        if self.readyState != "live":
            raise MediaStreamError
        if self._count < 0:
            self._began, self._count = loop.time(), 0
            return 0
        self._count = max(self._count + 1, int((loop.time() - self._began) / self._seconds))
        await asyncio.sleep(max(0.0, self._began + self._count * self._seconds - loop.time()))
        return self._count


class _Clock(_Paced):
    kind = "video"

    def __init__(self, picture: Picture, rate: int) -> None:
        super().__init__(1 / rate)
        self._picture = picture
        self._rate = rate
        self._chroma: list[bytes] = []

    async def recv(self) -> VideoFrame:
        number = await self._next()
        picture = self._picture
        frame = VideoFrame(picture.width, picture.height, "yuv420p")
        brightness, *colours = frame.planes
        self._chroma = self._chroma or [picture.chroma(i, plane.line_size) for i, plane in enumerate(colours)]
        for plane, data in zip(colours, self._chroma, strict=True):
            plane.update(_fitted(data, plane.buffer_size))
        brightness.update(_fitted(picture.luma(time.time(), brightness.line_size), brightness.buffer_size))
        frame.pts, frame.time_base = number * VIDEO_CLOCK // self._rate, Fraction(1, VIDEO_CLOCK)
        return frame


class _Tone(_Paced):
    kind = "audio"

    def __init__(self, frequency: int) -> None:
        super().__init__(SAMPLES / SAMPLE_RATE)
        wave = array("h", (round(6000 * sin(2 * pi * frequency * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE)))
        self._second = wave.tobytes()  # a whole number of waves: it can be repeated

    async def recv(self) -> AudioFrame:
        number = await self._next()
        at = 2 * (number * SAMPLES % SAMPLE_RATE)
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(self._second[at : at + 2 * SAMPLES])
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = number * SAMPLES, Fraction(1, SAMPLE_RATE)
        return frame


def _fitted(data: bytes, size: int) -> bytes:
    return data if len(data) == size else data[:size].ljust(size, b"\0")
