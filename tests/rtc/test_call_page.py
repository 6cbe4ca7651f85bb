"""The call page in browsers: who is seen and heard where, and what the buttons do."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from ..e2e.servers import Server, until
from .browsers import Browsers
from .calling import Caller, Lobby, enter
from .netns import Namespace
from .rooms import GOAL_FIRST_FRAME, GOAL_RATE, PATIENCE
from .sites import serving

PORT = 8010
ALIKE = 70  # of 255: what coding does to a plain colour
MUTE_GOAL, MUTE_SECONDS = 0.5, 2.0
NAMES = ("Ada", "Barbara", "Joan", "Margaret")


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    with serving(namespace, PORT, "--dev", log=files / "call.log") as each:
        yield each


@pytest.fixture
def lobby(server: Server) -> Iterator[Lobby]:
    pages, problems = [], []

    def open_(place: Browser | BrowserContext, name: str, room: str, **options: str) -> Caller:
        caller = enter(place, server.url, name, room, **options)
        caller.page.on("pageerror", lambda error: problems.append(f"{name}: {error}"))
        pages.append(caller.page)
        return caller

    yield open_
    for page in pages:
        page.close()
    assert not problems, problems


@pytest.fixture
def chromium(browsers: Browsers, namespace: Namespace) -> Browser:
    return browsers.chromium_in(namespace)


def differ(one: list[int], other: list[int]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def check_tiles(*callers: Caller) -> None:
    """Everybody sees everybody, and each in the right tile."""
    for caller in callers:
        for other in callers:
            if other is not caller:
                caller.sees(other.name, state="connected", picture="true")
                caller.watches(other.name)
    own = {each.name: each.colour(each.name) for each in callers}
    for caller in callers:
        for name, colour in own.items():
            assert differ(caller.colour(name), colour) < ALIKE, (caller.name, name)
    for one in own:
        assert all(differ(own[one], own[other]) >= ALIKE for other in own if other != one), own


@pytest.mark.parametrize("pair", ["chromium-chromium", "chromium-firefox"])
def test_two_see_each_other_and_how(pair: str, browsers: Browsers, chromium: Browser, lobby: Lobby) -> None:
    second = browsers.firefox() if pair.endswith("firefox") else chromium
    ada, barbara = lobby(chromium, "Ada", pair), lobby(second, "Barbara", pair)
    ada.join()
    assert ada.page.get_by_test_id("alone").is_visible()
    barbara.join()
    both = ((ada, "Barbara"), (barbara, "Ada"))
    seconds = [caller.first_picture(of) for caller, of in both]
    rates = [caller.rate(of) for caller, of in both]
    print(f"first picture {seconds} s after joining, frames/s {rates}", end="; ")
    assert max(seconds) < PATIENCE * GOAL_FIRST_FRAME
    assert min(rates) > GOAL_RATE / PATIENCE
    check_tiles(ada, barbara)
    assert ada.page.get_by_test_id("alone").is_hidden()
    for caller in (ada, barbara):
        caller.press("figures")
        until(lambda caller=caller: caller.figure("dtls") == "connected", seconds=30, what="the state of DTLS")
        until(lambda caller=caller: caller.figure("path") == "direct", seconds=30, what="the path in words")
        until(lambda caller=caller: "first frame" in caller.figure("budget"), seconds=30, what="the budget of joining")
        print(caller.name, caller.figure("cipher"), caller.figure("budget"), caller.figure("round-trip"))
        caller.page.keyboard.press("Escape")
    until(lambda: "AES" in _cipher(ada), seconds=30, what="the SRTP cipher in Chromium")


def _cipher(caller: Caller) -> str:
    caller.page.evaluate("document.querySelector('[data-testid=figures-panel]').showPopover()")
    return caller.figure("cipher")


def test_mute_stops_sound_at_once_and_camera_off_shows_the_name(chromium: Browser, lobby: Lobby) -> None:
    ada, barbara = lobby(chromium, "Ada", "buttons"), lobby(chromium, "Barbara", "buttons")
    ada.join()
    barbara.join()
    check_tiles(ada, barbara)
    before = ada.sent("audio")
    until(lambda: ada.sent("audio") > before, seconds=30, what="sound is sent")
    pressed = last_change = time.monotonic()
    ada.press("microphone")
    count = ada.sent("audio")
    while time.monotonic() - last_change < 1.0 and time.monotonic() - pressed < 10:  # until it is silent for a second
        if (now := ada.sent("audio")) != count:
            count, last_change = now, time.monotonic()
        time.sleep(0.05)
    print(f"the last packet of sound {last_change - pressed:.2f} s after muting (goal {MUTE_GOAL} s)")
    assert last_change - pressed < MUTE_SECONDS
    barbara.sees("Ada", muted="true")
    ada.page.keyboard.press("m")
    barbara.sees("Ada", muted="false")
    until(lambda: ada.sent("audio") > count, seconds=30, what="sound is sent again")

    ada.press("camera")
    barbara.sees("Ada", picture="false")
    assert barbara.page.locator(barbara.tile("Ada") + " .avatar").is_visible()
    ada.press("camera")
    barbara.sees("Ada", picture="true")
    barbara.watches("Ada")


def test_a_shared_screen_is_large_and_goes_again(chromium: Browser, lobby: Lobby) -> None:
    ada, barbara = lobby(chromium, "Ada", "screens"), lobby(chromium, "Barbara", "screens")
    ada.join()
    barbara.join()
    check_tiles(ada, barbara)
    ada.press("screen")
    barbara.watches("Ada", "screen")
    widths = {
        source: barbara.page.locator(barbara.tile("Ada", source)).bounding_box() for source in ("screen", "camera")
    }
    assert widths["screen"]
    assert widths["camera"]
    assert widths["screen"]["width"] > 2 * widths["camera"]["width"]
    assert differ(barbara.colour("Ada", "screen"), ada.colour("Ada", "screen")) < ALIKE
    ada.press("screen")
    barbara.misses("Ada", "screen")
    barbara.watches("Ada")


def test_chat_is_the_history_of_the_room(chromium: Browser, lobby: Lobby) -> None:
    ada, barbara = lobby(chromium, "Ada", "talk"), lobby(chromium, "Barbara", "talk")
    ada.join()
    ada.press("chat")
    ada.page.get_by_test_id("message-input").fill("Who is late?")
    ada.page.keyboard.press("Enter")
    ada.wait("document.querySelector('.message.own[data-state=sent]')")
    barbara.join()
    barbara.press("chat")
    barbara.wait("[...document.querySelectorAll('.message .text')].some(each => each.textContent === 'Who is late?')")
    barbara.press("chat")
    ada.page.get_by_test_id("message-input").fill("There you are")
    ada.press("send")
    barbara.wait("document.querySelector('[data-testid=chat]').dataset.unread === '1'")


def test_four_and_who_leaves_and_comes_back(chromium: Browser, lobby: Lobby) -> None:
    callers = [lobby(chromium, name, "four") for name in NAMES]
    for caller in callers:
        caller.join()
    check_tiles(*callers)
    first, *_, last = callers
    last.press("leave")
    for caller in callers[:-1]:
        caller.misses(last.name)
    assert last.page.get_by_test_id("lobby").is_visible()
    last.join()
    check_tiles(first, last)


def test_the_wire_moves_and_the_call_goes_on(chromium: Browser, lobby: Lobby) -> None:
    ada, barbara = lobby(chromium, "Ada", "moved", wire="websocket"), lobby(chromium, "Barbara", "moved")
    ada.join()
    barbara.join()
    check_tiles(ada, barbara)
    ada.page.locator("[data-testid=wire-sse]").click()
    ada.wait("document.querySelector('[data-testid=transport]').dataset.wire === 'sse'")
    barbara.watches("Ada")
    ada.watches("Barbara")
    ada.press("microphone")  # what is said now goes by the new wire
    barbara.sees("Ada", muted="true", state="connected")


def test_the_lobby_says_who_is_there_and_whether_it_can_work(chromium: Browser, lobby: Lobby) -> None:
    ada, barbara = lobby(chromium, "Ada", "early"), lobby(chromium, "Barbara", "early")
    ada.join()
    barbara.wait("document.querySelector('[data-testid=lobby-who]').textContent === 'Ada is in this room.'")
    barbara.press("preflight")
    barbara.wait("document.querySelector('[data-testid=preflight-steps]').dataset.result === 'ok'")
    assert ada.page.locator("[data-testid=tile]").count() == 1  # nobody saw somebody come
