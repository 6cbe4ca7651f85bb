"""Tokens, tickets, cookies and the application that is asked, as honest clients use them. (Attacks on them are in
`tests/hardening/test_attacks….py`.)"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from msgspec import structs
from node_under_test import OPEN, Server, eventually, running

from wirehop.auth.tokens import sign
from wirehop.core.errors import SettingsError
from wirehop.node import Connecting, Node, User
from wirehop.settings import Auth, Namespace, Settings, Transports
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio
SECRET = "0123456789abcdef0123456789abcdef"
NAMESPACES = {
    "": structs.replace(OPEN, subscribe="signed-in", publish="signed-in"),
    "token": structs.replace(OPEN, subscribe="token", publish="token"),
    "public": OPEN,
}
Asked = dict[str, Any]
AUTH = Auth(secrets=(SECRET,), cookie="wirehop")


def settings(**auth: Any) -> Settings:
    namespaces = dict(NAMESPACES)
    if auth.get("ask_url"):
        namespaces["ask"] = structs.replace(OPEN, subscribe="ask", publish="ask")
    return Settings(auth=structs.replace(AUTH, **auth), namespaces=namespaces, transports=Transports(jsonp=True))


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with running(Node(settings())) as server:
        yield server


def token(user: str = "ada", *, ttl: float = 600, **claims: Any) -> str:
    now = int(time.time())
    return sign({"sub": user, "iat": now, "exp": now + int(ttl), **claims}, SECRET)


def bearer(text: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {text}")


async def ticket(server: Server, use: str, *channels: str, **claims: Any) -> str:
    body = json.dumps({"for": use, "channels": channels}).encode()
    answer = await server.request("POST", "/connection/ticket", headers=[bearer(token(**claims))], body=body)
    assert answer.status == 200, answer.body
    return str(answer.json()["ticket"])


# ---- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_token_says_who_connects(dial: Callable[..., Conversation], server: Server) -> None:
    wire = dial()
    reply = await wire.connect(token=token("ada", info={"name": "Ada"}))
    assert reply["connect"]["expires"] is True
    assert 590 <= reply["connect"]["ttl"] <= 600
    await wire.request("subscribe", channel="room")
    [info] = (await wire.request("presence", channel="room"))["presence"]["presence"].values()
    assert info == {"user": "ada", "client": wire.client, "conn_info": {"name": "Ada"}}


async def test_a_wires_own_credential_serves_a_connect_without_a_token(
    dial: Callable[..., Conversation], server: Server, wire_name: str
) -> None:
    wire = dial(headers=[bearer(token("ada"))])
    assert "connect" in await wire.connect()
    [driver] = server.node.sessions.values()
    assert driver.session.user == "ada"


async def test_a_token_in_the_command_wins_over_the_wires_credential(
    dial: Callable[..., Conversation], server: Server
) -> None:
    wire = dial("websocket", headers=[bearer(token("bob"))])
    await wire.connect(token=token("ada"))
    [driver] = server.node.sessions.values()
    assert driver.session.user == "ada"


async def test_a_token_subscribes_to_its_channels_at_connect(dial: Callable[..., Conversation], server: Server) -> None:
    await server.node.publish("token:b", 0)
    wire = dial()
    claims = {"channels": ["token:a"], "subs": {"token:b": {"data": {"x": 1}, "info": "host", "allow": ["pub", "prs"]}}}
    reply = await wire.connect(token=token(**claims))
    assert set(reply["connect"]["subs"]) == {"token:a", "token:b"}
    assert reply["connect"]["subs"]["token:b"]["data"] == {"x": 1}
    assert "publish" in await wire.request("publish", channel="token:b", data=1)
    assert [each["data"] for each in await wire.publications(1, channel="token:b")] == [1]
    assert (await wire.request("publish", channel="token:a", data=1))["error"]["code"] == 103
    presence = (await wire.request("presence", channel="token:b"))["presence"]["presence"]
    assert presence[wire.client]["chan_info"] == "host"


async def test_channels_of_a_token_are_not_forced_on_a_channel_url(server: Server) -> None:
    text = token(channels=["token:a"])
    stream = await server.events("/channels/token:a", headers=[bearer(text)])
    await stream.next()
    for number in (1, 2):
        await server.node.publish("token:a", number)
    blocks: list[str] = []
    while len(blocks) < 2:
        blocks += [value for name, value in await stream.next() if name == "data" and value != "{}"]
    assert blocks == ["1", "2"], "each once"
    await stream.response.close()


async def test_capabilities_grant_without_subscribing(dial: Callable[..., Conversation], server: Server) -> None:
    text = token(caps=[{"channels": ["token:*"], "match": "wildcard", "allow": ["sub", "pub", "hst"]}])
    wire = dial()
    reply = await wire.connect(token=text)
    assert not reply["connect"].get("subs")
    assert "subscribe" in await wire.request("subscribe", channel="token:x")
    assert "publish" in await wire.request("publish", channel="token:y", data=1)
    assert (await server.request("GET", "/channels/token:y", headers=[bearer(text)])).status == 200
    assert (await server.request("GET", "/channels/token:y/presence", headers=[bearer(text)])).status == 403


async def test_a_subscription_token_opens_its_channel_and_expires(dial: Callable[..., Conversation]) -> None:
    wire = dial()
    await wire.connect(token=token())
    text = token(channel="token:a", info={"seat": 1}, data="welcome", ttl=60, allow=["pub", "hst", "prs"])
    reply = await wire.request("subscribe", channel="token:a", token=text)
    assert reply["subscribe"]["expires"] is True
    assert 50 <= reply["subscribe"]["ttl"] <= 60
    assert reply["subscribe"]["data"] == "welcome"
    assert "publish" in await wire.request("publish", channel="token:a", data=1)
    assert "history" in await wire.request("history", channel="token:a", limit=1)
    presence = (await wire.request("presence", channel="token:a"))["presence"]["presence"]
    assert presence[wire.client]["chan_info"] == {"seat": 1}
    fresh = await wire.request("sub_refresh", channel="token:a", token=token(channel="token:a", ttl=900))
    assert fresh["sub_refresh"] == {"expires": True, "ttl": fresh["sub_refresh"]["ttl"]}
    assert 890 <= fresh["sub_refresh"]["ttl"] <= 900


async def test_a_session_is_refreshed_by_a_newer_token(dial: Callable[..., Conversation], server: Server) -> None:
    wire = dial()
    await wire.connect(token=token(ttl=60, jti="old"))
    reply = await wire.request("refresh", token=token(ttl=900, jti="new"))
    assert 890 <= reply["refresh"]["ttl"] <= 900
    assert reply["refresh"]["client"] == wire.client
    assert server.node.revoke(token_id="old") == 0, "the session lives by its new token"
    assert server.node.revoke(token_id="new") == 1
    assert await wire.end() == 3500


async def test_secrets_are_rotated_without_a_gap() -> None:
    newer = SECRET[::-1]
    async with running(Node(settings(secrets=(newer, SECRET)))) as server:
        for secret in (newer, SECRET):
            text = sign({"sub": "ada", "exp": int(time.time()) + 60}, secret)
            assert (await server.request("GET", "/channels/room", headers=[bearer(text)])).status == 200


async def test_the_handler_decides_after_the_token() -> None:
    node = Node(settings())
    seen: list[tuple[str, str]] = []

    @node.on_connect
    async def connect(connecting: Connecting) -> User | None:
        seen.append((connecting.user, connecting.token))
        return User("guest", ttl=5) if not connecting.user else None

    async with running(node) as server:
        text = token("ada")
        for headers, user in (([bearer(text)], "ada"), ([], "guest")):
            wire = open_wire("websocket", server.port, headers=headers)
            reply = await wire.connect()
            assert [driver.session.user for driver in server.node.sessions.values()] == [user]
            assert (reply["connect"]["ttl"] == 5) is (user == "guest")
            await wire.close()
            await eventually(lambda: not server.node.sessions)
        assert seen == [("ada", text), ("", "")]


async def test_anonymous_are_let_in_where_the_settings_say_so() -> None:
    async with running(Node(settings(anonymous=True))) as server:
        assert (await server.request("GET", "/channels/public:a")).status == 200
        assert (await server.request("GET", "/channels/room")).status == 403


async def test_settings_made_by_code_are_checked_at_the_start() -> None:
    node = Node(Settings(namespaces={"": Namespace(subscribe="ask")}))
    with pytest.raises(SettingsError, match=r"namespaces\.default\.subscribe"):
        await node.start()


# ---- tickets ---------------------------------------------------------------------------------------------------------


async def test_an_event_source_reads_by_its_ticket_again_and_again(server: Server) -> None:
    text = await ticket(server, "stream", "room", "other")
    for number in range(3):
        stream = await server.events(f"/channels?name=room&name=other&ticket={text}")
        await stream.next()
        await server.node.publish("room", number)
        block = dict(await stream.next())
        while "channel" not in block.get("data", ""):
            block = dict(await stream.next())
        assert json.loads(block["data"])["data"] == number
        await stream.response.close()


async def test_a_jsonp_session_begins_with_a_ticket(server: Server) -> None:
    text = await ticket(server, "jsonp")
    command = {"id": 4294967295, "connect": {"wh": {}}}
    body = quote(json.dumps({"nonce": "n" * 16, "poll": 1, "commands": [command]}))
    answer = await server.request("GET", f"/connection/jsonp?callback=f&ticket={text}&body={body}")
    assert b'"connect":{"client"' in answer.body
    [driver] = server.node.sessions.values()
    assert driver.session.user == "ada"


async def test_a_websocket_ticket_may_what_its_token_may_in_its_channels(server: Server) -> None:
    from websockets.asyncio.client import connect

    text = await ticket(server, "websocket", "room")
    async with connect(f"ws://127.0.0.1:{server.port}/channels/room?ticket={text}", proxy=None) as socket:
        await socket.send("1")
        assert await socket.recv() == "1"


# ---- cookies ---------------------------------------------------------------------------------------------------------


async def test_a_page_logs_in_listens_and_logs_out(server: Server) -> None:
    own = ("Origin", f"http://127.0.0.1:{server.port}")
    answer = await server.request("POST", "/connection/login", headers=[bearer(token(jti="t1")), own])
    assert answer.json() == {"user": "ada", "ttl": answer.json()["ttl"]}
    pair = answer.header("set-cookie").partition(";")[0]
    stream = await server.events("/channels/room", headers=[("Cookie", pair), ("Sec-Fetch-Site", "same-origin")])
    await stream.next()
    wire = open_wire("websocket", server.port, headers=[("Cookie", pair), own])
    assert "connect" in await wire.connect()
    answer = await server.request("POST", "/connection/logout", headers=[("Cookie", pair), own])
    assert answer.status == 200
    assert await wire.end() == 3500
    with pytest.raises(EOFError):
        while True:
            await stream.next()
    await stream.response.close()
    await wire.close()


async def test_without_a_name_for_the_cookie_there_is_no_login() -> None:
    async with running(Node(settings(cookie=""))) as server:
        own = ("Origin", f"http://127.0.0.1:{server.port}")
        for path in ("/connection/login", "/connection/logout"):
            assert (await server.request("POST", path, headers=[bearer(token()), own])).status == 404
        headers = [("Cookie", f"wirehop={token()}"), own]
        assert (await server.request("GET", "/channels/room", headers=headers)).status == 401


# ---- asking the application ------------------------------------------------------------------------------------------


@asynccontextmanager
async def application(
    answer: Callable[[dict[str, Any]], dict[str, Any]],
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A web application that is asked: its URL, and what it heard."""
    heard: list[Asked] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                heard.append(json.loads(await reader.readexactly(length)))
                body = json.dumps(answer(heard[-1])).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/ask", heard
    finally:
        listener.close()
        await asyncio.sleep(0)


