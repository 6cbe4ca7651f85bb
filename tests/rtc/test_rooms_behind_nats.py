"""Rooms between clients behind NATs: with the embedded TURN server, and with coturn and the same credentials.

How the two sides reach each other is asked of the browsers (the pair in use), and of the SDK (its words for the path).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..e2e.servers import until
from .browsers import Browsers
from .calls import words
from .conftest import SECRET
from .natlab import RELAY, SERVER, TLS_RELAY, Kind, NatLab
from .rooms import ROOM, Enter, check_pictures, join_both
from .sites import serving
from .turnservers import TurnServer

PLAIN_PORT, TLS_PORT = 3478, 443
SECONDS = 30.0
EMBEDDED = ("--rtc-turn", "embedded", "--rtc-allow-peers", "198.51.100.0/24")
COTURN = ("--rtc-turn", f"coturn://{RELAY}:{PLAIN_PORT}")
COTURN_TLS = ("--rtc-turn", f"coturn://{TLS_RELAY}:{TLS_PORT}")
COTURN_ON_443 = ("--rtc-turn", f"coturn://{RELAY}:{TLS_PORT}")  # where it takes connections without TLS too


@pytest.fixture(scope="module")
def tls(certificate: tuple[Path, Path]) -> tuple[str, ...]:
    chain, key = certificate
    return ("--server-certificate", str(chain), "--server-private-key", str(key))


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest,
    lab: NatLab,
    files: Path,
    turn: TurnServer,
    tls_turn: TurnServer,
    tls: tuple[str, ...],
) -> Iterator[str]:
    """The URL of a server: `plain` and `tls` have the embedded TURN, the others have TLS and coturn."""
    common = ("--host", SERVER, "--rtc-secret", SECRET, *ROOM)
    special = {
        "plain": (PLAIN_PORT, EMBEDDED),
        "tls": (TLS_PORT, (*EMBEDDED, *tls)),
        "coturn": (TLS_PORT, (*COTURN, *tls)),
        "coturn on 443": (TLS_PORT, (*COTURN_ON_443, *tls)),
        "coturn with TLS": (TLS_PORT, (*COTURN_TLS, *tls)),
    }
    port, arguments = special[request.param]
    with serving(lab.public, port, *common, *arguments, log=files / f"{request.param} behind nats.log"):
        yield f"http://{SERVER}:{port}" if request.param == "plain" else f"https://{SERVER}:{port}"


MATRIX: list[tuple[str, str, Kind, Kind, str, str]] = [
    # browser at the left, site, left, right, the SDK's words at the left, the left candidate's kind where it matters
    ("chromium", "plain", "cone", "cone", "direct", ""),
    ("chromium", "plain", "symmetric", "symmetric", "through TURN over UDP", ""),
    ("chromium", "plain", "udp blocked", "cone", "through TURN over TCP", "relay/tcp"),
    ("firefox", "plain", "cone", "cone", "direct", ""),
    ("firefox", "plain", "symmetric", "symmetric", "through TURN over UDP", ""),
    ("firefox", "plain", "udp blocked", "cone", "through TURN over TCP", "relay/tcp"),
    ("chromium", "tls", "only 443", "cone", "through TURN over TLS", "relay/tls"),
    ("chromium", "tls", "only 443", "only 443", "through TURN over TLS", "relay/tls"),
    ("chromium", "coturn", "cone", "cone", "direct", ""),
    ("chromium", "coturn", "symmetric", "symmetric", "through TURN over UDP", ""),
    ("chromium", "coturn", "udp blocked", "cone", "through TURN over TCP", "relay/tcp"),
    ("chromium", "coturn on 443", "only 443", "cone", "through TURN over TCP", "relay/tcp"),
    ("chromium", "coturn with TLS", "only 443", "cone", "through TURN over TLS", "relay/tls"),
    ("chromium", "coturn with TLS", "only 443", "only 443", "through TURN over TLS", "relay/tls"),
]


@pytest.mark.parametrize(
    ("browser", "site", "left", "right", "path", "kind"),
    [pytest.param(*row, id=", ".join(row[:4])) for row in MATRIX],
    indirect=["site"],
)
def test_rooms_through_nats(
    browser: str, left: Kind, right: Kind, path: str, kind: str,
    request: pytest.FixtureRequest, site: str, lab: NatLab, browsers: Browsers, enter_page: Enter,
) -> None:  # fmt: skip
    lab.become(left, right)
    first = browsers.firefox_in if browser == "firefox" else browsers.chromium_in
    here = enter_page(first(lab.left.client), site)
    there = enter_page(browsers.chromium_in(lab.right.client), site)
    join_both(here, there, f"room:{left}-{right}".replace(" ", "-"))
    check_pictures(here, there)
    for guest in (here, there):
        until(lambda guest=guest: guest.path() == path, seconds=SECONDS, what=f"{path}: {guest.story()}")
    reports = [guest.report() for guest in (here, there)]
    ways = [words(report["local"]) for report in reports if report]
    print(f"{ways}, {path}")
    if kind:
        assert ways[0] == kind
    if path == "direct":
        assert not any(way.startswith("relay") for way in ways)
    elif not kind:
        assert "relay/udp" in ways
