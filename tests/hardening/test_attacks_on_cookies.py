"""One test for each attack on cookies, logins, origins and forwarded identities, and on what leaks, named after it."""

import hmac
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from attacking import (  # noqa: F401 - fixtures
    EVIL,
    OTHER_SECRET,
    OWN,
    SECRET,
    bearer,
    claims_of,
    connected,
    cookie,
    dialing,
    end_code,
    forged,
    guarded_server,
    settings,
    ticket,
    token,
)
from node_under_test import Server, eventually, running

from wirehop.node import Node
from wirehop.settings import Origins
from wirehop.testing import http
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio


# ---- cookies and origins ---------------------------------------------------------------------------------------------


async def test_cross_site_websocket_hijacking(dial: Callable[..., Conversation]) -> None:
    from websockets.exceptions import InvalidStatus

    wire = dial(headers=[cookie(), ("Origin", OWN)])
    assert await end_code(wire, "") == 0
    with pytest.raises(InvalidStatus) as refused:
        await dial(headers=[cookie(), ("Origin", EVIL)]).connect()
    assert refused.value.response.status_code == 403
    assert await end_code(dial(headers=[cookie()]), "") == 101  # a program with a stolen cookie jar says no origin
    for site in ("cross-site", "same-site", "none"):
        assert await end_code(dial(headers=[cookie(), ("Sec-Fetch-Site", site)]), "") == 101


async def test_any_origin_is_not_any_origin_with_cookies() -> None:
    async with running(Node(settings(origins=Origins(allowed=("*",))))) as server:
        for origin in (EVIL, "null", "*"):
            wire = open_wire("websocket", server.port, headers=[cookie(), ("Origin", origin)])
            assert await end_code(wire, "") == 101
            await wire.close()
        own = [cookie(), ("Origin", f"http://127.0.0.1:{server.port}")]
        assert (await server.request("GET", "/channels/room", headers=own)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Origin", EVIL)],
        [("Origin", "null")],
        [("Origin", EVIL), ("Sec-Fetch-Site", "same-origin")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "none")],
        [("Origin", OWN + ".evil.example")],
        [("Referer", OWN)],
        [("X-Forwarded-Host", "evil.example"), ("Origin", EVIL)],
    ],
    ids=str,
)
async def test_csrf_post_with_a_cookie_from_a_foreign_page(server: Server, headers: list[tuple[str, str]]) -> None:
    """A form, or fetch without CORS, from elsewhere: to publish, to fetch a ticket, to log in or out."""
    for target in (
        "/channels/room",
        "/connection/ticket",
        "/connection/poll",
        "/connection/login",
        "/connection/logout",
    ):
        body = b'{"for":"websocket"}'
        if target.endswith("poll"):
            connect = {"id": 4294967295, "connect": {"wh": {}}}
            body = json.dumps({"nonce": "n" * 16, "poll": 1, "commands": [connect]}).encode()
        answer = await server.request("POST", target, headers=[cookie(), *headers], body=body)
        if answer.status == 200:  # polls say it inside
            assert b'"code":101' in answer.body
        else:
            assert answer.status in (401, 403), target
        assert not answer.header("set-cookie")
    assert (await server.node.history("room")).publications == ()


async def test_a_cookie_from_ones_own_page_counts(server: Server) -> None:
    """The honest version of the attacks above."""
    for headers in (
        [("Origin", OWN)],
        [("Sec-Fetch-Site", "same-origin")],
        [("Origin", f"http://127.0.0.1:{server.port}")],
    ):
        answer = await server.request("POST", "/channels/room", headers=[cookie(), *headers], body=b"1")
        assert answer.status == 201


async def test_reading_with_a_cookie_from_a_foreign_page(server: Server) -> None:
    for headers in ([("Sec-Fetch-Site", "cross-site")], [], [("Origin", EVIL)]):
        for accept in ([], [("Accept", "text/event-stream")]):
            answer = await server.request("GET", "/channels/room", headers=[cookie(), *headers, *accept])
            assert answer.status in (401, 403)


async def test_jsonp_with_a_cookie(server: Server) -> None:
    """Any page can load a script: with the visitor's cookies, and even same-origin headers."""
    for number, headers in enumerate(([], [("Sec-Fetch-Site", "same-origin")], [("Origin", OWN)])):
        given = [cookie(), *headers]
        assert (await server.request("GET", "/channels/room?callback=f", headers=given)).status == 401
        first = {"nonce": str(number) * 16, "poll": 1, "commands": [{"id": 4294967295, "connect": {"wh": {}}}]}
        target = f"/connection/jsonp?callback=f&body={quote(json.dumps(first))}"
        answer = await server.request("GET", target, headers=given)
        assert b'"code":101' in answer.body