async def test_the_application_is_asked_who_may_do_what() -> None:
    def answer(question: dict[str, Any]) -> dict[str, Any]:
        match question["action"]:
            case "connect":
                if question.get("data") == "let me in":
                    known = {"user": "ada", "info": {"n": 1}, "data": [1], "channels": ["public:a"]}
                    return {"result": {**known, "expire_at": time.time() + 60}}
                return {"disconnect": {"code": 4501, "reason": "go away"}}
            case "subscribe":
                is_open = question["channel"] == "ask:open"
                return {"result": {"allow": ["hst"], "data": "hello"}} if is_open else {"error": {"code": 102}}
            case "publish":
                return {"result": {"data": {"said": question["data"]}}}
            case "refresh":
                return {"result": {"expire_at": time.time() + 900}}
            case _:
                return {"result": {"expired": True}}

    async with application(answer) as (url, heard):
        asked = {"ask_url": url, "ask_secret": SECRET, "ask_about": ("connect", "refresh", "sub_refresh")}
        async with running(Node(settings(**asked))) as server:
            wire = open_wire("websocket", server.port)
            reply = await wire.connect(data="let me in", name="test")
            assert reply["connect"]["data"] == [1]
            assert set(reply["connect"]["subs"]) == {"public:a"}
            assert 50 <= reply["connect"]["ttl"] <= 60
            assert (heard[0]["transport"], heard[0]["name"], heard[0]["address"]) == ("websocket", "test", "127.0.0.1")
            assert (await wire.request("subscribe", channel="ask:open"))["subscribe"]["data"] == "hello"
            assert (await wire.request("subscribe", channel="ask:other"))["error"]["code"] == 102
            assert "publish" in await wire.request("publish", channel="ask:open", data=7)
            assert [each["data"] for each in await wire.publications(1, channel="ask:open")] == [{"said": 7}]
            assert "history" in await wire.request("history", channel="ask:open", limit=1)
            assert (await wire.request("presence", channel="ask:open"))["error"]["code"] == 103
            assert (await wire.request("refresh", token=""))["refresh"]["ttl"] > 800
            await wire.request("sub_refresh", channel="ask:open", token="")
            refused = open_wire("websocket", server.port)
            await refused.connect()
            assert (refused.code, refused.reason) == (4501, "go away")
            with_token = open_wire("websocket", server.port)
            count = len(heard)
            assert "connect" in await with_token.connect(token=token("bob"))
            assert len(heard) == count, "who has a token is known already"
            page = await server.request("GET", "/channels/ask:open", headers=[bearer(token())])
            assert page.status == 200
            for each in (wire, refused, with_token):
                await each.close()


async def test_asking_works_on_wires_that_carry_bytes() -> None:
    async with application(lambda _question: {"result": {}}) as (url, heard):
        node = Node(settings(ask_url=url, ask_secret=SECRET))
        async with running(node) as server:
            wire = open_wire("websocket-protobuf", server.port)
            await wire.connect(token=token())
            assert "publish" in await wire.request("publish", channel="ask:a", data={"any": 1})
            assert "b64data" in heard[0]
            await wire.close()
