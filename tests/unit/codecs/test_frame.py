"""One publication, its bytes made once for each lane."""

from typing import get_args

from wirehop.abc import Framing
from wirehop.codecs.frame import BINARY_WRAPS, WRAPS, Frame, Lane, identity
from wirehop.codecs.framing import chunk, deflated_frame, websocket_frame
from wirehop.core.messages import Publication


def counting() -> tuple[Lane, list[int]]:
    rendered: list[int] = []

    def render(channel: str, publication: Publication, epoch: str) -> bytes:
        rendered.append(publication.offset)
        return b"%b %b %d;" % (channel.encode(), epoch.encode(), publication.offset)

    return Lane("test", render, lambda data: b"<" + data + b">"), rendered


def frame(offset: int) -> Frame:
    return Frame("c", Publication(b"1", offset=offset), "e")


def test_a_frame_is_rendered_and_wrapped_once_for_each_lane() -> None:
    lane, rendered = counting()
    other, also_rendered = counting()
    made = frame(7)
    first = made.encoded(lane)
    assert first == b"<c e 7;>"
    assert made.encoded(lane) is first
    assert made.encoded(other) == first
    assert (rendered, also_rendered) == ([7], [7])


def test_joining_gives_the_frames_in_order_each_wrapped_by_itself() -> None:
    lane, _ = counting()
    assert lane.join([frame(1), frame(2)]) == b"<c e 1;><c e 2;>"


def test_joining_one_frame_copies_nothing() -> None:
    lane, _ = counting()
    made = frame(1)
    assert lane.join([made]) is made.encoded(lane)


def test_lanes_are_compared_by_identity() -> None:
    first, _ = counting()
    second = Lane(first.name, first.render, first.wrap)
    assert first != second
    assert len({first, second}) == 2


def test_a_lane_is_shared_unless_said_otherwise_and_wraps_nothing() -> None:
    lane = Lane("x", lambda channel, publication, epoch: b"x")
    assert lane.is_shared
    assert lane.wrap is identity
    assert frame(1).encoded(lane) == b"x"


def test_the_wraps_are_those_of_the_hosts_framings() -> None:
    assert set(WRAPS) == set(BINARY_WRAPS) == set(get_args(Framing))
    made = (websocket_frame, deflated_frame, chunk, identity)
    assert dict(zip(get_args(Framing), made, strict=True)) == WRAPS
    assert identity(b"x") == b"x"
