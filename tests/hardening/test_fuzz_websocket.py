"""WebSocket frames, in any pieces: the same events, and what is wrong is one close and never an error."""

import asyncio
import zlib
from typing import Any

import fuzzing
from fuzzing import CUTS, cut, damaged, single
from hypothesis import given
from hypothesis import strategies as st
from native_harness import client_frame

from wirehop.hosts.native import HostOptions
from wirehop.hosts.native.context import HostContext
from wirehop.hosts.native.duplex import NativeDuplex
from wirehop.hosts.native.websocket_parser import Closed, Failed, WebSocketParser

LIMIT = 1000
OPCODES = st.sampled_from([0, 1, 1, 1, 2, 2, 8, 9, 10, 3, 11])


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """One frame, mostly good; sometimes compressed."""
    opcode = draw(OPCODES)
    payload = draw(st.binary(max_size=130) | st.text(max_size=60).map(str.encode) | st.just(b"x" * 900))
    rsv = draw(st.sampled_from([0] * 6 + [4, 4, 2, 1]))
    if opcode == 8 and draw(st.booleans()):
        payload = draw(st.sampled_from([1000, 1001, 3000, 4999, 1005, 999, 0])).to_bytes(2, "big") + payload[:100]
    if opcode >= 8:
        payload = payload[:126]
    elif rsv & 4:
        payload = deflated(payload * draw(st.sampled_from([1, 1, 20])))
    mask = draw(st.sampled_from([b"\1\2\3\4"] * 8 + [None, b"\0\0\0\0"]))
    return client_frame(payload, opcode, fin=draw(st.sampled_from([True, True, False])), rsv=rsv, mask=mask)


STREAMS = damaged(st.lists(frames(), min_size=1, max_size=6).map(b"".join)) | st.binary(max_size=200)


def parse(pieces: list[bytes], *, inflates: bool) -> list[Any]:
    parser = WebSocketParser(LIMIT, inflates=inflates)
    events: list[Any] = []
    for piece in pieces:
        events += parser.feed(piece)
        kept = len(parser._buffer) + len(parser._parts or b"")
        assert kept <= 2 * LIMIT + 300, "more is kept than a message and a frame"
    assert not [event for event in events[:-1] if isinstance(event, Closed | Failed)], "something follows the end"
    return events


@fuzzing.examples(500)
@given(STREAMS, CUTS, st.booleans())
def test_any_pieces_are_the_same_events(data: bytes, cuts: list[int], inflates: bool) -> None:
    whole = parse([data], inflates=inflates)
    assert parse(cut(data, cuts), inflates=inflates) == whole
    assert parse(single(data), inflates=inflates) == whole
    for event in whole:
        assert len(getattr(event, "data", b"")) <= LIMIT


class Transport:
    """What a duplex writes to: it keeps the bytes."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0


class Ear:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def received(self, data: bytes, is_binary: bool) -> None:
        self.heard.append((data, is_binary))

    def ponged(self) -> None:
        self.heard.append(("pong",))

    def paused(self) -> None: ...

    def resumed(self) -> None: ...

    def closed(self, code: int, reason: str) -> None:
        self.heard.append(("closed", code, reason))


def converse(pieces: list[bytes], end: int) -> tuple[list[tuple[Any, ...]], bytes]:
    """What a listener hears and the peer gets; `end`: after so many pieces the server closes."""

    async def run() -> tuple[list[tuple[Any, ...]], bytes]:
        context = HostContext(lambda _: None, HostOptions(), __import__("collections").Counter())
        transport, ear = Transport(), Ear()
        duplex = NativeDuplex(context, transport, ear, max_message=LIMIT)  # type: ignore[arg-type]
        for number, piece in enumerate(pieces):
            if number == end:
                duplex.close(1001, "enough")
            if not transport.is_closed or duplex._state != 2:
                duplex.data_received(piece)
        duplex.connection_lost(None)
        context.timeouts.close()
        return ear.heard, transport.written

    return asyncio.run(run())


@fuzzing.examples(150)
@given(STREAMS, CUTS)
def test_a_connection_says_and_hears_the_same_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    whole = converse([data], -1)
    assert converse(cut(data, cuts), -1) == whole
    heard, _ = whole
    assert [each[0] for each in heard].count("closed") == 1
    assert heard[-1][0] == "closed"


@fuzzing.examples(100)
@given(STREAMS, CUTS, st.integers(0, 4))
def test_a_connection_that_the_server_closes_hears_nothing_more(data: bytes, cuts: list[int], end: int) -> None:
    pieces = cut(data, cuts)
    heard, _ = converse(pieces, end)
    assert [each[0] for each in heard].count("closed") == 1
    assert heard[-1][0] == "closed"
