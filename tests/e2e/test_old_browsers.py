"""The ES5 build in a page that has neither WebSocket nor EventSource, fetch or Promise."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page

from .conftest import StartServer
from .proxy import Proxy
from .servers import Publisher, Server
from .watching import OpenPage, Watch

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>old</title>
<script>
["WebSocket", "EventSource", "fetch", "Promise", "Symbol", "Map", "Set", "AbortController", "TextDecoder"].forEach(
  function (name) { delete window[name]; window[name] = undefined; });
</script>
<script src="/sdk/wirehop.old.js"></script>
<pre id="told"></pre>
<script>
var told = {missing: typeof Promise + typeof fetch, seen: [], gaps: 0, states: [], answers: []};
function tell() {
  told.id = client.id; told.transport = client.transport; told.state = client.state;
  document.getElementById("told").firstChild
    ? document.getElementById("told").firstChild.data = JSON.stringify(told)
    : document.getElementById("told").appendChild(document.createTextNode(JSON.stringify(told)));
}
var client = wirehop.connect(location.protocol + "//" + location.host, OPTIONS);
client.on("state", function (said) { told.states.push(said.state); tell(); });
client.handle("add", function (data, done) { done(null, data.a + data.b); });
client.subscribe(ROOM, {
  subscribed: function (said) { if (said.recovered === false) told.gaps++; tell(); },
  publication: function (publication) { told.seen.push(publication.data); tell(); }
});
var number = 0;
function say() {
  client.publish(ROOM + "-own", ++number, function (error, position) {
    told.answers.push(error ? error.code : position.offset);
    tell();
    setTimeout(say, 100);
  });
}
say();
client.rpc("nothing", null, function (error) { told.rpc = error.code; tell(); });
</script>
"""


def open_old(page: Page, url: str, room: str, **options: object) -> None:
    body = PAGE.replace("OPTIONS", json.dumps(options)).replace("ROOM", json.dumps(room))
    page.route("**/old.html", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{url}/old.html")


def told(page: Page) -> dict[str, object]:
    return json.loads(page.locator("#told").text_content() or "{}")


def wait_for(page: Page, is_so: Callable[[dict[str, object]], bool], seconds: float = 30.0) -> dict[str, object]:
    for _ in range(int(seconds / 0.1)):
        said = told(page)
        if said and is_so(said):
            return said
        page.wait_for_timeout(100)
    raise AssertionError(f"not within {seconds:g} s: {said}")


@pytest.mark.parametrize("wire", ["long-poll", "short-poll", "jsonp"])
def test_everything_over_polls_and_over_a_cut(
    browser: Browser,
    server: Server,
    start_proxy: Callable[[Server], Proxy],
    open_page: OpenPage,
    room: str,
    watch: Watch,
    wire: str,
) -> None:
    watch.expect()
    proxy = start_proxy(server)
    page = open_page(browser, "about:blank")
    open_old(page, proxy.url, room, wires=[wire])
    wait_for(page, lambda said: said["state"] == "live")
    who = told(page)["id"]
    with Publisher(server, room, every=0.1) as publisher:
        wait_for(page, lambda said: len(said["seen"]) > 5)  # type: ignore[arg-type]
        proxy.cut()
        wait_for(page, lambda said: len(said["seen"]) > 15)  # type: ignore[arg-type]
        proxy.refuse()
        wait_for(page, lambda said: said["state"] == "offline")
        proxy.restore()
        wait_for(page, lambda said: said["state"] == "live")
        known = len(told(page)["answers"])  # type: ignore[arg-type]
        wait_for(page, lambda said: len(said["answers"]) > known + 2)  # type: ignore[arg-type]
    said = wait_for(page, lambda said: said["seen"][-1] == publisher.count)  # type: ignore[index]
    assert said["missing"] == "undefinedundefined"
    assert said["seen"] == list(range(said["seen"][0], publisher.count + 1))  # type: ignore[index]
    assert said["answers"] == list(range(1, len(said["answers"]) + 1))  # type: ignore[arg-type]
    assert (said["id"], said["gaps"], said["rpc"], said["transport"]) == (who, 0, 104, wire)


def test_a_server_that_forgot_everything_is_said_to_have(
    start_server: StartServer, chromium: Browser, open_page: OpenPage, room: str, watch: Watch
) -> None:
    watch.expect()
    server = start_server("--dev")
    page = open_page(chromium, "about:blank")
    open_old(page, server.url, room)
    wait_for(page, lambda said: said["state"] == "live")
    who = told(page)["id"]
    with Publisher(server, room):
        wait_for(page, lambda said: len(said["seen"]) > 3)  # type: ignore[arg-type]
    server.stop()
    wait_for(page, lambda said: said["state"] == "offline")
    server.start()
    said = wait_for(page, lambda said: said["state"] == "live" and said["gaps"])
    assert said["id"] != who
    assert said["gaps"] == 1
