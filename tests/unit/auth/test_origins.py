"""Which pages may connect, and which CORS headers follow."""

import pytest

from wirehop.auth.origins import Origins

HERE = {"host": "example.org:8000", "scheme": "http"}


@pytest.mark.parametrize(
    ("allowed", "origin", "may"),
    [
        ((), "", True),
        ((), "http://example.org:8000", True),
        ((), "HTTP://EXAMPLE.ORG:8000", True),
        ((), "https://example.org:8000", False),
        ((), "http://example.org", False),
        ((), "http://other.org:8000", False),
        ((), "null", False),
        (("*",), "null", True),
        (("*",), "https://anything.example", True),
        (("https://a.example",), "https://a.example", True),
        (("https://A.example/",), "https://a.EXAMPLE", True),
        (("https://a.example",), "http://a.example", False),
        (("https://a.example",), "https://a.example:444", False),
        (("https://a.example",), "https://a.example.evil", False),
        (("https://a.example",), "https://sub.a.example", False),
        (("https://a.example",), "https://user@a.example", False),
        (("loopback",), "http://localhost:3000", True),
        (("loopback",), "https://127.0.0.1", True),
        (("loopback",), "http://[::1]:9", True),
        (("loopback",), "http://localhost.evil", False),
        (("loopback",), "http://127.0.0.1.evil", False),
        (("loopback",), "http://evil@localhost:1@evil.example", False),
        (("loopback",), "file://localhost", False),
        (("loopback",), "http://[::1", False),
    ],
)
def test_who_may_connect(allowed: tuple[str, ...], origin: str, may: bool) -> None:
    assert Origins(allowed).allows(origin, **HERE) is may


def cors(allowed: tuple[str, ...], origin: str) -> dict[str, str]:
    headers = {"host": "example.org:8000", **({"origin": origin} if origin else {})}
    return dict(Origins(allowed).cors(headers, scheme="http"))


def test_an_allowed_origin_is_named_with_credentials_and_varies() -> None:
    headers = cors(("https://a.example",), "https://a.example")
    assert headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin"


def test_any_origin_is_a_star_and_never_with_credentials() -> None:
    headers = cors(("*", "https://a.example"), "https://a.example")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers


def test_who_is_no_page_or_not_allowed_gets_no_cors_headers() -> None:
    assert cors(("https://a.example",), "") == {}
    assert cors(("https://a.example",), "https://b.example") == {}


def test_a_preflight_says_methods_headers_and_how_long() -> None:
    origins = Origins(("https://a.example",))
    asked = {"origin": "https://a.example", "host": "example.org"}
    headers = dict(origins.preflight(asked, scheme="http", methods="GET, POST"))
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert origins.preflight({"origin": "https://b.example"}, scheme="http", methods="GET") == []
