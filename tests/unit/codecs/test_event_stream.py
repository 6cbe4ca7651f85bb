"""Server-Sent Events as text: the cases of the HTML standard, section 9.2.6, and what a server writes."""

import pytest

from wirehop.codecs.event_stream import (
    COMMENT,
    Event,
    EventStreamDecoder,
    EventStreamError,
    encode_event,
    encode_retry,
)


def read(*pieces: bytes, max_size: int = 1000) -> tuple[list[Event], EventStreamDecoder]:
    decoder = EventStreamDecoder(max_size=max_size)
    return [event for piece in pieces for event in decoder.feed(piece)], decoder


def data_of(*pieces: bytes) -> list[str]:
    return [event.data for event in read(*pieces)[0]]


# ---- the standard's own examples -------------------------------------------------------------------------------------


def test_several_data_lines_are_one_event_with_line_breaks() -> None:
    assert data_of(b"data: YHOO\ndata: +2\ndata: 10\n\n") == ["YHOO\n+2\n10"]


def test_the_example_of_four_blocks() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    events, decoder = read(stream)
    assert events == [
        Event("first event", id="1"),
        Event("second event", id=""),
        Event(" third event", id=""),
    ]
    assert decoder.comments == 1


def test_a_data_field_without_a_value_is_an_event_with_empty_data_and_two_are_a_line_break() -> None:
    assert data_of(b"data\n\ndata\ndata\n\ndata:") == ["", "\n"]


def test_one_space_after_the_colon_is_not_part_of_the_value() -> None:
    assert data_of(b"data:test\n\ndata: test\n\ndata:  test\n\n") == ["test", "test", " test"]


# ---- line ends and pieces
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_every_line_end_ends_a_line(end: bytes) -> None:
    assert data_of(end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])) == ["a\nb", "c"]


