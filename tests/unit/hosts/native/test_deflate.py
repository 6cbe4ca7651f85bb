"""permessage-deflate: what is agreed to, and compressed messages read: their limit, their rules, any chunking."""

import zlib
from itertools import pairwise

import pytest
import websockets.sync.client
from hypothesis import given, settings
from hypothesis import strategies as st
from native_harness import UPGRADE, App, client_frame, close_code, read_exactly, read_until, running

from wirehop.codecs.frame import BINARY_WRAPS, WRAPS, Frame, Lane
from wirehop.core.messages import Publication
from wirehop.hosts.native import HostOptions
from wirehop.hosts.native.deflate import Deflate, negotiate
from wirehop.hosts.native.websocket_parser import Event, Failed, Message, Pinged, WebSocketParser

PLAIN = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
ON = HostOptions(compression=True, close_seconds=0.3, linger_seconds=0.3)


def deflated(data: bytes, *, level: int = 6, window: int = 15) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -window)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def feed(*pieces: bytes, max_message: int = 1000, inflates: bool = True) -> list[Event]:
    parser = WebSocketParser(max_message, inflates=inflates)
    return [event for piece in pieces for event in parser.feed(piece)]


def failure(data: bytes, *, max_message: int = 1000, inflates: bool = True) -> tuple[int, str]:
    last = feed(data, max_message=max_message, inflates=inflates)[-1]
    assert isinstance(last, Failed), last
    return last.code, last.name


# ---- the offer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        ("permessage-deflate", Deflate(12, PLAIN)),
        ("permessage-deflate; client_max_window_bits", Deflate(12, PLAIN)),  # Chromium
        ("Permessage-Deflate;client_max_window_bits=9 ; server_no_context_takeover", Deflate(12, PLAIN)),
        ('permessage-deflate; client_max_window_bits="10"', Deflate(12, PLAIN)),
        ("permessage-deflate; server_max_window_bits=15", Deflate(12, PLAIN + "; server_max_window_bits=12")),
        ("permessage-deflate; server_max_window_bits=9", Deflate(9, PLAIN + "; server_max_window_bits=9")),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", Deflate(12, PLAIN)),
        ("x-webkit-deflate-frame, permessage-deflate", Deflate(12, PLAIN)),
    ],
)
def test_the_first_offer_that_can_be_met_is_agreed_to(offers: str, agreed: Deflate) -> None:
    assert negotiate(offers) == agreed


@pytest.mark.parametrize(
    "offers",
    [
        "",
        "x-unknown",
        "permessage-deflate; server_max_window_bits=8",  # zlib writes no such stream
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; unknown",
        "permessage-deflate;",
        ", ".join(["x-unknown"] * 16 + ["permessage-deflate"]),
    ],
)
def test_an_offer_that_cannot_be_met_is_declined(offers: str) -> None:
    assert negotiate(offers) is None


def test_who_allows_a_smaller_window_than_that_of_shared_frames_gets_publications_plain() -> None:
    agreed = negotiate("permessage-deflate; server_max_window_bits=11")
    assert agreed is not None
    assert agreed.framing == "websocket"
    assert Deflate(12, "").framing == "websocket-deflate"


# ---- the parser ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300) | st.text(max_size=90).map(lambda text: (text * 9).encode()), st.integers(0, 9))
def test_a_compressed_message_is_inflated(data: bytes, level: int) -> None:
    assert feed(client_frame(deflated(data, level=level), 2, rsv=4), max_message=5000) == [Message(data, True)]


@given(st.lists(st.integers(0, 5000), max_size=6), st.integers(0, 3))
@settings(deadline=None)
def test_fragments_and_chunks_do_not_matter(places: list[int], last: int) -> None:
    body = deflated(b"some text, some more text, " * 20)
    cuts = sorted({0, len(body), *(place % len(body) for place in places)})
    parts = [body[start:end] for start, end in pairwise(cuts)]
    data = b""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        data += client_frame(part, 0 if number else 1, fin=is_last, rsv=0 if number else 4)
        data += b"" if is_last else client_frame(b"between", 9)
    expected = [Pinged(b"between")] * (len(parts) - 1) + [Message(b"some text, some more text, " * 20, False)]
    assert feed(data) == expected
    assert feed(*[bytes([byte]) for byte in data]) == expected


