"""HTTP requests, in any pieces: the same requests come out, and what is wrong is refused and never an error."""

from collections.abc import Iterator

import fuzzing
import h11
import pytest
from fuzzing import CUTS, attempt, cut, damaged, single
from hypothesis import example, given
from hypothesis import strategies as st
from native_harness import App, Host, running

from wirehop.client.errors import HttpError
from wirehop.client.http import _Answer
from wirehop.hosts.native import HostOptions
from wirehop.hosts.native.deflate import Deflate, negotiate
from wirehop.hosts.native.forwarded import Proxies
from wirehop.hosts.native.refusals import Refusal
from wirehop.hosts.native.request_reader import RequestReader
from wirehop.hosts.native.target import parse_target

OPTIONS = HostOptions(header_bytes=1024, target_bytes=256, header_count=20, body_bytes=2000)
Outcome = tuple[list[tuple[str, str, str, dict[str, str], bytes]], str]

# ---- requests that are almost good -----------------------------------------------------------------------------------

METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"get", b"BREW", b"CONNECT", b""])
TARGETS = st.sampled_from(
    [b"/", b"/a?b=c", b"/%C3%A9", b"*", b"http://h/x?y", b"/..", b"/a/%2e%2e", b"//", b"a", b"/%"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b""])
NAMES = st.sampled_from(
    [b"Host", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Cookie", b"X", b""]
)
VALUES = st.sampled_from([b"x", b"x:80", b"close", b"keep-alive", b"5", b"0", b"chunked", b"gzip", b"100-continue",
                          b"a=b", b"", b"-1", b"5, 5", b"\xc3\xa9", b"Upgrade"])  # fmt: skip
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b": ", b":", b" :", b":\t"]), VALUES), max_size=4)
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\n\r\n"])


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    parts = []
    for chunk in draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4)):
        extension = draw(st.sampled_from([b""] * 4 + [b";a=b", b" ; x", b";" + b"y" * 50]))
        parts += [b"%x" % len(chunk), extension, b"\r\n", chunk, b"\r\n"]
    trailers = draw(st.sampled_from([b""] * 4 + [b"A: b\r\n", b"A\r\n", b"A: b\r\nC: d\r\n"]))
    return b"".join([*parts, b"0\r\n", trailers, b"\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, mostly good."""
    fields = [b"Host: x", *(name + colon + value for name, colon, value in draw(FIELDS))]
    body = b""
    match draw(st.sampled_from(("none", "length", "chunked"))):
        case "length":
            body = draw(st.binary(max_size=60))
            fields.append(b"Content-Length: %d" % len(body))
        case "chunked":
            body = draw(chunked())
            fields.append(b"Transfer-Encoding: chunked")
    line = b" ".join((draw(METHODS), draw(TARGETS), draw(VERSIONS)))
    end = draw(ENDS)
    return b"\r\n".join([line, *fields]) + end + b"\r\n" + body


PIPELINES = damaged(st.lists(requests(), min_size=1, max_size=4).map(b"".join)) | st.binary(max_size=200)


def read(pieces: list[bytes]) -> Outcome:
    """What a connection would hand on: the requests, and the name of the refusal that ends it ("": none)."""
    reader = RequestReader(OPTIONS)
    served = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (request := reader.next()) is not None:
                head, body = request
                served.append((head.method, head.path, head.query, dict(head.headers), body))
            assert reader.held <= OPTIONS.header_bytes + len(piece)
    except Refusal as refusal:
        return served, f"{refusal.status} {refusal.name}"
    return served, ""


@fuzzing.examples(600)
@given(PIPELINES, CUTS)
@example(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3, list(range(1, 200)))
@example(b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", [1, 2, 3])
def test_any_pieces_are_the_same_requests(data: bytes, cuts: list[int]) -> None:
    whole, refusal = read([data])
    for pieces in (cut(data, cuts), single(data)):
        served, refused = read(pieces)
        assert served == whole
        assert bool(refused) == bool(refusal), (refused, refusal)


@fuzzing.examples(300)
@given(requests())
def test_what_is_accepted_is_what_another_parser_reads(data: bytes) -> None:
    """Two readers that find different ends of one request are what smuggling lives on."""
    served, refused = read([data])
    if refused or len(served) != 1:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(data)
    body, method = b"", ""
    try:
        while True:
            event = other.next_event()
            if isinstance(event, h11.Request):
                method = event.method.decode()
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) or event in (h11.NEED_DATA, h11.PAUSED):
                break
    except h11.RemoteProtocolError:
        return  # it is stricter
    assert (served[0][0], served[0][4]) == (method, body)
    reader = RequestReader(OPTIONS)
    reader.feed(data)
    assert reader.next() is not None
    assert other.trailing_data[0] == reader.take_rest(), "they end in different places"


@fuzzing.examples(300)
@given(
    st.text(max_size=40) | st.sampled_from(["/%2e%2e/x", "/a%00", "http://[::1]/x"]),
    st.sampled_from(["GET", "OPTIONS"]),
)
def test_targets(target: str, method: str) -> None:
    found = attempt(lambda text: parse_target(text, method), target, Refusal)
    if isinstance(found, Refusal):
        assert found.status == 400
        return
    path, _, _ = found
    assert path.startswith("/")
    assert "\0" not in path
    assert ".." not in path.split("/")


HOPS = st.lists(
    st.sampled_from(["127.0.0.1", "10.0.0.1:80", "[2001:db8::1]:443", "::ffff:127.0.0.1", "unknown", "_x", "", '"',
                     "for=", 'for="[::1]";proto=https', "for=10.0.0.1;proto=http", "proto=https"])
    | st.text(max_size=12),
    max_size=6,
).map(",".join)  # fmt: skip


@fuzzing.examples(300)
@given(HOPS, HOPS, st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_forwarded_headers(hops: str, protos: str, name: str) -> None:
    proxies = Proxies(("127.0.0.0/8", "10.0.0.0/8", "::1/128"))
    address, scheme = proxies.resolve("127.0.0.1", "http", {name: hops, "x-forwarded-proto": protos})
    assert scheme in ("http", "https")
    assert address
    assert proxies.resolve("203.0.113.9", "http", {name: hops, "x-forwarded-proto": protos}) == ("203.0.113.9", "http")


OFFERS = st.lists(
    st.sampled_from(["permessage-deflate", "client_max_window_bits", "server_max_window_bits=8", "x=1", '"', "=", "",
                     "server_no_context_takeover", "client_max_window_bits=15", "server_max_window_bits=99"]),
    max_size=6,
)  # fmt: skip


@fuzzing.examples(200)
@given(OFFERS, st.sampled_from([";", ",", "; ", ", "]))
def test_offers_of_compression(parts: list[str], separator: str) -> None:
    assert isinstance(negotiate(separator.join(parts)), Deflate | None)


# ---- answers, as the client reads them -------------------------------------------------------------------------------

ANSWERS = damaged(
    st.sampled_from([
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ])
) | st.binary(max_size=100)  # fmt: skip


def read_answer(pieces: list[bytes]) -> tuple[int, bytes, str]:
    answer = _Answer(is_head=False)
    body = b""
    try:
        for piece in pieces:
            if answer.is_over:
                break
            answer.feed(piece)
            body += answer.take()
    except HttpError:
        return answer.status, body, "refused"
    return answer.status, body, "over" if answer.is_over else "open"


@fuzzing.examples(300)
@given(ANSWERS, CUTS)
def test_answers(data: bytes, cuts: list[int]) -> None:
    whole = read_answer([data])
    for pieces in (cut(data, cuts), single(data)):
        status, body, state = read_answer(pieces)
        if "refused" not in (state, whole[2]):  # an error behind the end is seen only by who has read it
            assert (status, body) == whole[:2]


# ---- a whole server --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    options = HostOptions(linger_seconds=0.2, close_seconds=0.2, header_seconds=5.0)
    with running(App(), "uvloop", options) as host:
        yield host


@fuzzing.examples(120)
@given(data=PIPELINES, cuts=CUTS)
def test_a_server_answers_or_closes_and_goes_on(host: Host, data: bytes, cuts: list[int]) -> None:
    with host.connect() as sock:
        sock.settimeout(3)
        try:
            for piece in cut(data, cuts):
                sock.sendall(piece)
            sock.sendall(b"\r\n\r\nGET / HTTP/1.0\r\n\r\n")
            sock.shutdown(1)
            answers = b""
            while more := sock.recv(65_536):
                answers += more
        except TimeoutError:
            pytest.fail("neither answered nor closed")
        except OSError:  # it has closed already
            return
    assert not answers or answers.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 500 " not in answers
    assert host.counted("http.handler_failed") == 0
