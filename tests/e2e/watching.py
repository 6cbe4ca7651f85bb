"""Pages whose errors fail the test: every console error, uncaught exception and crash counts unless it is expected."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

NETWORK = re.compile(
    r"net::ERR_|Failed to load resource|NS_ERROR_|WebSocket connection to .* failed|can.t establish a connection|"
    r"connection to .* was interrupted|NetworkError|ERR_INTERNET_DISCONNECTED"
)
"""What browsers say of their own accord when the network is gone."""
ACTION_MILLISECONDS = 30_000

OpenPage = Callable[..., Page]


class Watch:
    """The pages that are open, and what went wrong on them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.expected: list[re.Pattern[str]] = []

    def follow(self, page: Page, label: str) -> None:
        """Listen to a page."""

        def note(kind: str, text: str) -> None:
            if not any(pattern.search(text) for pattern in self.expected):
                self.problems.append(f"{label}: {kind}: {text}")

        page.on("console", lambda message: note("console", message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: note("uncaught", f"{error}\n{error.stack or ''}"))
        page.on("crash", lambda _: note("crash", page.url))

    def expect(self, pattern: re.Pattern[str] = NETWORK) -> None:
        """Errors like this one are what the test is about."""
        self.expected.append(pattern)

    def take(self) -> list[str]:
        """The problems so far; from here on they are new ones."""
        problems, self.problems, self.expected = self.problems, [], []
        return problems


@contextmanager
def page_opener(watch: Watch) -> Iterator[OpenPage]:
    """`open(browser, url, label="", **options)` opens a page in a context of its own; all are closed at the end."""
    contexts: list[BrowserContext] = []

    def open_page(browser: Browser, url: str, *, label: str = "", **options: Any) -> Page:
        options = {"viewport": {"width": 1100, "height": 760}, "locale": "en-GB", "reduced_motion": "reduce", **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(ACTION_MILLISECONDS)
        page = context.new_page()
        watch.follow(page, label or browser.browser_type.name)
        page.goto(url)
        return page

    try:
        yield open_page
    finally:
        for context in contexts:
            context.close()


def wait(page: Page, expression: str, argument: object = None, *, seconds: float = 30.0) -> Any:
    """Wait in the page until the expression is true; its value."""
    return page.wait_for_function(expression, arg=argument, timeout=seconds * 1000, polling=40).json_value()
