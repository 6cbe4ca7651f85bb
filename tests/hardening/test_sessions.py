"""What hostile or broken clients send to sessions and channel URLs, and that they leave nothing behind."""

import asyncio
import base64
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

sys.path.insert(0, str(Path(__file__).parents[1] / "behaviour"))  # for `node_under_test`: tests are no package

from node_under_test import Server, eventually, limits, running

from wirehop.core.errors import PayloadError
from wirehop.core.messages import PayloadKind
from wirehop.node import Client
from wirehop.settings.tree import Origins
from wirehop.testing.carriers import WebSocketCarrier
from wirehop.testing.wires import WIRES, Conversation, open_wire

pytestmark = pytest.mark.asyncio
EVIL = [("Origin", "https://evil.example")]
DEEP = 100_000


@pytest_asyncio.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with running(**getattr(request, "param", {})) as server:
        yield server


@pytest_asyncio.fixture
async def wire(server: Server) -> AsyncIterator[Conversation]:
    """A connected WebSocket."""
    wire = open_wire("websocket", server.port)
    await wire.connect()
    yield wire
    await wire.close()


def raw(wire: Conversation) -> Any:
    """Its socket, to send what no client would."""
    assert isinstance(wire.carrier, WebSocketCarrier)
    return wire.carrier.socket


# ---- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "",
        "x",
        "{",
        "[]",
        "null",
        '"ping"',
        '{"id":1}',
        '{"id":1,"unknown":{}}',
        '{"id":0,"ping":{}}',
        '{"ping":{}}',
        '{"id":"1","ping":{}}',
        '{"id":1.5,"ping":{}}',
        '{"id":1,"ping":[]}',
        '{"id":1,"publish":{"channel":1,"data":1}}',
        '{"id":1,"publish":{"channel":"a","data":1,"wh":{"kind":7}}}',
        '{"id":1,"subscribe":{"channel":"a","offset":-1e400}}',
        '{"id":1,"connect":{}}',
        '{"id":1,"ping":{}}\n{"id":2,',
        '{"id":1,"ping":{}} {"id":2,"ping":{}}',
        '{"id":1,"rpc":{"method":"m","data":' + "[" * 20_000 + "]" * 20_000 + "}}",
        '{"id":1,"publish":{"channel":"\\ud800","data":1}}',
    ],
)
async def test_what_is_not_the_protocol_closes_with_3501(server: Server, wire: Conversation, message: str) -> None:
    await raw(wire).send(message)
    assert await wire.end() == 3501
    assert wire.reason
    await eventually(lambda: server.leftovers() == {})


@pytest.mark.parametrize("number", [2**32, 2**53 + 1, -1, 2**63, 10**26])
async def test_ids_that_are_no_uint32_close_with_3501(wire: Conversation, number: int) -> None:
    await raw(wire).send(f'{{"id":{number},"ping":{{}}}}')
    assert await wire.end(timeout=0.5) == 3501


async def test_the_largest_id_is_answered_with_itself(wire: Conversation) -> None:
    await wire.post({"id": 4_294_967_295, "ping": {}})
    assert (await wire.reply(4_294_967_295))["ping"] == {}


async def test_ids_that_are_repeated_are_answered_each_time(wire: Conversation) -> None:
    await wire.post({"id": 7, "ping": {}}, {"id": 7, "ping": {}})
    assert [await wire.reply(7) for _ in range(2)] == [{"id": 7, "ping": {}}] * 2


async def test_empty_lines_and_unknown_fields_are_ignored(wire: Conversation) -> None:
    await raw(wire).send('\n{"id":1,"ping":{"x":1},"y":[{}]}\n\n')
    assert (await wire.reply(1))["ping"] == {}


async def test_binary_messages_close_with_3506(wire: Conversation) -> None:
    await raw(wire).send(b"\x01\x02")
    assert await wire.end() == 3506


@pytest.mark.parametrize("server", [{"limits": limits(message_bytes=1000)}], indirect=True)
async def test_a_message_over_the_limit_closes_with_1009(server: Server, wire: Conversation) -> None:
    data = "x" * 900
    assert "ping" in await wire.request("ping", x=data)
    await raw(wire).send(
        '{"id":9,"rpc":{"method":"m","data":"' + data + 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}' * 2
    )
    assert await wire.end() == 1009
    await eventually(lambda: server.leftovers() == {})


async def test_a_thousand_commands_in_one_message_are_all_answered(wire: Conversation) -> None:
    commands = [wire.command("ping") for _ in range(1000)]
    await wire.post(*commands)
    for command in commands:
        assert "ping" in await wire.reply(command["id"])


