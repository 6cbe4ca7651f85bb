"""The SDK where the network fails in ways that a browser notices late or not at all."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from wirehop.checker.faults import Refuse

from .conftest import StartServer
from .following import check_whole, start
from .impaired import Impaired
from .servers import Publisher, Server
from .watching import OpenPage, Watch, wait

POLICY = re.compile("Content.Security.Policy", re.IGNORECASE)
NO_WEBSOCKET = """() => {
    const policy = Object.assign(document.createElement("meta"), {httpEquiv: "Content-Security-Policy"});
    policy.content = "connect-src http:";
    document.head.append(policy);
}"""
HEARTBEAT = 4.0
MARGIN = 1.5
"""For a machine that has other things to do."""


def test_a_browser_that_refuses_websocket_has_the_first_message_within_two_seconds(
    browser: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch
) -> None:
    watch.expect()
    watch.expect(POLICY)
    page = open_page(browser, server.url)
    page.evaluate(NO_WEBSOCKET)
    with Publisher(server, room, every=0.05):
        start(page, room)
        wait(page, "firstAfter > 0")
        assert page.evaluate("firstAfter") < 2000
        assert page.evaluate("client.transport") != "websocket"
        assert "websocket" in page.evaluate("client.wires().why")
    check_whole(page)


def test_a_websocket_that_opens_and_says_nothing_is_left_within_five_seconds(
    chromium: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    page = open_page(chromium, server.url)
    page.route_web_socket("**/connection/websocket", lambda _: None)  # it is open for the page, and goes nowhere
    page.reload()
    with Publisher(server, room, every=0.05):
        start(page, room)
        wait(page, "firstAfter > 0")
        assert page.evaluate("firstAfter") < 5000
        assert page.evaluate("client.transport") != "websocket"
    check_whole(page)


def test_a_black_holed_websocket_is_left_within_one_and_a_half_heartbeats(
    browser: Browser,
    start_server: StartServer,
    impair: Callable[[Server], Impaired],
    open_page: OpenPage,
    room: str,
) -> None:
    server = start_server("--dev", "--heartbeat-interval", f"{HEARTBEAT}s")
    proxy = impair(server)
    page = open_page(browser, proxy.url)
    start(page, room)
    wait(page, "client.state === 'live' && client.transport === 'websocket'")
    page.evaluate("void client.on('moved', () => { window.movedAt ??= performance.now(); })")
    with Publisher(server, room, every=0.1):
        wait(page, "seen.length > 3")
        proxy.swallow_websockets()
        page.evaluate("window.hole = performance.now()")
        wait(page, "window.movedAt && client.transport !== 'websocket'")
        before = page.evaluate("seen.length")
        wait(page, f"seen.length > {before + 3}")
    seconds = page.evaluate("(movedAt - hole) / 1000")
    print(f"{browser.browser_type.name}: left after {seconds:.1f} s, heartbeat {HEARTBEAT:.0f} s")
    assert seconds < 1.5 * HEARTBEAT + MARGIN
    assert "offline" not in page.evaluate("states")
    assert page.evaluate("client.wires().wires.find(each => each.transport === 'websocket').lastFailure")
    check_whole(page)


@pytest.mark.parametrize("wire", ["websocket", "stream", "sse", "long-poll"])
def test_chromium_offline_and_online_again_has_missed_nothing(
    chromium: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch, wire: str
) -> None:
    watch.expect()
    page = open_page(chromium, server.url)
    start(page, room, wires=wire)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.05) as publisher:
        wait(page, "seen.length > 3")
        page.context.set_offline(True)
        wait(page, "!navigator.onLine")
        count = publisher.count
        page.evaluate("window.attempts = performance.getEntriesByType('resource').length")
        wait(page, "client.state === 'offline' || client.transport === 'websocket'")  # an open one may go on
        while publisher.count < count + 40:
            time.sleep(0.05)
        attempts = page.evaluate("performance.getEntriesByType('resource').length - attempts")
        page.context.set_offline(False)
        wait(page, "navigator.onLine && client.state === 'live'")
        before = page.evaluate("seen.length")
        wait(page, f"seen.length > {before + 3}")
    assert attempts < 20
    assert page.evaluate("client.id") == who
    check_whole(page)


def test_firefox_without_a_network_for_a_while_has_missed_nothing(
    firefox: Browser,
    server: Server,
    impair: Callable[[Server], Impaired],
    open_page: OpenPage,
    room: str,
    watch: Watch,
) -> None:
    watch.expect()
    proxy = impair(server)
    page = open_page(firefox, proxy.url)
    start(page, room)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.05) as publisher:
        wait(page, "seen.length > 3")
        proxy.set(Refuse())
        proxy.cut()
        page.evaluate("window.dispatchEvent(new Event('offline'))")
        wait(page, "client.state === 'offline'")
        count = publisher.count
        while publisher.count < count + 40:
            time.sleep(0.05)
        proxy.set()
        page.evaluate("window.dispatchEvent(new Event('online'))")
        wait(page, "client.state === 'live'")
        before = page.evaluate("seen.length")
        wait(page, f"seen.length > {before + 3}")
    assert page.evaluate("client.id") == who
    check_whole(page)
