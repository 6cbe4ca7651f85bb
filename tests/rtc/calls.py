"""Two pages in a plain call, and what a call's statistics say. The signals are carried by the test."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

RIG = Path(__file__).with_name("rig.js")
RED, BLUE = (200, 40, 40), (40, 40, 200)

Report = dict[str, Any]
"""As `rig.report` gives it."""


def blank_page(browser: Browser | BrowserContext) -> Page:
    """A page with the rig and nothing else."""
    page = browser.new_page()
    page.add_init_script(path=RIG)
    page.goto("about:blank")
    if not page.evaluate("!!globalThis.rig"):
        page.add_script_tag(path=RIG)
    return page


class Peer:
    """One side of a plain call: a page with a peer connection, a camera of one colour and a tone."""

    def __init__(
        self, page: Page, servers: Sequence[Mapping[str, Any]], *, colour: Sequence[int], policy: str = "all"
    ) -> None:
        self._page = page
        configuration = {"iceServers": list(servers), "iceTransportPolicy": policy}
        camera = {"colour": list(colour)}
        page.evaluate("([c, camera]) => { globalThis.peer = rig.call(c, camera); }", [configuration, camera])

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the page's side."""
        return self._page.evaluate("([method, values]) => peer[method](...values)", [method, list(arguments)])

    def report(self) -> Report:
        """The statistics now."""
        report: Report = self.ask("report")
        return report

    def seen(self) -> dict[str, Any] | None:
        """The picture that it shows now: latency and colour."""
        return self._page.evaluate("rig.read(peer.video)")

    def errors(self) -> list[dict[str, Any]]:
        """Of gathering candidates."""
        return self._page.evaluate("peer.errors")


class Call:
    """A call between two pages."""

    def __init__(self, left: Peer, right: Peer) -> None:
        self.left, self.right = left, right
        self._begin = time.monotonic()
        offer = left.ask("offer")
        left.ask("accept", right.ask("answer", offer))

    def connects(self, *, seconds: float = 30.0, frames: int = 5) -> bool:
        """Carry candidates until both sides have decoded some frames, or for so long."""
        while True:
            for peer, other in ((self.left, self.right), (self.right, self.left)):
                if candidates := peer.ask("take"):
                    other.ask("add", candidates)
            reports = self.reports()
            if all(each["framesDecoded"] >= frames for each in reports):
                self.seconds = time.monotonic() - self._begin
                return True
            if time.monotonic() - self._begin > seconds:
                return False
            time.sleep(0.05)

    def reports(self) -> tuple[Report, Report]:
        """The statistics of both sides."""
        return self.left.report(), self.right.report()

    def path(self) -> tuple[str, str]:
        """The nominated pair as each side's local candidate: its type, and how it gets to the relay."""
        left, right = (words(each["local"]) for each in self.reports())
        return left, right


PlainCall = Callable[..., Call]
"""`plain_call(places, servers, policy=…)`: two pages, one per browser, that call each other."""


def words(candidate: Mapping[str, Any]) -> str:
    """`host`, `srflx`, `prflx`, or `relay/udp`, `relay/tcp`, `relay/tls`."""
    way = candidate["relayProtocol"]
    return f"{candidate['type']}/{way}" if way else str(candidate["type"])


def rate(before: Report, after: Report) -> float:
    """Decoded frames per second between two reports."""
    return 1000.0 * (after["framesDecoded"] - before["framesDecoded"]) / (after["at"] - before["at"])


def check_pictures(call: Call) -> None:
    """Each side shows the other's camera as it is now, at a rate at which it can be looked at."""
    before = call.reports()
    time.sleep(1.0)
    after = call.reports()
    rates = [rate(*each) for each in zip(before, after, strict=True)]
    print(f"connected in {call.seconds:.2f} s, {rates[0]:.0f} and {rates[1]:.0f} frames/s, {call.path()}")
    assert min(rates) > 5
    for peer, colour in ((call.left, BLUE), (call.right, RED)):
        seen = next(filter(None, (peer.seen() for _ in range(20))))
        assert all(abs(is_ - should) < 60 for is_, should in zip(seen["colour"], colour, strict=True)), seen
        assert seen["latency"] < 5000
    for report in after:
        assert report["dtls"] == "connected"
        assert report["cipher"]
        assert report["audioPackets"] > 0
