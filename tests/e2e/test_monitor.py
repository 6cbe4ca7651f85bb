"""The monitor moves: charts, processes, and the server's own figures, whatever the wire."""

from playwright.sync_api import Browser

from .chatting import LABELS
from .servers import Server
from .watching import OpenPage, wait

CHARTS = ("cpu-chart", "memory-chart", "network-chart")
WIRES = {"chromium": ("websocket", "long-poll"), "firefox": ("sse", "jsonp")}
PIXELS = """id => {
    const canvas = document.querySelector(`[data-testid=${id}]`);
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let index = 0; index < data.length; index += 4) {
        if (data[index + 3]) colours.add(data.slice(index, index + 4).join());
    }
    return colours.size;
}"""


def test_the_charts_move(browser: Browser, server: Server, open_page: OpenPage) -> None:
    first, second = WIRES[browser.browser_type.name]
    page = open_page(browser, f"{server.url}/monitor/?wire={first}", reduced_motion="no-preference")
    for wire in (first, second):
        page.get_by_test_id(f"wire-{wire}").click()
        wait(page, "document.querySelector('[data-testid=state]').textContent.trim() === 'live'")
        before = {chart: int(page.get_by_test_id(chart).get_attribute("data-points") or 0) for chart in CHARTS}
        for chart in CHARTS:
            wait(
                page,
                "([id, least]) => Number(document.querySelector(`[data-testid=${id}]`).dataset.points) >= least",
                [chart, before[chart] + 3],
                seconds=7,
            )
            assert page.evaluate(PIXELS, chart) > 8, f"{chart} is blank"
        rows = page.get_by_test_id("processes").locator("tbody tr")
        wait(page, "document.querySelectorAll('[data-testid=processes] tbody tr').length > 0")
        assert all(int(row.locator("td").nth(1).inner_text()) > 0 for row in rows.all())
        wait(page, "Number(document.querySelector('[data-testid=server-connections]').textContent) >= 1")
        wait(
            page,
            """label => [...document.querySelectorAll('[data-testid=server-wires] tbody tr')]
                .some(row => row.cells[0].textContent === label && Number(row.cells[1].textContent) >= 1)""",
            LABELS[wire],
        )
        assert page.get_by_test_id("stale").is_hidden()


def test_the_charts_begin_with_what_was_before(browser: Browser, server: Server, open_page: OpenPage) -> None:
    """The history fills the charts at once, so a page that has just been opened is not empty."""
    reports = len(server.history("monitor:system"))
    page = open_page(browser, f"{server.url}/monitor/")
    wait(
        page,
        "least => Number(document.querySelector('[data-testid=cpu-chart]').dataset.points) >= least",
        min(reports, 60),
        seconds=3,
    )
