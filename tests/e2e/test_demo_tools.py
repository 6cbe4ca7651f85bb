"""What every demo has beside its subject: the page a second time, side by side, and its own code."""

from playwright.sync_api import Browser, expect

from .servers import Server
from .watching import OpenPage

WAIT = 30_000


def test_a_demo_twice_beside_itself_and_its_code(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = open_page(chromium, f"{server.url}/notifications/?seed=5", viewport={"width": 1400, "height": 800})
    page.get_by_test_id("code").click()
    text = page.get_by_test_id("code-text")
    expect(text).to_contain_text("def ", timeout=WAIT)
    first = text.inner_text()
    page.get_by_role("tab", name=".js").first.click()
    expect(text).not_to_have_text(first, timeout=WAIT)
    page.keyboard.press("Escape")
    page.get_by_test_id("split-view").click()
    for title in ("First window", "Second window"):
        half = page.frame_locator(f'iframe[title="{title}"]')
        expect(half.get_by_test_id("code")).to_be_visible(timeout=WAIT)
        expect(half.get_by_test_id("second-window")).to_have_count(0)  # it is one of two already
    assert "seed=5" in page.evaluate("document.querySelector('iframe').src")
    page.locator("#back").click()
    page.wait_for_url("**/notifications/?seed=5")


def test_the_split_view_shows_pages_of_this_server_only(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = open_page(chromium, f"{server.url}/split/?page=chat/")
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    foreign = page.context.new_page()
    foreign.on("pageerror", lambda error: said.append(str(error)))
    foreign.goto(f"{server.url}/split/?page=https://example.org/")
    foreign.wait_for_timeout(300)
    assert [line for line in said if "a page of this server only" in line]
    assert foreign.evaluate("[...document.querySelectorAll('iframe')].map(each => each.src)") == ["", ""]
    foreign.close()
