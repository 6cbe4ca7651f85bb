"""Cursors: opaque strings that never fail to be read."""

import msgspec
import pytest

from wirehop.codecs.cursor import MAX_CURSOR, decode_position, decode_positions, encode_position, encode_positions
from wirehop.core.messages import Position


@pytest.mark.parametrize("position", [Position("e", 0), Position("a:b", 7), Position("", 1), Position("é", 10**18 - 1)])
def test_a_position_is_read_back(position: Position) -> None:
    assert decode_position(encode_position(position)) == position


def test_the_cursor_of_one_channel_reads_epoch_colon_offset() -> None:
    assert encode_position(Position("e1", 42)) == "e1:42"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "e",
        "e:",
        ":",
        "e:-1",
        "e:+1",
        "e: 1",
        "e:1 ",
        "e:1.0",
        "e:x",
        "e:١",
        "e:²",
        "e:" + "9" * 19,
        "e" * MAX_CURSOR + ":1",
    ],
)
def test_what_is_no_position_is_none(cursor: str) -> None:
    assert decode_position(cursor) is None


def test_several_positions_are_read_back_from_url_safe_characters() -> None:
    positions = {"a": Position("e", 1), "é?&=/+ #": Position("f:1", 2**53)}
    cursor = encode_positions(positions)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert decode_positions(cursor) == positions


@pytest.mark.parametrize(
    "cursor",
    ["", "e:1", "x", "====", "é", "\ud800", "W10", "bnVsbA", "eyJhIjpbImUiXX0", "A" * (MAX_CURSOR + 1)],
)
def test_what_is_no_cursor_holds_no_positions(cursor: str) -> None:
    assert decode_positions(cursor) == {}


def encoded(value: object) -> str:
    return (
        msgspec.json.encode(msgspec.json.encode(value))
        .decode()
        .strip('"')
        .rstrip("=")
        .replace("+", "-")
        .replace("/", "_")
    )


def test_a_position_below_zero_is_left_out() -> None:
    assert decode_positions(encoded({"a": ["e", -1], "b": ["e", 1]})) == {"b": Position("e", 1)}


@pytest.mark.parametrize(
    "value", [{"a": "e"}, {"a": ["e", "1"]}, {"a": [1, 1]}, [["a", "e", 1]], {"a": ["e", 1.5]}], ids=str
)
def test_positions_of_another_shape_are_no_cursor(value: object) -> None:
    assert decode_positions(encoded(value)) == {}


def test_sixteen_channels_with_the_longest_names_fit() -> None:
    positions = {f"{number:02}" + "x" * 253: Position("e" * 22, 10**9) for number in range(16)}
    assert len(encode_positions(positions)) <= MAX_CURSOR
    assert decode_positions(encode_positions(positions)) == positions


def test_nesting_without_end_is_no_cursor() -> None:
    from base64 import urlsafe_b64encode

    assert decode_positions(urlsafe_b64encode(b'{"a":' + b"[" * 5000).decode()) == {}
