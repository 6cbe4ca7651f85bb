"""Each of the smallest pages in `examples/raw`, whose lines are counted, shows what is published."""

import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from .conftest import StartServer
from .servers import Server, until
from .watching import OpenPage, wait

RAW = Path(__file__).parents[2] / "examples" / "raw"
PAGES = sorted(path.name for path in RAW.glob("*.html"))


@pytest.fixture
def channel_server(start_server: StartServer) -> Server:
    """`examples/raw/channel.py`, with what the page of scripts needs."""
    return start_server("--transports-jsonp", "examples.raw.channel:node")


def opened(open_page: OpenPage, browser: Browser, server: Server, name: str) -> Page:
    """The page, in the place of one that the server has."""
    page = open_page(browser, "about:blank")
    page.route("**/favicon.ico", lambda route: route.fulfill(body=""))
    page.goto(f"{server.url}/channels/news:today?limit=1")
    page.set_content((RAW / name).read_text(encoding="utf-8"), wait_until="domcontentloaded")
    return page


def test_every_page_shows_what_is_published(chromium: Browser, channel_server: Server, open_page: OpenPage) -> None:
    shown = {}
    for name in PAGES:
        page = opened(open_page, chromium, channel_server, name)
        shown[name] = page
    shown["data_channel.html"].wait_for_function("window.send !== undefined")
    shown["data_channel.html"].evaluate("send('it is 7 o’clock')")

    def publish_until(name: str) -> bool:
        """Again and again: a page may not be listening yet."""
        channel_server.publish("news:today", "it is 7 o’clock")
        return bool(shown[name].evaluate("document.querySelectorAll('li').length"))

    for name, page in shown.items():
        until(lambda name=name: publish_until(name), seconds=30, what=name, every=0.2)
        assert page.inner_text("li >> nth=0") == "it is 7 o’clock"


def test_pages_with_a_way_up_publish(chromium: Browser, channel_server: Server, open_page: OpenPage) -> None:
    for name in ("sse_post.html", "websocket.html"):
        page = opened(open_page, chromium, channel_server, name)
        if name == "sse_post.html":
            wait(page, "events.readyState === 1")
            page.evaluate("send('from a page')")
        else:
            page.evaluate(
                "async () => { for (let n = 0; n < 100; n++) { try { return window.send('from a page'); }"
                " catch { await new Promise((again) => setTimeout(again, 50)); } } }"
            )
        wait(page, "[...document.querySelectorAll('li')].some((each) => each.textContent === 'from a page')")


def test_the_follower_prints_what_is_published(channel_server: Server) -> None:
    process = subprocess.Popen(
        [sys.executable, RAW / "follow.py", channel_server.url], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True).start()

    def heard() -> str:
        """What it prints first; it may not be following yet."""
        channel_server.publish("news:today", "hello")
        assert process.poll() is None, "it has ended"
        return "" if lines.empty() else lines.get()

    try:
        assert until(heard, seconds=30, what="a line", every=0.2) == "hello\n"
    finally:
        process.kill()
        process.communicate()
