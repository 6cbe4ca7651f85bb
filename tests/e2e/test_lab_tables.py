"""The lab's tables in a browser: what cells rest on, the choice of techniques, downloads, and how it looks."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from wirehop.lab.tables import FORMATS, make_tables
from wirehop.lab.tables.document import Tables
from wirehop.measured import TECHNIQUES, Profile

from .accessibility import problems
from .servers import Server
from .watching import OpenPage, wait

HERE = Path(__file__).parent
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
PICTURES = os.environ.get("TABLES_PICTURES")
"""A directory for pictures to look at."""
MOUNT = """async () => {
    document.querySelector("main").className = "page";
    document.querySelector("main").innerHTML = `<h1>Tables</h1><div id="host"></div>`;
    const { connect } = await import("/sdk/wirehop.js");
    const { mountTables } = await import("/lab/tables.js");
    window.client = connect("/");
    window.end = await mountTables(document.getElementById("host"), client);
}"""
"""On the start page, whose own script is left out."""


@pytest.fixture(scope="module")
def profile() -> Profile:
    sys.path.insert(0, str(HERE.parent / "unit" / "lab"))
    try:
        from profiles import full_profile
    finally:
        sys.path.pop(0)
    whole = full_profile()
    known = {name: each for name, each in whole.figures.items() if not name.startswith("latency/jsonp/")}
    return Profile(whole.facts, known)


@pytest.fixture(scope="module")
def tables(profile: Profile) -> Tables:
    return make_tables(profile)


@pytest.fixture(scope="module")
def tables_server(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("tables")
    (place / "profile.json").write_bytes(msgspec.json.encode(profile))
    patch = pytest.MonkeyPatch()
    with patch.context() as environment:
        environment.setenv("TABLES_PROFILE", str(place / "profile.json"))
        environment.setenv("PYTHONPATH", str(HERE))
        with Server("--dev", "tables_app:node", log=place / "server.log") as server:
            yield server
    assert not server.errors()


@pytest.fixture
def page(chromium: Browser, tables_server: Server, open_page: OpenPage) -> Page:
    return mounted(open_page, chromium, tables_server)


def mounted(open_page: OpenPage, browser: Browser, server: Server, **options: object) -> Page:
    """A small page of the dev server with the tables on it."""
    page = open_page(browser, "about:blank", viewport=DESKTOP, **options)
    page.route("**/start.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(server.url)
    page.evaluate(MOUNT)
    return page


def cell(line: str, technique: str) -> str:
    return f"#cell-{line}-{technique}"


def note(page: Page) -> str:
    wait(page, "!document.querySelector('[data-testid=cell-notes]').hidden")
    return page.get_by_test_id("cell-notes").inner_text()


def test_every_cell_is_there_and_says_what_the_server_says(page: Page, tables: Tables) -> None:
    shown = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-line]')].map(row => [row.dataset.line, "
        "[...row.querySelectorAll('td')].map(cell => [cell.firstChild.textContent.trim(), cell.entry.kind ?? null])]))"
    )
    for row in tables.technical:
        assert shown[row.id] == [[entry.text, entry.kind] for entry in row.cells.values()], row.id
    assert set(shown) == {row.id for row in tables.technical} | {"this-browser"}
    assert page.locator("[data-claim]").count() == len(tables.claims)
    assert page.locator("[id^=scenario-]").count() == len(tables.scenarios)
    assert page.get_by_test_id("footnotes").locator("li").count() == len(tables.notes)


def test_a_cell_says_what_it_rests_on_at_a_pointer_and_at_the_keyboard(page: Page, tables: Tables) -> None:
    measured = page.locator(cell("latency-rtt100", "sse"))
    measured.hover()
    assert note(page).startswith("measured")
    assert "a fixture; nowhere; 1,200 samples; 2026-11-28" in note(page)
    assert measured.get_attribute("aria-describedby") == "cell-notes"
    page.locator(cell("framing-down", "sse")).focus()
    wait(
        page,
        "document.querySelector('[data-testid=cell-notes]').innerText.includes('test_what_stands_around_an_event')",
    )
    page.keyboard.press("ArrowRight")
    wait(page, "document.activeElement.id === 'cell-framing-down-sse-post'")
    page.keyboard.press("Escape")
    wait(page, "document.querySelector('[data-testid=cell-notes]').hidden")
    page.keyboard.press("ArrowUp")
    wait(page, "document.activeElement.closest('tr').dataset.line === 'bytes-up-2000'")
    assert page.locator("[role=gridcell][tabindex='0']").count() == 1
    row = next(row for row in tables.technical if row.id == "latency-rtt0")
    unknown = page.locator("[data-line=latency-rtt0] td").nth(list(row.cells).index("jsonp"))
    unknown.hover()
    wait(page, "document.querySelector('[data-testid=cell-notes]').innerText.includes('Nobody has proof')")


def test_techniques_can_be_chosen_and_are_remembered(page: Page, tables_server: Server) -> None:
    heads = "[...document.querySelectorAll('[data-testid=technical] thead th')].map(head => head.textContent)"
    assert len(page.evaluate(heads)) == len(TECHNIQUES)
    for name in ("sse", "websocket"):
        page.locator(f".chip[data-technique={name}]").click()
    assert page.evaluate(heads) == ["SSE", "WebSocket"]
    assert page.locator("[data-argued]:visible").count() == 2
    page.goto(tables_server.url)
    page.evaluate(MOUNT)
    assert page.evaluate(heads) == ["SSE", "WebSocket"]
    page.get_by_test_id("all-techniques").click()
    assert len(page.evaluate(heads)) == len(TECHNIQUES)


def test_every_link_to_a_cell_goes_there_also_where_it_is_not_shown(page: Page) -> None:
    page.locator(".chip[data-technique=media]").click()
    link = page.locator("[data-claim=sse-limit] a[href^='#cell-']").first
    link.click()
    wait(page, "document.activeElement.id === 'cell-limit-http1-sse'")
    assert note(page).startswith("probed in a browser")
    page.get_by_test_id("all-techniques").click()
    places = page.evaluate("[...document.querySelectorAll('a[href^=\"#cell-\"]')].map(link => link.hash.slice(1))")
    assert len(places) > 100
    assert page.evaluate("places => places.filter(id => !document.getElementById(id))", places) == []


@pytest.mark.parametrize("format", FORMATS)
def test_a_download_is_the_file_of_that_format(page: Page, tables: Tables, format: str, tmp_path: Path) -> None:  # noqa: A002
    with page.expect_download() as downloading:
        page.locator(f"[data-format={format}]").click()
    assert downloading.value.suggested_filename == FORMATS[format].name
    downloading.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_text(encoding="utf-8") == FORMATS[format].write(tables)


def test_this_browser_and_this_network_answer_for_themselves(page: Page) -> None:
    browser = "document.querySelector('[data-line=this-browser]')"
    entries = page.evaluate(f"[...{browser}.querySelectorAll('td')].map(cell => cell.entry.text ?? '')")
    assert dict(zip(TECHNIQUES, entries, strict=True))["sse"] == "yes"
    assert page.locator("[data-line=your-network] td.unknown").count() == len(TECHNIQUES)
    found = probed(page, "your-network")
    for technique in ("websocket", "stream", "sse-post", "long-poll", "short-poll"):
        kind, text = found[technique]
        assert kind == "D"
        assert text.startswith("comes through, "), (technique, text)
    assert found["webtransport"] == ["", ""]
    kind, text = probed(page, "your-udp")["media"]
    assert kind == "D"
    assert text.startswith("UDP "), text


def probed(page: Page, line: str) -> dict[str, list[str]]:
    """Kind and words of each cell of a line, when it has been tried from here."""
    button = page.get_by_test_id(f"probe-{line}")
    button.click()
    wait(page, f"document.querySelector('[data-testid=probe-{line}]').textContent === 'Again'", seconds=90)
    cells = f"[...document.querySelectorAll('[data-line={line}] td')]"
    answers = page.evaluate(f"{cells}.map(cell => [cell.entry.kind ?? '', cell.entry.text ?? ''])")
    return dict(zip(TECHNIQUES, answers, strict=True))


def test_a_server_without_tables_is_said(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    """Neither an empty page nor an error that nobody sees."""
    page = open_page(chromium, server.url)
    said = page.evaluate(
        """async () => {
            const { mountTables } = await import("/lab/tables.js");
            const host = document.createElement("div");
            await mountTables(host, { rpc: async () => { throw new Error("method not found"); } });
            return host.textContent;
        }"""
    )
    assert said == "the tables did not come: method not found"


def test_the_lab_has_them(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = open_page(chromium, f"{server.url}/lab/")
    page.get_by_role("tab", name="Tables").click()
    page.locator(cell("direction", "sse")).hover()
    assert "test_a_bare_event_stream_only_comes_down" in note(page)


def test_what_is_unmounted_leaves_nothing(page: Page) -> None:
    page.evaluate("end()")
    assert page.evaluate("document.getElementById('host').childElementCount") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_desktop_and_a_phone(
    chromium: Browser, tables_server: Server, open_page: OpenPage, scheme: str
) -> None:
    page = mounted(open_page, chromium, tables_server, color_scheme=scheme)
    page.get_by_test_id("footnotes").locator("summary").click()
    assert problems(page) == []
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for name, size in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(size)
        page.evaluate("scrollTo(0, 0)")
        assert page.evaluate(overflow) <= 0, f"wider than a {name}"
        page.locator(cell("direction", "short-poll")).hover()
        wait(page, "!document.querySelector('[data-testid=cell-notes]').hidden")
        box = page.get_by_test_id("cell-notes").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        if PICTURES:
            page.screenshot(path=Path(PICTURES) / f"tables-{name}-{scheme}.png")
            page.screenshot(path=Path(PICTURES) / f"tables-{name}-{scheme}-whole.png", full_page=True)


def test_a_page_cannot_send_a_ping(browser: Browser, server: Server, open_page: OpenPage) -> None:
    page = open_page(browser, server.url)
    names = page.evaluate("Object.getOwnPropertyNames(WebSocket.prototype)")
    assert "send" in names
    assert not [name for name in names if "ping" in name.lower() or "pong" in name.lower()]


def test_the_answer_fits_the_limits_of_a_session(tables: Tables) -> None:
    assert len(json.dumps(msgspec.to_builtins(tables))) < 1_048_576
