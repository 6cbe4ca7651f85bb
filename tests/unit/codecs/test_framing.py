"""Frames and chunks, read back by strangers: the `websockets` parser and h11."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from wirehop.codecs.framing import LAST_CHUNK, chunk, deflated_frame, websocket_close, websocket_frame


def parsed(data: bytes) -> Frame:
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    parser = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parser)
    assert next(reader.at_eof(), None) is None
    frame: Frame = done.value.value
    frame.check()
    return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [1, 2])
def test_a_frame_of_every_length_encoding_is_read_back(size: int, opcode: int) -> None:
    frame = parsed(websocket_frame(b"x" * size, opcode))
    assert (frame.opcode, frame.data, frame.fin) == (opcode, b"x" * size, True)


def test_the_opcode_is_text_if_nothing_is_said() -> None:
    assert websocket_frame(b"a") == b"\x81\x01a"


@pytest.mark.parametrize("opcode", [8, 9, 10])
def test_a_control_frame_over_125_bytes_is_refused(opcode: int) -> None:
    assert parsed(websocket_frame(b"x" * 125, 9)).data == b"x" * 125
    with pytest.raises(ValueError, match="125"):
        websocket_frame(b"x" * 126, opcode)


@given(st.text())
def test_a_close_reason_is_cut_to_valid_utf_8(reason: str) -> None:
    frame = parsed(websocket_close(1000, reason))
    assert frame.opcode == Opcode.CLOSE
    kept = Close.parse(frame.data).reason
    assert reason.encode("utf-8", "replace").decode().startswith(kept)
    assert len(kept.encode()) > 119 or len(kept) == len(reason)


def test_a_lone_surrogate_in_a_reason_does_not_raise() -> None:
    assert Close.parse(parsed(websocket_close(4000, "a\ud800b")).data).reason == "a?b"


def test_no_code_is_an_empty_close_frame() -> None:
    assert websocket_close(1005) == b"\x88\x00"


@given(st.lists(st.binary(min_size=1, max_size=300)))
def test_chunks_are_read_back_by_h11(pieces: list[bytes]) -> None:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.receive_data(b"".join(map(chunk, pieces)) + LAST_CHUNK)
    body = b""
    assert isinstance(client.next_event(), h11.Response)
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert body == b"".join(pieces)


def test_an_empty_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="LAST_CHUNK"):
        chunk(b"")


@given(st.binary(min_size=1, max_size=20).map(lambda data: data * 50), st.integers(9, 15), st.sampled_from([1, 2]))
def test_a_deflated_frame_inflates_to_its_payload(payload: bytes, window: int, opcode: int) -> None:
    frame = parsed_deflated(deflated_frame(payload, opcode, window=window), window)
    assert (frame.opcode, frame.data) == (opcode, payload)


def parsed_deflated(data: bytes, window: int) -> Frame:
    reader = StreamReader()
    reader.feed_data(data)
    extension = PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=window,
        local_max_window_bits=15,
    )
    parser = Frame.parse(reader.read_exact, mask=False, extensions=[extension])
    with pytest.raises(StopIteration) as done:
        next(parser)
    frame: Frame = done.value.value
    return frame


@pytest.mark.parametrize("payload", [b"", b"x" * 199, bytes(range(200))])
def test_what_does_not_become_smaller_is_sent_plain(payload: bytes) -> None:
    assert deflated_frame(payload) == websocket_frame(payload)


@pytest.mark.parametrize("size", [200, 70_000])
def test_what_becomes_smaller_is_marked(size: int) -> None:
    assert deflated_frame(b"x" * size)[0] == 0xC1
    assert len(deflated_frame(b"x" * size)) < size / 5
