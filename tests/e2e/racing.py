"""The lab's page, as tests drive it: a link is chosen, and a race is run."""

from playwright.sync_api import Page

from .watching import wait

WIRES = ("websocket", "stream", "sse", "long-poll")
SECONDS = 90.0
COUNT = 1_000


def choose(page: Page, preset: str) -> None:
    """The link has a name, and it is set."""
    wait(page, "document.querySelector('[data-testid=preset]')?.options.length > 5", seconds=30)
    page.get_by_test_id("preset").first.select_option(preset)
    wait(page, "document.querySelector('.link-panel').dataset.applied === 'yes'", seconds=30)


def race(page: Page, *, count: int = COUNT, wires: tuple[str, ...] = WIRES) -> dict[str, dict[str, str]]:
    """Run one; the rows of its result."""
    for box in page.locator(".wire-choice input").all():
        box.set_checked(box.get_attribute("value") in wires)
    page.get_by_test_id("race-count").select_option(str(count))
    page.get_by_test_id("race-rate").select_option("250")
    page.get_by_test_id("race-start").click()
    wait(page, "document.querySelector('[data-race=on]')", seconds=30)
    wait(page, "document.querySelector('[data-race=done]')", seconds=SECONDS)
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('[data-testid=race-table] tbody tr')]
            .map(row => [row.dataset.wire, {...row.dataset}]))"""
    )
