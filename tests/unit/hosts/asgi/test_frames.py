"""Shared WebSocket frames become messages again, once for each buffer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirehop.codecs.framing import BINARY, PING, TEXT, deflated_frame, websocket_close, websocket_frame
from wirehop.hosts.asgi.frames import Splitter, split

SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
MESSAGES = st.lists(st.tuples(st.booleans(), SIZES), max_size=5)


@given(MESSAGES)
def test_joined_frames_are_split_into_what_they_were_made_of(messages: list[tuple[bool, int]]) -> None:
    frames, parts = [], []
    for is_binary, size in messages:
        frames.append(websocket_frame(b"x" * size, BINARY if is_binary else TEXT))
        parts.append(("bytes", b"x" * size) if is_binary else ("text", "x" * size))
    assert split(b"".join(frames)) == parts


@pytest.mark.parametrize(
    "buffer",
    [
        websocket_frame(b"", PING),
        websocket_close(1000),
        websocket_frame(b"abc")[:-1],
        websocket_frame(b"x" * 300)[:3],
        b"\x81",
        b"\x01\x00",  # a fragment
        deflated_frame(b"a" * 1000),
        b"\x81\x83abcdefg",  # masked
    ],
)
def test_what_is_no_whole_data_frame_is_an_error(buffer: bytes) -> None:
    with pytest.raises(ValueError):
        split(buffer)


def test_a_shared_buffer_is_split_once_and_few_are_remembered() -> None:
    splitter = Splitter()
    shared = websocket_frame("é".encode() * 100)
    assert splitter.split(shared) is splitter.split(shared)
    assert splitter.split(shared) == [("text", "é" * 100)]
    others = [websocket_frame(b"%d" % n) for n in range(200)]
    for other in others:
        assert splitter.split(other) == [("text", other[2:].decode())]
    large = websocket_frame(b"x" * 100_000)
    assert splitter.split(large) is not splitter.split(large)
    assert len(splitter._known) <= 16
