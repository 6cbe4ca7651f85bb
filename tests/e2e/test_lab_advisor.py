"""The lab's advisor and cost calculator in a browser: answers, what would change them, formulas, and how they look."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from wirehop.measured.profile import Profile

from .accessibility import problems
from .servers import Server
from .watching import OpenPage, wait

HERE = Path(__file__).parent
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PICTURES = os.environ.get("ADVISOR_PICTURES")
"""A directory for pictures to look at."""
MOUNT = """async name => {
    document.querySelector("main").className = "page";
    document.querySelector("main").innerHTML = `<div id="host"></div>`;
    const { connect } = await import("/sdk/wirehop.js");
    const advisor = await import("/lab/advisor.js");
    window.client = connect("/");
    window.end = await advisor[name](document.getElementById("host"), client);
}"""
"""On the start page, whose own script is left out."""


@pytest.fixture(scope="module")
def profile() -> Profile:
    sys.path.insert(0, str(HERE.parent / "unit" / "advisor"))
    try:
        from advisor_figures import PROFILE
    finally:
        sys.path.pop(0)
    return PROFILE


@pytest.fixture(scope="module")
def advisor_server(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("advisor")
    (place / "profile.json").write_bytes(msgspec.json.encode(profile))
    patch = pytest.MonkeyPatch()
    with patch.context() as environment:
        environment.setenv("ADVISOR_PROFILE", str(place / "profile.json"))
        environment.setenv("PYTHONPATH", str(HERE))
        with Server("--dev", "advisor_app:node", log=place / "server.log") as server:
            yield server
    assert not server.errors()


def mounted(open_page: OpenPage, browser: Browser, server: Server, name: str, **options: object) -> Page:
    """A small page of the dev server with one of the two on it."""
    page = open_page(browser, "about:blank", **{"viewport": DESKTOP, **options})
    page.route("**/start.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(server.url)
    page.evaluate(MOUNT, name)
    return page


@pytest.fixture
def advisor(chromium: Browser, advisor_server: Server, open_page: OpenPage) -> Page:
    page = mounted(open_page, chromium, advisor_server, "mountAdvisor")
    wait_main(page, "sse")
    return page


@pytest.fixture
def cost(chromium: Browser, advisor_server: Server, open_page: OpenPage) -> Page:
    page = mounted(open_page, chromium, advisor_server, "mountCost")
    wait(page, "document.querySelectorAll('[data-testid=costs] tbody tr').length === 7")
    return page


def wait_main(page: Page, main: str) -> None:
    wait(page, "main => document.querySelector('[data-testid=advice]').dataset.main === main", main)


def number(page: Page, testid: str) -> float:
    return float(re.sub(r"[^0-9.e-]", "", page.get_by_test_id(testid).inner_text()))


def test_a_scenario_is_answered_and_its_answers_can_be_changed(advisor: Page) -> None:
    advisor.get_by_test_id("scenario").select_option("data-channel-games")
    wait_main(advisor, "data-channel-unreliable")
    expect(advisor.get_by_test_id("advice-sentence")).to_contain_text("Not yet in wirehop: meanwhile WebSocket")
    expect(advisor.get_by_test_id("ask-up")).to_have_value("60")
    advisor.get_by_test_id("ask-loss").select_option("none")
    wait_main(advisor, "websocket")
    expect(advisor.get_by_test_id("reasons")).to_contain_text("Nothing may be lost.")
    expect(advisor.get_by_test_id("recipe-wirehop.toml")).to_contain_text('delivery = "log"')


def test_what_would_change_the_advice_can_be_tried(advisor: Page) -> None:
    advisor.get_by_test_id("scenario").select_option("news")
    wait(advisor, "document.querySelector('[data-testid=advice-sentence]').textContent.includes('short polling')")
    wait_main(advisor, "sse")
    advisor.get_by_test_id("flip-interval").click()
    wait_main(advisor, "short-poll")
    assert float(advisor.get_by_test_id("ask-interval").input_value()) >= 30
    first = advisor.get_by_test_id("ranked").locator("tbody tr").first
    assert first.get_attribute("data-name") == "short-poll"


def test_what_is_not_known_is_assumed_and_what_is_wrong_is_said(advisor: Page) -> None:
    assert advisor.get_by_test_id("ask-down").get_attribute("placeholder") == "1"
    expect(advisor.get_by_test_id("ask-loss").locator("option").first).to_have_text("don’t know (none)")
    advisor.get_by_test_id("ask-payload").fill("0")
    expect(advisor.get_by_test_id("advice").get_by_role("alert")).to_contain_text("payload is 0")
    advisor.get_by_test_id("ask-payload").fill("20")
    expect(advisor.get_by_test_id("advice-main")).to_be_visible()


def test_the_answers_outlast_a_reload(advisor: Page) -> None:
    advisor.get_by_test_id("ask-direction").select_option("both")
    wait_main(advisor, "websocket")
    advisor.reload()
    advisor.evaluate(MOUNT, "mountAdvisor")
    wait_main(advisor, "websocket")
    expect(advisor.get_by_test_id("ask-direction")).to_have_value("both")


def test_every_number_of_the_cost_opens_its_formula(cost: Page, profile: Profile) -> None:
    few = number(cost, "cost-websocket-gigabytes")
    assert few == pytest.approx(1000 * (1 * (200 + 54) * 60 + 144 * 20 / 60) * 60 * 8 * 30 / 1e9, rel=0.01)
    cost.get_by_test_id("cost-users").fill("10000")
    wait(cost, "document.querySelector('[data-testid=cost-websocket-sockets]').textContent === '10,000'")
    assert number(cost, "cost-websocket-gigabytes") == pytest.approx(10 * few, rel=0.01)
    for technique in ("websocket", "short-poll", "jsonp"):
        row = cost.get_by_test_id("costs").locator(f"tr[data-name={technique}]")
        for figure in row.get_by_role("button").all():
            figure.click()
            expect(cost.get_by_test_id("formula")).to_be_visible()
            expect(cost.get_by_test_id("formula")).to_contain_text("users ×")
            cost.keyboard.press("Escape")
            expect(cost.get_by_test_id("formula")).to_be_hidden()
    assert cost.get_by_test_id("cost-jsonp-cores").inner_text() == "not measured"


def test_money_needs_prices(cost: Page) -> None:
    assert cost.get_by_test_id("cost-websocket-money").count() == 0
    cost.locator(".cost-form summary").click()
    cost.get_by_test_id("cost-price-gigabyte").fill("0.1")
    wait(cost, "document.querySelector('[data-testid=cost-websocket-money]')")
    gigabytes, money = number(cost, "cost-websocket-gigabytes"), number(cost, "cost-websocket-money")
    assert money == pytest.approx(gigabytes / 10, rel=0.02)


@pytest.mark.parametrize("name", ["mountAdvisor", "mountCost"])
def test_it_fits_a_phone_and_everybody_can_use_it(
    name: str, chromium: Browser, advisor_server: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    page = mounted(open_page, chromium, advisor_server, name, viewport=PHONE)
    done = "[data-testid=advice-main]" if name == "mountAdvisor" else "[data-testid=costs] tbody"
    wait(page, "selector => document.querySelector(selector) !== null", done)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "wider than a phone"
    place = Path(PICTURES) if PICTURES else tmp_path
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(PHONE)
        page.screenshot(path=place / f"{name}-phone-{scheme}.png", full_page=True, animations="disabled")
        page.set_viewport_size(DESKTOP)
        picture = page.screenshot(path=place / f"{name}-{scheme}.png", full_page=True, animations="disabled")
        assert len(picture) > 20_000, "blank"
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert problems(page) == []
