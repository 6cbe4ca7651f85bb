"""One person at the call page, as the tests drive it: only what a person sees, the page's test ids and getStats."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from .calls import RIG

MILLISECONDS = 45_000
COLOUR = """video => {
    if (!video.videoWidth) return null;
    const glass = new OffscreenCanvas(video.videoWidth, video.videoHeight).getContext("2d");
    glass.drawImage(video, 0, 0);
    return [...glass.getImageData(video.videoWidth / 2, video.videoHeight * 0.93, 1, 1).data.slice(0, 3)];
}"""
PICTURES = """(video, wanted) => new Promise(done => {
    let shown = 0;
    const seen = () => {
        if (++shown === wanted) done(shown);
        else video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
    setTimeout(() => done(shown), 40000);
})"""
FIRST = """([name, limit]) => new Promise(done => {
    const began = performance.now();
    const look = () => {
        const video = document.querySelector(`[data-testid=tile][data-name="${name}"][data-source=camera] video`);
        const seconds = (performance.now() - began) / 1000;
        if (video?.videoWidth) video.requestVideoFrameCallback(() => done((performance.now() - began) / 1000));
        else if (seconds > limit) done(null);
        else setTimeout(look, 20);
    };
    look();
})"""
RATE = """video => new Promise(done => {
    let shown = 0;
    const began = performance.now();
    const seen = () => {
        shown++;
        video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
    setTimeout(() => done(shown / (performance.now() - began) * 1000), 2000);
})"""
STORY = """video => [video.paused, video.readyState, video.videoWidth, video.currentTime,
    ...(video.srcObject?.getTracks() ?? []).map(each => [each.kind, each.muted, each.readyState])]"""
SENT = """async kind => {
    let sum = 0;
    for (const each of rig.connections)
        if (each.connectionState === "connected")
            for (const row of (await each.getStats()).values())
                if (row.type === "outbound-rtp" && row.kind === kind) sum += row.packetsSent ?? 0;
    return sum;
}"""


class Caller:
    """A page of the call."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    def wait(self, condition: str, argument: Any = None) -> None:
        """Until this JavaScript is true."""
        self.page.wait_for_function(condition, arg=argument, timeout=MILLISECONDS)

    def press(self, testid: str) -> None:
        """Click on what has this test id."""
        self.page.get_by_test_id(testid).click()

    def join(self) -> None:
        """From the lobby into the room, with camera and microphone on."""
        self.wait("document.querySelector('[data-testid=preview]').dataset.picture === 'true'")
        self.press("join")
        self.wait("document.querySelector('[data-testid=call]').dataset.room === 'joined'")

    def tile(self, name: str, source: str = "camera") -> str:
        """The selector of somebody's tile."""
        return f'[data-testid=tile][data-name="{name}"][data-source={source}]'

    def sees(self, name: str, **data: str) -> None:
        """Wait until somebody's tile is there and says this."""
        wanted = "".join(f'[data-{key}="{value}"]' for key, value in data.items())
        self.wait("selector => document.querySelector(selector)", self.tile(name) + wanted)

    def misses(self, name: str, source: str = "camera") -> None:
        """Wait until somebody's tile is gone."""
        self.wait("selector => !document.querySelector(selector)", self.tile(name, source))

    def watches(self, name: str, source: str = "camera") -> None:
        """Wait until ten more pictures of somebody were shown."""
        video = self.page.locator(self.tile(name, source) + " video")
        shown = video.evaluate(PICTURES, 10)
        assert shown == 10, f"{self.name} saw {shown} pictures of {name}: {video.evaluate(STORY)}"

    def first_picture(self, name: str) -> float:
        """Wait for somebody's first picture; the seconds that it took."""
        found = self.page.evaluate(FIRST, [name, MILLISECONDS / 1000])
        assert found is not None, f"{self.name} sees no picture of {name}"
        return round(float(found), 2)

    def rate(self, name: str) -> float:
        """Pictures of somebody that are shown in a second."""
        return round(float(self.page.locator(self.tile(name) + " video").evaluate(RATE)), 1)

    def colour(self, name: str, source: str = "camera") -> list[int]:
        """Of the band in somebody's picture."""
        found = self.page.locator(self.tile(name, source) + " video").evaluate(COLOUR)
        assert found, f"{self.name} sees no picture of {name}"
        return list(found)

    def sent(self, kind: str) -> int:
        """Packets of this kind that were sent so far, to everybody."""
        return int(self.page.evaluate(SENT, kind))

    def figure(self, row: str) -> str:
        """A cell of the statistics, of the first of the others."""
        return self.page.locator(f"[data-testid=figures-panel] tr[data-row={row}] td").first.inner_text()


def enter(place: Browser | BrowserContext, url: str, name: str, room: str, *, wire: str = "auto") -> Caller:
    """The lobby of a room, with generated pictures."""
    page = place.new_page()
    page.set_default_timeout(MILLISECONDS)
    page.add_init_script(path=RIG)
    page.goto(f"{url}/call/?fake=1&name={name}&wire={wire}#{room}")
    return Caller(page, name)


Lobby = Callable[..., Caller]
"""`lobby(browser, name, room)`: somebody in the lobby; the page is closed at the end, and may log no error."""