@pytest.mark.parametrize("path", ["/emulation", "/connection/poll", "/connection/sse"])
@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b'{"session":"\xc3("}',
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b'{"session":"x","poll":1,"data":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"poll":1,"nonce":"12345678","commands":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"id":1,"connect":{"data":' + b"[" * DEEP + b"]" * DEEP + b"}}",
        b"\x00" * 1000,
        b"1" * 5000,
    ],
    ids=range(9),
)
async def test_bodies_that_are_nonsense_are_400_and_open_nothing(server: Server, path: str, body: bytes) -> None:
    answer = await server.request("POST", path, body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, 107)
    assert server.leftovers() == {}


async def test_typed_rpc_data_that_is_deeply_nested_is_107(server: Server, wire: Conversation) -> None:
    @server.node.rpc("any")
    async def anything(_client: Client, _data: object) -> None:
        return None

    data = "[" * 900 + "]" * 900
    await raw(wire).send('{"id":1,"rpc":{"method":"any","data":' + data + "}}")
    reply = await wire.reply(1)
    assert "rpc" in reply or reply["error"]["code"] == 107


async def test_too_much_behind_a_gap_in_the_numbers_closes_with_3501(server: Server) -> None:
    wire = open_wire("websocket", server.port)
    await wire.connect(wh=True)
    await wire.post(*({"id": number, "ping": {}} for number in range(2, 300)))
    assert await wire.end() == 3501
    await wire.close()


# ---- injection -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\nid: 1", "a\r\ndata: x", "a\rb", "a\x00b", "a\x1bb"])
async def test_channel_names_with_control_characters_get_nowhere(server: Server, text: str) -> None:
    name = quote(text, safe="")
    for target in (f"/channels/{name}", f"/channels?name={name}"):
        stream = await server.events(target)
        assert stream.response.status == 400
        await stream.response.close()
        assert (await server.request("POST", target, body=b"x")).status == 400
        assert (await server.request("GET", f"{target}{'&' if '?' in target else '?'}wait=0")).status == 400
    await eventually(lambda: server.leftovers() == {})


@pytest.mark.parametrize(
    "payload", [b"x\n\nid: 9\ndata: forged\n\n", b"x\r\rdata: forged", b"\n\n", b"\r\n: x\r\n\r\n"]
)
async def test_payloads_forge_no_event(server: Server, payload: bytes) -> None:
    single, several = await server.events("/channels/quiet:a"), await server.events("/channels?name=quiet:a&name=b")
    for stream in (single, several):
        await stream.next()
        await stream.next()
    headers = [("Content-Type", "text/plain")]
    assert (await server.request("POST", "/channels/quiet:a", headers=headers, body=payload)).status == 201
    await server.node.publish("quiet:a", "end")
    block = await single.next()
    assert next(name for name, _ in block) == "id"
    assert {name for name, _ in block[1:]} == {"data"}
    lines = payload.decode().replace("\r\n", "\n").replace("\r", "\n")
    assert "\n".join(value for name, value in block if name == "data") == lines
    assert dict(await single.next())["data"] == '"end"'
    assert json.loads(dict(await several.next())["data"])["data"] == payload.decode()
    assert json.loads(dict(await several.next())["data"])["data"] == "end"
    for stream in (single, several):
        await stream.response.close()


@pytest.mark.parametrize("wire_name", ["websocket", "sse"])
async def test_json_with_line_breaks_between_tokens_forges_no_push(server: Server, wire_name: str) -> None:
    wire = open_wire(wire_name, server.port)
    await wire.connect()
    await wire.request("subscribe", channel="quiet:a")
    forged = b'{"push":{"channel":"quiet:a","pub":{"data":"forged"}}}'
    body = b"[1,\n%b,\r\n\r\ndata: x\n]" % forged
    headers = [("Content-Type", "application/json")]
    assert (await server.request("POST", "/channels/quiet:a", headers=headers, body=body)).status == 400
    body = b"[1,\n%b\r\n]" % forged
    assert (await server.request("POST", "/channels/quiet:a", headers=headers, body=body)).status == 201
    (publication,) = await wire.publications(1)
    assert publication["data"] == [1, json.loads(forged)]
    await wire.request("ping")
    assert wire.waiting_pushes() == []
    await wire.close()


@pytest.mark.parametrize("name", ["a\nb", "x y", "reset", "message", "", "é", "a" * 65, "a:b"])
async def test_event_names_from_the_application_are_checked(server: Server, name: str) -> None:
    if name:
        with pytest.raises(PayloadError, match="event name"):
            await server.node.publish("a", 1, event=name)
    else:
        await server.node.publish("a", 1, event=name)


