"""Browsers in network namespaces.

One Playwright driver for all of them, in one namespace. Chromium, to which it speaks over pipes, can be in any other by
way of a script that enters it first; for Firefox, to which it speaks over a port, such a script opens a passage as well
(`passage`). The tests themselves stay outside.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from .authority import Authority
from .netns import ADDRESS, Namespace

PROGRAMS = {
    "chromium": ("/usr/bin/chromium", "/usr/bin/google-chrome"),
    "firefox": ("/usr/bin/firefox-esr", "/usr/bin/firefox"),
}
NAME = "turn.test"
"""What Firefox resolves to the hermetic namespace's address: of `turns:` URLs it uses only those with a name."""
PASSAGE = Path(__file__).with_name("passage.py")
LAUNCH_MILLISECONDS = 90_000
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # namespaces need root, and root's Chromium has no sandbox
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
FIREFOX_PREFERENCES: dict[str, str | float | bool] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "network.dns.forceResolve": ADDRESS,  # every name
}


@contextlib.contextmanager
def driver_in(namespace: Namespace) -> Iterator[Playwright]:
    """Playwright, with its driver in the namespace."""
    manager = sync_playwright()
    with namespace.entered():
        playwright = manager.start()
    try:
        yield playwright
    finally:
        playwright.stop()


class Browsers:
    """Those of a run: Chromium once per namespace, started when it is first asked for."""

    def __init__(self, playwright: Playwright, authority: Authority, directory: Path) -> None:
        self._playwright = playwright
        self._authority = authority
        self._directory = directory
        self._chromium: dict[str, Browser] = {}
        self._firefox: dict[str, BrowserContext] = {}

    def chromium_in(self, namespace: Namespace) -> Browser:
        """Chromium in this namespace. It trusts the run's authority."""
        if namespace.name not in self._chromium:
            program = _program(self._playwright.chromium.executable_path, "chromium")
            inner = ["env", f"HOME={self._authority.home()}", program]
            wrapper = self._script(f"chromium-{namespace.name}", namespace.command(*inner))
            self._chromium[namespace.name] = self._playwright.chromium.launch(
                executable_path=wrapper, args=list(CHROMIUM_ARGUMENTS), timeout=LAUNCH_MILLISECONDS
            )
        return self._chromium[namespace.name]

    def firefox(self) -> BrowserContext:
        """Firefox in the driver's namespace, as one lasting context. It trusts the run's authority."""
        return self._firefox_as("firefox")

    def firefox_in(self, namespace: Namespace) -> BrowserContext:
        """Firefox in this namespace, as one lasting context. It trusts the run's authority."""
        return self._firefox_as(namespace.name, namespace)

    def _firefox_as(self, name: str, namespace: Namespace | None = None) -> BrowserContext:
        if name in self._firefox:
            return self._firefox[name]
        bundled = self._playwright.firefox.executable_path
        program = _program(bundled, "firefox")
        started: str | Path = program
        preferences = dict(FIREFOX_PREFERENCES)
        if namespace is not None:
            command = [sys.executable, str(PASSAGE), namespace.path, *namespace.command(program)]
            started = self._script(f"firefox-{name}", command)
            del preferences["network.dns.forceResolve"]
        self._firefox[name] = self._playwright.firefox.launch_persistent_context(
            self._authority.profile(name),
            executable_path=started,
            channel=None if program == bundled else "moz-firefox",  # the system's speaks WebDriver BiDi
            firefox_user_prefs=preferences,
            timeout=LAUNCH_MILLISECONDS,
        )
        return self._firefox[name]

    def _script(self, name: str, command: list[str]) -> Path:
        wrapper = self._directory / name
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        wrapper.chmod(0o755)
        return wrapper

    def close(self) -> None:
        """Close them all."""
        for each in (*self._chromium.values(), *self._firefox.values()):
            each.close()


def _program(bundled: str, name: str) -> str:
    if os.path.exists(bundled):  # noqa: PTH110 - Playwright gives it as text
        return bundled
    program = os.environ.get(f"RIG_{name.upper()}") or next(filter(os.path.exists, PROGRAMS[name]), None)
    if not program:
        pytest.skip(f"no {name}: run `playwright install {name}` or install the system's package")
    return program
