"""The lab: a race that is whole and says what it may, bytes that add up, a ledger, limits, and one's own network."""

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page

from wirehop.testing.full import FULL, cases

from .racing import COUNT, SECONDS, WIRES, choose, race
from .servers import Server
from .watching import OpenPage, Watch, wait

BREAKS = cases(["drop", "restart"], ["drop", "roam", "restart", "hole", "tunnel"])
STREAMS = {"chromium": 6, "firefox": 6}
"""Event streams to one origin over HTTP/1.1."""
BACK = """number => document.querySelectorAll("[data-testid=ledger] tbody tr")[number]
    ?.cells[7].textContent.endsWith(" s")"""


@pytest.fixture(params=cases(["chromium"], ["chromium", "firefox"]))
def any_browser(request: pytest.FixtureRequest) -> Browser:
    return request.getfixturevalue(request.param)


@pytest.fixture
def open_lab(server: Server, open_page: OpenPage) -> Callable[..., Page]:
    def open_lab(browser: Browser, part: str = "race", **options: object) -> Page:
        page = open_page(browser, f"{server.url}/lab/#{part}", **options)
        wait(page, "document.querySelector('[data-testid=state]').textContent.trim() === 'live'", seconds=30)
        return page

    return open_lab


@pytest.mark.parametrize("preset", ["rtt0", "rtt100"])
def test_a_race_is_whole_and_a_message_is_dissected(
    any_browser: Browser, open_lab: Callable[..., Page], preset: str
) -> None:
    page = open_lab(any_browser)
    choose(page, preset)
    rows = race(page)
    assert set(rows) == set(WIRES)
    for wire, row in rows.items():
        assert (row["samples"], row["missing"]) == (str(COUNT), "0"), wire
        assert float(row["p99"]) >= float(row["p50"]) >= (49 if preset == "rtt100" else -0.5), wire
    words = page.get_by_test_id("race-words")
    places = {row["place"] for row in rows.values()}
    if "too busy" in words.inner_text():  # the machine is, and the race says so
        assert (places, words.get_attribute("data-ranked")) == ({""}, "no")
    else:
        assert "" not in places
        assert words.get_attribute("data-ranked") == ("same" if len(places) == 1 else "different")
        assert ("No difference seen" in words.inner_text()) == (len(places) == 1)
    for wire in WIRES:
        page.get_by_test_id(f"look-{wire}").click()
        wait(page, "word => document.querySelector('[data-testid=anatomy-title]')?.textContent.includes(word)",
             page.get_by_test_id(f"lane-{wire}").get_attribute("aria-label").split("over ")[1])  # fmt: skip
        sizes = page.evaluate(
            "[...document.querySelectorAll('.anatomy li[data-bytes]')].map(part => Number(part.dataset.bytes))"
        )
        total = int(page.get_by_test_id("anatomy-title").inner_text().split(": ")[1].split()[0].replace(",", ""))
        assert sum(sizes) == total, wire
        assert int(page.get_by_test_id("anatomy-payload").get_attribute("data-bytes") or 0) > 150, wire


def test_after_a_reload_it_works_and_few_messages_are_not_ranked(
    chromium: Browser, open_lab: Callable[..., Page]
) -> None:
    page = open_lab(chromium)
    choose(page, "rtt20")
    page.reload()
    choose(page, "office")
    rows = race(page, count=300, wires=("websocket", "jsonp"))
    assert [row["samples"] for row in rows.values()] == ["300", "300"]
    assert not any(row["place"] for row in rows.values())
    words = page.get_by_test_id("race-words").inner_text()
    assert "it takes 1,000 messages" in words or "too busy" in words
    assert page.get_by_test_id("race-words").get_attribute("data-ranked") == "no"


def test_behind_a_company_s_proxy_a_websocket_does_not_get_through_and_others_do(
    chromium: Browser, open_lab: Callable[..., Page], watch: Watch
) -> None:
    watch.expect()
    page = open_lab(chromium)
    choose(page, "company")
    rows = race(page, count=300, wires=("websocket", "stream"))
    assert rows["websocket"]["state"] == "blocked"
    assert rows["stream"]["missing"] == "0"


STATISTICS = """async url => {
    const {interval, quantile, rank, seeded, summary} = await import(url);
    const random = seeded(5);
    const draw = (from, to) => Array.from({length: 1000}, () => from + (to - from) * random());
    const entry = (name, samples, missing = 0) => ({name, missing, ...summary(samples)});
    const alike = [entry("a", draw(0, 100)), entry("b", draw(0, 100))];
    const apart = [entry("a", draw(0, 100)), entry("b", draw(0, 100)), entry("c", draw(200, 300))];
    const places = found => Object.fromEntries(found.places);
    return {
        quantiles: [0.5, 0.95, 0.99, 1]
            .map(share => quantile(Float64Array.from({length: 100}, (_, n) => n + 1), share)),
        covers: Array.from({length: 40}, (_, seed) => interval(draw(0, 100), 0.95, {seed, rounds: 80}))
            .filter(([low, high]) => low <= 95 && 95 <= high).length,
        same: interval(draw(0, 1), 0.99, {seed: 3}).join() === interval([], 0.99).join(),
        alike: [places(rank(alike)), rank(alike).isDifferent],
        apart: [places(rank(apart)), rank(apart).isDifferent],
        few: [...rank([entry("a", draw(0, 1).slice(0, 999))]).places],
        busy: [places(rank(apart, 15)), rank(apart, 15).words],
        holes: places(rank([entry("a", draw(0, 1)), entry("b", draw(0, 1), 3)])),
    };
}"""


