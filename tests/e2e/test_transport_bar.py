"""The transport bar and the break menu of the demo pages: every wire by choice, every break survived by the count."""

from itertools import product

import pytest
from playwright.sync_api import Browser, expect

from wirehop.testing.full import cases

from .chatting import CHOICES, Chat
from .conftest import StartServer
from .servers import Publisher, Server
from .watching import OpenPage, Watch, wait

BROWSERS = ["chromium", "firefox"]
PHONE = {"width": 390, "height": 844}
BACK_SECONDS = 60.0  # a tunnel, and a backoff behind it on a busy machine

IN_A_TUNNEL = """async () => {
    const button = document.querySelector("[data-testid=breaks]");
    const left = () => Number(/Tunnel (\\d+) s/.exec(button.textContent)?.[1] ?? 0);
    const counted = async least => {
        while (left() > least) await new Promise(done => setTimeout(done, 20));
        return document.querySelector("[data-testid=count-received]").textContent;
    };
    return {early: await counted(8), late: await counted(3), left: left()};
}"""
"""What is counted with 8 seconds of the tunnel left, and with 3."""


def say(number: int) -> dict[str, object]:
    return {"id": f"n{number}", "name": "Cleo", "text": f"number {number}", "wire": "http"}


def check_counts(chat: Chat, published: int, session: str) -> None:
    """All that was published was seen, once, by the same session."""
    chat.wait_count("received", published, BACK_SECONDS)
    counted = {name: chat.count(name) for name in ("received", "doubled", "missing")}
    assert counted == {"received": published, "doubled": 0, "missing": 0}
    assert chat.session == session
    texts = chat.texts()
    assert texts == [f"number {number}" for number in range(1, published + 1)]


def test_each_wire_by_choice_and_the_choice_given_back(
    browser: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire="auto")
    session = chat.session
    with Publisher(server, f"chat:{room}", every=0.1, render=say) as publisher:
        for number, wire in enumerate(CHOICES[2:], start=1):  # from WebSocket, where auto begins
            chat.switch(wire)
            chat.wait_count("resumes", number)
            expect(chat.page.get_by_test_id("transport-now")).to_contain_text("you have chosen it")
        chat.page.get_by_test_id("wire-auto").click()
        chat.wait_wire("websocket")
        expect(chat.page.get_by_test_id("transport-now")).to_contain_text("better than JSONP")
    check_counts(chat, publisher.count, session)
    wait(chat.page, "/^[0-9.]+ (ms|s)$/.test(document.querySelector('[data-testid=transport-round-trip]').textContent)")
    wait(chat.page, "/^[0-9.]+ s ago$/.test(document.querySelector('[data-testid=transport-silence]').textContent)")


def test_the_details_say_what_was_measured(browser: Browser, server: Server, open_page: OpenPage, room: str) -> None:
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire="websocket")
    chat.switch("sse")
    chat.page.get_by_test_id("transport-now").focus()
    chat.page.keyboard.press("Enter")
    details = chat.page.get_by_test_id("transport-details")
    expect(details).to_be_visible()
    expect(chat.page.get_by_test_id("transport-why")).to_have_text("On SSE: you have chosen it.")
    expect(details.locator("tr.is-current td").nth(2)).to_have_text("1")  # worked once
    expect(details.locator("tr.is-current td").nth(5)).to_contain_text("ms")
    expect(details).to_contain_text(chat.session)
    chat.page.keyboard.press("Escape")
    expect(details).to_be_hidden()


def test_a_wire_is_chosen_by_the_keyboard(browser: Browser, server: Server, open_page: OpenPage, room: str) -> None:
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire="stream")
    chat.page.locator("input[name=wire][value=stream]").focus()
    chat.page.keyboard.press("ArrowRight")
    chat.wait_wire("sse")


def test_jsonp_is_a_choice_only_where_the_server_has_it(
    chromium: Browser, server: Server, start_server: StartServer, open_page: OpenPage, room: str
) -> None:
    with_jsonp = Chat.open(open_page, chromium, server.url, room=room, name="Ada", wire="auto")
    expect(with_jsonp.page.get_by_test_id("wire-jsonp")).to_be_visible()
    without = Chat.open(
        open_page, chromium, start_server("--dev", "--no-transports-jsonp").url, room=room, name="Ada", wire="auto"
    )
    expect(without.page.get_by_test_id("wire-short-poll")).to_be_visible()
    expect(without.page.get_by_test_id("wire-jsonp")).to_be_hidden()


@pytest.mark.parametrize("wire", ["auto", "stream", "sse"])
def test_a_cut_is_survived(
    browser: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch, wire: str
) -> None:
    watch.expect()
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire=wire)
    session = chat.session
    with Publisher(server, f"chat:{room}", every=0.1, render=say) as publisher:
        chat.wait_count("received", 3)
        chat.break_it("cut")
        chat.wait_count("resumes", 1, BACK_SECONDS)
        chat.wait_live(BACK_SECONDS)
        chat.wait_count("received", publisher.count + 3)
    check_counts(chat, publisher.count, session)


