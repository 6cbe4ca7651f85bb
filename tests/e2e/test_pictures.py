"""The pictures of the documentation, made from real pages in a lively scene.

`WIREHOP_PICTURES=1` writes them to docs/pictures. Otherwise they go to a temporary place, and the tests see that they
are not blank and that the committed ones are there.
"""

import base64
import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .asking import Asking
from .chatting import Chat
from .noticing import Tab
from .racing import choose, race
from .servers import Server, until
from .trading import Floor
from .watching import OpenPage, wait

KEPT = Path(__file__).parents[2] / "docs" / "pictures"
REWRITES = os.environ.get("WIREHOP_PICTURES") == "1"
MOST_BYTES = 150_000
LEAST_COLOURS = 200
HISTORY_SECONDS = 75
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
MARKET = {"width": 1200, "height": 716}
ROOM = "launch"

TALK = (
    ("Maya Chen", "Load test is through: 20,000 clients on one node, and the p99 stayed flat. 🎉"),
    ("Jonas", "Nice! I’m on the train, by the way: this tunnel only lets polling through."),
    ("Jonas", "Can’t tell the difference, honestly."),
    ("Priya Nair", "Same here behind the hospital’s proxy. It ate my WebSocket, and SSE just works."),
    ("Maya Chen", "That’s the idea: one channel, any wire. Did you lose anything in the tunnel?"),
    ("Jonas", "Scrolled back twice to check. Nothing missing, nothing twice."),
    ("Priya Nair", "Then I’d say we ship. Notes are at https://example.org/launch"),
    ("Maya Chen", "Shipping at four, and there is cake in the kitchen 🍰"),
    ("Jonas", "Unfair. Save me a slice?"),
)  # fmt: skip
COLOURS = """async encoded => {
    const bytes = Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
    return {width: image.width, height: image.height, colours: new Set(pixels).size};
}"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    if REWRITES:
        KEPT.mkdir(parents=True, exist_ok=True)
    return KEPT if REWRITES else tmp_path


def take(page: Page, place: Path, name: str, size: dict[str, int], *, most_bytes: int = MOST_BYTES) -> None:
    """Take the picture, and look at it."""
    page.mouse.move(0, 0)
    page.evaluate("document.fonts.ready.then(() => true)")
    picture = page.screenshot(path=place / name, animations="disabled", caret="hide")
    seen = page.evaluate(COLOURS, base64.b64encode(picture).decode())
    assert (seen["width"], seen["height"]) == (size["width"], size["height"])
    assert seen["colours"] > LEAST_COLOURS, f"{name} looks blank"
    assert len(picture) < most_bytes, f"{name} has {len(picture)} bytes"
    assert (KEPT / name).exists(), f"docs/pictures/{name} is missing: run the tests with WIREHOP_PICTURES=1"


def look(page: Page, scheme: str) -> None:
    """Light or dark, as the system says."""
    page.emulate_media(color_scheme=scheme)
    wait(page, "scheme => matchMedia(`(prefers-color-scheme: ${scheme})`).matches", scheme)


def overflow(page: Page, *, seconds: float = 10.0) -> int:
    """How many pixels the page is wider than its window, when it has had time to become narrower."""
    deadline = time.monotonic() + seconds
    while True:
        found = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if found <= 0 or time.monotonic() > deadline:
            return int(found)
        page.wait_for_timeout(50)


def test_pictures_of_the_chat(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    options = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "UTC"}
    people = {
        name: Chat.open(open_page, chromium, server.url, room=ROOM, name=name, wire=wire, **options)
        for name, wire in (("Maya Chen", "websocket"), ("Priya Nair", "sse"), ("Jonas", "long-poll"))
    }
    maya, jonas = people["Maya Chen"], people["Jonas"]
    for each in people.values():
        each.wait_people(*people)
    begin = time.time() - 60 * len(TALK)  # a conversation takes some minutes
    for number, (name, text) in enumerate(TALK):
        people[name].page.clock.set_fixed_time(begin + 55 * number)
        people[name].send(text)
        for each in people.values():
            each.wait_text(text)
        wait(people[name].page, "document.querySelectorAll('.message[data-state=sending]').length === 0")

    for scheme in ("light", "dark"):
        look(maya.page, scheme)
        jonas.draft("")
        jonas.page.clock.set_fixed_time(time.time())
        jonas.draft("With extra")
        maya.wait_typing("Jonas")
        take(maya.page, place, f"chat-{scheme}.png", DESKTOP)

    priya = people["Priya Nair"]
    look(priya.page, "light")
    priya.page.set_viewport_size(PHONE)
    jonas.draft("")
    jonas.draft("With extra icing")
    priya.wait_typing("Jonas")
    assert overflow(priya.page) <= 0, "the chat is wider than a phone"
    take(priya.page, place, "chat-phone.png", PHONE)


def test_pictures_of_the_monitor(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    until(
        lambda: len(server.history("monitor:system")) >= (HISTORY_SECONDS if REWRITES else 1),
        seconds=HISTORY_SECONDS + 10,
        what="a history for the charts",
        every=0.5,
    )
    for wire in ("sse", "long-poll", "jsonp"):  # so that there is something on the server's own charts
        open_page(chromium, f"{server.url}/monitor/?wire={wire}")
    page = open_page(chromium, f"{server.url}/monitor/", viewport=DESKTOP)
    wait(page, "document.querySelector('[data-testid=state]').textContent.trim() === 'live'")
    points = "Number(document.querySelector('[data-testid=cpu-chart]').dataset.points)"
    wait(page, f"{points} > 0")
    before = page.evaluate(points)
    wait(page, f"least => {points} >= least", before + 2)
    wait(page, "document.querySelectorAll('[data-testid=processes] tbody tr').length > 0")
    for scheme in ("light", "dark"):
        look(page, scheme)
        take(page, place, f"monitor-{scheme}.png", DESKTOP)
    look(page, "light")
    page.set_viewport_size(PHONE)
    wait(page, "document.querySelector('[data-testid=cpu-chart]').clientWidth < 390")
    assert overflow(page) <= 0, "the monitor is wider than a phone"
    take(page, place, "monitor-phone.png", PHONE)


def test_picture_of_the_start_page(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    page = open_page(chromium, server.url, viewport=DESKTOP)
    wait(page, "document.querySelector('[data-testid=try-state]').textContent.trim() === 'live'")
    page.get_by_test_id("try-publish").click()
    server.publish("demo", {"sensor": "greenhouse", "celsius": 21.4})
    wait(page, "document.querySelectorAll('[data-testid=try-log] li').length >= 2")
    page.evaluate("scrollTo(0, 0)")  # a click scrolls to where it clicks
    take(page, place, "start.png", DESKTOP)
    page.set_viewport_size(PHONE)
    assert overflow(page) <= 0, "the start page is wider than a phone"


def test_pictures_of_ai_answers(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    options = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "UTC"}
    page = Asking.open(open_page, chromium, server.url, color_scheme="light", **options)
    page.ask("Compare WebSocket and long polling in a table")
    page.wait_states("done")
    reader = Asking.open(open_page, chromium, server.url, wire="sse", conversation=page.conversation)
    page.page.get_by_test_id("answers").select_option("2")
    page.ask("Show me a stream in Python")
    wait(page.page, "document.querySelectorAll('.md-code code').length === 2", seconds=60)
    reader.wait_live()
    wait(page.page, "document.querySelectorAll('[data-testid=viewers] li').length === 2")
    page.wait_states("done", "done", "done")
    take(page.page, place, "ai.png", DESKTOP)
    page.page.set_viewport_size(PHONE)
    assert overflow(page.page) <= 0, "the page of AI answers is wider than a phone"


def test_pictures_of_the_board(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    size = {"width": 1160, "height": 710}  # of so much text a larger one has too many bytes
    options = {"viewport": size, "locale": "en-GB", "timezone_id": "UTC", "color_scheme": "light"}
    page = open_page(chromium, f"{server.url}/board/?wire=sse", **options)
    for pipeline in ("deluge", "build"):
        before = page.evaluate("location.hash")
        page.get_by_test_id(f"start-{pipeline}").click()
        wait(page, "before => location.hash !== before", before)
    said = "document.querySelector('[data-testid=run-state]').textContent"
    wait(page, f"{said}.endsWith('failed')", seconds=60)
    wait(page, "wirehopDemo.held > 10 && !wirehopDemo.isReading")
    wait(page, "document.querySelectorAll('[data-testid=run][data-state=passed]').length > 0", seconds=60)
    take(page, place, "board.png", size, most_bytes=180_000)
    page.set_viewport_size(PHONE)
    assert overflow(page) <= 0, "the board is wider than a phone"


def test_picture_of_the_market(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    floor = Floor.open(open_page, chromium, server.url, seed=77, viewport=MARKET, color_scheme="light")
    page = floor.page
    best = max(floor.book()[1])
    for quantity, away in ((400, 2), (250, 5)):
        page.get_by_test_id("order-quantity").fill(str(quantity))
        page.get_by_test_id("order-price").fill(f"{(best - away) / 100:.2f}")
        page.get_by_test_id("buy").click()
    floor.set_slider("pace", 60)
    wait(page, "document.querySelectorAll('[data-testid=tape] td:first-child')[13].textContent !== ''", seconds=60)
    wait(page, "Number(document.querySelector('[data-testid=rate-changes]').textContent) > 200", seconds=60)
    page.evaluate("scrollTo(0, document.querySelector('[data-testid=ticker]').offsetTop - 80)")
    take(page, place, "market.png", MARKET)
    page.set_viewport_size(PHONE)
    assert overflow(page) <= 0, "the market is wider than a phone"


def test_pictures_of_the_notifications(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    size = {"width": 1180, "height": 730}
    options = {"viewport": size, "color_scheme": "light"}
    tab = Tab.open(open_page, chromium, server.url, "Maya Chen", **options)
    tab.by("happen-five").click()
    tab.by("happen-request").click()
    tab.wait_badge(6)
    tab.show()
    wait(tab.page, "wirehopDemo.badge === 0")
    tab.by("happen-mention").click()
    tab.wait_told("issue-12", "mention", 2)
    tab.page.locator(".item[data-id=pull-31] .item-link").click()
    tab.by("notice").nth(4).get_by_test_id("notice-archive").click()
    expect(tab.by("undo")).to_be_visible()
    tab.page.evaluate("""() => {
        document.querySelector("[data-testid=notices]").scrollTop = 0;
        scrollTo(0, document.querySelector("[data-testid=transport]").offsetTop - 76);
    }""")
    take(tab.page, place, "notifications.png", size)
    tab.page.set_viewport_size(PHONE)
    assert overflow(tab.page) <= 0, "the notifications are wider than a phone"


def test_pictures_of_the_lab(chromium: Browser, server: Server, open_page: OpenPage, place: Path) -> None:
    size = {"width": 1200, "height": 980}
    page = open_page(chromium, f"{server.url}/lab/#race", viewport=size, color_scheme="light")
    choose(page, "rtt100")
    race(page, count=300)
    page.evaluate("scrollTo(0, 0)")
    take(page, place, "lab-race.png", size)
    page.set_viewport_size(PHONE)
    assert overflow(page) <= 0, "the lab is wider than a phone"
    page = open_page(chromium, f"{server.url}/lab/#advisor", viewport=size, color_scheme="light")
    wait(page, "document.querySelector('[data-testid=advice-main]')", seconds=60)
    take(page, place, "lab-advisor.png", size, most_bytes=180_000)
