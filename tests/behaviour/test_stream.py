"""What only http streams and Protobuf wires promise: their heads, their refusals, and that codecs do not mix."""

import json
from typing import Any

import pytest
from msgspec import Raw
from node_under_test import Server, eventually, running
from websockets.asyncio.client import connect as open_websocket
from websockets.typing import Subprotocol

from wirehop.codecs import protobuf
from wirehop.codecs.protobuf import Emulated
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import Command, ConnectRequest, Error, PingRequest, Reply
from wirehop.settings.tree import Origins, Transports
from wirehop.testing.wires import open_wire

pytestmark = pytest.mark.asyncio
JSON = [("Content-Type", "application/json")]
BINARY = [("Content-Type", "application/octet-stream")]
LINE = b'{"id":1,"connect":{}}'
MESSAGE = protobuf.encode_command(Command(id=1, connect=ConnectRequest()))
PING = protobuf.encode_command(Command(id=2, ping=PingRequest()))
TARGET = "/connection/http_stream"


async def test_the_head_says_that_nobody_is_to_keep_or_buffer_it(server: Server) -> None:
    for headers, body, content_type in (
        (JSON, LINE, "application/x-ndjson"),
        ([], LINE + b"\n", "application/x-ndjson"),
        (BINARY, MESSAGE, "application/octet-stream"),
        ([("Content-Type", "Application/Octet-Stream; x=y")], MESSAGE, "application/octet-stream"),
    ):
        response = await server.open("POST", TARGET, headers=headers, body=body)
        assert response.status == 200
        assert [header for header in response.headers if header[0] not in ("Date", "Transfer-Encoding")] == [
            ("Content-Type", content_type),
            ("Cache-Control", "no-cache, no-transform"),
            ("Connection", "keep-alive"),
            ("X-Accel-Buffering", "no"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        await response.close()


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (JSON, LINE, b'{"id":1,"error":{"code":101,"message":"unauthorized"}}\n'),
        (BINARY, MESSAGE, protobuf.encode_reply(Reply(1, error=Error(101, "unauthorized")))),
    ],
)
async def test_a_refused_connect_is_http_200_with_an_error_reply_and_the_end(
    server: Server, headers: Any, body: bytes, expected: bytes
) -> None:
    @server.node.on_connect
    async def connect(_connecting: object) -> None:
        raise Refused(codes.UNAUTHORIZED)

    response = await server.open("POST", TARGET, headers=headers, body=body)
    assert response.status == 200
    assert await response.body() == expected
    await response.close()
    assert server.leftovers() == {}


async def test_a_connect_that_ends_the_session_is_http_200_with_a_disconnect_push(server: Server) -> None:
    server.node.is_draining = True
    response = await server.open("POST", TARGET, headers=JSON, body=LINE)
    assert response.status == 200
    push = json.loads(await response.body())["push"]["disconnect"]
    assert push == {"code": 3001, "reason": "server is shutting down", "reconnect": True}
    await response.close()
    response = await server.open("POST", TARGET, headers=BINARY, body=MESSAGE)
    (reply,) = protobuf.decode_replies(await response.body())
    assert reply.push is not None
    assert reply.push.disconnect is not None
    assert (reply.push.disconnect.code, reply.push.disconnect.reconnect) == (3001, True)
    await response.close()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, b""),
        (JSON, b"x"),
        (JSON, b"{}"),
        (JSON, b"\xff"),
        (JSON, b'{"id":1,"ping":{}}'),
        (JSON, LINE + b"\n" + LINE),
        (JSON, MESSAGE),
        (BINARY, b""),
        (BINARY, LINE),
        (BINARY, b"\0"),
        (BINARY, b"\x05abc"),
        (BINARY, PING),
        (BINARY, MESSAGE + PING),
        (BINARY, MESSAGE + MESSAGE),
    ],
)
async def test_a_body_that_is_not_exactly_one_connect_is_400(server: Server, headers: Any, body: bytes) -> None:
    answer = await server.request("POST", TARGET, headers=headers, body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, 107)
    assert server.leftovers() == {}