async def test_cookie_on_emulation(server: Server, dial: Callable[..., Conversation]) -> None:
    """The upward half knows its session by its secret alone: a cookie opens nothing, and a foreign page is refused."""
    wire = await connected(dial, token(), "sse")
    body = {
        "session": "guessed",
        "node": wire.node,
        "data": json.dumps({"id": 9, "publish": {"channel": "room", "data": 1}}),
    }
    headers = [cookie(), ("Origin", OWN)]
    assert (await server.request("POST", "/emulation", headers=headers, body=json.dumps(body).encode())).status == 404
    body["session"] = wire.secret
    foreign = await server.request(
        "POST", "/emulation", headers=[cookie(), ("Origin", EVIL)], body=json.dumps(body).encode()
    )
    assert foreign.status == 403
    other = [cookie(token("eve")), ("Origin", OWN)]
    assert (await server.request("POST", "/emulation", headers=other, body=json.dumps(body).encode())).status == 204
    await eventually(lambda: server.node.metrics.publications == 1)
    page = await server.node.history("room")
    assert page.publications[0].info is not None
    assert page.publications[0].info.user == "ada"  # the session's user, not the cookie's


async def test_a_cookie_tossed_by_a_subdomain(server: Server) -> None:
    """Two cookies of the name: which one is ours, nobody can say."""
    headers = [("Cookie", f"wirehop={token('eve')}; wirehop={token('ada')}"), ("Origin", OWN)]
    assert (await server.request("GET", "/channels/room", headers=headers)).status == 401


async def test_session_fixation_by_login(server: Server) -> None:
    """A foreign page logs the visitor in as the attacker: by a form, by fetch, or with the token anywhere but in the
    header."""
    text = token("eve")
    own = [("Origin", OWN)]
    for headers, target, body in (
        ([bearer(text)], "/connection/login", b""),
        ([bearer(text), ("Origin", EVIL)], "/connection/login", b""),
        ([bearer(text), ("Sec-Fetch-Site", "cross-site")], "/connection/login", b""),
        (own, f"/connection/login?token={text}", b""),
        (own, "/connection/login", json.dumps({"token": text}).encode()),
        ([*own, cookie(text)], "/connection/login", b""),
    ):
        answer = await server.request("POST", target, headers=headers, body=body)
        assert answer.status in (401, 403)
        assert not answer.header("set-cookie")
    assert (await server.request("GET", "/connection/login", headers=[bearer(text), *own])).status == 405
    preflight = await server.request("OPTIONS", "/connection/login", headers=[("Origin", EVIL)])
    assert not preflight.header("access-control-allow-origin")


async def test_logging_in_with_a_bad_token_sets_no_cookie(server: Server) -> None:
    for text in (token(ttl=-1), token(secret=OTHER_SECRET), token(channel="a"), "x; Domain=evil.example", "x\ty"):
        answer = await server.request("POST", "/connection/login", headers=[bearer(text), ("Origin", OWN)])
        assert answer.status == 401
        assert not answer.header("set-cookie")


async def test_a_script_reads_no_cookie_and_logout_kills_its_copies(server: Server) -> None:
    text = token("ada", jti="t1")
    own = ("Origin", OWN)
    answer = await server.request("POST", "/connection/login", headers=[bearer(text), own])
    assert answer.status == 200
    set_cookie = answer.header("set-cookie")
    assert set_cookie.startswith(f"wirehop={text}; Path=/; Max-Age=")
    assert "; HttpOnly; SameSite=Lax" in set_cookie
    assert text.encode() not in answer.body
    assert (await server.request("GET", "/channels/room", headers=[cookie(text), own])).status == 200
    gone = await server.request("POST", "/connection/logout", headers=[cookie(text), own])
    assert "Max-Age=0" in gone.header("set-cookie")
    assert (await server.request("GET", "/channels/room", headers=[cookie(text), own])).status == 401
    assert (await server.request("GET", "/channels/room", headers=[bearer(text)])).status == 401


@pytest.mark.parametrize("name", ["__Host-wirehop", "__Secure-wirehop", "plain"])
async def test_a_cookie_sent_in_the_clear(name: str) -> None:
    """Over https it is Secure, also where the proxy in front says https; names with a prefix always are."""
    from wirehop.auth.cookies import Cookies
    from wirehop.auth.origins import Origins as AllowedOrigins

    cookies = Cookies(name, "lax", AllowedOrigins())
    assert "; Secure" in cookies.set("x", seconds=1, scheme="https")
    assert ("; Secure" in cookies.set("x", seconds=1, scheme="http")) is (name != "plain")
    assert "; Secure" in Cookies(name, "none", AllowedOrigins()).set("x", seconds=1, scheme="http")