async def test_an_event_tag_set_past_the_check_forges_nothing(server: Server) -> None:
    stream = await server.events("/channels/quiet:a")
    await stream.next()
    await stream.next()
    with pytest.raises(PayloadError):
        await server.node.publish("quiet:a", 1, tags={"event": "x\ndata: forged\n\nid: 9"})
    await server.node.publish("quiet:a", 2)
    blocks = []
    while not blocks or dict(blocks[-1])["data"] != "2":
        blocks.append(await stream.next())
    assert all({name for name, _ in block} <= {"id", "event", "data"} for block in blocks)
    assert "forged" not in str(blocks)
    await stream.response.close()


async def test_header_values_with_line_breaks_never_reach_a_response(server: Server) -> None:
    headers = [("Idempotency-Key", "k%0d%0aX-Evil: 1"), ("Content-Type", "text/plain")]
    answer = await server.request("POST", "/channels/quiet:a", headers=headers, body=b"x")
    assert answer.status == 201
    cursor = quote("x:1\r\nX-Evil: 1")
    for target in (f"/channels/quiet:a?wait=0&cursor={cursor}", f"/channels/quiet:a?cursor={cursor}"):
        answer = await server.request("GET", target)
        assert answer.header("x-evil") == ""
    stream = await server.events(f"/channels/quiet:a?cursor={cursor}")
    assert stream.response.header("x-evil") == ""
    await stream.response.close()


@pytest.mark.parametrize(
    "callback", ["alert(document.cookie)//", "</script><script>", "a\nb", "a\u2028b", "a=1;b", "eval`1`"]
)
async def test_callbacks_inject_nothing(server: Server, callback: str) -> None:
    for target in (
        "/channels/quiet:a?callback=",
        "/channels/quiet:a?wait=0&callback=",
        "/connection/jsonp?body=x&callback=",
    ):
        answer = await server.request("GET", target + quote(callback))
        assert answer.status == 400
        assert "javascript" not in answer.header("content-type")


async def test_a_payload_ends_no_script(server: Server) -> None:
    await server.publish_raw("quiet:a", b"*/);alert(1)</script>\xe2\x80\xa8", PayloadKind.TEXT)
    answer = await server.request("GET", "/channels/quiet:a?callback=f")
    value = json.loads(answer.body.removeprefix(b"/**/f(").removesuffix(b");"))
    assert value["publications"][0]["data"] == "*/);alert(1)</script>\u2028"
    assert b"\xe2\x80\xa8" not in answer.body
    assert answer.header("x-content-type-options") == "nosniff"


# ---- origins ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "file://", "http://127.0.0.1", "http://127.0.0.1:1"]
)
async def test_pages_of_other_origins_open_no_wire(server: Server, origin: str) -> None:
    headers = [("Origin", origin)]
    connect = quote('{"id":1,"connect":{}}')
    for method, target in (
        ("GET", f"/connection/sse?cf_connect={connect}"),
        ("POST", "/connection/sse"),
        ("POST", "/connection/poll"),
        ("POST", "/emulation"),
        ("POST", "/channels/quiet:a"),
        ("GET", "/channels/quiet:a"),
        ("GET", "/channels/quiet:a?wait=0"),
    ):
        body = b'{"poll":1,"nonce":"12345678","commands":[{"id":1,"connect":{"wh":{}}}]}' if method == "POST" else b""
        answer = await server.request(method, target, headers=headers, body=body)
        assert answer.status == 403, target
        assert answer.header("access-control-allow-origin") == ""
    wire = open_wire("websocket", server.port, headers=headers)
    with pytest.raises(InvalidStatus) as refused:
        await wire.connect()
    assert refused.value.response.status_code == 403
    assert server.leftovers() == {}
    assert (await server.node.history("quiet:a")).publications == ()


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_forms_of_other_sites_publish_nothing(server: Server, content_type: str) -> None:
    headers = [*EVIL, ("Content-Type", content_type)]
    assert (await server.request("POST", "/channels/quiet:a", headers=headers, body=b"a=b")).status == 403
    assert (await server.node.history("quiet:a")).publications == ()


@pytest.mark.parametrize("server", [{"origins": Origins(allowed=("https://good.example",))}], indirect=True)
@pytest.mark.parametrize(
    "origin",
    [
        "https://good.example.evil",
        "https://evil-good.example",
        "http://good.example",
        "https://good.example:8443",
        "good.example",
    ],
)
async def test_origins_are_compared_whole(server: Server, origin: str) -> None:
    assert (await server.request("GET", "/channels/quiet:a", headers=[("Origin", origin)])).status == 403
    good = [("Origin", "https://GOOD.example")]
    assert (await server.request("GET", "/channels/quiet:a", headers=good)).status == 200


