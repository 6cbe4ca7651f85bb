"""One person at the chat page, as the tests drive it: only what a person sees and the page's test ids."""

from typing import Any

from playwright.sync_api import Browser, Page

from .watching import OpenPage, wait

CHOICES = ("auto", "websocket", "stream", "sse", "long-poll", "short-poll", "jsonp")
WIRES = ("websocket", "sse", "long-poll", "short-poll", "jsonp")
LABELS = {
    "websocket": "WebSocket",
    "stream": "Stream",
    "sse": "SSE",
    "long-poll": "Long poll",
    "short-poll": "Short poll",
    "jsonp": "JSONP",
}

_BAR = "document.querySelector('[data-testid=transport]')"
_STATE = "document.querySelector('[data-testid=state]')"
_TEXTS = "[...document.querySelectorAll('[data-testid=messages] .message .text')].map(node => node.textContent)"


class Chat:
    """A page in a room, over a wire, under a name."""

    def __init__(self, page: Page, *, name: str, wire: str) -> None:
        self.page = page
        self.name = name
        self.wire = wire

    @classmethod
    def open(
        cls, open_page: OpenPage, browser: Browser, base: str, *, room: str, name: str, wire: str, **options: Any
    ) -> "Chat":
        """Open the page, and say the name."""
        label = f"{browser.browser_type.name} as {name} on {wire}"
        page = open_page(browser, f"{base}/chat/?wire={wire}#{room}", label=label, **options)
        chat = cls(page, name=name, wire=wire)
        chat.wait_live()
        page.get_by_test_id("name-input").fill(name)
        page.get_by_test_id("name-input").press("Enter")
        chat.wait_live()
        return chat

    # ---- the connection

    def wait_live(self, seconds: float = 30.0) -> None:
        """Until the state says live."""
        try:
            wait(self.page, f"{_STATE}?.textContent.trim() === 'live'", seconds=seconds)
        except Exception as error:
            raise AssertionError(f"{self.name} on {self.wire} is not live but {self.state!r}") from error

    def wait_not_live(self, seconds: float = 30.0) -> None:
        """Until the state says anything else."""
        wait(self.page, f"{_STATE}.textContent.trim() !== 'live'", seconds=seconds)

    @property
    def state(self) -> str:
        return self.page.evaluate(f"{_STATE}?.textContent + ' | ' + {_STATE}?.title")

    def switch(self, wire: str) -> None:
        """Choose another wire, and be on it in the same session."""
        if wire != self.wire:
            session = self.session
            self.page.get_by_test_id(f"wire-{wire}").click()
            self.wire = wire
            self.wait_wire(wire)
            assert self.session == session, f"{self.name} has another session on {wire}"
            assert self.state.startswith("live"), self.state

    def wait_wire(self, *wires: str, seconds: float = 30.0) -> None:
        """Until the page is on one of these wires."""
        try:
            wait(self.page, f"wires => wires.includes({_BAR}.dataset.wire)", list(wires), seconds=seconds)
        except Exception as error:
            bar = self.page.get_by_test_id("transport").inner_text()
            raise AssertionError(f"{self.name} is not on {wires}: {bar!r}, {self.state}") from error

    @property
    def session(self) -> str:
        """Its public id."""
        return self.page.evaluate(f"{_BAR}.dataset.session")

    def count(self, name: str) -> int:
        """What the bar has counted: received, doubled, missing, resumes."""
        return int(self.page.get_by_test_id(f"count-{name}").inner_text())

    def wait_count(self, name: str, least: int, seconds: float = 30.0) -> None:
        """Until the bar has counted so many."""
        expression = """([name, least]) =>
            Number(document.querySelector(`[data-testid=count-${name}]`).textContent) >= least"""
        try:
            wait(self.page, expression, [name, least], seconds=seconds)
        except Exception as error:
            bar = self.page.get_by_test_id("transport").inner_text()
            raise AssertionError(f"{self.name} has not counted {least} {name}: {bar!r}, {self.state}") from error

    def break_it(self, what: str) -> None:
        """An item of the break menu: cut, tunnel, slow, websocket."""
        self.page.get_by_test_id("breaks").click()
        self.page.get_by_test_id(f"break-{what}").click()
        if what in ("slow", "websocket"):  # switches leave the menu open
            self.page.keyboard.press("Escape")

    def enter(self, room: str) -> None:
        """Go to another room."""
        self.page.get_by_test_id("room-input").fill(room)
        self.page.get_by_test_id("room-input").press("Enter")

    # ---- talking

    def draft(self, text: str) -> None:
        """Write, but do not send."""
        self.page.get_by_test_id("message-input").fill(text)

    def send(self, text: str = "") -> None:
        """Send the draft, or this text."""
        if text:
            self.draft(text)
        self.page.get_by_test_id("send").click()

    # ---- what is seen

    def texts(self) -> list[str]:
        """The messages, top to bottom."""
        return self.page.evaluate(_TEXTS)

    def wait_text(self, text: str, seconds: float = 30.0) -> None:
        """Until this message is there."""
        try:
            wait(self.page, f"text => {_TEXTS}.includes(text)", text, seconds=seconds)
        except Exception as error:
            raise AssertionError(
                f"{text!r} did not reach {self.name} on {self.wire} ({self.state}); last seen: {self.texts()[-5:]}"
            ) from error

    def message(self, text: str) -> dict[str, str]:
        """Who, over which wire, in which state: of the one message with this text."""
        found = self.page.evaluate(
            """text => [...document.querySelectorAll('[data-testid=messages] .message')]
                .filter(node => node.querySelector('.text').textContent === text)
                .map(node => ({id: node.dataset.messageId ?? '', who: node.querySelector('.who').textContent,
                               badge: node.querySelector('.badge').textContent, state: node.dataset.state}))""",
            text,
        )
        assert len(found) == 1, f"{text!r} is there {len(found)} times for {self.name} on {self.wire}"
        return found[0]

    def wait_people(self, *names: str, seconds: float = 30.0) -> None:
        """Until exactly these people are shown."""
        people = "[...document.querySelectorAll('[data-testid=people] li')].map(li => li.textContent)"
        expression = f"""names => {{
            const shown = {people};
            return shown.length === names.length && names.every(name => shown.some(text => text.includes(name)));
        }}"""
        try:
            wait(self.page, expression, list(names), seconds=seconds)
        except Exception as error:
            shown = self.page.get_by_test_id("people").inner_text()
            raise AssertionError(f"{self.name} on {self.wire} sees {shown!r}, not {names}") from error

    def wait_typing(self, name: str = "", seconds: float = 30.0) -> None:
        """Until the line says that `name` is typing; without a name: until nobody is."""
        line = "document.querySelector('[data-testid=typing]').textContent.trim()"
        try:
            wait(self.page, f"name => name ? {line}.includes(name) : {line} === ''", name, seconds=seconds)
        except Exception as error:
            raise AssertionError(f"{self.name} on {self.wire} does not see {name or 'nobody'!r} typing") from error
