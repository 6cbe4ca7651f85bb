"""What participants are told of STUN and TURN servers."""

import pytest

from wirehop.rtc.pure.credentials import Credential
from wirehop.rtc.pure.ice import IceServer, Relay, host_in, ice_servers

WHO = Credential("1:ann", "secret", 1)


def test_urls_are_udp_then_tcp_then_tls_and_ipv6_has_brackets() -> None:
    relay = Relay(("192.0.2.1", "2001:db8::1"), 3478, 80, 443, "turn.example.org")
    assert ice_servers(relay, WHO) == [
        IceServer(["stun:192.0.2.1:3478", "stun:[2001:db8::1]:3478"]),
        IceServer(
            [
                "turn:192.0.2.1:3478?transport=udp",
                "turn:[2001:db8::1]:3478?transport=udp",
                "turn:192.0.2.1:80?transport=tcp",
                "turn:[2001:db8::1]:80?transport=tcp",
                "turns:turn.example.org:443?transport=tcp",
            ],
            "1:ann",
            "secret",
        ),
    ]


def test_a_port_that_is_not_open_has_no_url() -> None:
    stun, turn = ice_servers(Relay(("192.0.2.1",), 3478), WHO)
    assert stun.urls == ["stun:192.0.2.1:3478"]
    assert turn.urls == ["turn:192.0.2.1:3478?transport=udp"]


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("example.org", "example.org"),
        ("example.org:8000", "example.org"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("", ""),
        ("a b", ""),
        ("x?transport=udp", ""),
        ("é.org", ""),
        ("x" * 300, ""),
    ],
)
def test_the_host_of_a_header(header: str, host: str) -> None:
    assert host_in(header) == host
