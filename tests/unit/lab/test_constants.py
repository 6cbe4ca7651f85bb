"""What the tables say of standards, read off real bytes: of our codecs, and of other implementations of the same."""

import struct

import pytest
from aiortc.rtcsctptransport import DataChunk, serialize_packet
from aiortc.rtp import RtpPacket
from hyperframe.frame import DataFrame
from websockets.frames import Frame, Opcode

from wirehop.abc import Request
from wirehop.codecs.event_stream import COMMENT, EventStreamDecoder, encode_event
from wirehop.codecs.frame import Frame as Publishing
from wirehop.codecs.framing import BINARY, PING, chunk, websocket_frame
from wirehop.codecs.json_lines import encode_publication_push
from wirehop.core.messages import Publication
from wirehop.hosts.native.handshake import accept
from wirehop.hosts.native.websocket_parser import Message, WebSocketParser
from wirehop.transports.jsonp import script
from wirehop.transports.stream import JSON as STREAM


@pytest.mark.parametrize(
    ("size", "head"), [(0, 2), (20, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (200_000, 10)]
)
def test_heads_of_websocket_frames(size: int, head: int) -> None:
    payload = b"x" * size
    down = websocket_frame(payload, BINARY)
    assert len(down) - size == head
    up = Frame(Opcode.BINARY, payload).serialize(mask=True)
    assert len(up) - size == head + 4
    parser = WebSocketParser(1_000_000)
    parser.add(up)
    assert parser.next() == Message(payload, True)


def test_the_answer_to_a_websocket_key_is_that_of_the_standard() -> None:
    headers = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    head = accept(Request("GET", "/chat", "", headers), is_1_1=True)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head  # RFC 6455, section 1.3


@pytest.mark.parametrize(("identity", "around"), [(None, 8), ("1234", 17)])
@pytest.mark.parametrize("size", [0, 20, 2000])
def test_what_stands_around_an_event(identity: str | None, around: int, size: int) -> None:
    data = b"x" * size
    event = encode_event(data, id=identity)
    assert len(event) - size == around
    assert [each.data for each in EventStreamDecoder().feed(event)] == [data.decode()]
    in_chunk, in_frame = chunk(event), DataFrame(1, event).serialize()
    assert 5 <= len(in_chunk) - len(event) <= 8
    assert len(in_frame) - len(event) == 9


def test_head_of_an_http_2_frame() -> None:
    head = DataFrame(1, websocket_frame(b"x" * 20)).serialize()[:-22]
    assert len(head) == 9
    assert head[:3] == (22).to_bytes(3, "big")


@pytest.mark.parametrize("size", [1, 20, 200, 2000, 60_000])
def test_what_stands_around_a_line_of_a_stream(size: int) -> None:
    publication = Publication(b'"' + b"x" * size + b'"', offset=1)
    push = encode_publication_push("news", publication)
    line = Publishing("news", publication, "epoch").encoded(STREAM.lanes["identity"])
    assert line == push + b"\n"
    assert Publishing("news", publication, "epoch").encoded(STREAM.lanes["chunked"]) == chunk(line)
    assert 5 <= len(chunk(line)) - len(line) <= 8


def test_what_stands_around_a_script() -> None:
    body = b'{"pub":1}'
    assert script("take", body) == b"/**/take(" + body + b");"


def test_heads_of_a_data_channel_message() -> None:
    data = b"x" * 20  # a chunk is padded to four bytes
    sent = DataChunk()
    sent.user_data = data
    packet = serialize_packet(5000, 5000, 1, sent)
    assert len(packet) - len(data) == 28  # RFC 9260: a common header of 12, a chunk's of 16


def test_head_of_an_rtp_packet() -> None:
    assert len(RtpPacket(payload=b"x" * 100).serialize()) - 100 == 12


def test_heartbeats() -> None:
    assert len(COMMENT) == 3
    assert EventStreamDecoder().feed(COMMENT) == []
    assert len(websocket_frame(b"", PING)) == 2
    assert len(Frame(Opcode.PONG, b"").serialize(mask=True)) == 6


def test_an_extended_head_holds_the_length_in_network_order() -> None:
    assert struct.unpack("!BBH", websocket_frame(b"x" * 300, BINARY)[:4]) == (0x82, 126, 300)
