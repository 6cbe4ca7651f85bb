"""The pages that the advisor writes run in a browser, on the servers and settings that it writes for them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from wirehop.advisor import SCENARIOS, Inputs, advise
from wirehop.measured.profile import load_profile
from wirehop.testing.full import cases

from .servers import Server
from .watching import OpenPage, wait

KEY = "a key of the server API"
ALL = ("instant-messaging", "news", "ai", "files", "calls", "old browsers")
OLD = Inputs(direction="both", browsers=2009)
DEVICES = """navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    setInterval(() => pen.fillRect(Math.random() * 300, Math.random() * 150, 20, 20), 40);
    const tone = new AudioContext().createMediaStreamDestination();
    const pictures = video ? canvas.captureStream().getTracks() : [];
    return new MediaStream([...pictures, ...(audio ? tone.stream.getTracks() : [])]);
};"""
"""A camera and a microphone."""


class Running:
    """An advised application, and as many of its pages as are wanted."""

    def __init__(self, server: Server, page: str, new_page: Callable[[], Page]) -> None:
        self.server = server
        self._page = page
        self._new_page = new_page
        self._pages: list[Page] = []

    def open(self) -> Page:
        page = self._new_page()
        self._pages.append(page)
        page.add_init_script(DEVICES)
        page.route("**/favicon.ico", lambda route: route.fulfill(body=""))
        page.goto(f"{self.server.url}/health")
        self.fill(page)
        return page

    def again(self, page: Page) -> None:
        """Reload."""
        page.reload()
        self.fill(page)

    def fill(self, page: Page) -> None:
        """Write the page into a document of the server: so it has the server's origin, and no site is needed."""
        page.set_content(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'><body>{self._page}")

    def close(self) -> None:
        for page in self._pages:
            page.close()

    def publish(self, channel: str, data: object) -> None:
        body = json.dumps({"channel": channel, "data": data}).encode()
        status, _ = self.server.request("POST", "/api/publish", body, **{"X-API-Key": KEY})
        assert status == 200


@contextmanager
def advised(inputs: Inputs, place: Path, new_page: Callable[[], Page]) -> Iterator[Running]:
    """The application of that advice, for people without names."""
    advice = advise(msgspec.structs.replace(inputs, login="none"), load_profile())
    (place / "wirehop.toml").write_text(advice.settings, encoding="utf-8")
    (place / "app.py").write_text(advice.server, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("PYTHONPATH", str(place))
        arguments = ("app:node", "--config", str(place / "wirehop.toml"), "--api-key", KEY)
        server = stack.enter_context(Server(*arguments, log=place / "server.log"))
        application = Running(server, advice.page, new_page)
        yield application
        application.close()
    assert not server.errors(), server.errors()


def has(page: Page, selector: str, text: str) -> None:
    wait(page, "([selector, text]) => document.querySelector(selector).textContent.includes(text)", [selector, text])


def say(page: Page, text: str) -> None:
    page.locator("input").fill(text)
    page.locator("form button").click()


def say_until_heard(page: Page, text: str, other: Page) -> None:
    """Say it again until the other page, which may not be listening yet, has it."""
    page.locator("input").fill(text)
    for _ in range(300):
        page.locator("form button").click()
        if text in other.locator("#list").inner_text():
            return
        other.wait_for_timeout(100)
    has(other, "#list", text)


def two_write(running: Running) -> None:
    one, other = running.open(), running.open()
    say_until_heard(one, "hello", other)
    say_until_heard(other, "and back", one)


def one_reads(running: Running) -> None:
    page = running.open()
    for number in range(300):  # what is published before the page reads is not shown
        running.publish("feed:1", {"number": number})
        if page.locator("#list").inner_text():
            break
        page.wait_for_timeout(100)
    has(page, "#list", '"number":')


def an_answer_goes_on_after_a_reload(running: Running) -> None:
    page = running.open()
    say(page, "why is that so")
    has(page, "#answer", "You asked: why is that so ")
    running.again(page)
    has(page, "#answer", "You asked: why is that so ")
    assert page.locator("#answer").inner_text().count("You") == 1


def data_goes_from_one_to_the_other(running: Running) -> None:
    one, other = running.open(), running.open()
    say_until_heard(one, "hello", other)


def they_see_each_other(running: Running) -> None:
    pages = running.open(), running.open()
    for page in pages:
        wait(page, "[...document.querySelectorAll('video')].some(video => video.videoWidth > 0)")


def old_ones_poll(running: Running) -> None:
    one = running.open()
    has(one, "#list", '"text":"hello"')


WORKS = {
    "instant-messaging": two_write,
    "news": one_reads,
    "ai": an_answer_goes_on_after_a_reload,
    "files": data_goes_from_one_to_the_other,
    "calls": they_see_each_other,
    "old browsers": old_ones_poll,
}


@pytest.mark.parametrize("name", cases(["instant-messaging", "ai", "files"], ALL))
def test_a_page_does_what_it_is_for(name: str, chromium: Browser, open_page: OpenPage, tmp_path: Path) -> None:
    inputs = SCENARIOS[name].inputs if name in SCENARIOS else OLD
    with advised(inputs, tmp_path, lambda: open_page(chromium, "about:blank")) as running:
        WORKS[name](running)