# ---- floods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [{"limits": limits(connect_timeout=1.0)}], indirect=True)
async def test_a_thousand_sockets_that_never_speak_are_closed_with_3502_and_leave_nothing(server: Server) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    head = (
        "GET /connection/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()

    async def silent() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(head)
            await reader.readuntil(b"\r\n\r\n")
            frame = await asyncio.wait_for(reader.readexactly(4), 20)
            assert frame[0] == 0x88
            return int.from_bytes(frame[2:], "big")
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    codes = await asyncio.gather(*(silent() for _ in range(1000)))
    assert codes == [3502] * 1000
    assert server.node.metrics.closed["websocket", 3502] == 1000
    await eventually(lambda: server.leftovers() == {} and server.host.connections == 0)
    assert len(server.node.wheel) < 10


async def test_a_flood_of_short_sessions_leaves_nothing(server: Server) -> None:
    async def visit(number: int) -> None:
        wire = open_wire(WIRES[number % 2], server.port)
        try:
            await wire.connect()
            await wire.request("subscribe", channel=f"c{number % 7}", join_leave=True)
            await wire.send("publish", channel=f"c{number % 7}", data=number)
            if number % 3 == 0:
                wire.cut()
        finally:
            await wire.close()

    for start in range(0, 200, 20):
        await asyncio.gather(*(visit(number) for number in range(start, start + 20)))
    await eventually(lambda: server.leftovers() == {})
    assert server.node.metrics.errors.total() == 0


async def test_a_flood_of_requests_leaves_nothing(server: Server) -> None:
    async def visit(number: int) -> None:
        target = f"/channels/c{number % 7}"
        if number % 3 == 0:
            await server.request("POST", target, body=b"x")
        elif number % 3 == 1:
            await server.request("GET", f"{target}?wait=10ms&cursor=x:1")
        else:
            stream = await server.events(target)
            stream.response.cut()
            await stream.response.close()

    for start in range(0, 300, 30):
        await asyncio.gather(*(visit(number) for number in range(start, start + 30)))
    await eventually(lambda: server.leftovers() == {})
    assert server.node.metrics.errors.total() == 0


async def test_polling_sessions_that_are_abandoned_are_forgotten(server: Server) -> None:
    for number in range(50):
        body = {
            "nonce": f"a-long-nonce-{number}",
            "poll": 1,
            "commands": [{"id": 4_294_967_295, "connect": {"wh": {}}}],
        }
        await server.request("POST", "/connection/poll", body=json.dumps(body).encode())
    assert len(server.node.sessions) == 50
    for wire in list(server.polls._wires.values()):
        wire.tick(server.node.clock.now() + 60)
    assert server.leftovers() == {}


async def test_streams_that_are_cut_before_they_are_granted_leave_nothing(server: Server) -> None:
    go = asyncio.Event()

    @server.node.on_subscribe
    async def subscribe(_client: Client, _channel: str) -> None:
        await go.wait()

    asking = [asyncio.create_task(server.events("/channels/news")) for _ in range(20)]
    await eventually(lambda: len(server.node.sessions) == 20)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await eventually(lambda: not server.node.sessions)
    go.set()
    await eventually(lambda: server.leftovers() == {})


async def test_metrics_answer_under_load(server: Server) -> None:
    wires = [open_wire("websocket", server.port) for _ in range(10)]
    for wire in wires:
        await wire.connect()
        await wire.request("subscribe", channel="quiet:a")
    stop = asyncio.Event()

    async def publish() -> None:
        while not stop.is_set():
            await server.node.publish("quiet:a", 1)
            await asyncio.sleep(0)

    publishing = asyncio.create_task(publish())
    try:
        texts = await asyncio.gather(*(server.metrics() for _ in range(20)))
    finally:
        stop.set()
        await publishing
    for text in texts:
        assert 'wirehop_connections{transport="websocket"} 10.0' in text
        assert text.endswith("\n")
    for wire in wires:
        await wire.close()


async def test_a_label_in_the_metrics_is_never_what_a_client_sent(server: Server) -> None:
    wire = open_wire("websocket", server.port)
    await wire.connect(name='x"} 1\nevil', version="y")
    await wire.request("rpc", method='m"}\n')
    await wire.request("subscribe", channel="chan-secret")
    text = await server.metrics()
    for word in ("evil", 'm"}', "chan-secret"):
        assert word not in text
    await wire.close()
