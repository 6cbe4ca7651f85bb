"""One connection for all tabs of a browser: who has it may close, reload or crash, and the others go on without a gap.

Pages of one browser context share, as the tabs of one window do.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page

from .conftest import StartServer
from .impaired import Impaired
from .servers import Publisher, Server, until
from .watching import OpenPage, Watch, wait

START = """async ([room, options]) => {
    const {connect} = await import("/sdk/wirehop.js");
    window.states = [];
    const kept = JSON.parse(sessionStorage.getItem("kept") ?? "{}"); // in one piece, for a reload at any moment
    window.seen = kept.seen ?? [];
    window.gaps = [];
    window.client = connect("/", options);
    client.on("state", ({state}) => states.push(state));
    if (options.method) client.handle(options.method, (data) => ({by: options.name, data}));
    window.channel = client.channel(room, {position: kept.position});
    channel.on("subscribed", ({recovered}) => { if (recovered === false) gaps.push(seen.length); });
    channel.on("publication", ({offset, position}) => {
        seen.push(offset);
        sessionStorage.setItem("kept", JSON.stringify({seen, position}));
    });
}"""

CALLING_APP = """
from wirehop import Node

node = Node()

@node.rpc("ask")
async def ask(client, data):
    return await client.call(data["method"], data["data"])
