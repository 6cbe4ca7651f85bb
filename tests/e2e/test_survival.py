"""The chat survives what happens to networks and servers, on every wire at once, without loss and without doubles."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from .chatting import WIRES, Chat
from .conftest import StartServer
from .proxy import Proxy
from .servers import Publisher, Server
from .watching import OpenPage, Watch

CUT_SECONDS = 5.0
FETCH = """fetch("/health", {signal: AbortSignal.timeout(3000)}).then(() => "fetched", error => error.name)"""
BACK_SECONDS = 20.0  # by then the backoff has tried several times


def open_chats(open_page: OpenPage, browser: Browser, base: str, room: str) -> list[Chat]:
    """One page per wire, each in a context (and connection pool) of its own."""
    chats = [Chat.open(open_page, browser, base, room=room, name=f"On {wire}", wire=wire) for wire in WIRES]
    for chat in chats:
        chat.wait_people(*(each.name for each in chats))
    return chats


def say_something(number: int) -> dict[str, object]:
    return {"id": f"n{number}", "name": "Cleo", "text": f"number {number}", "wire": "http"}


def check_same(chats: list[Chat], server: Server, room: str) -> list[str]:
    """Everybody sees what the channel holds: all of it, once, in its order."""
    kept = [message["text"] for message in server.history(f"chat:{room}")]
    assert len(set(kept)) == len(kept), "something was published twice"
    for chat in chats:
        chat.wait_text(kept[-1])
        shown = chat.texts()
        missing = [text for text in kept if text not in shown]
        doubled = sorted({text for text in shown if shown.count(text) > 1})
        assert shown == kept, f"{chat.wire}: missing {missing}, doubled {doubled}, or another order: {shown}"
    return kept


def test_nothing_is_lost_or_doubled_in_a_cut(
    browser: Browser,
    server: Server,
    start_proxy: Callable[[Server], Proxy],
    open_page: OpenPage,
    watch: Watch,
    room: str,
) -> None:
    watch.expect()
    proxy = start_proxy(server)
    chats = open_chats(open_page, browser, proxy.url, room)
    with Publisher(server, f"chat:{room}", every=0.25, render=say_something):
        chats[0].wait_text("number 2")
        proxy.refuse()
        begin = time.monotonic()
        for chat in chats:
            chat.wait_not_live()
            chat.send(f"written over {chat.wire} while it was cut")
        time.sleep(max(0.0, CUT_SECONDS - (time.monotonic() - begin)))  # this is the outage itself
        proxy.restore()
        for chat in chats:
            chat.wait_live(BACK_SECONDS)
        for chat in chats:
            chat.send(f"written over {chat.wire} afterwards")
        for chat in chats:
            for each in chats:
                chat.wait_text(f"written over {each.wire} while it was cut")
                chat.wait_text(f"written over {each.wire} afterwards")
    check_same(chats, server, room)
    for chat in chats:
        assert chat.message(f"written over {chat.wire} while it was cut")["state"] == "sent"


@pytest.mark.parametrize(("browser", "end"), [("chromium", "kill"), ("firefox", "stop")], indirect=["browser"])
def test_the_pages_come_back_after_a_restart(
    browser: Browser, start_server: StartServer, open_page: OpenPage, watch: Watch, room: str, end: str
) -> None:
    watch.expect()
    server = start_server("--dev")
    chats = open_chats(open_page, browser, server.url, room)
    chats[0].send("before the restart")
    for chat in chats:
        chat.wait_text("before the restart")

    getattr(server, end)()
    for chat in chats:
        chat.wait_not_live()
    server.start()
    for chat in chats:
        chat.wait_live(BACK_SECONDS)
    for chat in chats:
        chat.wait_people(*(each.name for each in chats))
        chat.send(f"after the restart, over {chat.wire}")
    for chat in chats:
        for each in chats:
            chat.wait_text(f"after the restart, over {each.wire}")
            chat.message(f"after the restart, over {each.wire}")


def test_offline_and_online_again(
    browser: Browser, server: Server, open_page: OpenPage, watch: Watch, room: str
) -> None:
    watch.expect()
    chats = open_chats(open_page, browser, server.url, room)
    chats[0].send("before")
    for chat in chats:
        chat.wait_text("before")
    for chat in chats:
        chat.page.context.set_offline(True)
        assert chat.page.evaluate(FETCH) == "TypeError", "still online"
    for number in range(1, 11):
        server.publish(f"chat:{room}", say_something(number))
    for chat in chats:
        chat.page.context.set_offline(False)
    for chat in chats:
        chat.wait_live(BACK_SECONDS)
        chat.wait_text("number 10", BACK_SECONDS)
        chat.send(f"back over {chat.wire}")
    for chat in chats:
        for each in chats:
            chat.wait_text(f"back over {each.wire}")
    check_same(chats, server, room)


@pytest.mark.parametrize("wire", ["websocket", "sse"])  # polls notice after their wait and 10 s: too long to wait here
def test_a_black_hole_is_noticed(
    chromium: Browser,
    start_server: StartServer,
    start_proxy: Callable[[Server], Proxy],
    open_page: OpenPage,
    watch: Watch,
    room: str,
    wire: str,
) -> None:
    """No byte passes and nothing is closed: the page notices by its heartbeat, and misses nothing afterwards."""
    watch.expect()
    server = start_server("--dev", "--heartbeat-interval", "1s")
    proxy = start_proxy(server)
    chat = Chat.open(open_page, chromium, proxy.url, room=room, name="Ada", wire=wire)
    proxy.stall()
    server.publish(f"chat:{room}", say_something(1))
    chat.wait_not_live()
    proxy.restore()
    chat.wait_live(BACK_SECONDS)
    chat.wait_text("number 1")
    check_same([chat], server, room)