def test_a_plain_message_may_follow_a_compressed_one() -> None:
    frames = client_frame(deflated(b"a"), rsv=4) + client_frame(b"b") + client_frame(deflated(b"c"), rsv=4)
    assert feed(frames) == [Message(b"a", False), Message(b"b", False), Message(b"c", False)]


def test_an_empty_message_and_the_examples_of_the_rfc_are_read() -> None:
    """RFC 7692 section 7.2.3: one block, none compressed, two blocks, a final block; 7.2.3.6: an empty one."""
    for body in ("f248cdc9c90700", "000500faff48656c6c6f00", "f248050000 00ffffcac9c90700", "f348cdc9c9070000"):
        assert feed(client_frame(bytes.fromhex(body), rsv=4)) == [Message(b"Hello", False)]
    assert feed(client_frame(b"\0", rsv=4)) == [Message(b"", False)]


def test_a_message_of_the_limit_passes_however_badly_it_compresses() -> None:
    data = bytes(range(256)) * 4
    assert feed(client_frame(deflated(data, level=0), 2, rsv=4), max_message=1024) == [Message(data, True)]
    assert failure(client_frame(deflated(data), 2, rsv=4), max_message=1023) == (1009, "websocket.too_big")


def test_a_bomb_is_refused_and_not_inflated() -> None:
    bomb = deflated(bytes(50_000_000))
    assert len(bomb) < 60_000
    whole = client_frame(bomb, 2, rsv=4)
    assert failure(whole, max_message=60_000) == (1009, "websocket.too_big")
    fragments = client_frame(bomb[:100], 2, rsv=4, fin=False) + client_frame(bomb[100:], 0)
    assert failure(fragments, max_message=60_000) == (1009, "websocket.too_big")


def test_the_limit_counts_all_fragments_of_a_compressed_message() -> None:
    body = deflated(b"x" * 600, level=0) + b"\0\0\xff\xff" + deflated(b"y" * 600, level=0)
    parts = [client_frame(body[:605], 2, rsv=4, fin=False), client_frame(body[605:], 0)]
    assert failure(b"".join(parts)) == (1009, "websocket.too_big")
    assert feed(*parts, max_message=1200) == [Message(b"x" * 600 + b"y" * 600, True)]


@pytest.mark.parametrize(
    ("frames", "inflates"),
    [
        (client_frame(b"\0", rsv=4), False),
        (client_frame(b"\0", 9, rsv=4), True),
        (client_frame(b"\0", rsv=4, fin=False) + client_frame(b"\0", 0, rsv=4), True),
        (client_frame(b"a", rsv=2), True),
        (client_frame(b"a", rsv=5), True),
    ],
)
def test_a_reserved_bit_where_it_must_not_be_breaks_the_protocol(frames: bytes, inflates: bool) -> None:
    assert failure(frames, inflates=inflates) == (1002, "websocket.protocol_error")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xff\xff",  # a block of the type that does not exist
        b"",  # not even the header of an empty block
        deflated(b"some text, some more text")[:-3],  # stops in the middle of a block
        deflated(b"text") + b"rubbish",
        zlib.compress(b"text"),  # with a zlib head
        b"\x03\0" * 40,  # one final block after the other
    ],
)
def test_what_is_no_deflate_data_is_refused(body: bytes) -> None:
    assert failure(client_frame(body, 2, rsv=4)) == (1007, "websocket.bad_deflate")


def test_compressed_text_is_checked_once_inflated() -> None:
    assert failure(client_frame(deflated(b"\xc3\x28"), rsv=4)) == (1007, "websocket.invalid_text")
    cut = deflated("é".encode())
    pieces = client_frame(cut[:1], rsv=4, fin=False) + client_frame(cut[1:], 0)
    assert feed(pieces) == [Message("é".encode(), False)]


