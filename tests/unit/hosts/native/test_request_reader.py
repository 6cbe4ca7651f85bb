"""Requests from bytes: limits, framing, and chunking that does not matter."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.refusals import Refusal
from wirehop.hosts.native.request_head import Head, HeadReader
from wirehop.hosts.native.request_reader import RequestReader

SMALL = HostOptions(header_bytes=400, header_count=5, target_bytes=60, body_bytes=50)


def read(*pieces: bytes, options: HostOptions = SMALL) -> list[tuple[Head, bytes] | tuple[int, str]]:
    """All requests, and the status and name of the refusal that ended them."""
    reader = RequestReader(options)
    found: list[tuple[Head, bytes] | tuple[int, str]] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (request := reader.next()) is not None:
                found.append(request)
    except Refusal as refusal:
        found.append((refusal.status, refusal.name))
    return found


def refusal(data: bytes) -> tuple[int, str]:
    last = read(data)[-1]
    assert isinstance(last[1], str), last
    return last  # type: ignore[return-value]


def test_limits_hold_at_their_edge() -> None:
    fits = b"GET /" + b"a" * 46 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert len(fits.split(b"\r\n")[0]) == 60
    assert len(read(fits)) == 1
    assert refusal(fits.replace(b"/a", b"/aa")) == (414, "http.target_too_long")
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: "
    assert isinstance(read(head + b"b" * (400 - len(head) - 4) + b"\r\n\r\n")[0][0], Head)
    assert refusal(head + b"b" * (400 - len(head) - 3) + b"\r\n\r\n") == (431, "http.header_too_large")
    assert refusal(head + b"b" * 400) == (431, "http.header_too_large")  # never mind its end
    assert refusal(b"GET /" + b"a" * 100) == (414, "http.target_too_long")
    five = b"GET / HTTP/1.1\r\nHost: x\r\nA:\r\nB:\r\nC:\r\nD:\r\n"
    assert isinstance(read(five + b"\r\n")[0][0], Head)
    assert refusal(five + b"E:\r\n\r\n") == (431, "http.too_many_headers")


def test_bodies_are_bounded_before_they_are_read() -> None:
    post = b"POST / HTTP/1.1\r\nHost: x\r\n"
    assert read(post + b"Content-Length: 50\r\n\r\n" + b"x" * 50)[0][1] == b"x" * 50
    assert refusal(post + b"Content-Length: 51\r\n\r\n") == (413, "http.body_too_large")
    assert refusal(post + b"Content-Length: 999999999999999999\r\n\r\n") == (413, "http.body_too_large")
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
    assert read(chunked + b"28\r\n" + b"x" * 40 + b"\r\n0A\r\n" + b"y" * 10 + b"\r\n0\r\n\r\n")[0][1] == (
        b"x" * 40 + b"y" * 10
    )
    assert refusal(chunked + b"28\r\n" + b"x" * 40 + b"\r\nB\r\n") == (413, "http.body_too_large")
    assert refusal(chunked + b"ffffffffffffffff\r\n") == (413, "http.body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x1\r\n",
        b"1 \r\n",
        b"\r\n",
        b"11111111111111111\r\n",
        b"1\nx",
        b"1\r\nxyz",
        b"1\r\nx\n\n",
        b"1;\0\r\nx\r\n",
        b"1;" + b"e" * 2000,
        b"0\r\nno colon\r\n",
        b"0\r\nA : b\r\n",
        b"0\r\nA: b\n\n",
    ],
)
def test_chunks_that_are_none(body: bytes) -> None:
    assert refusal(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)[0] == 400


def test_many_chunk_extensions_are_refused() -> None:
    body = (b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 20
    assert refusal(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body) == (
        400,
        "http.bad_chunk",
    )


def test_many_trailers_are_refused() -> None:
    body = b"0\r\n" + b"A: bbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n" * 20
    assert refusal(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)[0] == 431


def test_nothing_is_read_ahead() -> None:
    reader = RequestReader(SMALL)
    reader.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nwhatever \0 follows")
    assert reader.next() is not None
    assert reader.take_rest() == b"whatever \0 follows"
    assert reader.held == 0


def test_a_whole_request_that_came_before_is_read_as_the_first_time() -> None:
    heads = HeadReader(SMALL)
    get, post = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    first, again = RequestReader(SMALL, heads), RequestReader(SMALL, heads)
    for data in (get, post + b"ab"):
        assert first.whole(data) == again.whole(data) is not None
    assert again.whole(post) is None, "its body is still to come"
    again.feed(post)
    assert again.next() is None
    assert again.whole(get) is None, "these bytes belong to that body"
    again.feed(get)
    request = again.next()
    assert request is not None
    assert request[1] == b"GE"


pieces = st.sampled_from(
    [
        b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\nGET / HTTP/1.0\r\n\r\n",
        b"POST /b?c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;e\r\nc\r\n0\r\nT: v\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01",
        b"\r\n",
    ]
)
streams = st.lists(pieces, max_size=6).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


@given(streams, st.lists(st.integers(0, 1000), max_size=12))
@settings(max_examples=400)
def test_any_chunking_gives_the_same_requests(data: bytes, places: list[int]) -> None:
    # an unfinished head may be refused for another of its faults, but never served
    def outline(found: list[tuple[Head, bytes] | tuple[int, str]]) -> list[object]:
        return ["refused" if isinstance(item[0], int) else item for item in found]

    assert outline(read(*cut(data, places))) == outline(read(data))


@given(st.binary(max_size=300) | streams.flatmap(lambda data: st.binary(max_size=5).map(lambda x: x + data)))
@settings(max_examples=400)
def test_no_bytes_raise_anything_but_a_refusal(data: bytes) -> None:
    reader = RequestReader(SMALL)
    reader.feed(data)
    with suppress(Refusal):
        while reader.next() is not None:
            pass
