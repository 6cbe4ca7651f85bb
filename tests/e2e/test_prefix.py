"""The pages below a prefix, where the server is mounted in another application."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .chatting import LABELS, WIRES, Chat
from .mounted import PREFIX, mounted
from .watching import OpenPage, wait


@pytest.fixture(scope="module")
def site(logs: Path) -> Iterator[str]:
    """The URL below which everything is."""
    with mounted(logs / "mounted.log") as url:
        yield url


def test_people_talk_below_a_prefix_over_every_wire(
    chromium: Browser, site: str, open_page: OpenPage, room: str
) -> None:
    ada = Chat.open(open_page, chromium, site, room=room, name="Ada", wire=WIRES[0])
    bo = Chat.open(open_page, chromium, site, room=room, name="Bo", wire="sse")
    for wire in WIRES:
        ada.switch(wire)
        bo.wait_people("Ada", "Bo")
        for sender, reader in ((ada, bo), (bo, ada)):
            text = f"{sender.name} while Ada is on {wire}"
            sender.send(text)
            reader.wait_text(text)
            assert reader.message(text)["badge"] == LABELS[sender.wire]


def test_from_the_start_page_the_other_pages_are_reached(chromium: Browser, site: str, open_page: OpenPage) -> None:
    page = open_page(chromium, site, label="start")  # without the slash
    wait(page, "document.querySelector('[data-testid=try-state]').textContent.trim() === 'live'")
    page.get_by_test_id("try-publish").click()
    wait(page, "document.querySelector('[data-testid=try-log]').textContent.includes('Hello from this page')")
    assert f"{PREFIX}/channels/demo" in page.locator("#curl").inner_text()
    page.locator("nav a", has_text="Monitor").click()
    wait(page, "document.querySelector('[data-testid=state]')?.textContent.trim() === 'live'")
    page.goto(f"{site}/admin")
    expect(page.get_by_test_id("sessions-now")).to_have_text(re.compile("^[0-9]"), timeout=30_000)
    assert page.url == f"{site}/admin/"
    page.goto(f"{site}/admin/#channel/demo")
    expect(page.get_by_test_id("channel-state")).to_have_text("live", timeout=30_000)