async def test_smuggled_headers_of_a_forwarded_identity(server: Server, dial: Callable[..., Conversation]) -> None:
    """Nobody is who a header says, other than the token's; headers inside the connect command count for nothing."""
    headers = [
        ("X-Forwarded-User", "admin"),
        ("X-User-Id", "admin"),
        ("Remote-User", "admin"),
        ("X-Auth-Token", token()),
    ]
    assert (await server.request("GET", "/channels/room", headers=headers)).status == 401
    wire = dial(headers=headers)
    reply = await wire.connect(headers={"Authorization": f"Bearer {token('admin')}", "Cookie": f"wirehop={token()}"})
    assert reply["error"]["code"] == 101
    for value in (f"bearer{token()}", f"Basic {token()}", f"Bearer\t{token()}", token()):
        assert (await server.request("GET", "/channels/room", headers=[("Authorization", value)])).status == 401
    two = [bearer(token("ada")), bearer(token("eve"))]  # joined by the host: not a token any more
    assert (await server.request("GET", "/channels/room", headers=two)).status in (400, 401)
    proxied = [cookie(), ("Origin", f"https://127.0.0.1:{server.port}"), ("X-Forwarded-Proto", "https")]
    assert (await server.request("GET", "/channels/room", headers=proxied)).status == 403


async def test_the_header_wins_over_the_cookie_and_a_bad_one_is_no_fallback(server: Server) -> None:
    headers = [bearer(token(secret=OTHER_SECRET)), cookie(), ("Origin", OWN)]
    assert (await server.request("GET", "/channels/room", headers=headers)).status == 401


# ---- what leaks ------------------------------------------------------------------------------------------------------


async def test_token_in_a_query_is_not_in_the_logs(
    server: Server, caplog: pytest.LogCaptureFixture, dial: Callable[..., Conversation]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("wirehop").propagate = True
    text = token("ada", jti="t1")
    bad = token("ada", secret=OTHER_SECRET)
    connect = quote(json.dumps({"id": 1, "connect": {"token": text}}))
    stream = await server.open("GET", f"/connection/sse?cf_connect={connect}")
    await http.Blocks(stream).next()
    await stream.close()
    short = await ticket(server, "stream", "room")
    for target in (
        f"/connection/sse?cf_connect={quote(json.dumps({'id': 1, 'connect': {'token': bad}}))}",
        f"/connection/sse?cf_connect={text}",
        f"/connection/jsonp?callback=f&body={text}",
        f"/channels/room?ticket={short}",
        f"/channels/room?ticket={text}",
        f"/channels/room?wait={text}",
        f"/channels/room?cursor={text}",
        f"/nothing?token={text}",
        f"/connection/websocket?ticket={text}",
    ):
        response = await server.open("GET", target)
        await response.close()
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "1")]
    await (await server.open("GET", f"/connection/websocket?ticket={text}", headers=upgrade)).close()
    await end_code(dial(), text)
    await end_code(dial(), bad)
    server.node.revoke(user="ada")
    await eventually(lambda: not server.node.sessions)
    logged = caplog.text
    assert "closed code" in logged
    for secret in (text, bad, short, text.split(".")[2], SECRET):
        assert secret not in logged


async def test_what_is_wrong_with_a_token_stays_here(dial: Callable[..., Conversation]) -> None:
    """An attacker who tries tokens learns that they are not good, and not how close they came."""
    reasons = set()
    for text in (
        token(secret=OTHER_SECRET),
        token(aud="x", exp=None),
        forged({"alg": "none"}, claims_of()),
        "x.y.z",
        token(nbf=2**33),
    ):
        wire = dial()
        await wire.connect(token=text)
        reasons.add(wire.reason)
    assert reasons == {"invalid token"}


async def test_comparing_signatures_takes_no_hint(
    monkeypatch: pytest.MonkeyPatch, dial: Callable[..., Conversation]
) -> None:
    """Signatures are compared by `hmac.compare_digest`, which takes as long for a near miss as for a far one."""
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def watched(first: Any, second: Any) -> bool:
        compared.append((first, second))
        return real(first, second)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    head, body, _ = token().split(".")
    assert await end_code(dial(), f"{head}.{body}.{'A' * 43}") == 3500
    assert len(compared) == 1
