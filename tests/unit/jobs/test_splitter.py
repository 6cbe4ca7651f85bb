"""Bytes become lines, however they were cut on their way."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from wirehop.jobs.splitter import MOST_BYTES, LineSplitter


def split(*pieces: bytes) -> list[tuple[str, bool]]:
    splitter = LineSplitter()
    found = [line for piece in pieces for line in splitter.feed(piece)]
    return found + splitter.close()


def test_lines_end_with_a_line_feed_and_the_last_one_may_not() -> None:
    assert split(b"one\ntwo\r\n\nlast") == [("one", False), ("two", False), ("", False), ("last", False)]


def test_nothing_is_no_line() -> None:
    assert split(b"") == []
    assert split(b"a\n", b"") == [("a", False)]


def test_a_carriage_return_inside_stays() -> None:
    assert split(b"10 %\r20 %\r30 %\n") == [("10 %\r20 %\r30 %", False)]


def test_a_long_line_is_cut_and_says_so() -> None:
    found = split(b"x" * (2 * MOST_BYTES + 5) + b"\nnext\n")
    assert [(len(text), goes_on) for text, goes_on in found] == [
        (MOST_BYTES, True),
        (MOST_BYTES, True),
        (5, False),
        (4, False),
    ]


def test_a_character_is_not_cut() -> None:
    text = "é" * MOST_BYTES
    found = split(b"x" + text.encode() + b"\n")
    assert "".join(each for each, _ in found) == "x" + text


def test_what_is_not_utf8_is_replaced() -> None:
    assert split(b"a\xffb\n") == [("a\ufffdb", False)]
    assert len(split(b"\x80" * (MOST_BYTES + 1))) == 2


@given(st.binary(max_size=400), st.lists(st.integers(0, 400)))
def test_how_it_was_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert split(*pieces) == split(data)


@settings(max_examples=50)
@given(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=200))
def test_nothing_is_lost(text: str) -> None:
    assert "\n".join(each for each, _ in split(text.encode())) == text.removesuffix("\n")
