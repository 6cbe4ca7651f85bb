"""The market page as the tests drive it, and a reference book that is fed by the whole feed."""

import asyncio
import threading
from typing import Any

from playwright.sync_api import Browser, Page

from wirehop.client import Client
from wirehop.client.publication import Publication

from .servers import until
from .watching import OpenPage, wait

Levels = dict[int, int]
STARTED_SECONDS = 20.0


class Reference:
    """A book of its own, from a snapshot and every change since. Use it as a context manager."""

    def __init__(self, url: str, *, seed: int, symbol: str) -> None:
        self._url, self._asked = url, {"seed": seed, "symbol": symbol}
        self._channel = f"market:{seed}:{symbol}:all"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reference book", daemon=True)
        self._over = asyncio.Event()
        self._diffs: list[dict[str, Any]] = []
        self._snapshot: dict[str, Any] = {}

    def __enter__(self) -> "Reference":
        self._thread.start()
        self._following = asyncio.run_coroutine_threadsafe(self._follow(), self._loop)
        until(lambda: self._snapshot, seconds=STARTED_SECONDS, what="a snapshot")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._following.result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _follow(self) -> None:
        def take(publication: Publication) -> None:
            self._diffs.append(publication.data)  # type: ignore[arg-type]

        async with Client(self._url) as client, client.subscribe(self._channel, on_publication=take):
            self._snapshot = await client.rpc("market.snapshot", self._asked)
            await self._over.wait()

    @property
    def seq(self) -> int:
        """The newest change that it has."""
        return max([self._snapshot["seq"], *(diff["seq"] for diff in self._diffs[-1:])])

    def at(self, seq: int) -> tuple[Levels, Levels]:
        """Bids and asks after that change, change by change."""
        until(lambda: self.seq >= seq, seconds=STARTED_SECONDS, what=f"change {seq}")
        book: dict[str, Levels] = {"b": dict(self._snapshot["bids"]), "a": dict(self._snapshot["asks"])}
        last = self._snapshot["seq"]
        assert seq >= last, "from before the reference began"
        for diff in list(self._diffs):
            for number, (side, price, quantity) in enumerate(diff["levels"], diff["prev"] + 1):
                if last < number <= seq:
                    assert number == last + 1, f"the whole feed has a hole before {number}"
                    last = number
                    book[side].pop(price, None)
                    if quantity:
                        book[side][price] = quantity
        assert last == seq
        return book["b"], book["a"]


class Floor:
    """A page of the market."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(
        cls,
        open_page: OpenPage,
        browser: Browser,
        base: str,
        *,
        seed: int,
        wire: str = "websocket",
        symbol: str = "WIRE",
        **options: Any,
    ) -> "Floor":
        """Open it, and wait for its book."""
        floor = cls(open_page(browser, f"{base}/market/?wire={wire}&seed={seed}#{symbol}", label=wire, **options))
        floor.wait_book()
        return floor

    def wait_book(self, seconds: float = 30.0) -> None:
        """Until there is a book, and nothing is missing in it."""
        wait(self.page, "window.wirehopDemo?.feedState === 'live'", seconds=seconds)

    def read(self, what: str) -> Any:
        """Of what the page says about itself."""
        return self.page.evaluate(f"window.wirehopDemo.{what}")

    def pass_change(self, seq: int) -> None:
        """Until its book has come so far."""
        wait(self.page, "seq => window.wirehopDemo.book().seq >= seq", seq, seconds=60)

    def book(self) -> tuple[int, Levels, Levels]:
        """The change that it is at; its bids and its asks."""
        found = self.read("book()")
        return found["seq"], dict(found["bids"]), dict(found["asks"])

    def set_slider(self, test_id: str, value: int) -> None:
        """As a hand does."""
        self.page.get_by_test_id(test_id).evaluate(
            """(slider, value) => {
                slider.value = value;
                slider.dispatchEvent(new Event("input", {bubbles: true}));
                slider.dispatchEvent(new Event("change", {bubbles: true}));
            }""",
            value,
        )

    def lose_a_change(self) -> float:
        """And how many milliseconds it took until the book was whole again."""
        before = self.read("counts.resyncs")
        self.page.get_by_test_id("gap").click()
        wait(self.page, "before => window.wirehopDemo.counts.resyncs > before", before, seconds=60)
        return self.read("counts.resyncMilliseconds")
