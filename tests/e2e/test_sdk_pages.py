"""What a page goes through: frozen, kept for later, duplicated. Nothing is lost, nothing comes twice."""

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright

from .conftest import StartServer, launch
from .following import START, check_whole, start
from .servers import ForeignSite, Publisher, Server
from .watching import OpenPage, Watch, wait

HEARTBEAT = 1.0
KEPT = "Object.entries(sessionStorage).find(([name, value]) => name.startsWith('wirehop:') && value.includes('epoch'))"
CACHED = "addEventListener('pageshow', ({persisted}) => { window.cameBack = persisted; })"


@pytest.fixture(scope="module")
def caching_chromium(playwright: Playwright) -> Iterator[Browser]:
    """With the back-forward cache, which Playwright switches off."""
    browser = launch(playwright.chromium, without=["--disable-back-forward-cache"])
    yield browser
    browser.close()


def published(publisher: Publisher, count: int) -> None:
    """Wait until so many more are published."""
    goal = publisher.count + count
    while publisher.count < goal:
        time.sleep(0.02)


@pytest.mark.parametrize("wire", ["websocket", "stream", "sse", "long-poll"])
def test_a_frozen_tab_misses_nothing_when_it_thaws(
    chromium: Browser, start_server: StartServer, open_page: OpenPage, room: str, wire: str
) -> None:
    server = start_server("--dev", "--heartbeat-interval", f"{HEARTBEAT}s")
    page = open_page(chromium, server.url)
    start(page, room, wires=wire)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.enable")
    with Publisher(server, room, every=0.05) as publisher:
        wait(page, "seen.length > 3")
        devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        began = time.monotonic()
        while time.monotonic() - began < 3 * HEARTBEAT:
            published(publisher, 10)
        devtools.send("Page.setWebLifecycleState", {"state": "active"})
        wait(page, f"client.state === 'live' && seen.at(-1) > {publisher.count}")
    assert page.evaluate("client.id") == who
    check_whole(page)


def test_back_from_the_cache_the_page_goes_on_where_it_was(
    caching_chromium: Browser, server: Server, foreign_site: ForeignSite, open_page: OpenPage, room: str
) -> None:
    page = open_page(caching_chromium, server.url)
    start(page, room)
    page.evaluate(CACHED)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.05) as publisher:
        wait(page, "seen.length > 3")
        page.goto(foreign_site.origin)
        published(publisher, 20)
        page.go_back(wait_until="commit")
        wait(page, "window.cameBack")
        wait(page, f"client.state === 'live' && seen.at(-1) > {publisher.count}")
    assert page.evaluate("client.id") == who
    check_whole(page)


def test_a_duplicated_tab_gets_a_session_of_its_own_and_neither_misses_anything(
    browser: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch
) -> None:
    first = open_page(browser, server.url)
    start(first, room, remember=True)
    wait(first, "client.state === 'live'")
    with Publisher(server, room, every=0.05) as publisher:
        wait(first, "seen.length > 3")
        wait(first, KEPT)
        second = first.context.new_page()
        watch.follow(second, "the copy")
        second.goto(server.url)
        kept = first.evaluate(KEPT)
        second.evaluate("([name, value]) => sessionStorage.setItem(name, value)", kept)
        second.evaluate(START, [room, {"remember": True}])
        goal = publisher.count + 20
        both: list[Page] = [first, second]
        for page in both:
            wait(page, f"client.state === 'live' && seen.at(-1) > {goal}")
        wait(first, "states.filter(state => state === 'live').length >= 2")  # superseded once, and back
        counts = [page.evaluate("[states.length, client.moves, client.id]") for page in both]
        goal = publisher.count + 40
        for page in both:
            wait(page, f"seen.at(-1) > {goal}")
        assert [page.evaluate("[states.length, client.moves, client.id]") for page in both] == counts
    assert counts[0][2] != counts[1][2]
    for page in both:
        check_whole(page)
    assert second.evaluate("seen[0]") == json.loads(kept[1])["positions"][room]["offset"] + 1
