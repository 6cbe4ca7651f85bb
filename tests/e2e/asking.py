"""One person at the page of AI answers, as the tests drive it: only what a person sees and the page's test ids."""

import re

from playwright.sync_api import Browser, Page

from .watching import OpenPage, wait

_ANSWERS = "[...document.querySelectorAll('[data-testid=turn][data-role=assistant]')]"
_TEXT = "[...document.querySelectorAll('[data-testid=answer-text]')].map(node => node.textContent).join(' ')"
_NUMBERS = f"({_TEXT}.match(/\\d+/g) ?? []).map(Number)"
_COUNTERS = """(() => {
    const {sent, received, duplicates, gaps, resumes} = wirehopDemo;
    return {sent, received, duplicates, gaps, resumes};
})()"""


class Asking:
    """A page on a wire."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(
        cls,
        open_page: OpenPage,
        browser: Browser,
        base: str,
        *,
        wire: str = "auto",
        conversation: str = "",
        **options: object,
    ) -> "Asking":
        """Open it, perhaps at a conversation, and be live."""
        page = open_page(browser, f"{base}/ai/?wire={wire}&seed=1#{conversation}", label=f"AI on {wire}", **options)
        asking = cls(page)
        asking.wait_live()
        return asking

    def wait_live(self) -> None:
        """Until the connection is there."""
        wait(self.page, "document.querySelector('[data-testid=state]')?.textContent.trim() === 'live'")

    def ask(self, text: str) -> None:
        """Write it and press Enter."""
        self.page.get_by_test_id("prompt").fill(text)
        self.page.get_by_test_id("prompt").press("Enter")

    @property
    def conversation(self) -> str:
        """Its id, from the address."""
        found = re.search(r"#([0-9a-f]{24,40})$", self.page.url)
        assert found, self.page.url
        return found[1]

    # ---- what is seen

    def text(self) -> str:
        """What the answers of this branch say."""
        return self.page.evaluate(_TEXT)

    def numbers(self) -> list[int]:
        """All numbers in them."""
        return self.page.evaluate(_NUMBERS)

    def wait_number(self, least: int, seconds: float = 60.0) -> None:
        """Until the last number is so high."""
        self._wait(f"({_NUMBERS}.at(-1) ?? 0) >= {least}", seconds, f"number {least}")

    def states(self) -> list[str]:
        """Of the answers that are seen: queued, streaming, done, stopped, failed."""
        return self.page.evaluate(f"{_ANSWERS}.map(node => node.dataset.state)")

    def wait_states(self, *states: str, seconds: float = 60.0) -> None:
        """Until the answers that are seen are in these states."""
        self._wait(f"{_ANSWERS}.map(node => node.dataset.state).join() === '{','.join(states)}'", seconds, str(states))

    def counters(self) -> dict[str, int]:
        """What the page counts."""
        return self.page.evaluate(_COUNTERS)

    def _wait(self, expression: str, seconds: float, what: str) -> None:
        try:
            wait(self.page, expression, seconds=seconds)
        except Exception as error:
            bar = self.page.get_by_test_id("transport").inner_text()
            raise AssertionError(
                f"not {what}: {self.states()}, {self.text()[-80:]!r}, {self.counters()}, {bar!r}"
            ) from error
