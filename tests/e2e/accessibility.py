"""What axe finds on a page, of what keeps people from using it."""

from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "sdk" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
MOST_NODES = 4
"""Of one rule so many places are named."""

RUN = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ["violations"]});
    return violations.map(({id, impact, help, nodes}) => ({
        id, impact, help, places: nodes.map(({target, any}) => `${target.join(" ")} ${any[0]?.message ?? ""}`.trim()),
    }));
}"""


def problems(page: Page) -> list[str]:
    """One line for each rule of axe that the page breaks seriously or critically; empty for a good page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    found = page.evaluate(RUN)
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {'; '.join(each['places'][:MOST_NODES])}"
        for each in found
        if each["impact"] in GRAVE
    ]


@cache
def _source() -> str:
    if not AXE.exists():
        pytest.skip("no axe-core: run `npm ci` in sdk")
    return AXE.read_text(encoding="utf-8")
