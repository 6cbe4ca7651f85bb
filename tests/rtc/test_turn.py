"""TURN in both browsers, where nothing but it may be used: UDP, TCP and TLS on one port number; and who trusts it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from .authority import Authority
from .browsers import NAME, Browsers
from .calls import PlainCall, check_pictures
from .conftest import SECRET
from .netns import ADDRESS, Namespace
from .sites import serving
from .turnservers import TurnServer

PLAIN_PORT, TLS_PORT = 3478, 5349
EMBEDDED = (
    "--host", ADDRESS, "--rtc-turn", "embedded", "--rtc-secret", SECRET,
    "--rtc-allow-peers", "192.0.2.0/24",  # a network for documentation, which is no part of the public Internet
)  # fmt: skip
FAILURE_SECONDS = 4.0


@pytest.fixture(scope="module")
def plain_server(namespace: Namespace, files: Path) -> Iterator[TurnServer]:
    """Without TLS."""
    with serving(namespace, PLAIN_PORT, *EMBEDDED, log=files / "turn-plain.log"):
        yield TurnServer(ADDRESS, SECRET, PLAIN_PORT)


@pytest.fixture(scope="module")
def tls_server(namespace: Namespace, files: Path, authority: Authority) -> Iterator[TurnServer]:
    """With TLS."""
    chain, key = authority.issue(NAME, ADDRESS)
    tls = ("--server-certificate", str(chain), "--server-private-key", str(key))
    with serving(namespace, TLS_PORT, *EMBEDDED, *tls, log=files / "turn-tls.log"):
        yield TurnServer(ADDRESS, SECRET, TLS_PORT, TLS_PORT, NAME)


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
def test_chromium_and_firefox_over_turn_alone(
    way: str, request: pytest.FixtureRequest, namespace: Namespace, browsers: Browsers, plain_call: PlainCall
) -> None:
    turn: TurnServer = request.getfixturevalue("tls_server" if way == "tls" else "plain_server")
    places = [browsers.chromium_in(namespace), browsers.firefox()]
    call = plain_call(places, [turn.ice_server("somebody", way)], policy="relay")
    assert call.connects(), (call.left.errors(), call.right.errors())
    assert call.path() == (f"relay/{way}", f"relay/{way}")
    check_pictures(call)


def test_turn_over_tls_needs_an_authority_that_is_trusted(
    playwright: Playwright, namespace: Namespace, tls_server: TurnServer, tmp_path: Path, plain_call: PlainCall
) -> None:
    other = Browsers(playwright, Authority(tmp_path), tmp_path)
    place = other.chromium_in(namespace)
    call = plain_call([place, place], [tls_server.ice_server("somebody", "tls")], policy="relay")
    assert not call.connects(seconds=FAILURE_SECONDS)
    assert call.left.errors()
    other.close()


def test_credentials_of_another_secret_get_no_relay(
    namespace: Namespace, plain_server: TurnServer, browsers: Browsers, plain_call: PlainCall
) -> None:
    wrong = TurnServer(ADDRESS, "another", PLAIN_PORT)
    place = browsers.chromium_in(namespace)
    call = plain_call([place, place], [wrong.ice_server("somebody", "udp")], policy="relay")
    assert not call.connects(seconds=FAILURE_SECONDS)
    assert {each["errorCode"] for each in call.left.errors()} == {401}
