"""Pictures of remote assistance for the documentation, made and looked at as those in tests/e2e/test_pictures.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..e2e.servers import Server, until
from ..e2e.test_pictures import DESKTOP, PHONE, look, overflow, place, take
from .assisting import Helper, Side, meet
from .browsers import Browsers
from .netns import Namespace
from .sites import serving

__all__ = ["place"]
PORT = 8011
MOST_BYTES = 250_000  # there is video in them


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    with serving(namespace, PORT, "--dev", log=files / "assist-pictures.log") as each:
        yield each


def point_and_draw(helper: Helper) -> None:
    stage = helper.box("stage")
    across, down = stage["x"] + stage["width"], stage["y"] + stage["height"]
    helper.part("tool-draw").check()
    helper.page.mouse.move(across - 330, down - 150)
    helper.page.mouse.down()
    for x, y in ((250, 230), (140, 220), (90, 130), (200, 70), (320, 110), (326, 150)):
        helper.page.mouse.move(across - x, down - y, steps=8)
    helper.page.mouse.up()
    helper.part("tool-control").check()
    helper.page.mouse.move(stage["x"] + stage["width"] * 0.3, stage["y"] + stage["height"] * 0.62, steps=4)


def shows_drawing(side: Side) -> bool:
    return bool(side.page.evaluate("!!document.querySelector('[data-testid=stroke]:not(.fading)')"))


def test_pictures_of_assistance(browsers: Browsers, namespace: Namespace, server: Server, place: Path) -> None:
    chromium = browsers.chromium_in(namespace)
    sharer, helper = meet([chromium, chromium], server.url)
    for side in (sharer, helper):
        side.page.set_viewport_size(DESKTOP)
    sharer.part("form-name").fill("Ada Lovelace")
    sharer.part("form-notes").fill("Second door on the left, the bell does not work.")
    helper.part("chat-input").fill("I’ll show you where to click.")
    helper.click("chat-send")
    sharer.click("give-control")
    helper.control()
    until(lambda: sharer.part("figure-path").inner_text() == "direct", seconds=30, what="a path")
    helper.wait("document.querySelector('[data-testid=remote-video]').videoWidth > 1000")  # it has become sharp
    for side, name, scheme in ((sharer, "assist-sharer", "light"), (helper, "assist-helper", "dark")):
        look(side.page, scheme)
        side.page.evaluate("scrollTo(0, 0)")
        point_and_draw(helper)
        until(lambda side=side: shows_drawing(side), seconds=30, what="a drawing")
        take(side.page, place, f"{name}.png", DESKTOP, most_bytes=MOST_BYTES)
    for side, name in ((helper, "assist-phone"), (sharer, "assist-sharer-phone")):
        look(side.page, "light")
        side.page.set_viewport_size(PHONE)
        assert overflow(side.page) <= 0, f"{name} is wider than a phone"
        take(side.page, place, f"{name}.png", PHONE, most_bytes=MOST_BYTES)
    sharer.click("end")
    helper.part("over").wait_for()
    for side in (sharer, helper):
        assert not side.failures
        side.page.close()
