"""AI answers in the browser: each token once in every view, whatever happens to network, page and reader."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from wirehop.checker.faults import Fault, Refuse
from wirehop.lab.presets import PRESETS
from wirehop.testing.full import FULL, cases

from ..behaviour.speaking import Speaking, chunk, speaking
from .accessibility import problems
from .asking import Asking
from .conftest import StartServer
from .impaired import Impaired
from .servers import Server, until
from .watching import OpenPage, Watch, wait

WIRES = ("websocket", "stream", "sse", "long-poll", "short-poll", "jsonp")
COUNT = 1000 if FULL else 240
CUT_SECONDS = 5.0 if FULL else 1.0
STOP_SECONDS = 0.3
ATTEMPTS = 3
PHONE = {"width": 390, "height": 844}
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose queue is not shared with other tests."""
    with Server("--dev", log=tmp_path_factory.mktemp("ai") / "server.log") as each:
        yield each
    assert not each.errors(), "\n".join(each.errors())


class Api:
    """An API that a test tells what to say, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="AI endpoint", daemon=True)
        self._context = speaking()

    def __enter__(self) -> Speaking:
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._context.__aenter__(), self._loop).result(5)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._context.__aexit__(None, None, None), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def api() -> Iterator[Speaking]:
    with Api() as each:
        yield each


def faults_of(link: str) -> tuple[Fault, ...]:
    """What the link does to those who read over it."""
    return PRESETS[link].link.faults() if link != "clean" else ()


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Speaking]]:
    """A server whose answers are numbers, as many as the test allows."""
    log = tmp_path_factory.mktemp("counting") / "server.log"
    with Api() as api, Server("--dev", "--demos-ai-url", api.url, log=log) as each:
        api.says = (*(chunk(content=f"{number} ") for number in range(1, COUNT + 1)), chunk("stop"), "[DONE]")
        api.every = 0.005
        yield each, api
    assert not each.errors(), "\n".join(each.errors())


@pytest.mark.parametrize("link", cases(("clean",), ("clean", "train")))
@pytest.mark.parametrize("wire", cases(("websocket", "long-poll"), WIRES))
def test_every_view_ends_with_each_token_once(
    chromium: Browser,
    counting: tuple[Server, Speaking],
    impair: Callable[[Server], Impaired],
    open_page: OpenPage,
    watch: Watch,
    wire: str,
    link: str,
) -> None:
    watch.expect()
    server, api = counting
    proxy = impair(server)
    proxy.set(*faults_of(link))
    first = Asking.open(open_page, chromium, proxy.url, wire=wire)

    api.limit = COUNT // 5
    first.ask(f"Count to {COUNT}")
    first.wait_number(api.limit)
    other_device = Asking.open(open_page, chromium, server.url, wire=wire, conversation=first.conversation)
    first.page.reload()
    first.wait_number(api.limit)

    api.limit = COUNT * 2 // 5
    for view in (first, other_device):
        view.wait_number(api.limit)
    proxy.set(Refuse())
    proxy.cut()
    cut_at = time.monotonic()

    api.limit = COUNT * 3 // 5
    other_device.wait_number(api.limit)
    second_tab = Asking(other_device.page.context.new_page())
    watch.follow(second_tab.page, "second tab")
    second_tab.page.goto(other_device.page.url)
    second_tab.wait_number(api.limit)
    time.sleep(max(0.0, CUT_SECONDS - (time.monotonic() - cut_at)))  # the cut has to last
    assert first.numbers() == list(range(1, COUNT * 2 // 5 + 1))
    proxy.set(*faults_of(link))

    api.limit = len(api.says)
    for view in (first, other_device, second_tab):
        view.wait_number(COUNT)
        view.wait_states("done")
        assert view.numbers() == list(range(1, COUNT + 1))
        counters = view.counters()
        assert (counters["duplicates"], counters["gaps"]) == (0, 0), counters
    if wire in ("websocket", "stream", "sse"):  # the session went on; the tokens come before the wire is confirmed
        wait(first.page, "wirehopDemo.resumes >= 1", seconds=60)
    late = Asking.open(open_page, chromium, proxy.url, wire=wire, conversation=first.conversation)
    late.wait_states("done")
    assert late.numbers() == list(range(1, COUNT + 1))


def test_a_stop_reaches_the_generator_and_no_token_follows(
    chromium: Browser, start_server: StartServer, open_page: OpenPage, api: Speaking
) -> None:
    api.says, api.every = [chunk(content=f"{number} ") for number in range(1, 20_000)], 0.01
    server = start_server("--dev", "--demos-ai-url", api.url, "--demos-ai-model", "counter")
    page = Asking.open(open_page, chromium, server.url, wire="websocket")
    expect(page.page.get_by_test_id("model")).to_have_text("counter")
    waited = []
    for attempt in range(1, ATTEMPTS + 1):
        api.left_at = 0.0
        page.ask("Go on until I say stop")
        wait(page.page, f"document.querySelectorAll('[data-testid=answer-text]').length === {attempt}")
        wait(page.page, "[...document.querySelectorAll('[data-testid=answer-text]')].at(-1).textContent.length > 40")
        clicked = page.page.evaluate("""() => {
            [...document.querySelectorAll('[data-testid=stop]')].at(-1).click();
            return Date.now() / 1000;
        }""")
        left_at = until(lambda: api.left_at, seconds=20, what="the generator is left")
        waited.append(left_at - time.monotonic() + time.time() - clicked)
        page.wait_states(*["stopped"] * attempt)
        text, received = page.text(), page.counters()["received"]
        assert api.said * 0.01 < 60, "it was stopped, it did not come to its end"
        time.sleep(0.3)  # in which thirty tokens would come
        assert page.text() == text
        assert page.counters()["received"] == received
        if waited[-1] <= STOP_SECONDS:
            break
    assert waited[-1] <= STOP_SECONDS, f"the generator heard of it after {waited} s"
    api.status, api.says = 401, ({"error": {"message": "no"}},)
    page.ask("May I?")
    page.wait_states(*["stopped"] * len(waited), "failed")
    expect(page.page.get_by_test_id("error")).to_have_attribute("data-code", "unauthorized")


def test_what_waits_says_its_place_and_can_be_stopped(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = Asking.open(open_page, chromium, server.url)
    page.page.get_by_test_id("answers").select_option("3")
    page.ask("Count to 5000")
    page.wait_states(*["streaming"] * 3)
    page.ask("Count to 5000")
    page.wait_states(*["streaming"] * 4, "queued", "queued")
    said = page.page.get_by_test_id("answer-state")
    expect(said.nth(4)).to_have_text("1st in the queue")
    expect(said.nth(5)).to_have_text("2nd in the queue")
    expect(page.page.get_by_test_id("running")).to_have_text("4 of 4")
    expect(page.page.get_by_test_id("waiting")).to_have_text("2")
    page.page.get_by_test_id("stop").nth(0).evaluate("node => node.click()")
    page.wait_states("stopped", *["streaming"] * 4, "queued")
    expect(said.nth(5)).to_have_text("1st in the queue")
    page.page.get_by_test_id("prompt").press("Escape")
    page.wait_states(*["stopped"] * 6)
    expect(page.page.get_by_test_id("running")).to_have_text("0 of 4")


def test_branches_are_kept_and_others_follow_the_newest(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = Asking.open(open_page, chromium, server.url)
    page.ask("Count to 3")
    page.wait_states("done")
    reader = Asking.open(open_page, chromium, server.url, conversation=page.conversation)
    reader.wait_states("done")
    page.page.get_by_test_id("again").click()
    for each in (page, reader):
        expect(each.page.get_by_test_id("branches").filter(has_text="2/2")).to_be_visible()
        each.wait_states("done")
    page.page.get_by_test_id("edit").click()
    page.page.get_by_test_id("edit-text").fill("Count to 7")
    page.page.get_by_test_id("edit-send").click()
    for each in (page, reader):
        each.wait_number(7)
        each.wait_states("done")
    reader.page.get_by_test_id("branch-before").first.click()
    assert reader.numbers() == [1, 2, 3]
    assert page.numbers() == list(range(1, 8))
    reader.page.reload()
    reader.wait_states("done")
    assert reader.numbers() == list(range(1, 8))


def test_an_error_is_a_part_with_a_way_on(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = Asking.open(open_page, chromium, server.url)
    page.page.get_by_test_id("suggestion").filter(has_text="Fail").click()
    page.wait_states("failed")
    expect(page.page.get_by_test_id("error")).to_have_attribute("data-code", "broken")
    assert page.text()
    expect(page.page.get_by_test_id("tool")).to_have_count(1)
    expect(page.page.get_by_test_id("thinking")).to_have_count(1)
    page.page.get_by_test_id("again").click()
    expect(page.page.get_by_test_id("branches").filter(has_text="2/2")).to_be_visible()


def test_a_conversation_that_the_server_has_forgotten(
    chromium: Browser, start_server: StartServer, open_page: OpenPage, watch: Watch
) -> None:
    watch.expect()
    server = start_server("--dev")
    page = Asking.open(open_page, chromium, server.url)
    page.ask("Count to 3")
    page.wait_states("done")
    server.kill()
    server.start()
    expect(page.page.get_by_test_id("notice")).to_contain_text("not there")
    assert page.numbers() == [1, 2, 3]  # what was read stays


def test_the_page_is_light_quick_steady_and_for_everybody(
    chromium: Browser, server: Server, open_page: OpenPage
) -> None:
    first = Asking.open(open_page, chromium, server.url, color_scheme="light")
    first.ask("Long polling in a table")
    first.wait_states("done")
    page = Asking.open(open_page, chromium, server.url, conversation=first.conversation, color_scheme="light")
    page.wait_states("done")
    loaded = page.page.evaluate("""async () => ({
        bytes: performance.getEntriesByType("resource").reduce((sum, {transferSize}) => sum + transferSize, 0),
        foreign: performance.getEntriesByType("resource").filter(({name}) => !name.startsWith(location.origin)).length,
        shift: await new Promise(done => {
            let sum = 0;
            new PerformanceObserver(list => {
                for (const entry of list.getEntries()) sum += entry.hadRecentInput ? 0 : entry.value;
            }).observe({type: "layout-shift", buffered: true});
            setTimeout(() => done(sum), 100);
        }),
        painted: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    })""")
    assert 20_000 < loaded["bytes"] < MOST_BYTES
    assert loaded["shift"] < 0.1
    assert loaded["foreign"] == 0
    assert loaded["painted"] < 1000
    for scheme in ("light", "dark"):
        page.page.emulate_media(color_scheme=scheme)
        page.page.get_by_test_id("tool").evaluate("node => node.open = true")
        wait(page.page, "!document.getAnimations().length")
        assert problems(page.page) == []
    page.page.get_by_test_id("code").click()
    expect(page.page.get_by_test_id("code-text")).to_contain_text("class Desk")
    page.page.keyboard.press("Escape")
    page.page.set_viewport_size(PHONE)
    assert page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


MARKDOWN = Path(__file__).with_name("markdown.md")
DRAW = """async ({text, cuts}) => {
    const {MarkdownView} = await import(new URL("markdown.js", location.href).href);
    const whole = document.createElement("div"), streamed = document.createElement("div");
    new MarkdownView(whole).update(text);
    const view = new MarkdownView(streamed);
    for (const cut of cuts) view.update(text.slice(0, cut), {isOpen: true});
    view.update(text);
    return {whole: whole.innerHTML, streamed: streamed.innerHTML,
            tags: [...new Set([...whole.querySelectorAll("*")].map(node => node.localName))].sort(),
            links: [...whole.querySelectorAll("a")].map(({href}) => href), said: whole.textContent};
}"""


def test_markdown_comes_out_the_same_in_whatever_pieces_it_came(
    chromium: Browser, server: Server, open_page: OpenPage
) -> None:
    page = Asking.open(open_page, chromium, server.url).page
    text = MARKDOWN.read_text(encoding="utf-8")
    drawn = page.evaluate(DRAW, {"text": text, "cuts": list(range(len(text)))})
    assert drawn["streamed"] == drawn["whole"]
    expected = "a blockquote br button code div em h3 h4 hr li ol p pre s span strong table tbody td th thead tr ul"
    assert drawn["tags"] == expected.split()
    assert drawn["links"] == ["https://example.org/a?b=c", "https://example.org/bare", "mailto:ada@example.org"]
    assert "<img src=x onerror=alert(1)>" in drawn["said"]
    assert "[no](javascript:alert(1))" in drawn["said"]
    assert "snake_case_name" in drawn["said"]


def test_hostile_markdown_takes_no_time(chromium: Browser, server: Server, open_page: OpenPage) -> None:
    page = Asking.open(open_page, chromium, server.url).page
    for piece in ("**a ", "`", "[a](", "> ", "- ", "*", "_a ", "|", "~~~\n", "  - a\n", "a`b``"):
        text = (piece * 40_000)[:32_000]
        began = time.monotonic()
        drawn = page.evaluate(DRAW, {"text": text, "cuts": [len(text)]})
        assert drawn["streamed"] == drawn["whole"]
        assert time.monotonic() - began < 10, piece
