"""What the admin page asks: who may ask, what is answered, and what a session with its pass may do."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from node_under_test import NAMESPACES, Server, eventually, running

from wirehop.core.errors import Refused
from wirehop.node import Client, Connecting, Node, User
from wirehop.settings.tree import Admin, Settings
from wirehop.testing.http import Answer
from wirehop.testing.wires import Conversation, open_wire

PASSWORD = "open sesame"
MARK = ("X-Wirehop-Admin", "1")


def closed_node(**settings: Any) -> Node:
    """A node that lets nobody in, whose handlers refuse everything: the admin page gets in all the same."""
    node = Node(Settings(namespaces=NAMESPACES, **settings))

    @node.on_connect
    async def connect(connecting: Connecting) -> User:
        if connecting.name:
            return User(connecting.name)
        raise Refused

    @node.on_subscribe
    async def subscribe(client: Client, channel: str) -> None:
        if channel.startswith("secret"):
            raise Refused

    @node.on_publish
    async def publish(client: Client, channel: str, data: object) -> None:
        raise Refused

    return node


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with running(closed_node(admin=Admin(password=PASSWORD))) as server:
        yield server


async def login(server: Server, password: str = PASSWORD) -> Answer:
    body = json.dumps({"password": password}).encode()
    return await server.request("POST", "/admin/api/login", headers=[MARK], body=body)


async def cookie(server: Server) -> tuple[str, str]:
    """Sign in: the header of all later requests."""
    answer = await login(server)
    assert answer.status == 200, answer.body
    return "Cookie", answer.header("set-cookie").partition(";")[0]


async def ask(server: Server, what: str, *headers: tuple[str, str], status: int = 200) -> Any:
    answer = await server.request("GET", f"/admin/api/{what}", headers=[MARK, *headers])
    assert answer.status == status, answer.body
    return answer.json()


@pytest_asyncio.fixture
async def dial(server: Server) -> AsyncIterator[Any]:
    opened: list[Conversation] = []

    async def dial(**connect: Any) -> Conversation:
        wire = open_wire("websocket", server.port)
        opened.append(wire)
        await wire.connect(**connect)
        return wire

    yield dial
    for wire in opened:
        await wire.close()


# ---- who may ask -----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(server: Server) -> None:
    answer = await login(server)
    value = answer.header("set-cookie")
    assert answer.status == 200
    assert "; HttpOnly" in value
    assert "; SameSite=Strict" in value
    assert "Secure" not in value  # this is http
    assert answer.header("cache-control") == "no-store"
    token = ("Cookie", "other=1; " + value.partition(";")[0])
    assert not (await ask(server, "me", token)).get("is_stranger")


@pytest.mark.asyncio
async def test_without_signing_in_nothing_is_answered(server: Server) -> None:
    assert await ask(server, "me") == {"is_stranger": True}
    for what in ("overview", "sessions", "session?client=x", "channels", "channel?name=x", "nothing"):
        assert (await ask(server, what, status=401))["error"]["code"] == 101
        assert (await ask(server, what, ("Cookie", "wirehop_admin=guess"), status=401))["error"]["code"] == 101
    answer = await server.request("POST", "/admin/api/close", headers=[MARK], body=b"{}")
    assert answer.status == 401


@pytest.mark.asyncio
async def test_wrong_passwords_are_counted_and_slowed_down(server: Server) -> None:
    for _ in range(5):
        assert (await login(server, "wrong")).status == 401
    answer = await login(server)
    assert answer.status == 429
    assert 0 < int(answer.header("retry-after")) <= 60
    assert 'wirehop_errors_total{reason="admin_login"} 5.0' in await server.metrics()


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"password": 7}', b'{"password": null}'])
async def test_what_is_no_password_is_400(server: Server, body: bytes) -> None:
    assert (await server.request("POST", "/admin/api/login", headers=[MARK], body=body)).status == 400


@pytest.mark.asyncio
async def test_signing_out_ends_the_cookie_and_the_pass(server: Server, dial: Any) -> None:
    signed = await cookie(server)
    token = (await ask(server, "me", signed))["token"]
    wire = await dial(token=token)
    answer = await server.request("POST", "/admin/api/logout", headers=[MARK, signed])
    assert answer.status == 204
    assert "Max-Age=0" in answer.header("set-cookie")
    assert await wire.end() == 3503
    await ask(server, "overview", signed, status=401)
    again = await dial(token=token)
    assert await again.end() == 3500


@pytest.mark.asyncio
async def test_csrf_a_page_of_another_site_asks_for_nothing(server: Server) -> None:
    signed = await cookie(server)
    for headers in (
        [],
        [MARK, ("Sec-Fetch-Site", "cross-site")],
        [MARK, ("Sec-Fetch-Site", "same-site")],
        [MARK, ("Origin", "https://evil.example")],
        [MARK, ("Origin", "null")],
    ):
        for method, what in (("GET", "overview"), ("POST", "close"), ("POST", "logout"), ("POST", "login")):
            answer = await server.request(method, f"/admin/api/{what}", headers=[signed, *headers], body=b"{}")
            assert answer.status == 403, (headers, what)
            assert not any(name.lower().startswith("access-control") for name, _ in answer.headers)
    own = ("Origin", f"http://127.0.0.1:{server.port}")
    await ask(server, "overview", signed, own)
    await ask(server, "overview", signed, ("Sec-Fetch-Site", "same-origin"))


@pytest.mark.asyncio
async def test_development_is_open_to_addresses_of_this_machine_only() -> None:
    """A page that gives this machine a name of its own (DNS rebinding) is of the same origin, and still outside."""
    async with running(Node(Settings(dev=True))) as server:
        assert (await ask(server, "me"))["is_open"]
        await ask(server, "overview")
        for host in ("localhost:1", "[::1]:1", "127.0.0.1"):
            await ask(server, "overview", ("Host", host))
        for host in ("evil.example", "127.0.0.1.evil.example", ""):
            await ask(server, "overview", ("Host", host), status=403)


@pytest.mark.asyncio
async def test_in_development_a_password_counts_where_one_is_given() -> None:
    async with running(Node(Settings(dev=True, admin=Admin(password=PASSWORD)))) as server:
        await ask(server, "overview", status=401)
        await ask(server, "overview", await cookie(server))


@pytest.mark.asyncio
async def test_without_a_password_there_is_no_page() -> None:
    async with running(Node(Settings())) as server:
        for path in ("/admin", "/admin/", "/admin/api/me", "/style.css"):
            assert (await server.request("GET", path, headers=[MARK])).status == 404


@pytest.mark.asyncio
async def test_the_page_and_what_it_needs_are_served_without_dev_and_nothing_else(server: Server) -> None:
    for path in (
        "/admin/",
        "/admin/admin.js",
        "/admin/admin.css",
        "/style.css",
        "/ui.js",
        "/sdk/wirehop.js",
        "/icon.svg",
    ):
        answer = await server.request("GET", path)
        assert answer.status == 200, path
    answer = await server.request("GET", "/admin/")
    policy = answer.header("content-security-policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in answer.body
    assert b"style=" not in answer.body
    assert (await server.request("GET", "/admin")).header("location") == "./admin/"
    for path in ("/", "/chat/", "/monitor/", "/monitor/monitor.js"):
        assert (await server.request("GET", path)).status == 404, path


# ---- what is answered ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_sessions_are_listed_searched_sorted_and_looked_at(server: Server, dial: Any) -> None:
    signed = await cookie(server)
    wires = {name: await dial(name=name) for name in ("ann", "bobette", "cid")}
    await wires["bobette"].request("subscribe", channel="room")
    await server.node.publish("room", 1)
    everybody = await ask(server, "sessions", signed)
    assert [row["user"] for row in everybody["rows"]] == ["cid", "bobette", "ann"]
    assert (everybody["matched"], everybody["reachable"]) == (3, 3)
    assert everybody["rows"][0]["wire"] == "websocket"
    assert everybody["rows"][0]["address"] == "127.0.0.1"
    assert everybody["rows"][0]["age"] <= everybody["rows"][2]["age"] < 60
    for query, users in (
        ("search=BOBETTE", ["bobette"]),
        (f"search={wires['ann'].client}", ["ann"]),
        ("search=nobody", []),
        ("wire=sse", []),
        ("wire=websocket&limit=1&offset=1", ["bobette"]),
        ("order=desc", ["ann", "bobette", "cid"]),
        ("sort=user&order=desc&limit=2", ["cid", "bobette"]),
        ("sort=channels&order=desc&limit=1", ["bobette"]),
        ("sort=waiting", ["cid", "bobette", "ann"]),
    ):
        assert [row["user"] for row in (await ask(server, f"sessions?{query}", signed))["rows"]] == users, query
    await ask(server, "sessions?limit=many", signed, status=400)
    detail = await ask(server, f"session?client={wires['bobette'].client}", signed)
    assert detail["session"]["user"] == "bobette"
    (subscription,) = detail["subscriptions"]
    assert (subscription["channel"], subscription["state"], subscription["offset"]) == ("room", "live", 1)
    await ask(server, "session?client=gone", signed, status=404)


@pytest.mark.asyncio
async def test_a_session_is_closed_with_the_chosen_code(server: Server, dial: Any) -> None:
    signed = await cookie(server)

    async def close(**body: object) -> int:
        data = json.dumps(body).encode()
        return (await server.request("POST", "/admin/api/close", headers=[MARK, signed], body=data)).status

    first, second = await dial(name="ann"), await dial(name="bob")
    assert await close(client=first.client) == 200
    assert await first.end() == 3503
    assert await close(client=first.client) == 404
    assert await close(client=second.client, code=2000) == await close(client=second.client, code=1) == 400
    assert await close(client=7) == 400
    assert await close(client=second.client, code=3011) == 200
    assert await second.end() == 3011
    assert (await server.request("GET", "/admin/api/close", headers=[MARK, signed])).status == 405


@pytest.mark.asyncio
async def test_drops_are_counted_for_the_session_that_had_them(server: Server, dial: Any) -> None:
    wire, other = await dial(name="ann"), await dial(name="bob")
    for each in (wire, other):
        await each.request("subscribe", channel="signal:s")
    driver = server.node.sessions[wire.client]
    driver.paused()
    await server.node.publish("signal:s", 1)
    await eventually(lambda: driver.drops, "a drop")
    rows = (await ask(server, "sessions", await cookie(server)))["rows"]
    assert {row["user"]: (row["drops"], row["is_congested"]) for row in rows} == {"ann": (1, True), "bob": (0, False)}
    driver.resumed()


@pytest.mark.asyncio
async def test_channels_show_subscribers_history_and_rate(server: Server, dial: Any) -> None:
    signed = await cookie(server)
    wire = await dial(name="ann")
    for channel in ("room", "short:s", "latest:l", "signal:s"):
        await wire.request("subscribe", channel=channel)
    await ask(server, "channels", signed)
    for number in range(8):
        for channel in ("short:s", "signal:s"):
            await server.node.publish(channel, number)
        await server.node.publish("latest:l", number, key=str(number % 3))
    rows = {row["channel"]: row for row in (await ask(server, "channels", signed))["rows"]}
    assert {name: (row["kept"], row["top"], row["delivery"]) for name, row in rows.items()} == {
        "room": (0, 0, "log"),
        "short:s": (5, 8, "log"),
        "latest:l": (3, 8, "latest"),
        "signal:s": (0, 0, "signal"),
    }
    assert all(row["subscribers"] == 1 for row in rows.values())
    found = await ask(server, "channels?search=L&sort=channel", signed)
    assert [row["channel"] for row in found["rows"]] == ["latest:l", "signal:s"]
    row = await ask(server, "channel?name=nobody+here", signed)
    assert (row["subscribers"], row["rate"], row["kept"]) == (0, None, 0)
    await ask(server, "channel?name=%00", signed, status=400)


@pytest.mark.asyncio
async def test_the_overview_counts(server: Server, dial: Any) -> None:
    signed = await cookie(server)
    for name in ("ann", "ann", "bob"):
        await (await dial(name=name)).request("subscribe", channel="room")
    await server.node.publish("room", 1)
    figures = await ask(server, "overview", signed)
    assert (figures["sessions"], figures["users"], figures["channels"], figures["subscriptions"]) == (3, 2, 1, 3)
    assert figures["publications"] == 1
    (wire,) = figures["wires"]
    assert (wire["wire"], wire["sessions"], wire["received"]) == ("websocket", 3, 6)


# ---- the pass --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_pass_opens_every_channel_and_shows_nobody(server: Server, dial: Any) -> None:
    """Neither namespaces nor handlers refuse it, and nobody in the channel sees that somebody looks."""
    token = (await ask(server, "me", await cookie(server)))["token"]
    ann, admin = await dial(name="ann"), await dial(token=token)
    await ann.request("subscribe", channel="room", join_leave=True)
    await ann.next_push()  # her own join
    for channel in ("room", "closed:c", "secret"):
        assert "error" not in await admin.request("subscribe", channel=channel)
        assert "error" not in await admin.request("publish", channel=channel, data=1)
        assert "error" not in await admin.request("history", channel=channel, limit=1)
    push = await ann.next_push()
    assert push["pub"]["data"] == 1
    assert "info" not in push["pub"]
    assert list(await server.node.presence("room")) == [ann.client]
    assert not ann.waiting_pushes()


@pytest.mark.asyncio
async def test_without_a_pass_the_handlers_decide(server: Server, dial: Any) -> None:
    wire = await dial(name="ann")
    assert (await wire.request("subscribe", channel="closed:c"))["error"]["code"] == 103
    assert (await wire.request("subscribe", channel="secret"))["error"]["code"] == 103
    assert (await wire.request("publish", channel="room", data=1))["error"]["code"] == 103
    guess = await dial(name="ann", token="wh-admin.guess")
    assert await guess.end() == 3500


@pytest.mark.asyncio
async def test_where_there_is_no_admin_page_a_pass_is_an_ordinary_token(dial: Any) -> None:
    async with running(closed_node()) as server:
        wire = open_wire("websocket", server.port)
        assert "connect" in await wire.connect(name="ann", token="wh-admin.guess")
        assert (await wire.request("subscribe", channel="closed:c"))["error"]["code"] == 103
        await wire.close()
