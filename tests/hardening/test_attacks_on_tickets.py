"""One test for each attack on tickets, named after it."""

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from attacking import (  # noqa: F401 - fixtures
    bearer,
    code_of_websocket,
    dialing,
    end_code,
    guarded_server,
    ticket,
    token,
)
from node_under_test import Server

from wirehop.testing import http
from wirehop.testing.wires import Conversation

pytestmark = pytest.mark.asyncio


async def test_replayed_one_use_ticket(server: Server) -> None:
    text = await ticket(server, "websocket")
    assert [await code_of_websocket(server, f"ticket={text}") for _ in range(2)] == [0, 3500]


async def test_replayed_jsonp_ticket(server: Server) -> None:
    text = await ticket(server, "jsonp", "room")
    answers = [await server.request("GET", f"/channels/room?callback=f&ticket={text}") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 401]


async def test_a_ticket_in_the_place_of_a_token(server: Server, dial: Callable[..., Conversation]) -> None:
    text = await ticket(server, "websocket")
    assert await end_code(dial(), text) == 3500
    assert (await server.request("GET", "/channels/room", headers=[bearer(text)])).status == 401


async def test_stolen_ticket_used_to_publish(server: Server) -> None:
    text = await ticket(server, "stream", "room")
    for use in ("", "&callback=f"):
        answer = await server.request("POST", f"/channels/room?ticket={text}{use}", body=b"1")
        assert answer.status == 401
    page = await server.node.history("room")
    assert page.publications == ()
    connect = quote(json.dumps({"id": 1, "connect": {}}))
    response = await server.open("GET", f"/connection/sse?cf_connect={connect}&ticket={text}")
    blocks = http.Blocks(response)
    result = json.loads(dict(await blocks.next())["data"])["connect"]
    for number, command in enumerate(
        (
            {"publish": {"channel": "room", "data": 1}},
            {"rpc": {"method": "m", "data": 1}},
            {"subscribe": {"channel": "other"}},
        ),
        2,
    ):
        body = {"session": result["session"], "node": result["node"], "data": json.dumps({"id": number, **command})}
        assert (await server.request("POST", "/emulation", body=json.dumps(body).encode())).status == 204
        assert json.loads(dict(await blocks.next())["data"])["error"]["code"] == 103
    await response.close()
    assert (await server.node.history("room")).publications == ()


async def test_stream_ticket_used_for_a_websocket(server: Server) -> None:
    text = await ticket(server, "stream", "room")
    assert await code_of_websocket(server, f"ticket={text}") == 3500


async def test_ticket_for_other_channels(server: Server) -> None:
    text = await ticket(server, "stream", "room")
    head = [("Accept", "text/event-stream")]
    for target in ("/channels/other", "/channels?name=room&name=other"):
        joint = "&" if "?" in target else "?"
        assert (await server.request("GET", f"{target}{joint}ticket={text}", headers=head)).status == 403
        assert (await server.request("GET", f"/channels/other?ticket={text}")).status == 403
    assert (await server.request("GET", f"/channels/room?ticket={text}")).status == 200


async def test_a_ticket_grants_no_more_than_its_token(server: Server) -> None:
    text = await ticket(server, "stream", "token:a")
    assert (await server.request("GET", f"/channels/token:a?ticket={text}")).status == 403


async def test_ticket_after_expiry(server: Server) -> None:
    text = await ticket(server, "stream", "room")
    assert (await server.request("GET", f"/channels/room?ticket={text}")).status == 200
    clock = server.node.clock

    class Later:
        now = staticmethod(clock.now)

        @staticmethod
        def wall() -> float:
            return clock.wall() + 601  # the ticket ends with its token, before its own hour

    server.node.auth.tickets._clock = Later()
    assert (await server.request("GET", f"/channels/room?ticket={text}")).status == 401


async def test_ticket_of_a_revoked_token(server: Server) -> None:
    text = await ticket(server, "stream", "room", jti="t1")
    server.node.revoke(token_id="t1")
    assert (await server.request("GET", f"/channels/room?ticket={text}")).status == 401


async def test_a_newer_use_ends_the_older_stream(server: Server) -> None:
    text = await ticket(server, "stream", "room")
    older = await server.events(f"/channels/room?ticket={text}")
    await older.next()
    newer = await server.events(f"/channels/room?ticket={text}")
    await newer.next()
    with pytest.raises(EOFError):
        while True:
            await older.next(timeout=2)
    await older.response.close()
    await server.node.publish("room", 1)
    block = dict(await newer.next())
    while block.get("data") != "1":
        block = dict(await newer.next())
    await newer.response.close()


async def test_a_refused_use_of_a_ticket_ends_no_stream(server: Server) -> None:
    text = await ticket(server, "stream", "room")
    stream = await server.events(f"/channels/room?ticket={text}")
    await stream.next()
    head = [("Accept", "text/event-stream")]
    assert (await server.request("GET", f"/channels/other?ticket={text}", headers=head)).status == 403
    await server.node.publish("room", 1)
    block = dict(await stream.next())
    while block.get("data") != "1":
        block = dict(await stream.next())
    await stream.response.close()


async def test_guessed_tickets(server: Server) -> None:
    for text in ("", "x", "A" * 22, "../x", "%00", "A" * 5000):
        answer = await server.request("GET", f"/channels/room?ticket={text}")
        assert answer.status == 401


async def test_a_ticket_out_of_nothing(server: Server) -> None:
    body = json.dumps({"for": "stream", "channels": ["room"]}).encode()
    for headers in ([], [bearer("x")], [bearer(token(ttl=-1))], [("Cookie", f"wirehop={token()}")]):
        assert (await server.request("POST", "/connection/ticket", headers=headers, body=body)).status == 401
    old = await ticket(server, "stream", "room")
    assert (await server.request("POST", f"/connection/ticket?ticket={old}", body=body)).status == 401
    for bad in (
        b"{}",
        b'{"for":"stream"}',
        b'{"for":"all","channels":["a"]}',
        b"x",
        json.dumps({"for": "stream", "channels": ["a"] * 17}).encode(),
    ):
        assert (await server.request("POST", "/connection/ticket", headers=[bearer(token())], body=bad)).status == 400


async def test_a_flood_of_tickets_pushes_out_only_ones_own(server: Server) -> None:
    first = await ticket(server, "stream", "room", user="ada")
    for _ in range(70):
        await ticket(server, "stream", "room", user="eve")
    assert len(server.node.auth.tickets) == 65
    assert (await server.request("GET", f"/channels/room?ticket={first}")).status == 200
