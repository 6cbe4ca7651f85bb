"""JSONP from a page of another origin, by script elements alone, as docs/poll.md describes it."""

from typing import Any

from playwright.sync_api import Browser

from .conftest import StartServer
from .servers import ForeignSite, Server, until
from .watching import NETWORK, OpenPage, Watch, wait

CLIENT = """({base, channel}) => {
    const state = window.state = {replies: [], failures: 0, isOver: false};
    let poll = 0, ack = 0, session = "", unanswered = [{id: 4294967295, connect: {wh: {}}}];
    const ask = () => {
        const name = `jsonp_${++poll}`;
        const who = session ? {session} : {nonce: "a-nonce-of-mine"};
        const body = {...who, poll, ack, wait: 10, commands: unanswered};
        const script = document.createElement("script");
        window[name] = answer => {
            script.remove();
            if (answer.error) { state.error = answer.error; return; }
            session = answer.session;
            if (answer.batch > ack) {
                ack = answer.batch;
                state.replies.push(...answer.replies);
                if (state.replies.length === answer.replies.length) unanswered = [{id: 1, subscribe: {channel}}];
                else if (answer.replies.some(reply => reply.id === 1)) unanswered = [];
            }
            if (!state.isOver) ask();
        };
        script.onerror = () => { state.failures += 1; };
        script.src = `${base}/connection/jsonp?callback=${name}&body=${encodeURIComponent(JSON.stringify(body))}`;
        document.head.append(script);
    };
    ask();
}"""


def replies(page: Any) -> list[dict[str, Any]]:
    return page.evaluate("state.replies")


def test_a_page_elsewhere_subscribes_and_receives(
    browser: Browser, server: Server, foreign_site: ForeignSite, open_page: OpenPage, room: str
) -> None:
    page = open_page(browser, foreign_site.origin)
    page.evaluate(CLIENT, {"base": server.url, "channel": room})
    wait(page, "state.replies.some(reply => reply.id === 1 && reply.subscribe)")
    for number in (1, 2, 3):
        server.publish(room, {"n": number, "text": "\u2028</script>"})
    wait(page, "state.replies.filter(reply => reply.push?.pub).length >= 3")
    page.evaluate("state.isOver = true")
    pushes = [reply["push"] for reply in replies(page) if "push" in reply]
    assert [push["pub"]["data"] for push in pushes] == [{"n": n, "text": "\u2028</script>"} for n in (1, 2, 3)]
    assert {push["channel"] for push in pushes} == {room}
    assert page.evaluate("state.failures") == 0
    until(lambda: server.request("GET", "/health")[0] == 200, seconds=2, what="the server lives")


def test_jsonp_is_off_unless_switched_on(
    browser: Browser,
    start_server: StartServer,
    foreign_site: ForeignSite,
    open_page: OpenPage,
    watch: Watch,
    room: str,
) -> None:
    watch.expect(NETWORK)
    server = start_server("--namespace", "default.subscribe=anyone", "--origins-allowed", foreign_site.origin)
    page = open_page(browser, foreign_site.origin)
    page.evaluate(CLIENT, {"base": server.url, "channel": room})
    wait(page, "state.failures === 1")
    assert replies(page) == []
