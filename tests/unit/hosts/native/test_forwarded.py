"""Who the client is behind proxies, and that nobody else may say so."""

import pytest
from native_harness import App, Client, running

from wirehop.hosts.native import HostOptions
from wirehop.hosts.native.forwarded import Proxies, plain_address

PROXIES = Proxies(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ("10.0.0.1", "http")),
        ({"x-forwarded-for": "1.2.3.4"}, ("1.2.3.4", "http")),
        ({"x-forwarded-for": "6.6.6.6, 1.2.3.4"}, ("1.2.3.4", "http")),  # the left one is the client's own claim
        ({"x-forwarded-for": "1.2.3.4, 10.1.1.1"}, ("1.2.3.4", "http")),
        ({"x-forwarded-for": "10.1.1.1, 10.2.2.2"}, ("10.1.1.1", "http")),
        ({"x-forwarded-for": "1.2.3.4, nonsense"}, ("10.0.0.1", "http")),
        ({"x-forwarded-for": "1.2.3.4:5678"}, ("1.2.3.4", "http")),
        ({"x-forwarded-for": "[2001:db8::1]:99"}, ("2001:db8::1", "http")),
        ({"x-forwarded-for": "2001:db8::1"}, ("2001:db8::1", "http")),
        ({"x-forwarded-for": "::ffff:1.2.3.4"}, ("1.2.3.4", "http")),
        ({"x-forwarded-for": ", ,"}, ("10.0.0.1", "http")),
        ({"x-forwarded-proto": "https"}, ("10.0.0.1", "https")),
        ({"x-forwarded-proto": "gopher"}, ("10.0.0.1", "http")),
        ({"x-forwarded-for": "1.2.3.4, 10.1.1.1", "x-forwarded-proto": "https, http"}, ("1.2.3.4", "https")),
        ({"x-forwarded-for": "6.6.6.6, 1.2.3.4", "x-forwarded-proto": "https, http"}, ("1.2.3.4", "http")),
        ({"x-forwarded-for": "6.6.6.6, 1.2.3.4", "x-forwarded-proto": "https"}, ("1.2.3.4", "https")),
        ({"forwarded": "for=1.2.3.4;proto=https"}, ("1.2.3.4", "https")),
        ({"forwarded": 'For="[2001:db8::1]:4711";by=x, for=10.1.1.1'}, ("2001:db8::1", "http")),
        ({"forwarded": 'for="6.6.6.6, 7.7.7.7", for=1.2.3.4'}, ("1.2.3.4", "http")),
        ({"forwarded": "for=unknown"}, ("10.0.0.1", "http")),
        ({"forwarded": "for=_hidden;proto=https"}, ("10.0.0.1", "https")),
        ({"forwarded": "for 1.2.3.4"}, ("10.0.0.1", "http")),
        ({"forwarded": "for=6.6.6.6", "x-forwarded-for": "1.2.3.4"}, ("1.2.3.4", "http")),
    ],
)
def test_what_a_trusted_proxy_says(headers: dict[str, str], expected: tuple[str, str]) -> None:
    assert PROXIES.resolve("10.0.0.1", "http", headers) == expected


def test_nobody_else_is_believed() -> None:
    claims = {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https", "forwarded": "for=1.2.3.4"}
    assert PROXIES.resolve("11.0.0.1", "http", claims) == ("11.0.0.1", "http")
    assert Proxies([]).resolve("10.0.0.1", "http", claims) == ("10.0.0.1", "http")
    assert PROXIES.resolve("", "http", claims) == ("", "http")


def test_a_network_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        Proxies(["10.0.0.0/33"])


def test_an_ipv4_client_on_an_ipv6_socket() -> None:
    assert plain_address("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain_address("2001:db8::1") == "2001:db8::1"


@pytest.mark.parametrize(("trusted", "address"), [(("127.0.0.0/8",), "1.2.3.4"), ((), "127.0.0.1")])
def test_requests_carry_it(app: App, loop_name: str, trusted: tuple[str, ...], address: str) -> None:
    with running(app, loop_name, HostOptions(trusted_proxies=trusted)) as host, host.connect() as sock:
        asked = Client(sock).get("/", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https").json()
        assert (asked["address"], asked["scheme"]) == (address, "https" if trusted else "http")
