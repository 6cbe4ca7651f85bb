"""The server's own TURN: UDP, TCP and TLS on one port number, through NATs that let nothing else through."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browsers import Browsers
from .calls import PlainCall, check_pictures
from .conftest import SECRET
from .natlab import SERVER, Kind, NatLab
from .sites import serving
from .turnservers import TurnServer

PLAIN_PORT, TLS_PORT = 3478, 443
EMBEDDED = (
    "--host", SERVER, "--rtc-turn", "embedded", "--rtc-secret", SECRET,
    "--rtc-allow-peers", "198.51.100.0/24",  # a network for documentation, which is no part of the public Internet
)  # fmt: skip


@pytest.fixture(scope="module")
def plain_server(lab: NatLab, files: Path) -> Iterator[TurnServer]:
    """Without TLS."""
    with serving(lab.public, PLAIN_PORT, *EMBEDDED, log=files / "plain.log"):
        yield TurnServer(SERVER, SECRET, PLAIN_PORT)


@pytest.fixture(scope="module")
def tls_server(lab: NatLab, files: Path, certificate: tuple[Path, Path]) -> Iterator[TurnServer]:
    """With TLS, on port 443."""
    chain, key = certificate
    tls = ("--server-certificate", str(chain), "--server-private-key", str(key))
    with serving(lab.public, TLS_PORT, *EMBEDDED, *tls, log=files / "tls.log"):
        yield TurnServer(SERVER, SECRET, TLS_PORT, TLS_PORT)


@pytest.mark.parametrize(
    ("server", "left", "right", "ways", "expected"),
    [
        ("plain_server", "symmetric", "symmetric", "stun udp", "relay/udp"),
        ("plain_server", "udp blocked", "cone", "stun udp tcp", "relay/tcp"),
        ("tls_server", "only 443", "symmetric", "stun udp tls", "relay/tls"),
        ("tls_server", "only 443", "only 443", "stun udp tls", "relay/tls"),
    ],
)
def test_calls_through_the_embedded_turn(
    server: str, left: Kind, right: Kind, ways: str, expected: str,
    request: pytest.FixtureRequest, lab: NatLab, browsers: Browsers, plain_call: PlainCall,
) -> None:  # fmt: skip
    turn: TurnServer = request.getfixturevalue(server)
    lab.become(left, right)
    places = [browsers.chromium_in(side.client) for side in (lab.left, lab.right)]
    call = plain_call(places, [turn.ice_server("somebody", *ways.split())])
    assert call.connects(), (call.left.errors(), call.right.errors())
    assert expected in call.path()
    check_pictures(call)