def test_what_is_within_the_noise_is_not_ranked(
    chromium: Browser, server: Server, open_lab: Callable[..., Page]
) -> None:
    page = open_lab(chromium)
    found = page.evaluate(STATISTICS, f"{server.url}/lab/statistics.js")
    assert found["quantiles"] == [50, 95, 99, 100]
    assert found["covers"] >= 34
    assert found["alike"] == [{"a": 1, "b": 1}, False]
    assert found["apart"] == [{"a": 1, "b": 1, "c": 3}, True]
    assert found["few"] == []
    assert found["busy"][0] == {}
    assert "too busy" in found["busy"][1]
    assert found["holes"] == {"a": 1}


def test_the_ledger_adds_up(any_browser: Browser, open_lab: Callable[..., Page], watch: Watch) -> None:
    watch.expect()
    page = open_lab(any_browser, "cut")
    page.get_by_test_id("cut-wire").select_option("auto" if FULL else "sse")
    page.get_by_test_id("cut-start").click()
    for number, what in enumerate(BREAKS):
        wait(page, "what => document.querySelector(`[data-testid=cut-${what}]`)?.disabled === false", what, seconds=30)
        page.get_by_test_id(f"cut-{what}").click()
        wait(page, BACK, number, seconds=SECONDS)
    page.get_by_test_id("cut-start").click()
    wait(page, "document.querySelector('[data-cut=done]')", seconds=SECONDS)
    sent, received, lost, repeated = (
        int(page.get_by_test_id(f"ledger-{name}").inner_text().replace(",", ""))
        for name in ("sent", "received", "lost", "repeated")
    )
    assert (lost, repeated) == (0, 0)
    assert sent == received > 0
    rows = page.evaluate(
        """[...document.querySelectorAll('[data-testid=ledger] tbody tr')]
            .map(row => [...row.cells].slice(2, 7).map(cell => Number(cell.textContent)))"""
    )
    for since, came, *others in rows:
        assert since == came
        assert others == [0, 0, 0]


def test_the_limit_of_event_streams_is_found_and_all_is_closed_again(
    any_browser: Browser, open_lab: Callable[..., Page], watch: Watch
) -> None:
    watch.expect(re.compile("CORS request did not succeed"))  # what Firefox says of a stream that is closed as it waits
    page = open_lab(any_browser, "limits")
    page.get_by_test_id("limits-sse").click()
    wait(page, "document.querySelector('[data-testid=limits-table] tbody tr')", seconds=SECONDS)
    row = page.get_by_test_id("limits-table").locator("tbody tr")
    assert row.get_attribute("data-opened") == str(STREAMS[any_browser.browser_type.name])
    cells = row.locator("td").all_inner_texts()
    assert cells[2].startswith("waits")
    assert cells[3].startswith("frozen")
    assert cells[4].startswith("answered")


def test_my_network_is_looked_at_and_told_as_json(any_browser: Browser, open_lab: Callable[..., Page]) -> None:
    page = open_lab(any_browser, "network")
    page.get_by_test_id("network-start").click()
    wait(page, "document.querySelector('[data-network=done]')", seconds=SECONDS)
    report = json.loads(page.get_by_test_id("network-json").inner_text())
    steps = report["steps"]
    assert {name: step["result"] for name, step in steps.items() if name != "rtc"} == dict.fromkeys(
        ("http", "clock", "websocket", "sse", "long-poll", "browser"), "ok"
    )
    assert steps["http"]["http"] == "1.1"
    assert len(steps["sse"]["gapsMilliseconds"]) == 9
    assert steps["rtc"]["steps"][0]["name"] == "ice-servers"
    assert abs(steps["clock"]["errorMilliseconds"]) < 1_000


def test_it_fits_a_phone_and_the_keyboard(chromium: Browser, open_lab: Callable[..., Page]) -> None:
    page = open_lab(chromium, viewport={"width": 390, "height": 844}, color_scheme="dark")
    for part, following in (("race", "cut"), ("cut", "limits"), ("limits", "network")):
        wait(
            page,
            "part => document.querySelector(`[data-testid=panel-${part}]`)?.childElementCount > 0",
            part,
            seconds=30,
        )
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0, part
        page.get_by_test_id(f"tab-{part}").press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == f"tab-{following}"
        assert page.evaluate("location.hash") == f"#{following}"
