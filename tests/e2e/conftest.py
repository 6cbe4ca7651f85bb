"""Browsers, servers and pages for the end-to-end tests.

Playwright's synchronous API in plain pytest: Chromium and Firefox as Playwright installed them, else the system's, else
the tests are skipped. Servers are subprocesses. A test that takes too long loses its browsers, so that nothing hangs
for ever.
"""

import contextlib
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserType, Playwright, sync_playwright

from .impaired import Impaired
from .proxy import Proxy
from .servers import ForeignSite, Server
from .watching import OpenPage, Watch, page_opener

TEST_SECONDS = 240.0
PROGRAMS = {
    "chromium": ("/usr/bin/chromium", "/usr/bin/google-chrome"),
    "firefox": ("/usr/bin/firefox-esr", "/usr/bin/firefox"),
}
CHROMIUM_ARGUMENTS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

StartServer = Callable[..., Server]


# ---- browsers


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


def launch(browser_type: BrowserType, *, without: Sequence[str] = ()) -> Browser:
    """Start it; Chromium `without` some of the flags that Playwright gives."""
    name = browser_type.name
    bundled = Path(browser_type.executable_path).exists()
    program = os.environ.get(f"RIG_{name.upper()}") or next(filter(os.path.exists, PROGRAMS[name]), None)
    if not bundled and not program:
        pytest.skip(f"no {name}: run `playwright install {name}` or install the system's package")
    path = None if bundled else program
    if name == "chromium":
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        arguments = [*CHROMIUM_ARGUMENTS, *(["--no-sandbox"] if is_root else [])]
        return browser_type.launch(
            executable_path=path, args=arguments, ignore_default_args=list(without), timeout=60_000
        )
    channel = None if bundled else "moz-firefox"  # the system's Firefox speaks WebDriver BiDi
    return browser_type.launch(executable_path=path, channel=channel, timeout=60_000)


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright.chromium)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def firefox(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright.firefox)
    yield browser
    browser.close()


@pytest.fixture(scope="session", params=["chromium", "firefox"])
def browser(request: pytest.FixtureRequest) -> Browser:
    """Each of the two."""
    return request.getfixturevalue(request.param)


# ---- pages


@pytest.fixture(scope="session")
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_page(watch: Watch) -> Iterator[OpenPage]:
    """Pages that live for one test."""
    with page_opener(watch) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_lasting_page(watch: Watch) -> Iterator[OpenPage]:
    """Pages that live for the tests of one module."""
    with page_opener(watch) as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_page_errors(watch: Watch) -> Iterator[None]:
    """What pages report as errors fails the test during which they do."""
    watch.take()
    yield
    problems = watch.take()
    assert not problems, "\n".join(problems)


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """After too long, end the browsers and the driver: whatever the test waits for fails then."""

    def end_children() -> None:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()

    timer = threading.Timer(TEST_SECONDS, end_children)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


# ---- servers

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def server(logs: Path) -> Iterator[Server]:
    """One development server for all tests that do not harm it."""
    with Server("--dev", log=logs / "server.log") as each:
        yield each
    assert not each.errors(), "\n".join(each.errors())


@pytest.fixture
def start_server(logs: Path) -> Iterator[StartServer]:
    """`start_server("--dev", …)`: a server for one test alone."""
    with contextlib.ExitStack() as stack:
        started: list[Server] = []

        def start(*arguments: str) -> Server:
            each = stack.enter_context(Server(*arguments, log=logs / f"server-{next(_numbers)}.log"))
            started.append(each)
            return each

        yield start
    errors = [line for each in started for line in each.errors()]
    assert not errors, "\n".join(errors)


@pytest.fixture
def start_proxy() -> Iterator[Callable[[Server], Proxy]]:
    """`start_proxy(server)`: a proxy in front of it."""
    with contextlib.ExitStack() as stack:
        yield lambda each: stack.enter_context(Proxy(each.port))


@pytest.fixture
def impair() -> Iterator[Callable[[Server], Impaired]]:
    """`impair(server)`: an impairing proxy in front of it."""
    with contextlib.ExitStack() as stack:
        yield lambda each: stack.enter_context(Impaired(each.port))


@pytest.fixture(scope="session")
def foreign_site() -> Iterator[ForeignSite]:
    with ForeignSite() as site:
        yield site


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room that no other test uses."""
    return f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())[:28].strip('-')}-{next(_numbers)}"
