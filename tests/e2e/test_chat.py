"""Two people in a room, one in Chromium and one in Firefox, over every ordered pair of wires."""

import itertools

import pytest
from playwright.sync_api import Browser

from .chatting import LABELS, WIRES, Chat
from .servers import Server
from .watching import OpenPage

PAIRS = list(itertools.product(WIRES, WIRES))
ROOM = "pairs"


@pytest.fixture(scope="module")
def pair(chromium: Browser, firefox: Browser, server: Server, open_lasting_page: OpenPage) -> tuple[Chat, Chat]:
    """Ada in Chromium and Bo in Firefox; they stay, and switch their wires by the picker."""
    ada = Chat.open(open_lasting_page, chromium, server.url, room=ROOM, name="Ada", wire="websocket")
    bo = Chat.open(open_lasting_page, firefox, server.url, room=ROOM, name="Bo", wire="websocket")
    return ada, bo


@pytest.mark.parametrize(("wire_a", "wire_b"), PAIRS, ids=[f"{a}+{b}" for a, b in PAIRS])
def test_two_browsers_talk_over_any_two_wires(
    pair: tuple[Chat, Chat], server: Server, wire_a: str, wire_b: str
) -> None:
    ada, bo = pair
    ada.switch(wire_a)
    bo.switch(wire_b)
    for each in pair:
        each.wait_people("Ada", "Bo")

    for sender, reader in (pair, (bo, ada)):
        text = f"{sender.name} to {reader.name}, {wire_a} and {wire_b}"
        sender.draft(text)
        reader.wait_typing(sender.name)
        sender.send()
        reader.wait_text(text)
        assert reader.message(text)["who"] == sender.name
        assert reader.message(text)["badge"] == LABELS[sender.wire]
        assert reader.message(text)["id"]
        reader.wait_typing("")
        assert sender.message(text)["badge"] == LABELS[sender.wire]

    kept = [message["text"] for message in server.history(f"chat:{ROOM}")]
    assert len(kept) == len(set(kept)), "something was published twice"
    assert ada.texts() == bo.texts() == kept


@pytest.mark.parametrize("wire", WIRES)
def test_who_enters_a_room_sees_its_history(
    browser: Browser, server: Server, open_page: OpenPage, room: str, wire: str
) -> None:
    said = [f"message {number}" for number in range(1, 31)]
    for number, text in enumerate(said):
        server.publish(f"chat:{room}", {"id": f"{room}-{number}", "name": "Cleo", "text": text, "wire": "sse"})
    chat = Chat.open(open_page, browser, server.url, room="lobby", name="Dan", wire=wire)
    chat.enter(room)
    chat.wait_text(said[-1])
    assert chat.texts() == said
    assert chat.message(said[0])["who"] == "Cleo"
    assert chat.message(said[0])["badge"] == "SSE"


def test_people_who_close_their_page_are_no_longer_shown(
    browser: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    # Firefox now and then does not send the last words of a page that closes; then its session's window (60 s) ends it
    is_said = browser.browser_type.name == "chromium"
    wires = WIRES if is_said else ("websocket",)
    ada = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire="websocket")
    others = [Chat.open(open_page, browser, server.url, room=room, name=f"On {wire}", wire=wire) for wire in wires]
    ada.wait_people("Ada", *(each.name for each in others))
    for each in others:
        each.page.close()
    ada.wait_people("Ada", seconds=30 if is_said else 100)  # 30: half of the window, so it was said and not waited for