"""
QUIET = "/sdk/wirehop.js"
"""A page that opens no connection of its own, as the one at `/` does."""

OpenTabs = Callable[[Browser, str, int], list[Page]]


@pytest.fixture
def open_tabs(open_page: OpenPage, watch: Watch) -> OpenTabs:
    """`open_tabs(browser, url, 3)`: as many pages of one browser window, without a client yet."""

    def open_them(browser: Browser, url: str, count: int) -> list[Page]:
        watch.expect()  # the page has no icon, and its server does neither
        pages = [open_page(browser, url + QUIET)]
        for _ in range(count - 1):
            pages.append(open_another(pages[0], url, watch))
        return pages

    return open_them


def open_another(beside: Page, url: str, watch: Watch) -> Page:
    page = beside.context.new_page()
    watch.follow(page, "another tab")
    page.goto(url + QUIET)
    return page


def start(page: Page, room: str, **options: object) -> None:
    page.evaluate(START, [room, {"shared": True, **options}])


def is_live(page: Page) -> None:
    wait(page, "client.state === 'live' && channel.isLive")


def leader_of(pages: list[Page]) -> Page:
    """The one that has the connection: exactly one."""

    def find() -> list[Page]:
        return [each for each in pages if each.evaluate("client.role") == "leader"]

    until(lambda: len(find()) == 1, seconds=30, what="one leader")
    return find()[0]


def check_whole(pages: list[Page]) -> None:
    """Each saw everything from its first to the last, once and in order, and nobody spoke of a gap."""
    last = 0
    for page in pages:
        seen = page.evaluate("seen")
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert page.evaluate("gaps") == []
        last = max(last, seen[-1])
    for page in pages:
        wait(page, f"seen.at(-1) >= {last}")


def sees_more(page: Page, count: int = 5) -> None:
    before = page.evaluate("seen.length")
    wait(page, f"seen.length >= {before + count}")


def test_two_tabs_have_one_connection(
    browser: Browser, server: Server, impair: Callable[[Server], Impaired], open_tabs: OpenTabs, room: str
) -> None:
    proxy = impair(server)
    pages = one, other = open_tabs(browser, proxy.url, 2)
    for name, page in (("one", one), ("other", other)):
        start(page, room, wires="websocket", name=name, method=f"for-{name}")
        is_live(page)
    assert proxy.websockets == 1
    assert {each.evaluate("client.role") for each in pages} == {"leader", "follower"}
    assert one.evaluate("client.id") == other.evaluate("client.id")
    assert len(other.evaluate("channel.presence()")) == 1
    offsets = [page.evaluate("channel.publish('hello').then(found => found.offset)") for page in (one, other, one)]
    assert offsets == [1, 2, 3]
    for page in pages:
        wait(page, "seen.length === 3")
        assert page.evaluate("client.rpc('nothing').catch(error => error.code)") == 104
        assert len(page.evaluate("channel.history().then(({publications}) => publications)")) == 3
        assert page.evaluate("client.send('x').then(() => 'sent')") == "sent"
    check_whole(pages)
    follower = other if leader_of(pages) is one else one
    follower.evaluate("client.move('websocket')")
    for page in pages:
        wait(page, "client.moves === 1")


def test_a_channel_lasts_as_long_as_a_tab_wants_it(
    browser: Browser, server: Server, open_tabs: OpenTabs, open_page: OpenPage, room: str
) -> None:
    one, other = open_tabs(browser, server.url, 2)
    apart = open_page(browser, server.url)
    for page in (one, other, apart):
        start(page, room)
        is_live(page)
    who, elsewhere = one.evaluate("client.id"), apart.evaluate("client.id")
    assert who != elsewhere
    one.evaluate("channel.unsubscribe()")
    other.evaluate("channel.publish(1)")
    wait(other, "seen.length === 1")
    assert one.evaluate("seen.length") == 0
    assert who in apart.evaluate("channel.presence()")
    other.close()
    wait(apart, f"channel.presence().then(found => !('{who}' in found))")
    assert one.evaluate("client.rpc('nothing').catch(error => error.code)") == 104


def test_another_scope_has_another_connection(browser: Browser, server: Server, open_tabs: OpenTabs, room: str) -> None:
    pages = open_tabs(browser, server.url, 3)
    for page, scope in zip(pages, ("ann", "ben", "ann"), strict=True):
        start(page, room, shared=scope)
        is_live(page)
    ids = [page.evaluate("client.id") for page in pages]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize("how", ["close", "client.close", "freeze"])
def test_when_the_leader_goes_the_others_go_on(
    browser: Browser, server: Server, open_tabs: OpenTabs, room: str, watch: Watch, how: str
) -> None:
    check_others_go_on(browser, server, open_tabs, room, watch, how)


def test_when_the_leader_crashes_the_others_go_on(
    chromium: Browser, server: Server, open_tabs: OpenTabs, room: str, watch: Watch
) -> None:
    """Firefox has no page that crashes."""
    check_others_go_on(chromium, server, open_tabs, room, watch, "crash")


def check_others_go_on(
    browser: Browser, server: Server, open_tabs: OpenTabs, room: str, watch: Watch, how: str
) -> None:
    """The leader ends in this way while publications flow and its followers ask."""
    pages = open_tabs(browser, server.url, 3)
    for page in pages:
        start(page, room)
        is_live(page)
    who = pages[0].evaluate("client.id")
    with Publisher(server, room, every=0.02):
        for page in pages:
            sees_more(page)
        leader = leader_of(pages)
        others = [page for page in pages if page is not leader]
        asked = [
            page.evaluate_handle("""({promises: Array.from({length: 20}, (_, i) => channel.publish(String(i)))})""")
            for page in others
        ]
        end(leader, how, watch)
        for page in others:
            sees_more(page, 10)
        for page, handle in zip(others, asked, strict=True):
            positions = page.evaluate("({promises}) => Promise.all(promises)", handle)
            offsets = [each["offset"] for each in positions]
            assert offsets == sorted(set(offsets))
        assert leader_of(others)
        if how == "freeze":
            leader.evaluate("document.dispatchEvent(new Event('resume'))")
            wait(leader, "client.state === 'live'")
            sees_more(leader)
            assert leader.evaluate("client.role") == "follower"
            others.append(leader)
    check_whole(others)
    assert {page.evaluate("client.id") for page in others} == {who}


def end(page: Page, how: str, watch: Watch) -> None:
    if how == "close":
        page.close()
    elif how == "client.close":
        page.evaluate("client.close()")
    elif how == "freeze":
        page.evaluate("document.dispatchEvent(new Event('freeze'))")
    else:
        watch.expect(re.compile(re.escape(page.url)))
        try:
            page.goto("chrome://crash", timeout=3000)
        except Error:
            return


def test_a_leader_that_reloads_comes_back_as_a_follower(
    browser: Browser, server: Server, open_tabs: OpenTabs, room: str
) -> None:
    pages = open_tabs(browser, server.url, 2)
    for page in pages:
        start(page, room)
        is_live(page)
    who = pages[0].evaluate("client.id")
    with Publisher(server, room, every=0.02):
        for _ in range(3):
            for page in pages:
                sees_more(page)
            leader = leader_of(pages)
            leader.reload()
            start(leader, room)
            is_live(leader)
            sees_more(leader)
            assert leader.evaluate("client.role") == "follower"
    check_whole(pages)
    assert {page.evaluate("client.id") for page in pages} == {who}


def test_calls_of_the_server_go_to_the_tab_that_answers_them(
    chromium: Browser,
    start_server: StartServer,
    open_tabs: OpenTabs,
    room: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "calling_app.py").write_text(CALLING_APP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = start_server("calling_app:node", "--dev")
    one, other = pages = open_tabs(chromium, server.url, 2)
    for name, page in (("one", one), ("other", other)):
        start(page, room, name=name, method=f"for-{name}")
        is_live(page)
    ask = "method => client.rpc('ask', {method, data: 7}).catch(error => error.code)"
    for page in pages:
        for name in ("one", "other"):
            assert page.evaluate(ask, f"for-{name}") == {"by": name, "data": 7}
    one.close()
    wait(other, "client.role === 'leader' && client.state === 'live'")
    assert other.evaluate(ask, "for-other") == {"by": "other", "data": 7}


def test_the_last_tab_ends_the_session(
    chromium: Browser, server: Server, open_tabs: OpenTabs, open_page: OpenPage, room: str
) -> None:
    one, other = open_tabs(chromium, server.url, 2)
    apart = open_page(chromium, server.url)
    for page in (one, other, apart):
        start(page, room)
        is_live(page)
    who = one.evaluate("client.id")
    one.close()
    sees = f"channel.presence().then(found => '{who}' in found)"
    assert apart.evaluate(sees)
    wait(other, "client.role === 'leader' && client.state === 'live'")
    assert apart.evaluate(sees)
    other.goto("about:blank")
    wait(apart, f"{sees}.then(found => !found)")


def test_ten_tabs_share_one_event_stream(
    browser: Browser, server: Server, impair: Callable[[Server], Impaired], open_tabs: OpenTabs, room: str
) -> None:
    """HTTP/1.1: a browser opens six connections to a server, and each event stream takes one."""
    proxy = impair(server)
    pages = open_tabs(browser, proxy.url, 10)
    for page in pages:
        start(page, room, wires="sse")
    for page in pages:
        is_live(page)
    assert all(page.evaluate("client.transport") == "sse" for page in pages)
    for number, page in enumerate(pages):
        assert page.evaluate("number => channel.publish(number).then(found => found.offset)", number) == number + 1
    for page in pages:
        wait(page, "seen.length === 10")
    check_whole(pages)
    assert len(pages[0].evaluate("channel.presence()")) == 1


def test_ten_event_streams_of_their_own_stall(browser: Browser, server: Server, open_tabs: OpenTabs, room: str) -> None:
    """What sharing is for."""
    pages = open_tabs(browser, server.url, 10)
    for page in pages:
        page.evaluate(
            """room => {
                window.source = new EventSource(`/channels/${room}`);
                window.isOpen = false;
                source.onopen = () => { isOpen = true; };
            }""",
            room,
        )
    until(lambda: sum(page.evaluate("isOpen") for page in pages) >= 6, seconds=30, what="six open streams")
    time.sleep(0.5)
    assert sum(page.evaluate("isOpen") for page in pages) == 6
    for page in pages:
        page.evaluate("source.close()")


def test_ten_tabs_that_do_not_share_work_over_websockets(
    browser: Browser, server: Server, impair: Callable[[Server], Impaired], open_tabs: OpenTabs, room: str
) -> None:
    """Their number is not limited to six."""
    proxy = impair(server)
    pages = open_tabs(browser, proxy.url, 10)
    for page in pages:
        start(page, room, shared=False, wires="auto")
    for page in pages:
        is_live(page)
    server.publish(room, "to all")
    for page in pages:
        wait(page, "seen.length === 1")
        assert page.evaluate("client.transport") == "websocket"
        assert page.evaluate("client.role") == "alone"
    assert proxy.websockets == 10


def test_without_locks_a_tab_has_its_own_connection(
    chromium: Browser, server: Server, open_page: OpenPage, room: str
) -> None:
    page = open_page(chromium, server.url)
    page.evaluate("Object.defineProperty(navigator, 'locks', {value: undefined})")
    start(page, room)
    is_live(page)
    assert page.evaluate("client.role") == "alone"
    assert "Web Locks" in page.evaluate("client.wires().notShared")
