"""Scopes to requests, headers to what servers take."""

from typing import Any

import pytest

from wirehop.hosts.asgi.requests import local_path, raw_headers, read_request, whole_answer
from wirehop.hosts.native.refusals import Refusal


def scope(**fields: Any) -> dict[str, Any]:
    base = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "client": ("::1", 5)}
    return {**base, **fields}


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/rt/health", "/rt", "/health"),  # as ASGI says, and Starlette since 0.33
        ("/health", "/rt", "/health"),  # as it was before
        ("/rt", "/rt", "/"),
        ("/rt/", "/rt/", "/"),
        ("/rtx/health", "/rt", "/rtx/health"),
        ("/a/b/health", "/a/b", "/health"),
        ("/health", "", "/health"),
        ("", "", "/"),
    ],
)
def test_the_path_is_that_below_the_root(path: str, root: str, expected: str) -> None:
    assert local_path(scope(path=path, root_path=root)) == expected


def test_headers_are_lower_case_and_joined() -> None:
    pairs = [(b"Accept", b"a"), (b"accept", b"b"), (b"cookie", b"x=1"), (b"cookie", b"y=2"), (b"x", b"\xe9")]
    request = read_request(scope(headers=pairs, query_string=b"a=%20"), "/p", b"body")
    assert request.headers == {"accept": "a, b", "cookie": "x=1; y=2", "x": "é"}
    assert (request.method, request.path, request.query, request.body) == ("GET", "/p", "a=%20", b"body")
    assert (request.address, request.scheme) == ("::1", "http")


@pytest.mark.parametrize(("scheme", "expected"), [("ws", "http"), ("wss", "https"), ("https", "https"), (None, "http")])
def test_a_websocket_is_a_get_with_upgrade(scheme: str | None, expected: str) -> None:
    request = read_request(scope(type="websocket", method=None, scheme=scheme, client=None), "/", b"")
    assert (request.method, request.headers["upgrade"], request.scheme) == ("GET", "websocket", expected)
    assert request.address == ""


@pytest.mark.parametrize("path", ["/a/../b", "/..", "/a\0b", "x"])
def test_paths_that_can_be_read_two_ways_are_refused(path: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_request(scope(), path, b"")
    assert (refusal.value.status, refusal.value.name) == (400, "http.bad_path")


def test_options_of_the_whole_server() -> None:
    assert read_request(scope(method="OPTIONS"), "*", b"").path == "/"


def test_headers_of_a_hop_are_left_to_the_server() -> None:
    headers = [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("X-Name", "é"), ("Upgrade", "websocket")]
    assert raw_headers(200, headers) == [(b"x-name", b"\xe9")]


@pytest.mark.parametrize("pair", [("X", "a\r\nSet-Cookie: b"), ("a b", "c"), ("X", "\0"), ("X", "€")])
def test_headers_that_http_forbids_are_an_error(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        raw_headers(200, [pair])


@pytest.mark.parametrize(
    ("status", "method", "length", "body"),
    [(200, "GET", b"2", b"ok"), (200, "HEAD", b"2", b""), (204, "GET", None, b""), (304, "GET", None, b"")],
)
def test_length_and_body_are_what_http_says(status: int, method: str, length: bytes | None, body: bytes) -> None:
    headers, sent = whole_answer(status, [], b"ok", method)
    assert (dict(headers).get(b"content-length"), sent) == (length, body)


def test_a_length_that_contradicts_the_body_and_a_status_that_is_none() -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        whole_answer(200, [("Content-Length", "3")], b"ok", "GET")
    with pytest.raises(ValueError, match="final"):
        whole_answer(101, [], b"", "GET")
