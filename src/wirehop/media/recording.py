"""A recording: one WebM file with VP8 and Opus, written by a thread of its own.

Both streams are there from the beginning, because a file's head comes before its first frame; pictures are brought to
one size, because senders change theirs as the network does. Sound stays in step with the picture by silence that is
left out where nothing came.
"""

import asyncio
import itertools
import logging
import queue
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av import AudioFrame, AudioResampler, VideoFrame
from av.filter import Graph

log = logging.getLogger("wirehop.media")
WAITING, WAITING_PICTURES = 200, 25
"""Frames that wait to be written, and how many of them may be pictures, which are large; more are dropped."""
SAMPLE_RATE = 48_000
AUDIO_BITS, VIDEO_BITS = 48_000, 1_000_000
LARGEST_GAP = 0.2
"""Seconds by which sound may be off before it is put in its place again."""


class Recording:
    """`path` is made with the first frame; where it exists, a number is added. `frames` counts what was written,
    `dropped` what came faster than it could be, `error` says why nothing is written any more."""

    def __init__(self, path: Path, *, width: int = 640, height: int = 360) -> None:
        self.path = path
        self.frames = 0
        self.dropped = 0
        self.error = ""
        self._size = (width, height)
        self._waiting: queue.Queue[tuple[AudioFrame | VideoFrame, float] | None] = queue.Queue(WAITING)
        self._places = threading.Semaphore(WAITING_PICTURES)
        self._thread: threading.Thread | None = None

    def take(self, frame: AudioFrame | VideoFrame, at: float) -> None:
        """Write a frame of this time, in seconds on any one clock. Never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
            self._thread.start()
        is_picture = isinstance(frame, VideoFrame)
        if is_picture and not self._places.acquire(blocking=False):
            self.dropped += 1
            return
        try:
            self._waiting.put_nowait((frame, at))
        except queue.Full:
            self.dropped += 1
            if is_picture:
                self._places.release()

    async def close(self) -> None:
        """Write what waits, and the file's end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._finish, thread)

    def _finish(self, thread: threading.Thread) -> None:
        self._waiting.put(None)
        thread.join()

    def _run(self) -> None:
        writer: _Writer | None = None
        while (item := self._waiting.get()) is not None:
            if isinstance(item[0], VideoFrame):
                self._places.release()
            if self.error:
                self.dropped += 1
                continue
            try:
                if writer is None:
                    self.path = _free(self.path)
                    writer = _Writer(self.path, self._size, item[1])
                writer.write(*item)
                self.frames += 1
            except (OSError, av.FFmpegError, ValueError) as error:
                self.error = str(error)
                log.error("%s is not written any more: %s", self.path, error)
        if writer is not None:
            try:
                writer.close()
            except (OSError, av.FFmpegError) as error:
                self.error = self.error or str(error)


class _Writer:
    """The file, in its thread."""

    def __init__(self, path: Path, size: tuple[int, int], begin: float) -> None:
        self._begin = begin
        self._size = size
        self._container = av.open(str(path), "w", format="webm")
        self._video: Any = self._container.add_stream("libvpx", rate=30)
        self._video.width, self._video.height = size
        self._video.pix_fmt, self._video.bit_rate = "yuv420p", VIDEO_BITS
        self._video.codec_context.time_base = Fraction(1, 1000)
        self._video.options = {"deadline": "realtime", "cpu-used": "16"}
        self._audio: Any = self._container.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
        self._audio.bit_rate = AUDIO_BITS
        self._resampler = AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE, frame_size=960)
        self._samples = 0  # the place of the next sound
        self._shown = -1  # the place of the last picture
        self._fit: tuple[tuple[int, int, str], Graph] | None = None

    def write(self, frame: AudioFrame | VideoFrame, at: float) -> None:
        seconds = max(0.0, at - self._begin)
        if isinstance(frame, VideoFrame):
            self._picture(frame, seconds)
        else:
            self._sound(frame, seconds)

    def close(self) -> None:
        for stream in (self._video, self._audio):
            self._mux(stream, None)
        self._container.close()

    def _picture(self, frame: VideoFrame, seconds: float) -> None:
        fitted = self._fitted(frame)
        self._shown = max(self._shown + 1, int(seconds * 1000))
        fitted.pts, fitted.time_base = self._shown, Fraction(1, 1000)
        self._mux(self._video, fitted)

    def _sound(self, frame: AudioFrame, seconds: float) -> None:
        place = int(seconds * SAMPLE_RATE)
        if abs(place - self._samples) > LARGEST_GAP * SAMPLE_RATE:
            self._samples = max(self._samples, place)
        frame.pts = None  # the resampler is to ask nothing: where it belongs is said below
        for piece in self._resampler.resample(frame):
            piece.pts, piece.time_base = self._samples, Fraction(1, SAMPLE_RATE)
            self._samples += piece.samples
            self._mux(self._audio, piece)

    def _mux(self, stream: Any, frame: Any) -> None:
        for packet in stream.encode(frame):
            self._container.mux(packet)

    def _fitted(self, frame: VideoFrame) -> VideoFrame:
        """The same picture in the recording's size, with borders where its shape is another."""
        if (frame.width, frame.height, frame.format.name) == (*self._size, "yuv420p"):
            return frame.reformat(format="yuv420p")
        key = (frame.width, frame.height, frame.format.name)
        if self._fit is None or self._fit[0] != key:
            self._fit = (key, _fitting(frame, *self._size))
        graph = self._fit[1]
        graph.vpush(frame)
        return graph.vpull()


def _fitting(frame: VideoFrame, width: int, height: int) -> Graph:
    graph = Graph()
    steps = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90_000)),
        graph.add("scale", f"{width}:{height}:force_original_aspect_ratio=decrease"),
        graph.add("pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    for first, second in itertools.pairwise(steps):
        first.link_to(second)
    graph.configure()
    return graph


def _free(path: Path) -> Path:
    """The path, with a number where it is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free