def test_cr_lf_split_over_pieces_is_one_line_end() -> None:
    assert data_of(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == ["a\nb"]


def test_cr_at_the_end_of_a_piece_ends_the_line_at_once() -> None:
    decoder = EventStreamDecoder()
    assert decoder.feed(b"data: a\r\r") == [Event("a")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b"data: b\n\n") == [Event("b")]


def test_an_empty_piece_between_cr_and_lf_changes_nothing() -> None:
    assert data_of(b"data: a\r", b"", b"\ndata: b\n\n") == ["a\nb"]


def test_lf_cr_is_two_line_ends() -> None:
    assert data_of(b"data: a\n\rdata: b\n\r") == ["a", "b"]


@pytest.mark.parametrize("cut", range(15))
def test_a_stream_cut_anywhere_reads_the_same(cut: int) -> None:
    stream = "data: é😀\r\n\r\n".encode()
    assert data_of(stream[:cut], stream[cut:]) == ["é😀"]


def test_an_event_that_is_not_ended_by_a_blank_line_is_not_given() -> None:
    assert data_of(b"data: a\n") == []
    assert data_of(b"data: a") == []


@pytest.mark.parametrize("pieces", [(b"\xef\xbb\xbfdata: a\n\n",), (b"\xef", b"\xbb", b"\xbf", b"data: a\n\n")])
def test_a_byte_order_mark_at_the_start_is_skipped(pieces: tuple[bytes, ...]) -> None:
    assert data_of(*pieces) == ["a"]


def test_only_one_byte_order_mark_is_skipped_and_only_at_the_start() -> None:
    bom = b"\xef\xbb\xbf"
    assert data_of(bom + bom + b"data: a\n\n") == []
    assert data_of(b"\n" + bom + b"data: a\n\n") == []
    assert data_of(b"data: " + bom + b"a\n\n") == ["\ufeffa"]


def test_the_beginning_of_a_byte_order_mark_alone_is_not_skipped() -> None:
    assert data_of(b"\xef\xbb", b"x\ndata: a\n\n") == ["a"]


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert data_of(b"data: \xff\n\n") == ["\ufffd"]


# ---- fields
# ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b": comment", b":", b":data: x"])
def test_a_comment_is_counted_and_nothing_else(line: bytes) -> None:
    events, decoder = read(line + b"\n\n")
    assert events == []
    assert decoder.comments == 1


@pytest.mark.parametrize("line", [b"foo: bar", b"Data: x", b" data: x", b"dataset: x", b"foo"])
def test_unknown_fields_are_ignored(line: bytes) -> None:
    assert read(line + b"\ndata: a\n\n")[0] == [Event("a")]


def test_a_line_without_a_colon_is_a_field_with_an_empty_value() -> None:
    events, _ = read(b"event: e\nevent\ndata: a\n\n")
    assert events == [Event("a", "message")]


def test_only_the_first_colon_separates() -> None:
    assert data_of(b"data: a: b\n\n") == ["a: b"]


def test_the_event_name_holds_for_one_event() -> None:
    events, _ = read(b"event: e\ndata: a\n\ndata: b\n\nevent: f\n\ndata: c\n\n")
    assert [event.event for event in events] == ["e", "message", "message"]


def test_a_block_without_data_is_no_event_but_moves_the_last_id() -> None:
    events, decoder = read(b"id: 7\nevent: e\n\ndata: a\n\n")
    assert events == [Event("a", id="7")]
    assert decoder.last_id == "7"


def test_an_id_with_nul_is_ignored_and_an_empty_one_resets() -> None:
    _, decoder = read(b"id: 7\n\nid: 8\x009\n\n")
    assert decoder.last_id == "7"
    decoder.feed(b"id\n\n")
    assert decoder.last_id == ""


def test_the_id_of_an_event_that_is_cut_off_is_not_the_last_id() -> None:
    """The id becomes the last event id at the blank line: whoever reconnects with it has the event."""
    events, decoder = read(b"id: 7\ndata: a\n\nid: 8\ndata: b\n")
    assert events == [Event("a", id="7")]
    assert decoder.last_id == "7"


@pytest.mark.parametrize("value", [b"x", b"1x", b"-1", b"1.5", b"", b" 1", "١".encode(), "²".encode(), b"+1"])
def test_a_retry_that_is_not_only_digits_is_ignored(value: bytes) -> None:
    _, decoder = read(b"retry: 5\nretry: " + value + b"\n\n")
    assert decoder.retry == 5


def test_a_retry_counts_at_once() -> None:
    assert read(b"retry: 3000\n")[1].retry == 3000
    assert read(b"data: a\n\n")[1].retry is None


def test_a_retry_of_very_many_digits_does_not_raise() -> None:
    """int() refuses more than 4,300 digits with a plain ValueError."""
    assert data_of(b"retry: " + b"9" * 5000 + b"\ndata: a\n\n") == ["a"]


# ---- bounds
# ------------------------------------------------------------------------------------------------------------------


def test_an_event_of_just_the_most_characters_is_read() -> None:
    assert read(b"data: 1234567890\n\n", max_size=10)[0] == [Event("1234567890")]


@pytest.mark.parametrize("stream", [b"data: 12345678901\n\n", b"data: 123456\ndata: 123456\n\n", b"data: " + b"1" * 99])
def test_an_event_of_more_characters_raises_and_names_the_limit(stream: bytes) -> None:
    with pytest.raises(EventStreamError) as caught:
        read(stream, max_size=10)
    assert caught.value.limit == 10


def test_the_size_is_counted_for_each_event_anew() -> None:
    assert len(read(b"data: 12345678\n\n" * 5, max_size=10)[0]) == 5


def test_characters_count_and_not_bytes() -> None:
    assert read("data: éééééééé\n\n".encode(), max_size=10)[0] == [Event("é" * 8)]


# ---- what a server writes
# ----------------------------------------------------------------------------------------------------


def test_an_event_is_written_id_first_and_ends_with_a_blank_line() -> None:
    assert encode_event(b"x", event="e", id="e:1") == b"id: e:1\nevent: e\ndata: x\n\n"
    assert encode_event(b"x") == b"data: x\n\n"
    assert encode_event(b"x", id="") == b"id: \ndata: x\n\n"


@pytest.mark.parametrize("data", ["a\nb", "a\r\nb", "a\rb", "\n", "a\n", "\r\r", " a", "a\n\nid: 9\n\ndata: forged"])
def test_line_breaks_in_data_cannot_forge_a_line(data: str) -> None:
    events, decoder = read(encode_event(data.encode(), id="1"))
    assert events == [Event(data.replace("\r\n", "\n").replace("\r", "\n"), id="1")]
    assert decoder.last_id == "1"


def test_a_comment_and_a_retry_are_read_as_such() -> None:
    events, decoder = read(COMMENT + encode_retry(3000))
    assert events == []
    assert (decoder.comments, decoder.retry) == (1, 3000)