@pytest.mark.parametrize("wire", ["long-poll", "short-poll", "jsonp"])
def test_polls_that_are_cut_are_asked_again(
    chromium: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch, wire: str
) -> None:
    """Of a cut between two polls, or in one, the session does not even hear."""
    watch.expect()
    chat = Chat.open(open_page, chromium, server.url, room=room, name="Ada", wire=wire)
    session = chat.session
    with Publisher(server, f"chat:{room}", every=0.1, render=say) as publisher:
        for _ in range(3):
            chat.wait_count("received", publisher.count + 1)
            chat.break_it("cut")
        chat.wait_count("received", publisher.count + 3)
    check_counts(chat, publisher.count, session)


@pytest.mark.parametrize(
    ("browser", "wire"),
    cases([("firefox", "auto"), ("chromium", "long-poll")], list(product(BROWSERS, ["auto", "long-poll"]))),
    indirect=["browser"],
)
def test_a_tunnel_is_survived_and_what_was_written_in_it_is_sent_once(
    browser: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch, wire: str
) -> None:
    watch.expect()
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire=wire)
    session = chat.session
    with Publisher(server, f"chat:{room}", every=0.1, render=say) as publisher:
        chat.wait_count("received", 3)
        chat.break_it("tunnel")
        expect(chat.page.get_by_test_id("breaks")).to_contain_text("Tunnel")
        chat.send("from the tunnel")
        assert chat.message("from the tunnel")["state"] == "sending"
        counted = chat.page.evaluate(IN_A_TUNNEL)
        assert counted["left"] > 0
        assert counted["early"] == counted["late"], "something came through"
        assert "from the tunnel" not in [said["text"] for said in server.history(f"chat:{room}")]
        if wire == "auto":
            chat.wait_count("resumes", 1, BACK_SECONDS)
        chat.wait_count("received", publisher.count + 3, BACK_SECONDS)
        chat.wait_live(BACK_SECONDS)
        wait(chat.page, "document.querySelectorAll('.message[data-state=sending]').length === 0")
    chat.wait_count("received", publisher.count + 1, BACK_SECONDS)  # one of them is the page's own
    assert {name: chat.count(name) for name in ("received", "doubled", "missing")} == {
        "received": publisher.count + 1,
        "doubled": 0,
        "missing": 0,
    }
    kept = [said["text"] for said in server.history(f"chat:{room}")]
    assert kept.count("from the tunnel") == 1
    assert chat.message("from the tunnel")["state"] == "sent"
    assert chat.texts() == kept
    assert chat.session == session


@pytest.mark.parametrize("browser", cases(["chromium"], BROWSERS), indirect=True)
def test_a_slow_link_is_survived_also_from_wire_to_wire(
    browser: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch
) -> None:
    watch.expect()
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire="websocket")
    session = chat.session
    with Publisher(server, f"chat:{room}", every=0.1, render=say) as publisher:
        chat.wait_count("received", 3)
        chat.break_it("slow")
        expect(chat.page.get_by_test_id("breaks")).to_contain_text("Slow")
        for number, wire in enumerate(("stream", "long-poll", "sse", "jsonp"), start=1):
            chat.switch(wire)
            chat.wait_count("resumes", number)
        wait(chat.page, "parseFloat(document.querySelector('[data-testid=transport-round-trip]').textContent) >= 0.8")
        chat.break_it("slow")
        chat.wait_count("received", publisher.count + 3)
    check_counts(chat, publisher.count, session)


@pytest.mark.parametrize("browser", cases(["firefox"], BROWSERS), indirect=True)
def test_without_websocket_the_session_goes_on_over_another_wire(
    browser: Browser, server: Server, open_page: OpenPage, room: str, watch: Watch
) -> None:
    watch.expect()
    chat = Chat.open(open_page, browser, server.url, room=room, name="Ada", wire="auto")
    session = chat.session
    with Publisher(server, f"chat:{room}", every=0.1, render=say) as publisher:
        chat.wait_count("received", 3)
        chat.break_it("websocket")
        chat.wait_wire("stream", "sse", "long-poll", seconds=BACK_SECONDS)
        chat.wait_count("resumes", 1)
        chat.page.get_by_test_id("wire-websocket").click()  # it is refused: the session stays where it is
        expect(chat.page.get_by_test_id("transport-now")).to_contain_text("WebSocket is tried", timeout=30_000)
        chat.break_it("websocket")
        chat.wait_wire("websocket", seconds=BACK_SECONDS)
        chat.wait_count("received", publisher.count + 3)
    check_counts(chat, publisher.count, session)


def test_on_a_phone_the_choice_is_in_the_panel(
    browser: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    for path in ("chat", "monitor"):
        page = open_page(browser, f"{server.url}/{path}/?wire=websocket#{room}", viewport=PHONE)
        wait(page, "document.querySelector('[data-testid=transport]').dataset.wire === 'websocket'")
        expect(page.get_by_test_id("wire-sse")).to_be_hidden()
        page.get_by_test_id("transport-now").click()
        page.get_by_test_id("wire-sse").click()
        wait(page, "document.querySelector('[data-testid=transport]').dataset.wire === 'sse'")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
