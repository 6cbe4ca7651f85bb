"""The quick reading of plain heads gives just what httptools gives, or leaves it to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirehop.hosts.native import request_head
from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.refusals import Refusal
from wirehop.hosts.native.request_head import Head, HeadReader, parse_head

OPTIONS = HostOptions(header_count=6)
NAMES = st.sampled_from(
    [
        "Host",
        "host",
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "X-A",
        "x-b",
        "Cookie",
        "B\xe4d",
        "X Y",
        "",
    ]
)
VALUES = st.sampled_from(
    ["x", "a:1", " padded\t", "", "close", "keep-alive, close", "5", "+5", "5, 5", "chunked", "100-continue", "a,b",
     "b\xe4d", "\x7f", "\x01", "a b", "[::1]:80", "99999999999999999999"]
)  # fmt: skip
TARGETS = st.sampled_from(
    ["/", "/a?b=c", "/a%20b", "/%", "/../x", "/a#b", "http://h/x", "*", "/\xe4", "/a b", "//x", '/"']
)
METHODS = st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "CONNECT", "BREW", "get"])
VERSIONS = st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"])
LINES = st.builds("{}:{}".format, NAMES, VALUES)


def result(block: bytes) -> Head | tuple[int, str]:
    try:
        return parse_head(block, OPTIONS)
    except Refusal as refusal:
        return refusal.status, refusal.name


@given(METHODS, TARGETS, VERSIONS, st.lists(LINES, max_size=7), st.booleans())
@settings(max_examples=1000, deadline=None)
def test_a_plain_head_is_read_as_httptools_reads_it(
    method: str, target: str, version: str, lines: list[str], has_host: bool
) -> None:
    fields = ["Host: x", *lines] if has_host else lines
    block = "\r\n".join([f"{method} {target} {version}", *fields, "", ""]).encode("latin-1")
    quick = result(block)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_head, "_plain_head", lambda _block, _options: None)
        assert result(block) == quick


def test_common_heads_are_read_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httptools.HttpRequestParser", None)
    head = parse_head(
        b"GET /a%20b?c=d HTTP/1.1\r\nHost: x:80\r\nConnection: keep-alive, Upgrade\r\nX:\r\n\r\n", OPTIONS
    )
    assert (head.method, head.path, head.query, head.keeps_alive) == ("GET", "/a b", "c=d", True)
    assert head.headers == {"host": "x:80", "connection": "keep-alive, Upgrade", "x": ""}
    assert parse_head(b"POST / HTTP/1.1\r\nHost: x\r\ncontent-length:7\r\n\r\n", OPTIONS).length == 7


def test_a_head_that_comes_again_is_not_read_again_unless_it_holds_credentials() -> None:
    reader = HeadReader(OPTIONS)
    plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert reader.read(plain) is reader.read(bytes(bytearray(plain)))
    secret = b"GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n\r\n"
    assert reader.read(secret) == reader.read(bytes(bytearray(secret)))
    assert reader.read(secret) is not reader.read(secret)


def test_no_more_than_so_many_heads_are_remembered() -> None:
    reader = HeadReader(OPTIONS)
    for number in range(2000):
        reader.read(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        assert len(reader._known) <= 256
    large = b"GET / HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % (b"x" * 1100)
    reader.read(large)
    assert large not in reader._known
