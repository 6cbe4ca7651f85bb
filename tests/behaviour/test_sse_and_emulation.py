"""What only the sse wire promises: its head, its refusals, its tickets, and the emulated way up."""

import json
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from node_under_test import Server, eventually

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.testing import http
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio
CONNECT = "/connection/sse?cf_connect=" + quote('{"id":1,"connect":{}}')


@pytest_asyncio.fixture
async def wire(server: Server) -> Any:
    wire = open_wire("sse", server.port)
    await wire.connect()
    yield wire
    await wire.close()


async def post(server: Server, **body: Any) -> http.Answer:
    return await server.request("POST", "/emulation", body=json.dumps(body).encode())


async def test_the_stream_has_exactly_the_headers_of_an_event_stream(server: Server) -> None:
    response = await server.open("GET", CONNECT)
    assert response.status == 200
    assert [header for header in response.headers if header[0] not in ("Date", "Transfer-Encoding")] == [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-cache"),
        ("Connection", "keep-alive"),
        ("X-Accel-Buffering", "no"),
    ]
    await response.close()


async def test_each_event_is_one_reply_on_one_data_line(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="quiet:a")
    await server.publish_raw("quiet:a", b'{"a":"\\r\\n"}')
    await wire.publications(1)
    assert b"\n" not in b"".join(wire.lines)


async def test_a_refused_connect_is_http_200_with_an_error_reply_and_the_end(server: Server) -> None:
    @server.node.on_connect
    async def connect(_connecting: object) -> None:
        raise Refused(codes.UNAUTHORIZED)

    response = await server.open("GET", CONNECT)
    assert response.status == 200
    assert await response.body() == b'data: {"id":1,"error":{"code":101,"message":"unauthorized"}}\n\n'
    await response.close()
    assert server.leftovers() == {}


async def test_a_connect_that_ends_the_session_is_http_200_with_a_disconnect_push(server: Server) -> None:
    server.node.is_draining = True
    response = await server.open("GET", CONNECT)
    assert response.status == 200
    push = json.loads((await response.body()).removeprefix(b"data: "))["push"]["disconnect"]
    assert push == {"code": 3001, "reason": "server is shutting down", "reconnect": True}
    await response.close()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "cf_connect=",
        "cf_connect=x",
        "cf_connect={}",
        "cf_connect=" + quote('{"id":1,"ping":{}}'),
        "cf_connect=" + quote('{"id":1,"connect":{}}\n{"id":2,"ping":{}}'),
        "cf_ticket=nobody",
    ],
)
async def test_a_request_without_exactly_one_connect_is_400(server: Server, query: str) -> None:
    answer = await server.request("GET", f"/connection/sse?{query}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, 107)
    assert server.leftovers() == {}


async def test_a_ticket_works_once(server: Server) -> None:
    answer = await server.request("POST", "/connection/sse", body=b'{"id":1,"connect":{"data":"x"}}')
    assert answer.status == 200
    target = "/connection/sse?cf_ticket=" + answer.json()["cf_ticket"]
    stream = await server.open("GET", target)
    assert stream.status == 200
    await stream.close()
    assert (await server.request("GET", target)).status == 400


async def test_head_and_other_methods(server: Server) -> None:
    head = await server.request("HEAD", CONNECT)
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-type") == "text/event-stream; charset=utf-8"
    wrong = await server.request("DELETE", CONNECT)
    assert (wrong.status, wrong.header("allow")) == (405, "GET, HEAD, POST, OPTIONS")
    assert server.leftovers() == {}


async def test_emulation_takes_a_string_of_lines_an_array_and_an_object(server: Server, wire: Conversation) -> None:
    for number, data in (
        (1, '{"id":1,"ping":{}}\n{"id":11,"ping":{}}'),
        (2, [{"id": 2, "ping": {}}]),
        (3, {"id": 3, "ping": {}}),
    ):
        answer = await post(server, session=wire.secret, node=wire.node, data=data)
        assert (answer.status, answer.body) == (204, b"")
        assert (await wire.reply(number))["ping"] == {}
    assert (await wire.reply(11))["ping"] == {}


async def test_emulation_without_a_node_goes_to_this_one(server: Server, wire: Conversation) -> None:
    assert (await post(server, session=wire.secret, data={"id": 1, "ping": {}})).status == 204


async def test_emulation_to_a_session_that_is_not_here_is_404(server: Server, wire: Conversation) -> None:
    ping = {"id": 1, "ping": {}}
    assert (await post(server, session="nobody", data=ping)).status == 404
    assert (await post(server, session=wire.client, data=ping)).status == 404
    assert (await post(server, session=wire.secret, node="elsewhere", data=ping)).status == 404
    wire.cut()
    await eventually(lambda: not server.node.sessions)
    assert (await post(server, session=wire.secret, data=ping)).status == 404


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1",
        b'"x"',
        b'"\\ud800"',
        b"[1]",
        b'["x"]',
        b"null",
        b'"',
        b'"\xff"',
        b"[" * 5000,
        b'"' + b"[" * 5000 + b'"',
    ],
)
async def test_emulation_of_nonsense_is_400_and_harms_nothing(server: Server, wire: Conversation, data: bytes) -> None:
    body = b'{"session":"%b","data":%b}' % (wire.secret.encode(), data)
    answer = await server.request("POST", "/emulation", body=body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, 107)
    assert (await wire.request("ping"))["ping"] == {}


async def test_emulation_methods(server: Server) -> None:
    answer = await server.request("GET", "/emulation")
    assert (answer.status, answer.header("allow")) == (405, "POST, OPTIONS")


async def test_the_session_ends_with_its_stream(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="news")
    wire.cut()
    await eventually(lambda: server.leftovers() == {}, "nothing left")
