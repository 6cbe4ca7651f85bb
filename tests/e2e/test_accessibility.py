"""axe finds nothing serious on the pages, light or dark; and it finds what is wrong with a bad one."""

import pytest
from playwright.sync_api import Browser

from .accessibility import problems
from .servers import ForeignSite, Server
from .watching import OpenPage, wait

BAD = """() => {
    document.documentElement.lang = "en";
    document.body.innerHTML = `<main><h1>Bad</h1><img src="data:,">
        <p style="color: #bbb; background: #fff">pale</p></main>`;
}"""


def test_a_bad_page_is_found_out(chromium: Browser, foreign_site: ForeignSite, open_page: OpenPage) -> None:
    page = open_page(chromium, foreign_site.origin)
    page.evaluate(BAD)
    found = problems(page)
    assert [line.split()[0] for line in found] == ["color-contrast", "image-alt"], found


@pytest.mark.parametrize("path", ["", "chat/"])
def test_nothing_serious(chromium: Browser, server: Server, open_page: OpenPage, path: str) -> None:
    page = open_page(chromium, f"{server.url}/{path}", color_scheme="light")
    wait(page, "document.querySelector('[data-testid$=state]')?.textContent.trim() === 'live'")
    assert problems(page) == []
    page.emulate_media(color_scheme="dark")
    assert problems(page) == []
