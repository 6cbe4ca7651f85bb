"""When the cookie counts, and how it is written."""

import pytest

from wirehop.auth.cookies import Cookies
from wirehop.auth.origins import Origins

OWN = "https://app.example"
COOKIE = {"host": "here.example", "cookie": "a=1; wirehop=token; b=2"}


def token(allowed: tuple[str, ...] = (OWN,), **headers: str) -> str:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Cookies("wirehop", "lax", Origins(allowed)).token({**COOKIE, **given}, scheme="https")


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({}, False),
        ({"origin": OWN}, True),
        ({"origin": "https://here.example"}, True),
        ({"origin": "http://here.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://evil.example", "sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "none"}, False),
    ],
)
def test_when_it_counts(headers: dict[str, str], counts: bool) -> None:
    assert token(**headers) == ("token" if counts else "")


def test_every_origin_is_none_by_name() -> None:
    assert token(("*",), origin="https://evil.example") == ""
    assert token(("*",), origin="*") == ""
    assert token(("null",), origin="null") == ""
    assert token(("*", OWN), origin=OWN) == "token"
    assert token(("loopback",), origin="http://localhost:3000") == "token"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("wirehop=x", "x"),
        ('wirehop="x"', "x"),
        (" a ; wirehop = x ;", "x"),
        ("wirehop=x=y", "x=y"),
        ("wirehop=x; wirehop=y", ""),
        ("wirehop=x; wirehop=x", ""),
        ("Wirehop=x", ""),
        ("xwirehop=x", ""),
        ("wirehop", ""),
        ("", ""),
    ],
)
def test_how_it_is_read(header: str, found: str) -> None:
    cookies = Cookies("wirehop", "lax", Origins((OWN,)))
    assert cookies.token({"cookie": header, "origin": OWN}, scheme="https") == found


def test_without_a_name_there_is_none() -> None:
    assert Cookies("", "lax", Origins((OWN,))).token({"cookie": "=x", "origin": OWN}, scheme="https") == ""


def test_how_it_is_written() -> None:
    cookies = Cookies("wirehop", "strict", Origins())
    assert cookies.set("x", seconds=59.9, scheme="http") == "wirehop=x; Path=/; Max-Age=59; HttpOnly; SameSite=Strict"
    assert cookies.set("x", seconds=0, scheme="https") == "wirehop=x; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert cookies.clear(scheme="http") == "wirehop=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
