"""Remote assistance: pointers where they belong, input only while it is allowed, and nothing left at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..e2e.servers import Server, until
from .assisting import Helper, Sharer, meet
from .browsers import Browsers
from .netns import Namespace
from .sites import serving

PORT = 8010
NEAR = 5.0
"""Pixels between where somebody points and where it is shown."""

Meet = Callable[..., tuple[Sharer, Helper]]


@pytest.fixture(scope="module")
def server(namespace: Namespace, files: Path) -> Iterator[Server]:
    with serving(namespace, PORT, "--dev", log=files / "assist.log") as each:
        yield each


@pytest.fixture
def meeting(browsers: Browsers, namespace: Namespace, server: Server) -> Iterator[Meet]:
    """`meeting(query=…, engines=…)`: who shares and who helps, Chromium where not said; no page may have failed."""
    sides: list[Sharer | Helper] = []

    def open_meeting(*, engines: str = "chromium chromium", query: str = "") -> tuple[Sharer, Helper]:
        chromium = browsers.chromium_in(namespace)
        places = [browsers.firefox() if engine == "firefox" else chromium for engine in engines.split()]
        pair = meet(places, server.url, query=query)
        sides.extend(pair)
        return pair

    yield open_meeting
    failures = {side.name: side.failures for side in sides if side.failures}
    for side in sides:
        side.page.evaluate("sessionStorage.clear()")
        side.page.close()
    assert not failures


def check_pointer(sharer: Sharer, helper: Helper, testid: str) -> None:
    def is_near() -> bool:
        target, seen = sharer.box(testid), sharer.pointer()
        want = (target["x"] + target["width"] / 2, target["y"] + target["height"] / 2)
        return seen is not None and abs(seen[0] - want[0]) < NEAR and abs(seen[1] - want[1]) < NEAR

    for seconds in (
        4.0,
        4.0,
        30.0,
    ):  # the picture changes its size after the page, and moves may be lost
        place = helper.over(sharer, testid)
        helper.page.mouse.move(place[0] - 9, place[1] - 9)
        helper.page.mouse.move(*place)
        try:
            until(is_near, seconds=seconds, what=f"the pointer on {testid}")
            return
        except TimeoutError:
            if seconds == 30.0:
                raise


@pytest.mark.parametrize("engines", ["chromium chromium", "chromium firefox", "firefox chromium"])
def test_pointer_pen_and_control(engines: str, meeting: Meet) -> None:
    sharer, helper = meeting(engines=engines)

    # the pointer, with its name, at two zooms of the helper and two of the sharer
    for zoom in ("0", "1.5"):
        helper.part("zoom").select_option(zoom)
        for testid in ("form-save", "form-name"):
            check_pointer(sharer, helper, testid)
    assert sharer.part("remote-pointer").inner_text() == "Grace"
    sharer.page.evaluate("document.body.style.zoom = 0.8")
    check_pointer(sharer, helper, "form-notes")
    sharer.page.evaluate("document.body.style.zoom = 1")
    helper.part("zoom").select_option("0")

    # the pen, which fades
    helper.part("tool-draw").check()
    x, y = helper.over(sharer, "board")
    helper.page.mouse.move(x - 40, y)
    helper.page.mouse.down()
    helper.page.mouse.move(x + 40, y + 20, steps=5)
    helper.page.mouse.up()
    sharer.wait("document.querySelector('[data-testid=surface] [data-testid=stroke]')?.points.length >= 3")
    sharer.wait("!document.querySelector('[data-testid=stroke]')")
    assert sharer.page.evaluate("document.querySelector('[data-testid=board]').dataset.lines") == "0", (
        "a pen only points"
    )

    # nothing lands without a grant, whatever the helper's page sends
    forged = "x => assist.lane.send({kind: 'input', grant: 'made-up', action: 'key', key: x})"
    sharer.part("form-name").focus()
    helper.page.evaluate(forged, "!")
    sharer.wait("assist.side.grants.refused === 1")
    assert sharer.value("form-name") == ""

    helper.click("ask-control")
    sharer.click("grant")
    helper.control()
    sharer.wait("document.querySelector('.surface-frame.controlled')")
    helper.press(sharer, "form-name")
    helper.page.keyboard.type("Edith, 2nd")
    helper.page.keyboard.press("Backspace")
    sharer.wait("document.querySelector('[data-testid=form-name]').value === 'Edith, 2n'")
    helper.press(sharer, "form-call")
    helper.press(sharer, "form-service")
    sharer.wait("document.querySelector('[data-testid=form-call]').checked")
    sharer.wait("document.querySelector('[data-testid=form-service]').value === 'Express'")
    x, y = helper.over(sharer, "board")
    helper.page.mouse.move(x - 40, y)
    helper.page.mouse.down()
    helper.page.mouse.move(x + 40, y + 20, steps=5)
    helper.page.mouse.up()
    sharer.wait("document.querySelector('[data-testid=board]').dataset.lines === '1'")
    # what is private is out of reach
    helper.press(sharer, "form-card")
    helper.page.keyboard.type("4111")
    helper.press(sharer, "form-save")
    sharer.wait("document.querySelector('[data-testid=form-said]').textContent === 'Saved for Edith, 2n'")
    assert sharer.value("form-card") == ""

    # never after it was taken back, not even what was on its way
    grant = helper.page.evaluate("assist.side.hands.grant")
    sharer.part("form-name").focus()
    sharer.click("take-control")
    before = sharer.page.evaluate("assist.side.grants.refused")
    assert sharer.page.locator(".surface-frame.controlled").count() == 0
    late = "g => assist.lane.send({kind: 'input', grant: g, action: 'key', key: 'x'}, {to: undefined})"
    sharer.part("form-name").focus()
    helper.page.evaluate(late, grant["grant"])
    sharer.wait("before => assist.side.grants.refused > before", before)
    helper.wait("document.querySelector('[data-testid=tool-control]').disabled")
    helper.page.keyboard.type("y")
    # nor with the old grant after a new one
    sharer.click("give-control")
    helper.control()
    sharer.part("form-name").focus()
    before = sharer.page.evaluate("assist.side.grants.refused")
    helper.page.evaluate(late, grant["grant"])
    sharer.wait("before => assist.side.grants.refused > before", before)
    assert sharer.value("form-name") == "Edith, 2n"

    # all of it is in the audit list of both
    wanted = ["opened", "asked-in", "let-in", "share-started", "control-asked", "control-granted", "control-revoked",
              "control-granted"]  # fmt: skip
    for side in (sharer, helper):
        side.wait_audit("control-granted", 2)
        assert side.audit() == wanted
    assert helper.lane()["direct"] > 0
    assert helper.lane()["server"] == 0
    assert sharer.part("figure-path").inner_text() == "direct"


@pytest.mark.parametrize("ending", ["sharer", "helper"])
def test_the_end_removes_tracks_and_overlay(ending: str, meeting: Meet) -> None:
    sharer, helper = meeting()
    check_pointer(sharer, helper, "form-name")
    sharer.click("give-control")
    helper.control()
    track = "document.querySelector('[data-testid=remote-video]').srcObject"
    sharer.page.evaluate("window.shared = assist.room.local.track('screen')")
    if ending == "sharer":
        sharer.click("end")
        sharer.part("over").wait_for()
        helper.part("over").wait_for()
        assert helper.page.evaluate("assist.room.participants.size") == 0
    else:
        helper.click("end")
        helper.part("over").wait_for()
        sharer.wait_audit("left")
        sharer.wait_audit("share-stopped")
    helper.wait(f"{track} === null")
    sharer.wait("shared.readyState === 'ended'")
    sharer.wait("!document.querySelector('[data-testid=overlay], [data-testid=remote-pointer]')")
    assert sharer.page.evaluate("assist.room.local.track('screen') === undefined")
    assert sharer.page.evaluate("assist.side.grants.current === null")
    sharer.wait_audit("control-revoked")


def test_a_reload_of_either_side(meeting: Meet) -> None:
    sharer, helper = meeting()
    sharer.part("form-notes").fill("Ring twice")
    code = sharer.part("code").inner_text()
    sharer.click("give-control")
    helper.control()
    helper.part("chat-input").fill("I have it")
    helper.click("chat-send")
    sharer.page.get_by_text("I have it").wait_for()
    sharer.page.reload()
    helper.wait("document.querySelector('[data-testid=tool-control]').disabled")
    sharer.wait_audit("came-back")
    assert sharer.part("code").inner_text() == code
    sharer.wait_audit("share-started", 2)
    sharer.wait_audit("control-revoked")
    helper.wait_picture()
    assert sharer.value("form-notes") == "Ring twice"
    sharer.page.get_by_text("I have it").wait_for()
    check_pointer(sharer, helper, "form-save")
    before = sharer.audit()
    helper.page.reload()
    helper.wait_picture()
    assert helper.audit() == before
    check_pointer(sharer, helper, "form-name")
    helper.click("ask-control")
    sharer.click("grant")
    helper.control()
    helper.press(sharer, "form-name")
    helper.page.keyboard.type("back")
    sharer.wait("document.querySelector('[data-testid=form-name]').value === 'back'")


def test_a_moved_wire_and_a_lost_connection_of_their_own(meeting: Meet) -> None:
    sharer, helper = meeting()
    sharer.click("give-control")
    helper.control()
    for wire in ("sse", "long-poll"):
        for side in (sharer, helper):
            side.page.evaluate("wire => assist.client.use(wire)", wire)
            side.wait("wire => assist.client.transport === wire", wire)
        check_pointer(sharer, helper, "form-save")
    for side in (sharer, helper):
        assert side.page.evaluate("assist.bar.tally.doubled + assist.bar.tally.missing") == 0
    # without it everything goes by the server
    never = "Object.defineProperty(Object.getPrototypeOf(each), 'isOpen', {get: () => false})"
    helper.page.evaluate(
        f"{{ const each = [...assist.room.participants.values()][0].channel('assist.sure'); {never}; }}"
    )
    check_pointer(sharer, helper, "form-name")
    helper.press(sharer, "form-name")
    helper.page.keyboard.type("by the server")
    sharer.wait("document.querySelector('[data-testid=form-name]').value === 'by the server'")
    assert helper.lane()["server"] > 13


def test_nobody_comes_in_uninvited(browsers: Browsers, namespace: Namespace, server: Server) -> None:
    place = browsers.chromium_in(namespace)
    sharer, stranger = Sharer(place, server.url, name="Ada"), Helper(place, server.url, name="Mallory")
    stranger.ask_in("abcd2345")
    stranger.page.get_by_text("there is no session with this code").wait_for()
    stranger.page.goto(f"{server.url}/assist/")
    stranger.ask_in(sharer.begin())
    sharer.click("refuse")
    stranger.page.get_by_text("has said no").wait_for()
    sharer.wait_audit("kept-out")
    assert stranger.page.evaluate("assist.room === undefined")
    assert "channel" not in stranger.page.evaluate("assist.saved")
    sharer.click("end")
    sharer.part("over").wait_for()
    for side in (sharer, stranger):
        assert not side.failures
        side.page.close()


def test_a_session_in_which_nothing_happens_ends(meeting: Meet) -> None:
    sharer, helper = meeting(query="?idle=8")
    sharer.page.get_by_text("Nothing happens: the session ends in").wait_for()
    sharer.page.get_by_text("nothing has happened for too long").first.wait_for()
    helper.page.get_by_text("nothing has happened for too long").first.wait_for()
    helper.wait("document.querySelector('[data-testid=remote-video]').srcObject === null")