# ---- on the wire ---------------------------------------------------------------------------------------------------


def test_a_stranger_client_talks_compressed_both_ways(app: App, loop_name: str) -> None:
    with running(app, loop_name, ON) as host:
        url = f"ws://127.0.0.1:{host.port}/echo-ws"
        with websockets.sync.client.connect(url, compression="deflate") as client:
            (extension,) = client.protocol.extensions
            assert extension.name == "permessage-deflate"
            for message in ("hi", "€" * 900, "", "x" * 60_000, b"\xff\0" * 400, bytes(65_536)):
                client.send(message)
                assert client.recv(5) == message
            client.send(iter(["frag" * 100, "men" * 100, "ted"]))
            assert client.recv(5) == "frag" * 100 + "men" * 100 + "ted"
            assert client.ping().wait(5)
        assert app.wires[0].wait("closed") == ("closed", 1000, "")


def test_what_is_sent_is_deflated_from_the_least_size_on(app: App, loop_name: str) -> None:
    request = UPGRADE.replace(b"/ws", b"/echo-ws").replace(
        b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n"
    )
    with running(app, loop_name, ON) as host, host.connect() as sock:
        sock.sendall(request)
        assert f"\r\nSec-WebSocket-Extensions: {PLAIN}; server_max_window_bits=10\r\n".encode() in read_until(
            sock, b"\r\n\r\n"
        )
        sock.sendall(client_frame(b"x" * 199) + client_frame(b"y" * 300))
        assert read_exactly(sock, 4) == b"\x81\x7e" + (199).to_bytes(2, "big")
        assert read_exactly(sock, 199) == b"x" * 199
        first, size = read_exactly(sock, 2)
        assert first == 0xC1
        assert zlib.decompress(read_exactly(sock, size) + b"\0\0\xff\xff\x03\0", -10) == b"y" * 300
        assert app.wires[0].wire.framing == "websocket"


def test_nothing_is_agreed_where_compression_is_off(app: App, loop_name: str) -> None:
    with running(app, loop_name) as host:
        with websockets.sync.client.connect(f"ws://127.0.0.1:{host.port}/echo-ws", compression="deflate") as client:
            assert client.protocol.extensions == []
            client.send("x" * 500)
            assert client.recv(5) == "x" * 500
        assert app.wires[0].wire.framing == "websocket"


def test_a_bomb_closes_with_1009(app: App, loop_name: str) -> None:
    request = UPGRADE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    with running(app, loop_name, ON) as host, host.connect() as sock:
        sock.sendall(request)
        read_until(sock, b"\r\n\r\n")
        sock.sendall(client_frame(deflated(bytes(40_000_000)), 2, rsv=4))
        assert close_code(sock)[0] == 1009
        assert host.counted("websocket.too_big") == 1


# ---- once for all --------------------------------------------------------------------------------------------------


def test_a_publication_is_compressed_once_for_all_its_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(zlib, "compressobj", lambda *args, make=zlib.compressobj: made.append(args) or make(*args))
    lane = Lane("any", lambda _channel, publication, _epoch: publication.data, WRAPS["websocket-deflate"])
    frames = [Frame("c", Publication(b"%d" % number * 300), "e") for number in range(2)]
    joined = [lane.join(frames) for _ in range(1000)]
    assert len(made) == 2
    assert all(each is joined[0] or each == joined[0] for each in joined)
    events = list(_server_frames(joined[0]))
    assert events == [(0xC1, b"0" * 300), (0xC1, b"1" * 300)], "frames of one buffer stay frames of their own"


def test_a_binary_publication_is_deflated_as_binary() -> None:
    assert list(_server_frames(BINARY_WRAPS["websocket-deflate"](bytes(500)))) == [(0xC2, bytes(500))]


def _server_frames(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        size = data[1]
        assert size < 126
        found.append((data[0], zlib.decompress(data[2 : 2 + size] + b"\0\0\xff\xff\x03\0", -12)))
        data = data[2 + size :]
    return found
