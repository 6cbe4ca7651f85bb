"""The pages of remote assistance, as people use them."""

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page

MILLISECONDS = 45_000
PATH = "/assist/"


class Side:
    """One side of a session."""

    def __init__(self, place: Browser | BrowserContext, url: str, *, name: str, query: str = "") -> None:
        self.page: Page = place.new_page()
        self.page.set_default_timeout(MILLISECONDS)
        self.failures: list[str] = []
        self.page.on("pageerror", lambda error: self.failures.append(str(error)))
        self.page.set_viewport_size({"width": 1240, "height": 900})
        self.page.goto(f"{url}{PATH}{query}")
        self.part("name-input").fill(name)
        self.name = name

    def part(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def click(self, testid: str) -> None:
        self.part(testid).click()

    def wait(self, expression: str, argument: Any = None) -> None:
        """Until it is true in the page."""
        try:
            self.page.wait_for_function(expression, arg=argument, timeout=MILLISECONDS)
        except Exception as error:
            raise AssertionError(f"{self.name}: {expression}\n{self.story()}") from error

    def story(self) -> str:
        """What the page says, for a failure."""
        states = "globalThis.assist && [assist.client.state, assist.client.id, assist.room?.state, assist.saved]"
        return f"{self.failures}\n{self.page.evaluate(states)}\n{self.page.inner_text('body')}"

    def audit(self) -> list[str]:
        """The kinds of entries of the audit list, in their order."""
        return self.page.eval_on_selector_all("[data-testid=audit] li", "lines => lines.map(line => line.dataset.what)")

    def wait_audit(self, what: str, count: int = 1) -> None:
        self.wait(
            "([what, count]) => document.querySelectorAll(`[data-testid=audit] [data-what=${what}]`).length >= count",
            [what, count],
        )

    def value(self, testid: str) -> str:
        return self.part(testid).input_value()

    def box(self, testid: str) -> dict[str, float]:
        """Where it is in the page's window."""
        return self.page.evaluate(
            "id => document.querySelector(`[data-testid=${id}]`).getBoundingClientRect().toJSON()", testid
        )

    def pointer(self) -> tuple[float, float] | None:
        """The tip of somebody's pointer."""
        found = self.page.evaluate(
            """() => {
                const pointer = document.querySelector("[data-testid=remote-pointer]");
                if (!pointer || pointer.getAnimations().length) return null;
                const {x, y} = pointer.getBoundingClientRect();
                return [x, y];
            }"""
        )
        return tuple(found) if found else None


class Sharer(Side):
    """Who shares."""

    def begin(self) -> str:
        """Begin a session; its code."""
        self.click("start-share")
        self.wait("document.querySelector('[data-testid=surface]').checkVisibility()")
        self.wait_audit("opened")
        return self.part("code").inner_text()

    def let_in(self) -> None:
        self.click("accept")

    def share_page(self) -> None:
        """Choose the form, look at it, share it."""
        self.click("choose-page")
        self.wait("document.querySelector('[data-testid=preview]').videoWidth > 0")
        self.click("share-start")
        self.wait_audit("share-started")


class Helper(Side):
    """Who helps."""

    def ask_in(self, code: str) -> None:
        self.part("code-input").fill(code)
        self.click("start-help")

    def wait_picture(self) -> None:
        """The picture is there, and goes on."""
        self.wait("document.querySelector('[data-testid=remote-video]').videoWidth > 0")
        self.part("stage").wait_for()
        before = self.page.evaluate("document.querySelector('[data-testid=remote-video]').currentTime")
        self.wait("before => document.querySelector('[data-testid=remote-video]').currentTime > before", before)

    def over(self, sharer: Sharer, testid: str) -> tuple[float, float]:
        """Where the middle of the sharer's part is in the picture here."""
        surface, part = sharer.box("surface"), sharer.box(testid)
        self.page.evaluate("document.querySelector('[data-testid=stage]').scrollIntoView({block: 'nearest'})")
        across = (part["x"] + part["width"] / 2 - surface["x"]) / surface["width"]
        down = (part["y"] + part["height"] / 2 - surface["y"]) / surface["height"]
        stage = self.box("stage")
        scroll = self.page.evaluate(
            """([across, down]) => {
                const scroll = document.querySelector("#stage-scroll");
                const stage = document.querySelector("[data-testid=stage]");
                scroll.scrollLeft = across * stage.offsetWidth - scroll.clientWidth / 2;
                scroll.scrollTop = down * stage.offsetHeight - scroll.clientHeight / 2;
                const {x, y, width, height} = stage.getBoundingClientRect();
                return [x + across * width, y + down * height];
            }""",
            [across, down],
        )
        assert stage["width"] > 0
        return scroll[0], scroll[1]

    def press(self, sharer: Sharer, testid: str) -> None:
        self.page.mouse.click(*self.over(sharer, testid))

    def control(self) -> None:
        """Wait until we have it."""
        self.wait("!document.querySelector('[data-testid=tool-control]').disabled")

    def lane(self) -> dict[str, int]:
        """How much went directly, and how much by the server."""
        return self.page.evaluate("assist.lane.sent")


def meet(places: Sequence[Browser | BrowserContext], url: str, *, query: str = "") -> tuple[Sharer, Helper]:
    """A session in which the form is shared and seen."""
    sharer = Sharer(places[0], url, name="Ada", query=query)
    helper = Helper(places[1], url, name="Grace")
    helper.ask_in(sharer.begin())
    sharer.let_in()
    helper.part("waiting").wait_for()
    sharer.share_page()
    helper.wait_picture()
    return sharer, helper
