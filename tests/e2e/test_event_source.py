"""A bare `EventSource` on a channel's URL: recovery by Last-Event-ID, `reset` where that cannot be, never silence."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .conftest import StartServer
from .proxy import Proxy
from .servers import Publisher, Server, until
from .watching import OpenPage, Watch, wait

CUT_SECONDS = 5.0
RECONNECT_SECONDS = 15.0  # a browser tries every 3 s (the server's `retry:`)

LISTEN = """channel => {
    window.events = [];
    window.opened = 0;
    window.source = new EventSource(`/channels/${channel}`);
    source.onopen = () => { opened += 1; };
    for (const type of ["message", "reset", "error"]) source.addEventListener(type, event => {
        if (event instanceof MessageEvent) events.push({type, data: event.data, id: event.lastEventId});
    });
}"""


def listen(page: Page, channel: str) -> None:
    page.evaluate(LISTEN, channel)
    wait(page, "opened === 1")


def events(page: Page) -> list[dict[str, Any]]:
    return page.evaluate("events")


def outage(proxy: Proxy, page: Page) -> None:
    """The connection is cut, new ones are refused for five seconds."""
    proxy.refuse()
    time.sleep(CUT_SECONDS)  # this is the outage itself
    assert page.evaluate("source.readyState") == 0, "the browser should be trying to reconnect"
    proxy.restore()


def test_nothing_is_missing_or_doubled_after_a_cut(
    browser: Browser,
    server: Server,
    start_proxy: Callable[[Server], Proxy],
    open_page: OpenPage,
    watch: Watch,
    room: str,
) -> None:
    watch.expect()
    proxy = start_proxy(server)
    page = open_page(browser, proxy.url)
    listen(page, room)
    with Publisher(server, room, every=0.1) as publisher:
        wait(page, "events.length >= 5")
        outage(proxy, page)
        wait(page, "opened === 2", seconds=RECONNECT_SECONDS)
        live_from = publisher.count
        until(lambda: publisher.count >= live_from + 5, seconds=5, what="publishing goes on")
    wait(page, "last => events.at(-1)?.data === last", str(publisher.count))
    assert [event["type"] for event in events(page)] == ["message"] * publisher.count
    assert [int(event["data"]) for event in events(page)] == list(range(1, publisher.count + 1))
    assert len({event["id"] for event in events(page)}) == publisher.count


def test_a_stream_that_was_cut_before_its_first_event_misses_nothing(
    browser: Browser,
    server: Server,
    start_proxy: Callable[[Server], Proxy],
    open_page: OpenPage,
    watch: Watch,
    room: str,
) -> None:
    """The stream begins with an event that gives its position: Firefox takes no id from a block without data."""
    watch.expect()
    proxy = start_proxy(server)
    page = open_page(browser, proxy.url)
    server.publish(room, "before")
    listen(page, room)
    proxy.refuse()
    wait(page, "source.readyState === 0")
    for number in (1, 2, 3):
        server.publish(room, number)
    proxy.restore()
    wait(page, "opened === 2", seconds=RECONNECT_SECONDS)
    server.publish(room, 4)
    wait(page, "events.at(-1)?.data === '4'")
    assert [event["data"] for event in events(page)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(("browser", "end"), [("chromium", "stop"), ("firefox", "kill")], indirect=["browser"])
def test_a_restarted_server_says_reset_first(
    browser: Browser, start_server: StartServer, open_page: OpenPage, watch: Watch, room: str, end: str
) -> None:
    """The memory broker has forgotten everything: an event says so, then the stream goes on."""
    watch.expect()
    server = start_server("--dev")
    page = open_page(browser, server.url)
    listen(page, room)
    for number in (1, 2, 3):
        server.publish(room, number)
    wait(page, "events.length === 3")

    getattr(server, end)()
    wait(page, "source.readyState === 0")
    server.start()
    # a stopping server spreads its clients over 1 to 10 s
    wait(page, "events.length >= 4", seconds=RECONNECT_SECONDS)
    reset = events(page)[3]
    assert reset["type"] == "reset"
    assert room in reset["data"]
    for number in (4, 5):
        server.publish(room, number)
    wait(page, "events.length >= 6")
    assert [(event["type"], event["data"]) for event in events(page)[4:]] == [("message", "4"), ("message", "5")]
    assert reset["id"].split(":")[0] == events(page)[4]["id"].split(":")[0], "the reset names the new epoch"
