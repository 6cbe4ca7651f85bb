"""Which arrivals of events mean what."""

import pytest

from wirehop.doctor.silence import judge as judge_silence
from wirehop.doctor.streams import Arrival, judge
from wirehop.transports.doctor import PLAN, Beat


def arrivals(*at: float) -> list[Arrival]:
    beats = [
        Beat(sent, number == len(PLAN) - 1, "x" if is_padded else "") for number, (sent, is_padded) in enumerate(PLAN)
    ]
    return [Arrival(beat, when) for beat, when in zip(beats, at, strict=False)]


@pytest.mark.parametrize(
    ("at", "name", "verdict", "words"),
    [
        ((0.0, 0.3, 0.6, 0.9, 1.2), "stream", "ok", "as they are sent"),
        ((5.0, 5.301, 5.6, 5.91, 6.2), "stream", "ok", "as they are sent"),
        ((1.2, 1.2, 1.2, 1.2, 1.2), "stream-buffered", "bad", "until the stream ends"),
        ((0.9, 0.9, 0.9, 0.9, 1.2), "stream-buffered", "bad", "until much has gathered"),
        ((0.0, 0.3, 1.2, 1.2, 1.2), "stream-buffered", "bad", "for a while"),
        ((0.0, 0.51, 0.6, 1.11, 1.2), "stream-delayed", "warn", "210 ms"),
        ((0.0, 0.3), "stream", "bad", "after 2 events"),
        ((), "stream", "bad", "after 0 events"),
    ],
)
def test_arrivals(at: tuple[float, ...], name: str, verdict: str, words: str) -> None:
    found = judge(arrivals(*at))
    assert (found.name, found.verdict) == (name, verdict)
    assert words in found.seen
    assert bool(found.change) == (verdict != "ok")


@pytest.mark.parametrize(
    ("end", "silence", "need", "verdict"),
    [
        ((30.0, ""), 30.0, 25.0, "ok"),
        ((30.0, ""), 30.0, 55.0, "ok"),
        ((10.0, "cut"), 30.0, 25.0, "bad"),
        ((26.0, "cut"), 30.0, 25.0, "warn"),
        ((60.0, "cut"), 65.0, 25.0, "ok"),
    ],
)
def test_silences(end: tuple[float, str], silence: float, need: float, verdict: str) -> None:
    found = judge_silence("idle-stream", end, silence, need)
    assert found.verdict == verdict
    assert ("--idle" in found.seen) == (not end[1] and silence < need)
    assert bool(found.change) == (verdict != "ok")
