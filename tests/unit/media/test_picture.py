"""The test picture and its clock, and recordings, without a network."""

import random
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from wirehop.media.picture import CLOCK_SPAN, Picture, age_of, read_clock, stamp_of
from wirehop.media.recording import WAITING_PICTURES, Recording

NOW = 1_800_000_000.123


def drawn(seconds: float, width: int = 320, height: int = 180) -> av.VideoFrame:
    picture = Picture(width, height, (40, 90, 160))
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.planes[0].update(picture.luma(seconds, frame.planes[0].line_size))
    for which, plane in enumerate(frame.planes[1:]):
        plane.update(picture.chroma(which, plane.line_size))
    return frame


@pytest.mark.parametrize(("width", "height"), [(320, 180), (640, 360), (96, 54), (1280, 720)])
def test_the_clock_is_read_back_in_every_size_and_format(width: int, height: int) -> None:
    for seconds in (NOW, NOW + 0.001, 0.0, (CLOCK_SPAN - 1) / 1000, CLOCK_SPAN / 1000):
        frame = drawn(seconds, width, height)
        assert read_clock(frame) == stamp_of(seconds)
        assert read_clock(frame.reformat(format="rgb24")) == stamp_of(seconds)
        assert read_clock(frame.reformat(width=width // 2, height=height // 2)) == stamp_of(seconds)


def test_what_is_no_clock_is_told_from_one() -> None:
    noise = random.Random(1)
    frames = []
    for _ in range(200):
        frame = av.VideoFrame(320, 180, "yuv420p")
        for plane in frame.planes:
            plane.update(noise.randbytes(plane.buffer_size))
        frames.append(read_clock(frame))
    assert sum(each is not None for each in frames) <= 5  # one in 256 by chance
    plain = drawn(NOW)
    plain.planes[0].update(bytes([16]) * plain.planes[0].buffer_size)
    assert read_clock(plain) is None


def test_a_clocks_age_goes_over_its_end() -> None:
    end = CLOCK_SPAN / 1000
    assert age_of(stamp_of(end - 0.5), end + 0.25) == 750
    assert age_of(stamp_of(NOW), NOW) == 0


@pytest.mark.parametrize("size", [(100, 60), (320, 181), (320, 50), (32, 32)])
def test_sizes_that_are_none(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        Picture(*size, (0, 0, 0))


# ---- recordings


@pytest.mark.asyncio
async def test_a_recording_takes_pictures_of_every_size_and_a_gap_of_sound(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "deep" / "it.webm", width=160, height=90)
    for number in range(20):
        size = (320, 180) if number % 2 else (96, 96)
        recording.take(drawn(NOW + number / 10, *size), 100 + number / 10)
        if number < 5 or number > 15:
            sound = av.AudioFrame(format="s16", layout="mono", samples=4800)
            sound.planes[0].update(bytes(sound.planes[0].buffer_size))
            sound.sample_rate, sound.time_base = 48_000, Fraction(1, 48_000)
            recording.take(sound, 100 + number / 10)
    await recording.close()
    assert (recording.frames, recording.dropped, recording.error) == (29, 0, "")
    with av.open(str(recording.path)) as container:
        pictures = list(container.decode(video=0))
    with av.open(str(recording.path)) as container:
        times = [frame.time for frame in container.decode(audio=0) if frame.time is not None]
    assert {(each.width, each.height) for each in pictures} == {(160, 90)}
    assert len(pictures) == 20
    assert 1.8 < (pictures[-1].time or 0) - (pictures[0].time or 0) < 2.0
    assert max(later - earlier for earlier, later in pairwise(times)) > 0.8  # the gap is there
    assert 1.8 < times[-1] < 2.1


def test_pictures_that_come_too_fast_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recording, "_run", lambda _: None)  # a writer that never gets to it
    recording = Recording(tmp_path / "it.webm")
    frame = drawn(NOW)
    for _ in range(WAITING_PICTURES + 7):
        recording.take(frame, 1.0)
    assert recording.dropped == 7


@pytest.mark.asyncio
async def test_a_file_is_never_written_over_and_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    for name in ("it.webm", "it-2.webm"):
        recording = Recording(tmp_path / "it.webm")
        recording.take(drawn(time.time()), 0.0)
        await recording.close()
        assert recording.path == tmp_path / name
    (tmp_path / "file").write_text("no directory")
    recording = Recording(tmp_path / "file" / "it.webm")
    recording.take(drawn(NOW), 0.0)
    recording.take(drawn(NOW), 0.1)
    await recording.close()
    assert recording.error
    assert (recording.frames, recording.dropped) == (0, 1)


# ---- what is missing


def test_without_the_extra_it_is_said_what_to_install() -> None:
    code = (
        "import sys; sys.modules['aiortc'] = None\n"
        "from wirehop.media import MediaMissing\n"
        "try:\n    from wirehop.media import join\n"
        "except MediaMissing as error:\n    print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "pip install 'wirehop[media]'" in out


def test_importing_the_package_loads_nothing_large() -> None:
    code = "import sys, wirehop, wirehop.media, wirehop.cli.call; print({'aiortc', 'av'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert out.strip() == "set()"
