"""What browsers do: each is started without a window and with a throw-away profile, on the page of `ProbeSite`.

    for program in found_browsers():
        results = await probe(program, notebook)

No driver is needed: the page does everything itself and posts what it found. What it found until the time was over
counts.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from wirehop.core.errors import WirehopError
from wirehop.lab.measure.notebook import Notebook
from wirehop.lab.measure.probe_site import ProbeSite, Result

NAMES: Final = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    "firefox": ("firefox-esr", "firefox"),
}
SECONDS: Final = 150.0
VERSION_SECONDS: Final = 20.0
END_SECONDS: Final = 5.0
CHROMIUM: Final = (
    "--headless=new",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--disable-quic",
    "--disable-features=WebRtcHideLocalIpsWithMdns,HttpsUpgrades,Translate,MediaRouter",
)
FIREFOX: Final = {
    "app.normandy.enabled": "false",
    "app.update.enabled": "false",
    "browser.aboutwelcome.enabled": "false",
    "browser.shell.checkDefaultBrowser": "false",
    "browser.startup.homepage_override.mstone": '"ignore"',
    "browser.tabs.remote.autostart": "true",
    "datareporting.healthreport.uploadEnabled": "false",
    "datareporting.policy.dataSubmissionEnabled": "false",
    "extensions.update.enabled": "false",
    "media.peerconnection.ice.loopback": "true",
    "media.peerconnection.ice.obfuscate_host_addresses": "false",
    "network.captive-portal-service.enabled": "false",
    "network.connectivity-service.enabled": "false",
    "services.settings.server": '"http://127.0.0.1:9"',
    "toolkit.telemetry.enabled": "false",
    "trailhead.firstrun.didSeeAboutWelcome": "true",
}
"""Nothing of the browser itself goes to the network, and no window asks anything."""

WITHOUT_BROWSER: Final = ("latency/", "missed/", "bytes/", "rate/", "largest/")
"""Figures whose names have no browser: those of techniques that only browsers have. The first browser's stands."""


class BrowserAbsent(WirehopError):
    """It is not there, or does not come; the text says why."""


class Browser(Struct, frozen=True):
    """`name`: chromium or firefox."""

    name: str
    program: str


def browser_of(program: str) -> Browser:
    """What that program is. Raises `BrowserAbsent`."""
    path = shutil.which(program)
    if path is None:
        raise BrowserAbsent(f"there is no program {program!r}")
    is_firefox = "firefox" in Path(path).name.lower()
    return Browser("firefox" if is_firefox else "chromium", path)


def found_browsers() -> list[Browser]:
    """One of each kind, where there is one."""
    found = []
    for name, programs in NAMES.items():
        path = next(filter(None, map(shutil.which, programs)), None)
        if path is not None:
            found.append(Browser(name, path))
    return found


def command(browser: Browser, folder: Path, url: str) -> list[str]:
    """How it is started; the profile is written to `folder`."""
    if browser.name == "firefox":
        lines = (f'user_pref("{name}", {value});\n' for name, value in FIREFOX.items())
        (folder / "user.js").write_text("".join(lines), encoding="utf-8")
        return [browser.program, "--headless", "--no-remote", "--profile", str(folder), url]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [browser.program, *CHROMIUM, *(["--no-sandbox"] if is_root else []), f"--user-data-dir={folder}", url]


async def version_of(browser: Browser) -> str:
    """As it says it."""
    process = await asyncio.create_subprocess_exec(
        browser.program,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return browser.name
    words = said.decode("utf-8", "replace").split()
    number = next((word for word in words if word[:1].isdigit()), "")
    return f"{browser.name.capitalize()} {number.partition('.')[0]}".strip()


@contextlib.asynccontextmanager
async def _running(browser: Browser, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    folder = Path(tempfile.mkdtemp(prefix="wirehop-probe-"))
    environ = {**os.environ, "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"}
    process = await asyncio.create_subprocess_exec(
        *command(browser, folder, url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def probe(browser: Browser, *, is_short: bool = False, only: str = "", seconds: float = SECONDS) -> list[Result]:
    """What the page found; `only`: names of probes with commas between them.

    Raises `BrowserAbsent` where nothing at all was found.
    """
    async with ProbeSite() as site:
        url = f"{site.url}&short={int(is_short)}&only={only}"
        try:
            async with _running(browser, url) as process:
                ended = asyncio.ensure_future(process.wait())
                done = asyncio.ensure_future(site.done.wait())
                await asyncio.wait((ended, done), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                ended.cancel()
                done.cancel()
        except OSError as error:
            raise BrowserAbsent(f"{browser.name} does not start: {error}") from None
        if not site.results:
            raise BrowserAbsent(f"{browser.name} has not opened the page within {seconds:g} s")
        return site.results


def enter(notebook: Notebook, browser: Browser, version: str, results: Sequence[Result]) -> None:
    """The results as figures of that browser."""
    for each in results:
        has_browser = not each.name.startswith(WITHOUT_BROWSER)
        name = f"{each.name}/{browser.name}" if has_browser else each.name
        if has_browser or name not in notebook.figures:
            notebook.enter(name, each.value, each.unit, samples=each.samples, method=each.method, where=version)
