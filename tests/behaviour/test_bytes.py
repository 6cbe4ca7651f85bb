"""Payloads that are bytes, from end to end: published over Protobuf or by the application, read on every wire."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw
from node_under_test import Server, eventually

from wirehop.codecs import protobuf
from wirehop.core.errors import Refused
from wirehop.core.messages import (
    Command,
    ConnectRequest,
    PayloadKind,
    PublishRequest,
    PublishWh,
    Reply,
    RpcRequest,
    SendRequest,
)
from wirehop.node import Client, Connecting, User
from wirehop.testing.wires import WIRES, Conversation

pytestmark = pytest.mark.asyncio
Dial = Callable[..., Conversation]
PROTOBUF = [name for name in WIRES if name.endswith("-protobuf")]
BYTES = bytes(range(256))
IN_BASE64 = base64.b64encode(BYTES).decode()


class Plain:
    """A Protobuf wire on which commands are given as they are and replies are kept as they came."""

    def __init__(self, wire: Conversation) -> None:
        self.wire = wire
        self.replies: list[Reply] = []
        speech: Any = wire.carrier.speech  # type: ignore[attr-defined]
        self._speech = speech
        shown = speech.lines

        def keep(message: bytes) -> Any:
            self.replies += protobuf.decode_replies(message)
            return shown(message)

        speech.lines = keep
        self._number = 100

    async def request(self, **fields: Any) -> Reply:
        """One command and its reply."""
        self._number += 1
        number = self._number
        await self.post(Command(id=number, **fields))
        await eventually(lambda: any(reply.id == number for reply in self.replies), "a reply")
        return next(reply for reply in self.replies if reply.id == number)

    async def post(self, command: Command) -> None:
        says, self._speech.commands = self._speech.commands, lambda _: protobuf.encode_command(command)
        try:
            await self.wire.post({})
        finally:
            self._speech.commands = says

    def payloads(self) -> list[bytes]:
        return [reply.push.pub.data for reply in self.replies if reply.push is not None and reply.push.pub is not None]


@pytest.fixture(params=PROTOBUF)
def protobuf_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def plain(dial: Dial, name: str, **connect: Any) -> Plain:
    wire = dial(name)
    opened = Plain(wire)
    reply = await wire.connect(**connect)
    assert "connect" in reply, reply
    return opened


PUBLISHED = [
    (BYTES, PayloadKind.JSON, PayloadKind.BINARY, BYTES),
    (b"\xff", PayloadKind.JSON, PayloadKind.BINARY, b"\xff"),
    (b"{'a': 1}", PayloadKind.JSON, PayloadKind.BINARY, b"{'a': 1}"),
    (b'"\xff"', PayloadKind.JSON, PayloadKind.BINARY, b'"\xff"'),
    (b"1 2", PayloadKind.JSON, PayloadKind.BINARY, b"1 2"),
    (b'{"a": [1, 2.50]}', PayloadKind.JSON, PayloadKind.JSON, b'{"a": [1, 2.50]}'),
    (b'{"a":\r\n[1]}', PayloadKind.JSON, PayloadKind.JSON, b'{"a":[1]}'),
    ("grüße\r\n".encode(), PayloadKind.TEXT, PayloadKind.TEXT, "grüße\r\n".encode()),
    (b"123", PayloadKind.BINARY, PayloadKind.BINARY, b"123"),
    (b"\r\n1\r\n", PayloadKind.BINARY, PayloadKind.BINARY, b"\r\n1\r\n"),
    (b"", PayloadKind.BINARY, PayloadKind.BINARY, b""),
]


@pytest.mark.parametrize("wire_name", ["websocket"])
@pytest.mark.parametrize(("sent", "said", "kind", "kept"), PUBLISHED)
async def test_what_is_published_over_protobuf_is_json_where_it_looks_like_it(
    server: Server, dial: Dial, protobuf_name: str, sent: bytes, said: PayloadKind, kind: PayloadKind, kept: bytes
) -> None:
    writer = await plain(dial, protobuf_name)
    wh = PublishWh(kind=said) if said is not PayloadKind.JSON else None
    assert (await writer.request(publish=PublishRequest("quiet:a", Raw(sent), wh))).publish is not None
    (publication,) = (await server.node.history("quiet:a")).publications
    assert (publication.data, publication.kind) == (kept, kind)


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_publishing_what_is_said_to_be_text_and_is_not_or_nothing_at_all_is_107(
    dial: Dial, protobuf_name: str
) -> None:
    writer = await plain(dial, protobuf_name)
    for request in (
        PublishRequest("quiet:a", Raw(b"\xff"), PublishWh(kind=PayloadKind.TEXT)),
        PublishRequest("quiet:a"),
    ):
        error = (await writer.request(publish=request)).error
        assert error is not None
        assert error.code == 107


async def test_bytes_published_over_protobuf_are_base64_on_json_wires_and_bytes_on_the_others(
    server: Server, dial: Dial, wire: Conversation
) -> None:
    await wire.request("subscribe", channel="quiet:a")
    writer, reader = await plain(dial, "websocket-protobuf"), await plain(dial, "stream-protobuf")
    await reader.wire.request("subscribe", channel="quiet:a")
    await writer.request(publish=PublishRequest("quiet:a", Raw(BYTES)))
    (publication,) = await wire.publications(1)
    assert (publication["data"], publication["tags"]) == (IN_BASE64, {"wh-encoding": "base64"})
    await eventually(lambda: reader.payloads() == [BYTES])
    history = (await wire.request("history", channel="quiet:a", limit=-1))["history"]
    assert [(each["data"], each["tags"]) for each in history["publications"]] == [
        (IN_BASE64, {"wh-encoding": "base64"})
    ]


async def test_what_the_application_publishes_reaches_every_wire_in_its_kind(
    server: Server, wire: Conversation
) -> None:
    await wire.request("subscribe", channel="quiet:a")
    await server.node.publish("quiet:a", BYTES)
    await server.publish_raw("quiet:a", "grüße".encode(), PayloadKind.TEXT)
    await server.node.publish("quiet:a", {"n": 1})
    binary, text, json = await wire.publications(3)
    assert (binary["data"], binary["tags"]) == (IN_BASE64, {"wh-encoding": "base64"})
    assert (text["data"], text.get("tags")) == ("grüße", None)
    assert (json["data"], json.get("tags")) == ({"n": 1}, None)


async def test_recovered_bytes_are_the_bytes(server: Server, dial: Dial, wire: Conversation) -> None:
    top = await server.node.publish("quiet:a", 1)
    await server.node.publish("quiet:a", BYTES)
    reply = await wire.request(
        "subscribe", channel="quiet:a", recover=True, epoch=top.epoch, offset=top.offset, recoverable=True
    )
    (publication,) = reply["subscribe"]["publications"]
    assert (publication["data"], publication["offset"]) == (IN_BASE64, 2)


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_bytes_published_in_base64_on_a_json_wire_are_bytes_on_protobuf_and_raw_sockets(
    server: Server, dial: Dial, wire: Conversation, protobuf_name: str
) -> None:
    reader = await plain(dial, protobuf_name)
    await reader.wire.request("subscribe", channel="quiet:a")
    await wire.request("publish", channel="quiet:a", data=IN_BASE64, wh={"kind": 2})
    await eventually(lambda: reader.payloads() == [BYTES])


# ---- what an application sees ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_rpc_takes_json_and_gives_json(server: Server, dial: Dial, protobuf_name: str) -> None:
    @server.node.rpc("double")
    async def double(_client: Client, n: int) -> dict[str, int]:
        return {"n": 2 * n}

    asker = await plain(dial, protobuf_name)
    result = (await asker.request(rpc=RpcRequest("double", Raw(b"21")))).rpc
    assert result is not None
    assert result.data == Raw(b'{"n":42}')


@pytest.mark.parametrize("wire_name", ["websocket"])
@pytest.mark.parametrize("sent", [BYTES, b"\xff", b"{", b"1 2", b'"\xff"', b"nope"])
async def test_rpc_data_that_is_not_json_is_107_and_says_so(
    server: Server, dial: Dial, protobuf_name: str, sent: bytes
) -> None:
    @server.node.rpc("anything")
    async def anything(_client: Client, data: object) -> object:
        return data

    asker = await plain(dial, protobuf_name)
    error = (await asker.request(rpc=RpcRequest("anything", Raw(sent)))).error
    assert error is not None
    assert (error.code, error.message[:16]) == (107, "data is not JSON")


@pytest.mark.parametrize("wire_name", ["websocket"])
@pytest.mark.parametrize("sent", [BYTES, b'"aGk="', b"123", b""])
async def test_an_rpc_method_that_takes_bytes_gets_and_gives_them_as_they_are(
    server: Server, dial: Dial, protobuf_name: str, sent: bytes
) -> None:
    seen: list[bytes] = []

    @server.node.rpc("echo")
    async def echo(_client: Client, data: bytes) -> bytes:
        seen.append(data)
        return data

    @server.node.rpc("raw")
    async def raw(_client: Client, data: Raw) -> Raw:
        return data

    asker = await plain(dial, protobuf_name)
    for method in ("echo", "raw"):
        result = (await asker.request(rpc=RpcRequest(method, Raw(sent)))).rpc
        assert result is not None
        assert bytes(result.data or b"") == sent
    assert seen == [sent]


@pytest.mark.parametrize("wire_name", ["websocket", "sse", "stream", "long-poll"])
async def test_a_method_that_takes_bytes_takes_base64_on_json_wires(server: Server, wire: Conversation) -> None:
    @server.node.rpc("reverse")
    async def reverse(_client: Client, data: bytes) -> bytes:
        return data[::-1]

    reply = await wire.request("rpc", method="reverse", data=IN_BASE64)
    assert base64.b64decode(reply["rpc"]["data"]) == BYTES[::-1]


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_on_message_gets_bytes_and_on_publish_gets_what_was_sent(
    server: Server, dial: Dial, protobuf_name: str
) -> None:
    got: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    @server.node.on_message
    async def message(_client: Client, data: bytes) -> None:
        got.put_nowait(("message", data))

    @server.node.on_publish
    async def publish(_client: Client, _channel: str, data: bytes) -> bytes:
        got.put_nowait(("publish", data))
        return data[::-1]

    writer = await plain(dial, protobuf_name)
    await writer.post(Command(send=SendRequest(Raw(b"\xff\x00"))))
    assert await asyncio.wait_for(got.get(), 5) == ("message", b"\xff\x00")
    await writer.request(publish=PublishRequest("quiet:a", Raw(BYTES)))
    assert await asyncio.wait_for(got.get(), 5) == ("publish", BYTES)
    (publication,) = (await server.node.history("quiet:a")).publications
    assert (publication.data, publication.kind) == (BYTES[::-1], PayloadKind.BINARY)


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_connect_data_over_protobuf_is_bytes_for_who_asks_for_them_else_json(
    server: Server, dial: Dial, protobuf_name: str
) -> None:
    seen: list[object] = []

    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        seen.append(connecting.data(bytes))
        try:
            seen.append(connecting.data())
        except Refused as refusal:
            seen.append(refusal.code.number)
        return User("ada", data={"hello": 1})

    for sent, decoded in ((b'{"a":1}', {"a": 1}), (b"\xff", 107)):
        seen.clear()
        wire = dial(protobuf_name)
        speech: Any = wire.carrier.speech  # type: ignore[attr-defined]
        command = Command(id=2**32 - 1, connect=ConnectRequest(data=Raw(sent)))
        speech.commands = lambda _, command=command: protobuf.encode_command(command)
        reply = await wire.connect()
        assert reply["connect"]["data"] == {"hello": 1}
        assert seen == [sent, decoded]
