"""Pages of other origins: what they may do is what `--origins-allowed` says, in the browsers' own judgement."""

import re
import socket
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .conftest import StartServer
from .servers import ForeignSite, Server
from .watching import NETWORK, OpenPage, Watch

OPEN = ("--namespace", "default.subscribe=anyone", "--namespace", "default.publish=anyone")
CORS = re.compile(f"{NETWORK.pattern}|CORS|Cross-Origin|EventSource|MIME")

PROBE = """async ({base, channel, credentials}) => {
    const limit = promise => Promise.race([promise, new Promise(done => setTimeout(done, 5000, "nothing happened"))]);
    const url = `${base}/channels/${channel}`;
    const fetched = options => fetch(url, {credentials, signal: AbortSignal.timeout(5000), ...options})
        .then(response => `HTTP ${response.status}`, error => error.name);
    const listened = () => limit(new Promise(done => {
        const source = new EventSource(url, {withCredentials: credentials === "include"});
        source.onopen = () => { source.close(); done("open"); };
        source.onerror = () => { const {readyState} = source; source.close(); done(`error ${readyState}`); };
    }));
    const connected = () => limit(new Promise(done => {
        const socket = new WebSocket(base.replace("http", "ws") + "/connection/websocket");
        socket.onopen = () => { socket.onclose = null; socket.close(); done("open"); };
        socket.onclose = event => done(`closed ${event.code}`);
    }));
    return {
        read: await fetched(),
        publish: await fetched({method: "POST", headers: {"Content-Type": "application/json"}, body: "1"}),
        poll: await fetch(`${base}/connection/poll`, {
            method: "POST", credentials, headers: {"Content-Type": "application/json"},
            signal: AbortSignal.timeout(5000),
            body: JSON.stringify({
                nonce: `nonce-${Math.random()}`, poll: 1, wait: 5, commands: [{id: 4294967295, connect: {wh: {}}}],
            }),
        }).then(response => `HTTP ${response.status}`, error => error.name),
        events: await listened(),
        session: await limit(new Promise(done => {
            const connect = encodeURIComponent(JSON.stringify({id: 1, connect: {}}));
            const source = new EventSource(`${base}/connection/sse?cf_connect=${connect}`,
                                           {withCredentials: credentials === "include"});
            source.onmessage = () => { source.close(); done("open"); };
            source.onerror = () => { const {readyState} = source; source.close(); done(`error ${readyState}`); };
        })),
        socket: await connected(),
    };
}"""
ALL_PASS = {
    "read": "HTTP 200",
    "publish": "HTTP 201",
    "poll": "HTTP 200",
    "events": "open",
    "session": "open",
    "socket": "open",
}
ALL_FAIL = {
    "read": "TypeError",
    "publish": "TypeError",
    "poll": "TypeError",
    "events": "error 2",
    "session": "error 2",
    "socket": "closed 1006",
}


def probe(page: Page, server: Server, channel: str, credentials: str = "omit") -> dict[str, Any]:
    return page.evaluate(PROBE, {"base": server.url, "channel": channel, "credentials": credentials})


def handshake_status(server: Server, origin: str, path: str = "/connection/websocket") -> int:
    """The status of a WebSocket handshake from a page of this origin: browsers do not show it."""
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Origin: {origin}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.recv(4096).split(b" ")[1])


def test_an_allowed_origin_may_everything(
    browser: Browser, start_server: StartServer, foreign_site: ForeignSite, open_page: OpenPage, room: str
) -> None:
    server = start_server(*OPEN, "--origins-allowed", f"https://example.org,{foreign_site.origin}")
    page = open_page(browser, foreign_site.origin)
    assert probe(page, server, room) == ALL_PASS
    assert probe(page, server, room, "include") == ALL_PASS
    assert handshake_status(server, foreign_site.origin) == 101


def test_another_origin_may_nothing(
    browser: Browser, start_server: StartServer, foreign_site: ForeignSite, open_page: OpenPage, watch: Watch, room: str
) -> None:
    watch.expect(CORS)
    server = start_server(*OPEN, "--origins-allowed", "https://example.org")
    page = open_page(browser, foreign_site.origin)
    assert probe(page, server, room) == ALL_FAIL
    assert handshake_status(server, foreign_site.origin) == 403
    assert handshake_status(server, foreign_site.origin, f"/channels/{room}") == 403
    assert server.history(room) == [], "a refused page published"


def test_a_refused_page_cannot_publish_without_a_preflight_either(
    browser: Browser, start_server: StartServer, foreign_site: ForeignSite, open_page: OpenPage, watch: Watch, room: str
) -> None:
    """A plain-text POST needs no preflight: the server itself must refuse it."""
    watch.expect(CORS)
    server = start_server(*OPEN, "--origins-allowed", "https://example.org")
    page = open_page(browser, foreign_site.origin)
    page.evaluate(
        """url => fetch(url, {method: "POST", mode: "no-cors", body: "gotcha", signal: AbortSignal.timeout(5000)})
            .then(() => {}, () => {})""",
        f"{server.url}/channels/{room}",
    )
    assert server.history(room) == []


def test_any_origin_means_without_credentials(
    browser: Browser, start_server: StartServer, foreign_site: ForeignSite, open_page: OpenPage, watch: Watch, room: str
) -> None:
    watch.expect(CORS)
    server = start_server(*OPEN, "--origins-allowed", "*")
    page = open_page(browser, foreign_site.origin)
    assert probe(page, server, room) == ALL_PASS
    with_cookies = probe(page, server, room, "include")
    assert {**with_cookies, "socket": ""} == {**ALL_FAIL, "socket": ""}


def test_development_allows_pages_of_this_machine(
    browser: Browser, server: Server, foreign_site: ForeignSite, open_page: OpenPage, room: str
) -> None:
    page = open_page(browser, foreign_site.origin)
    assert probe(page, server, room) == ALL_PASS
    assert handshake_status(server, "https://example.org") == 403


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1.example.org", "http://localhost:1@example.org"])
def test_what_only_looks_like_this_machine_is_refused(server: Server, origin: str) -> None:
    assert handshake_status(server, origin) == 403
