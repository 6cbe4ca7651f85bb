"""The SDK in real browsers: over every wire, from wire to wire, without WebSocket, over cuts and reloads."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from wirehop.checker.faults import BlockWebSocket, BufferStreams, EatFrames

from .conftest import StartServer
from .following import check_whole, start
from .impaired import Impaired
from .proxy import Proxy
from .servers import ForeignSite, Publisher, Server, until
from .watching import OpenPage, Watch, wait

WIRES = ["websocket", "stream", "sse", "long-poll", "short-poll"]


def test_one_session_over_every_wire_while_publications_flow(
    browser: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    page = open_page(browser, server.url)
    start(page, room, wires=WIRES)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.02):
        wait(page, "seen.length > 3")
        for wire in [*WIRES[1:], *WIRES[::-1]]:
            if page.evaluate("client.transport") == wire:
                continue
            page.evaluate("wire => client.move(wire)", wire)
            wait(page, f"client.transport === '{wire}'")
            before = page.evaluate("seen.length")
            wait(page, f"seen.length > {before + 3}")
            position = page.evaluate("channel.publish('own', {key: String(Math.random())})")
            assert position["offset"] > 0
    assert page.evaluate("client.id") == who
    assert page.evaluate("client.moves") >= len(WIRES)
    assert page.evaluate("states").count("offline") == 0
    check_whole(page)


def test_without_websocket_the_first_message_comes_within_two_seconds(
    browser: Browser, server: Server, impair: Callable[[Server], Impaired], open_page: OpenPage, room: str, watch: Watch
) -> None:
    watch.expect()
    proxy = impair(server)
    proxy.set(BlockWebSocket())
    page = open_page(browser, proxy.url)
    with Publisher(server, room, every=0.05):
        time.sleep(0.3)
        start(page, room)
        wait(page, "firstAfter > 0")
        assert page.evaluate("firstAfter") < 2000
        assert page.evaluate("client.transport") != "websocket"
        assert "websocket" in page.evaluate("client.wires().why")
    check_whole(page)


def test_a_proxy_that_eats_frames_is_left_within_five_seconds(
    browser: Browser, server: Server, impair: Callable[[Server], Impaired], open_page: OpenPage, room: str
) -> None:
    proxy = impair(server)
    proxy.set(EatFrames())
    page = open_page(browser, proxy.url)
    with Publisher(server, room, every=0.05):
        time.sleep(0.3)
        start(page, room)
        wait(page, "firstAfter > 0")
        assert page.evaluate("firstAfter") < 5000
        assert page.evaluate("client.transport") != "websocket"
    check_whole(page)


@pytest.mark.parametrize("wires", [["stream", "long-poll"], ["sse", "long-poll"]])
def test_a_proxy_that_holds_streams_back_is_noticed_and_left(
    chromium: Browser,
    server: Server,
    impair: Callable[[Server], Impaired],
    open_page: OpenPage,
    room: str,
    watch: Watch,
    wires: list[str],
) -> None:
    watch.expect()
    proxy = impair(server)
    page = open_page(chromium, proxy.url)
    start(page, room, wires=wires)
    wait(page, f"client.transport === '{wires[0]}' && client.state === 'live'")
    proxy.set(BufferStreams(64))
    page.evaluate("void client.rpc('nothing').catch(() => 0)")
    with Publisher(server, room, every=0.05):
        wait(page, "client.transport === 'long-poll'", seconds=6)
        wait(page, "seen.length > 10")
        assert page.evaluate("client.wires().wires.some(each => each.buffered)")
    check_whole(page)


def test_a_cut_wire_is_followed_by_another_and_nothing_is_missing(
    browser: Browser,
    server: Server,
    start_proxy: Callable[[Server], Proxy],
    open_page: OpenPage,
    room: str,
    watch: Watch,
) -> None:
    watch.expect()
    proxy = start_proxy(server)
    page = open_page(browser, proxy.url)
    start(page, room)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.05):
        wait(page, "seen.length > 3")
        proxy.refuse()
        wait(page, "client.state === 'offline'")
        asked = page.evaluate_handle("({promise: client.rpc('nothing').catch(error => error.code)})")
        assert page.evaluate("client.synced") is False
        time.sleep(1)
        proxy.restore()
        wait(page, "client.state === 'live'")
        assert page.evaluate("asked => asked.promise", asked) == 104
        wait(page, "client.synced")
        before = page.evaluate("seen.length")
        wait(page, f"seen.length > {before + 3}")
    assert page.evaluate("client.id") == who
    check_whole(page)


def test_a_reload_goes_on_with_the_session_and_loses_nothing(
    browser: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    page = open_page(browser, server.url)
    start(page, room, remember=True)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.02):
        for _ in range(3):
            wait(page, "seen.length > 3")
            page.reload()
            before = page.evaluate("JSON.parse(sessionStorage.getItem('seen')).length")
            start(page, room, remember=True)
            wait(page, f"seen.length > {before + 3}")
            assert page.evaluate("client.id") == who
    check_whole(page)


def test_a_server_that_forgot_everything_is_said_to_have(
    start_server: StartServer, chromium: Browser, open_page: OpenPage, room: str, watch: Watch
) -> None:
    watch.expect()
    server = start_server("--dev")
    page = open_page(chromium, server.url)
    start(page, room)
    wait(page, "client.state === 'live'")
    who = page.evaluate("client.id")
    with Publisher(server, room, every=0.05):
        wait(page, "seen.length > 3")
    server.stop()
    wait(page, "client.state === 'offline'")
    server.start()
    wait(page, "client.state === 'live'")
    assert page.evaluate("client.id") != who
    assert page.evaluate("gaps").__len__() == 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_page_that_goes_ends_its_session_at_once(
    chromium: Browser, server: Server, open_page: OpenPage, room: str, wire: str
) -> None:
    page = open_page(chromium, server.url)
    other = open_page(chromium, server.url)
    start(page, room, wires=wire)
    start(other, room)
    wait(page, "client.state === 'live'")
    wait(other, "client.state === 'live'")
    who = page.evaluate("client.id")
    assert who in other.evaluate("channel.presence()")
    page.goto("about:blank")
    wait(other, f"channel.presence().then(found => !('{who}' in found))")


def test_the_readme_s_example_runs_on_another_site(
    browser: Browser, server: Server, foreign_site: ForeignSite, open_page: OpenPage
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = re.findall(r"```html\n(.*?)```", readme, flags=re.DOTALL)[0]
    assert "/sdk/wirehop.js" in example
    page = open_page(browser, foreign_site.origin)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.set_content(example.replace("http://127.0.0.1:8000", server.url))
    until(lambda: page.title() == "" and any("world" in each for each in said), seconds=30, what=f"hello in {said}")
