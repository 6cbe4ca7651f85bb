"""Calls over networks of their own: namespaces, NATs, a bad link; and browsers in them.

Needs root on Linux; skipped where that cannot be had. A process of its own (see scripts/test), because of Playwright's
synchronous API. A test that takes too long loses its browsers, so that nothing hangs for ever.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from . import authority as authorities
from . import coturn as coturns
from . import netns
from .authority import Authority
from .browsers import Browsers, driver_in
from .calls import BLUE, RED, Call, Peer, PlainCall, blank_page
from .coturn import coturn
from .link import Link
from .natlab import RELAY, SERVER, TLS_RELAY, NatLab, nat_lab
from .netns import Namespace, hermetic
from .rooms import Enter, Guest, enter
from .turnservers import TurnServer

TEST_SECONDS = 300.0
SECRET = "of every TURN server here"


@pytest.fixture(scope="session", autouse=True)
def possible() -> None:
    """Skip where namespaces, trust or TURN cannot be had."""
    reason = netns.why_not() or authorities.why_not() or coturns.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def files(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs, certificates, scripts."""
    return tmp_path_factory.mktemp("rtc")


@pytest.fixture(scope="session")
def authority(files: Path) -> Authority:
    return Authority(files)


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> tuple[Path, Path]:
    """For the public addresses of the lab."""
    return authority.issue(SERVER, RELAY, TLS_RELAY)


# ---- networks


@pytest.fixture(scope="session")
def namespace(possible: None) -> Iterator[Namespace]:
    """For server and browsers together, cut off from the rest."""
    with hermetic() as each:
        yield each


@pytest.fixture(scope="session")
def lab(possible: None) -> Iterator[NatLab]:
    """Two clients behind NATs, and the public network."""
    with nat_lab() as each:
        yield each


@pytest.fixture
def far(namespace: Namespace) -> Iterator[Namespace]:
    """A namespace that has only the link."""
    with Namespace("far") as each:
        yield each


@pytest.fixture
def link(namespace: Namespace, far: Namespace) -> Iterator[Link]:
    """Between `namespace` (10.77.0.1) and `far` (10.77.0.2)."""
    with Link(namespace, far) as each:
        far.ip("route add default via 10.77.0.1 dev link0")
        yield each


@pytest.fixture(scope="session")
def turn(lab: NatLab, files: Path, certificate: tuple[Path, Path]) -> Iterator[TurnServer]:
    """coturn on the lab's second public address."""
    with coturn(lab.public, RELAY, files, certificate=certificate, secret=SECRET) as each:
        yield each


@pytest.fixture(scope="session")
def tls_turn(lab: NatLab, files: Path, certificate: tuple[Path, Path]) -> Iterator[TurnServer]:
    """coturn on the lab's third public address, that takes TCP with TLS alone."""
    with coturn(lab.public, TLS_RELAY, files, certificate=certificate, secret=SECRET, is_only_tls=True) as each:
        yield each


# ---- browsers


@pytest.fixture(scope="session")
def playwright(namespace: Namespace) -> Iterator[Playwright]:
    """Its driver is in `namespace`, and so is Firefox."""
    with driver_in(namespace) as each:
        yield each


@pytest.fixture(scope="session")
def browsers(playwright: Playwright, authority: Authority, files: Path) -> Iterator[Browsers]:
    each = Browsers(playwright, authority, files)
    yield each
    each.close()


@pytest.fixture
def plain_call() -> Iterator[PlainCall]:
    """`plain_call(places, servers, policy=…)`: two pages, one per browser, that call each other."""
    pages: list[Page] = []

    def open_call(places: Sequence[Browser | BrowserContext], servers: Sequence[Any], *, policy: str = "all") -> Call:
        opened = [blank_page(place) for place in places]
        pages.extend(opened)
        sides = [
            Peer(page, servers, colour=each, policy=policy) for page, each in zip(opened, (RED, BLUE), strict=True)
        ]
        return Call(*sides)

    yield open_call
    for page in pages:
        page.close()


@pytest.fixture
def enter_page() -> Iterator[Enter]:
    """`enter_page(browser, url)`: a guest whose page is closed at the end."""
    guests: list[Guest] = []

    def enter_(place: Browser | BrowserContext, url: str) -> Guest:
        guests.append(enter(place, url))
        return guests[-1]

    yield enter_
    for guest in guests:
        guest.page.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the tests that passed: how long, how often, which way."""
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call" and report.capstdout:
            terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {report.capstdout.strip()}")


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """After too long, end what this process has started: whatever the test waits for fails then."""

    def end_children() -> None:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()

    timer = threading.Timer(TEST_SECONDS, end_children)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()
