"""The frame parser: every rule of RFC 6455 section 5 by name, and chunking that does not matter."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_harness import client_frame

from wirehop.hosts.native.masking import apply_mask, xor_mask
from wirehop.hosts.native.websocket_parser import (
    Closed,
    Event,
    Failed,
    Message,
    Pinged,
    Ponged,
    WebSocketParser,
    is_close_code,
)


def feed(*pieces: bytes, max_message: int = 1000) -> list[Event]:
    parser = WebSocketParser(max_message)
    return [event for piece in pieces for event in parser.feed(piece)]


def failure(data: bytes, max_message: int = 1000) -> int:
    """The code that the last event fails with."""
    last = feed(data, max_message=max_message)[-1]
    assert isinstance(last, Failed), last
    return last.code


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return code.to_bytes(2, "big") + reason


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_a_message_of_every_length_encoding(size: int) -> None:
    data = b"x" * size
    assert feed(client_frame(data, 2), max_message=100_000) == [Message(data, True)]


def test_a_length_written_longer_than_needed_is_read() -> None:
    frame = b"\x81\xff" + (2).to_bytes(8, "big") + b"\0\0\0\0hi"
    assert feed(frame) == [Message(b"hi", False)]


def test_fragments_with_control_frames_between() -> None:
    pieces = [
        client_frame(b"a", 1, fin=False),
        client_frame(b"p", 9),
        client_frame(b"", 0, fin=False),
        client_frame(b"q", 10),
        client_frame(b"b", 0),
        client_frame(b"c", 2),
    ]
    assert feed(*pieces) == [Pinged(b"p"), Ponged(b"q"), Message(b"ab", False), Message(b"c", True)]


@pytest.mark.parametrize("rsv", [1, 2, 4])
def test_a_reserved_bit_is_a_violation(rsv: int) -> None:
    assert failure(client_frame(b"a", rsv=rsv)) == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_a_reserved_opcode_is_a_violation(opcode: int) -> None:
    assert failure(client_frame(b"a", opcode)) == 1002


def test_an_unmasked_frame_is_a_violation() -> None:
    assert failure(client_frame(b"a", mask=None)) == 1002


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_a_fragmented_control_frame_is_a_violation(opcode: int) -> None:
    assert failure(client_frame(b"", opcode, fin=False)) == 1002


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_a_control_frame_over_125_bytes_is_a_violation(opcode: int) -> None:
    assert failure(client_frame(b"x" * 126, opcode)) == 1002


def test_a_continuation_of_nothing_is_a_violation() -> None:
    assert failure(client_frame(b"a", 0)) == 1002
    assert failure(client_frame(b"a", 1) + client_frame(b"a", 0)) == 1002


def test_a_message_within_a_message_is_a_violation() -> None:
    assert failure(client_frame(b"a", 1, fin=False) + client_frame(b"b", 1)) == 1002


def test_a_length_with_the_top_bit_is_a_violation() -> None:
    assert failure(b"\x82\xff" + (1 << 63).to_bytes(8, "big")) == 1002


def test_too_big_is_said_before_the_payload_comes() -> None:
    assert failure(b"\x82\xfe" + (101).to_bytes(2, "big"), max_message=100) == 1009
    assert feed(client_frame(b"x" * 100, 2), max_message=100) == [Message(b"x" * 100, True)]


def test_too_big_counts_all_fragments() -> None:
    first = client_frame(b"x" * 60, 2, fin=False)
    assert failure(first + b"\x80\xa9", max_message=100) == 1009  # 41 more are announced
    assert feed(first, client_frame(b"y" * 40, 0), max_message=100) == [Message(b"x" * 60 + b"y" * 40, True)]


@pytest.mark.parametrize("data", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"a\x80", b"\xf4\x90\x80\x80"])
def test_text_that_is_not_utf_8(data: bytes) -> None:
    assert failure(client_frame(data, 1)) == 1007
    assert feed(client_frame(data, 2)) == [Message(data, True)]


def test_text_is_judged_across_fragments_and_early() -> None:
    euro = "€".encode()
    pieces = [client_frame(euro[:1], 1, fin=False), client_frame(euro[1:2], 0, fin=False)]
    assert feed(*pieces, client_frame(euro[2:], 0)) == [Message(euro, False)]
    assert failure(b"".join(pieces) + client_frame(b"", 0)) == 1007  # ends within a character
    assert failure(client_frame(b"\xff", 1, fin=False)) == 1007  # before the message is whole


def test_a_close_frame() -> None:
    assert feed(client_frame(b"", 8)) == [Closed(1005, "")]
    assert feed(client_frame(close_payload(1000, "bye €".encode()), 8)) == [Closed(1000, "bye €")]


def test_nothing_is_heard_after_a_close_frame() -> None:
    assert feed(client_frame(b"", 8) + client_frame(b"a"), client_frame(b"b")) == [Closed(1005, "")]


def test_half_a_close_code_is_a_violation() -> None:
    assert failure(client_frame(b"\x03", 8)) == 1002


def test_a_close_reason_that_is_not_utf_8() -> None:
    assert failure(client_frame(close_payload(1000, b"\xff"), 8)) == 1007


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
def test_close_codes_that_must_not_be_sent(code: int) -> None:
    assert failure(client_frame(close_payload(code), 8)) == 1002


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_codes_that_may_be_sent(code: int) -> None:
    assert is_close_code(code)
    assert feed(client_frame(close_payload(code), 8)) == [Closed(code, "")]


def test_a_parser_at_rest_holds_nothing() -> None:
    parser = WebSocketParser(100)
    assert parser.is_at_rest
    parser.feed(client_frame(b"abc")[:4])
    assert not parser.is_at_rest
    parser.feed(client_frame(b"abc")[4:])
    assert parser.is_at_rest
    parser.feed(client_frame(b"a", fin=False))
    assert not parser.is_at_rest
    parser.feed(client_frame(b"b", 0))
    assert parser.is_at_rest


# ---- properties ----------------------------------------------------------------------------------------------------


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


frames = st.builds(
    client_frame,
    st.binary(max_size=140) | st.text(max_size=50).map(str.encode),
    st.sampled_from([0, 0, 0, 1, 1, 1, 2, 2, 9, 10, 8, 3]),
    fin=st.booleans(),
    rsv=st.sampled_from([0] * 12 + [1, 2, 4]),
    mask=st.binary(min_size=4, max_size=4) | st.binary(min_size=4, max_size=4) | st.none(),
)
streams = st.lists(frames, max_size=12).map(b"".join) | st.binary(max_size=400)
places = st.lists(st.integers(0, 10_000), max_size=20)


@given(streams, places, st.sampled_from([0, 10, 100, 1000]))
@settings(max_examples=500)
def test_any_chunking_gives_the_same_events(data: bytes, where: list[int], max_message: int) -> None:
    assert feed(*cut(data, where), max_message=max_message) == feed(data, max_message=max_message)


@given(st.binary(max_size=300), places)
@settings(max_examples=300)
def test_no_bytes_raise_and_a_violation_is_the_last_event(data: bytes, where: list[int]) -> None:
    events = feed(*cut(data, where))
    assert all(isinstance(event, Message | Pinged | Ponged) for event in events[:-1])


@given(st.lists(st.text(max_size=60) | st.binary(max_size=60), max_size=8), st.data())
def test_every_message_arrives_however_it_is_fragmented(messages: list[str | bytes], data: st.DataObject) -> None:
    stream = b""
    for message in messages:
        raw = message.encode() if isinstance(message, str) else message
        parts = cut(raw, data.draw(st.lists(st.integers(0, 60), max_size=3)))
        for index, part in enumerate(parts):
            opcode = 0 if index else (1 if isinstance(message, str) else 2)
            stream += client_frame(part, opcode, fin=index == len(parts) - 1)
    heard = [
        event.data if event.is_binary else event.data.decode() for event in feed(stream) if isinstance(event, Message)
    ]
    assert heard == messages


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_both_ways_of_masking_agree(data: bytes, mask: bytes) -> None:
    assert xor_mask(data, mask) == apply_mask(data, mask)
    assert xor_mask(xor_mask(data, mask), mask) == data