async def test_other_methods_and_the_preflight(server: Server) -> None:
    wrong = await server.request("GET", TARGET)
    assert (wrong.status, wrong.header("allow")) == (405, "POST, OPTIONS")
    origins = Origins(allowed=("https://page.example",))
    async with running(origins=origins) as other:
        asks = [
            ("Origin", "https://page.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ]
        answer = await other.request("OPTIONS", TARGET, headers=asks)
        assert answer.status == 204
        assert answer.header("access-control-allow-origin") == "https://page.example"
        assert "content-type" in answer.header("access-control-allow-headers").lower()
        response = await other.open("POST", TARGET, headers=[*asks[:1], *JSON], body=LINE)
        assert response.header("access-control-allow-origin") == "https://page.example"
        await response.close()
        refused = await other.request("POST", TARGET, headers=[("Origin", "https://evil.example"), *JSON], body=LINE)
        assert refused.status == 403


async def test_each_reply_is_one_line(server: Server) -> None:
    wire = open_wire("stream", server.port)
    await wire.connect()
    await wire.request("subscribe", channel="quiet:a")
    await server.publish_raw("quiet:a", b'{"a":"\\r\\n"}')
    await wire.publications(1)
    assert b"\n" not in b"".join(wire.lines)
    await wire.close()


async def test_the_session_ends_with_its_stream(server: Server) -> None:
    for name in ("stream", "stream-protobuf"):
        wire = open_wire(name, server.port)
        await wire.connect()
        await wire.request("subscribe", channel="news")
        wire.cut()
        await eventually(lambda: server.leftovers() == {}, "nothing left")
        await wire.close()


async def test_a_stream_that_is_switched_off_is_404() -> None:
    transports = Transports(stream=False)
    async with running(transports=transports) as server:
        assert (await server.request("POST", TARGET, headers=JSON, body=LINE)).status == 404


@pytest.mark.parametrize(("name", "other"), [("stream", BINARY), ("sse", BINARY), ("stream-protobuf", JSON)])
async def test_commands_come_up_in_the_codec_of_the_session(server: Server, name: str, other: Any) -> None:
    wire = open_wire(name, server.port)
    await wire.connect()
    if other is BINARY:
        body = protobuf.encode_emulated(Emulated(wire.node, wire.secret, Raw(PING)))
    else:
        body = json.dumps({"session": wire.secret, "node": wire.node, "data": '{"id":2,"ping":{}}'}).encode()
    answer = await server.request("POST", "/emulation", headers=other, body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, 107)
    assert (await wire.request("ping"))["ping"] == {}
    await wire.close()


@pytest.mark.parametrize("body", [b"\xff", b"\x1a\x05\x08", b"\x12\x03abc\x1a\x02\x05a", b"", b"\x12\x02\xff\xfe"])
async def test_emulation_of_binary_nonsense_is_400_or_nobodys(server: Server, body: bytes) -> None:
    answer = await server.request("POST", "/emulation", headers=BINARY, body=body)
    assert answer.status in (400, 404)
    assert "error" in answer.json()


# ---- Protobuf over WebSocket -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "subprotocols", "chosen"),
    [
        ("", ["centrifuge-protobuf"], "centrifuge-protobuf"),
        ("", ["other", "centrifuge-protobuf"], "centrifuge-protobuf"),
        ("?cf_protocol=protobuf", None, None),
        ("?x=1&cf_protocol=protobuf", ["other"], None),
    ],
)
async def test_protobuf_is_spoken_by_subprotocol_or_by_query(
    server: Server, query: str, subprotocols: list[str] | None, chosen: str | None
) -> None:
    async with open_websocket(
        f"ws://127.0.0.1:{server.port}/connection/websocket{query}",
        subprotocols=[Subprotocol(each) for each in subprotocols] if subprotocols else None,
        proxy=None,
    ) as socket:
        assert socket.subprotocol == chosen
        await socket.send(MESSAGE + PING)
        received = b""
        while len(replies := protobuf.decode_replies(received)) < 2:
            message = await socket.recv()
            assert isinstance(message, bytes)
            received += message
        assert [reply.id for reply in replies] == [1, 2]
        assert replies[0].connect is not None


@pytest.mark.parametrize("query", ["", "?cf_protocol=json", "?cf_protocol="])
async def test_json_is_spoken_else(server: Server, query: str) -> None:
    async with open_websocket(f"ws://127.0.0.1:{server.port}/connection/websocket{query}", proxy=None) as socket:
        await socket.send(LINE.decode())
        assert isinstance(await socket.recv(), str)


async def test_a_message_of_the_other_kind_is_3506(server: Server) -> None:
    for query, message in (("", MESSAGE), ("?cf_protocol=protobuf", LINE.decode())):
        address = f"ws://127.0.0.1:{server.port}/connection/websocket{query}"
        async with open_websocket(address, proxy=None) as socket:
            await socket.send(message)
            await socket.wait_closed()
            assert socket.close_code == 3506
            assert "speaks" in (socket.close_reason or "")


@pytest.mark.parametrize("message", [b"\x01", b"\xff" * 12, LINE, b"\x05\x08\x01"])
async def test_a_binary_message_that_is_not_the_protocol_is_3501(server: Server, message: bytes) -> None:
    address = f"ws://127.0.0.1:{server.port}/connection/websocket?cf_protocol=protobuf"
    async with open_websocket(address, proxy=None) as socket:
        await socket.send(MESSAGE)
        await socket.recv()
        await socket.send(message)
        await socket.wait_closed()
        assert socket.close_code == 3501
    await eventually(lambda: server.leftovers() == {}, "nothing left")
