"""A page that follows a room with the SDK, and remembers what it saw, also over a reload."""

from playwright.sync_api import Page

START = """async ([room, options]) => {
    const {connect} = await import("/sdk/wirehop.js");
    window.began = performance.now();
    window.firstAfter = 0;
    window.states = [];
    window.seen = JSON.parse(sessionStorage.getItem("seen") ?? "[]");
    window.gaps = [];
    window.client = connect("/", options);
    client.on("state", ({state}) => states.push(state));
    window.channel = client.channel(room);
    channel.on("subscribed", ({recovered}) => { if (recovered === false) gaps.push(seen.length); });
    channel.on("publication", ({offset}) => {
        firstAfter ||= performance.now() - began;
        seen.push(offset);
        sessionStorage.setItem("seen", JSON.stringify(seen));
    });
}"""


def start(page: Page, room: str, **options: object) -> None:
    page.evaluate(START, [room, options])


def check_whole(page: Page) -> None:
    """Everything from the first to the last, once and in order, and nobody spoke of a gap."""
    seen = page.evaluate("seen")
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert page.evaluate("gaps") == []
