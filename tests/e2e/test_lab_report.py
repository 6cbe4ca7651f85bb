"""`wirehop lab report` from end to end, in its quick form, with Chromium probed; and from a profile that is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright

from wirehop.measured import Profile, load_profile
from wirehop.testing.full import cases

from .conftest import PROGRAMS
from .watching import OpenPage

SECONDS = 220
CHECKED = {
    "can/binary/websocket/chromium": 1.0,
    "can/binary/sse/chromium": 0.0,
    "can/headers/sse/chromium": 0.0,
    "can/headers/stream/chromium": 1.0,
    "can/preflight/sse-post/chromium": 1.0,
    "can/preflight/sse/chromium": 0.0,
    "can/worker/websocket/chromium": 1.0,
    "can/worker/data-channel/chromium": 0.0,
    "can/upload-stream/stream/chromium": 0.0,
    "limit/sse/http1/chromium": 6.0,
    "can/proxy-strip-upgrade/websocket": 0.0,
    "can/proxy-strip-upgrade/sse": 1.0,
    "can/proxy-buffering/sse": 0.0,
    "resume/websocket": 0.0,
}


def program_of(playwright: Playwright, name: str) -> str:
    """As the other tests start it."""
    bundled = getattr(playwright, name).executable_path
    return bundled if Path(bundled).exists() else next(filter(os.path.exists, PROGRAMS[name]))


def report(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`wirehop lab report` with these."""
    command = [sys.executable, "-m", "wirehop", "lab", "report", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.parametrize("names", cases([["chromium"]], [["chromium"], ["firefox"]]))
def test_a_quick_report_measures_probes_and_makes_a_page(
    playwright: Playwright, chromium: Browser, open_page: OpenPage, tmp_path: Path, names: list[str]
) -> None:
    profile, page = tmp_path / "profile.json", tmp_path / "report.html"
    browsers = [part for name in names for part in ("--browser", program_of(playwright, name))]
    ended = report("--quick", *browsers, "--browser", "no-such-browser", "--json", profile, "--out", page)
    assert ended.returncode == 0, ended.stderr
    assert "not probed: there is no program 'no-such-browser'" in ended.stderr
    found: Profile = load_profile(profile)
    wanted = {name.replace("chromium", names[0]): value for name, value in CHECKED.items()}
    assert {name: found.value(name) for name in wanted} == wanted, ended.stderr
    assert 300 < found.figures[f"head/websocket/{names[0]}"].value < 900
    opened = open_page(chromium, page.as_uri())
    assert opened.locator("svg").count() >= 6
    assert "not known" in opened.inner_text("body")


def test_a_page_is_made_of_a_profile_that_is_there(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    own = Path(__file__).parents[2] / "src" / "wirehop" / "measured" / "profile.json"
    ended = report("--profile", own, "--out", page)
    assert ended.returncode == 0, ended.stderr
    assert "WebSocket" in page.read_text(encoding="utf-8")
    bad = tmp_path / "bad.json"
    bad.write_text("[]", encoding="utf-8")
    ended = report("--profile", bad)
    assert ended.returncode == 1
    assert "is no profile" in ended.stderr
