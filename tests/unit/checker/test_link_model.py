"""The emulator's model of a link: what loss and width do to times, without a network."""

import random

import pytest

from wirehop.checker.bottleneck import Bottleneck
from wirehop.checker.compressor import CompressedAnswer
from wirehop.checker.loss import LEAST_TIMEOUT, MOST_TRIES, SEGMENT, LossySender
from wirehop.checker.traffic import OPENING_BYTES, Recorded, Recording

R = 0.04


def sender(*chances: float) -> LossySender:
    """Whose luck is this, and good from then on."""
    left = list(chances)
    return LossySender(lambda: left.pop(0) if left else 1.0)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_as_much_is_lost_as_was_asked_for(share: float) -> None:
    link = LossySender(random.Random(7).random)
    lost = sum(link.send(n / 100, 100, share=share, round_trip=R)[1] for n in range(60_000))
    assert lost / 60_000 == pytest.approx(share, rel=0.05)


def test_a_lone_segment_waits_for_the_timer() -> None:
    stall, lost = sender(0.0).send(10.0, 100, share=0.5, round_trip=R)
    assert (lost, stall is not None and stall.again) == (1, pytest.approx(10.0 + R + LEAST_TIMEOUT))


def test_three_that_follow_make_it_quicker() -> None:
    link = sender(0.0)
    stall, _ = link.send(10.0, 100, share=0.5, round_trip=R)
    assert stall is not None
    for at in (10.01, 10.02):
        link.send(at, 100, share=0.5, round_trip=R)
    assert stall.again == pytest.approx(10.0 + R + LEAST_TIMEOUT)
    link.send(10.03, 100, share=0.5, round_trip=R)
    assert stall.again == pytest.approx(10.03 + R)


def test_what_comes_late_makes_nothing_later() -> None:
    link = sender(0.0)
    stall, _ = link.send(10.0, 100, share=0.5, round_trip=R)
    link.send(10.2, 3 * SEGMENT, share=0.5, round_trip=R)
    assert stall is not None
    assert stall.again == pytest.approx(10.2 + R)
    link.send(10.9, 9 * SEGMENT, share=0.5, round_trip=R)
    assert stall.again == pytest.approx(10.2 + R)


def test_what_is_lost_again_waits_twice_as_long() -> None:
    stall, _ = sender(0.0, 0.0, 0.0).send(0.0, 100, share=0.5, round_trip=R)
    assert stall is not None
    assert stall.again == pytest.approx((R + LEAST_TIMEOUT) * (1 + 2 + 4))
    hopeless = LossySender(lambda: 0.0)
    stall, _ = hopeless.send(0.0, 100, share=1.0, round_trip=R)
    assert stall is not None
    assert stall.again == pytest.approx((R + LEAST_TIMEOUT) * (2**MOST_TRIES - 1))


def test_a_bottleneck_takes_one_after_the_other() -> None:
    narrow = Bottleneck()
    narrow.set(1000, 500)
    assert narrow.enter(0.0, 100) == pytest.approx(0.1)
    assert narrow.enter(0.0, 400) == pytest.approx(0.5)
    assert narrow.wait(0.0) == 0
    assert narrow.enter(0.0, 200) == pytest.approx(0.7)
    assert narrow.wait(0.0) == pytest.approx(0.2)
    assert narrow.backlog(0.6) == pytest.approx(100)
    assert narrow.enter(9.0, 100) == pytest.approx(9.1)
    narrow.set(0, 0)
    assert (narrow.enter(9.0, 1 << 20), narrow.wait(9.0)) == (9.0, 0.0)


def test_a_compressor_holds_events_until_its_block_is_full_and_the_end_lets_all_out() -> None:
    answer = CompressedAnswer()
    events = [b"data: %d %b\n\n" % (n, random.Random(n).randbytes(40).hex().encode()) for n in range(3000)]
    out = answer.feed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert b"Content-Encoding: gzip" in out
    first = b"".join(answer.feed(b"%x\r\n%b\r\n" % (len(event), event)) for event in events[:10])
    assert len(first) < 30  # gzip's own head
    rest = b"".join(answer.feed(b"%x\r\n%b\r\n" % (len(event), event)) for event in events[10:])
    assert len(rest) > 50_000
    end = answer.feed(b"0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert end.endswith(b"0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert unpacked(first + rest + end) == b"".join(events)


def unpacked(chunks: bytes) -> bytes:
    import zlib

    plain = zlib.decompressobj(wbits=31)
    out = b""
    while True:
        size, _, chunks = chunks.partition(b"\r\n")
        if not int(size, 16):
            return out + plain.flush()
        out += plain.decompress(chunks[: int(size, 16)])
        chunks = chunks[int(size, 16) + 2 :]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_how_the_answer_is_cut_does_not_matter(step: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
    answer = CompressedAnswer()
    out = b"".join(answer.feed(data[start : start + step]) for start in range(0, len(data), step))
    assert unpacked(out.partition(b"\r\n\r\n")[2]) == b"firstsecond"


def test_another_answer_passes_as_it_is() -> None:
    data = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"
    answer = CompressedAnswer()
    assert answer.feed(data[:20]) + answer.feed(data[20:]) == data


def test_a_recording_keeps_the_newest_and_of_each_connection_its_beginning() -> None:
    kept = Recording(limit=10_000)
    for number in range(30):
        kept.add(Recorded(float(number), 1 if number % 2 else 2, "down", b"%04d" % number * 250))
    assert sum(len(piece.data) for piece in kept.pieces) <= 10_000
    assert [piece.at for piece in kept.pieces] == [float(n) for n in range(20, 30)]
    assert kept.dropped == 20
    assert kept.openings[1, "down"].startswith(b"0001")
    assert len(kept.openings[1, "down"]) == OPENING_BYTES
    for _ in range(10):
        kept.add(Recorded(99.0, 3, "up", b"x" * 1000))
    assert list(kept.openings) == [(3, "up")]
    kept.add(Recorded(100.0, 4, "up", b"y" * 20_000))
    assert [(piece.link, len(piece.data)) for piece in kept.pieces] == [(4, 10_000)]
    kept.clear()
    assert (len(kept.pieces), kept.dropped) == (0, 0)
