"""One person at the page of notifications, as the tests drive it: tabs of one browser, and other devices."""

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, Page

from .watching import OpenPage, Watch, wait

CHANGES = """() => {
    window.badges = [];
    const note = () => badges.push({at: Date.now(), count: wirehopDemo.badge});
    const badge = document.querySelector("[data-testid=badge]");
    new MutationObserver(note).observe(badge, {attributes: true, childList: true});
}"""
"""Remembers when the badge said what."""


class Tab:
    """A page of somebody's."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(
        cls, open_page: OpenPage, browser: Browser, base: str, user: str, *, wire: str = "auto", **options: Any
    ) -> "Tab":
        """The first one of a browser (a device)."""
        label = f"{user} on {wire}"
        address = f"{base}/notifications/?user={user}&wire={wire}&seed=4{options.pop('hash', '')}"
        return cls(open_page(browser, address, label=label, **options)).ready()

    def another(self, watch: Watch) -> "Tab":
        """One more of the same browser."""
        page = self.page.context.new_page()
        watch.follow(page, "another tab")
        page.goto(self.page.url.partition("#")[0])
        return Tab(page).ready()

    def ready(self) -> "Tab":
        """Until the inbox is there and live, and somebody has touched the page, so that it may sound."""
        wait(self.page, "document.body.dataset.ready === 'true' && document.querySelectorAll('.item').length === 8")
        wait(self.page, "document.querySelector('[data-testid=state]').textContent.trim() === 'live'")
        self.page.locator("h1").click()
        self.page.evaluate(CHANGES)
        return self

    def by(self, test_id: str) -> Any:
        """The element."""
        return self.page.get_by_test_id(test_id)

    def count(self, name: str) -> Any:
        """One of the page's counters."""
        return self.page.evaluate(f"wirehopDemo.{name}")

    def wait_badge(self, count: int, seconds: float = 30.0) -> None:
        """Until the badge says so."""
        try:
            wait(self.page, f"wirehopDemo.badge === {count}", seconds=seconds)
        except Exception as error:
            raise AssertionError(f"the badge is not {count} but {self.count('badge')}: {self.told()}") from error

    def badge_at(self, count: int) -> int:
        """When the badge has last come to say so, in Unix milliseconds."""
        return self.page.evaluate(f"badges.findLast(each => each.count === {count}).at")

    def told(self) -> list[dict[str, Any]]:
        """The notices, newest first."""
        return self.page.evaluate("wirehopDemo.notices")

    def about(self, item: str, topic: str) -> list[dict[str, Any]]:
        """Those of an item and a topic."""
        return [each for each in self.told() if (each["item"], each["topic"]) == (item, topic)]

    def wait_told(self, item: str, topic: str, events: int, seconds: float = 30.0) -> None:
        """Until notices of an item and a topic stand for so many events."""
        expression = """([item, topic, events]) => wirehopDemo.notices
            .filter(each => each.item === item && each.topic === topic)
            .reduce((sum, each) => sum + (each.count ?? 1), 0) >= events"""
        wait(self.page, expression, [item, topic, events], seconds=seconds)

    def clear(self) -> None:
        """Everything is read."""
        self.show()
        if self.by("mark-all").is_enabled():
            self.by("mark-all").click()
        self.wait_badge(0)
        self.show(False)

    def show(self, is_open: bool = True) -> None:
        """Open the inbox, or close it."""
        if self.by("inbox").is_visible() != is_open:
            self.by("bell").click()

    def act(self, item: str, verb: str, by: str, **rest: str) -> dict[str, Any]:
        """Let somebody do something, from this page."""
        script = """async wanted => {
            const {connect} = await import("/sdk/wirehop.js");
            window.colleague ??= connect("/", {data: {name: "colleague"}});
            return await colleague.rpc("notices.act", wanted);
        }"""
        return self.page.evaluate(script, {"item": item, "verb": verb, "by": by, **rest})

    def clean(self) -> None:
        """Nothing was seen twice or is missing."""
        assert {name: self.count(name) for name in ("duplicates", "gaps")} == {"duplicates": 0, "gaps": 0}


def sounds(tabs: Sequence[Tab]) -> int:
    """How often all of them have sounded."""
    return sum(tab.count("sounds") for tab in tabs)
