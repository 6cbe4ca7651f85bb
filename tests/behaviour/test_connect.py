"""How a conversation begins and ends, on every wire."""

import asyncio
import json
from collections.abc import Callable

import msgspec
import pytest
from msgspec import Raw
from node_under_test import Server, eventually, limits

from wirehop.core import codes
from wirehop.core.codes import Code, Kind, Retry
from wirehop.core.errors import Refused
from wirehop.node import Client, Connecting, User
from wirehop.testing.carriers import WebSocketCarrier
from wirehop.testing.wires import WIRES, Conversation
from wirehop.version import __version__

pytestmark = pytest.mark.asyncio
Dial = Callable[..., Conversation]


async def test_connect_result_names_the_session_and_says_how_it_is_kept_alive(server: Server, dial: Dial) -> None:
    wire = dial()
    result = (await wire.connect())["connect"]
    assert result["client"] in server.node.sessions
    assert result["version"] == __version__
    assert "subs" not in result
    assert "data" not in result
    if wire.transport == "websocket":
        assert (result["ping"], result["pong"]) == (25, True)
        assert "session" not in result
        assert "node" not in result
    elif wire.transport in ("sse", "stream"):
        assert result["ping"] == 25
        assert not result.get("pong", False)
        assert (result["session"], result["node"]) == (
            server.node.sessions[result["client"]].session.secret,
            server.node.id,
        )
    else:
        assert "ping" not in result
        said = result["wh"]
        assert (said["next"], said["limit"], said["attach"], said["window"], said["keep"]) == (1, 256, 1, 60, 300)
        assert said["token"].startswith(f"{server.node.id}.")
        assert said["wires"]["poll"] == "/connection/poll"
        assert "resumed" not in said
    assert server.node.connections() == {wire.transport: 1}


async def test_secret_of_a_wire_is_not_its_public_id(wire: Conversation) -> None:
    assert wire.secret != wire.client


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_commands_behind_a_pending_connect_are_held_and_run_in_order(server: Server, dial: Dial) -> None:
    go = asyncio.Event()

    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        await go.wait()
        return User("ada")

    wire = dial("websocket")
    assert isinstance(wire.carrier, WebSocketCarrier)
    await wire.carrier.dial()
    await wire.post(
        {"id": 7, "connect": {}},
        {"id": 1, "subscribe": {"channel": "news"}},
        {"id": 2, "publish": {"channel": "news", "data": 1}},
        {"id": 3, "ping": {}},
    )
    await eventually(lambda: server.node.metrics.received["websocket"] == 4)
    assert wire.lines == []
    go.set()
    for number in (7, 1, 2, 3):
        assert "error" not in await wire.reply(number)
    order = [json.loads(line).get("id") for line in wire.lines]
    assert order[0] == 7
    assert order.index(1) < order.index(2)


@pytest.mark.parametrize("wire_name", ["websocket"])
async def test_more_than_64_kib_behind_a_pending_connect_close_with_3501(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        await asyncio.Event().wait()
        raise AssertionError

    wire = dial("websocket")
    assert isinstance(wire.carrier, WebSocketCarrier)
    await wire.carrier.dial()
    await wire.post({"id": 7, "connect": {}})
    for number in (1, 2, 3):
        await wire.post({"id": number, "rpc": {"method": "m", "data": "x" * 30_000}})
    assert await wire.end() == 3501


@pytest.mark.parametrize("wire_name", ["websocket"])
@pytest.mark.parametrize(
    "command",
    [
        {"id": 1, "subscribe": {"channel": "news"}},
        {"id": 1, "ping": {}},
        {},
        {"connect": {}},
        {"send": {"data": 1}},
    ],
)
async def test_first_command_that_is_not_connect_closes_with_3501(dial: Dial, command: dict[str, object]) -> None:
    wire = dial()
    assert isinstance(wire.carrier, WebSocketCarrier)
    await wire.carrier.dial()
    await wire.post(command)
    assert await wire.end() == 3501


@pytest.mark.parametrize("wire_name", ["websocket"])
@pytest.mark.parametrize("server", [{"limits": limits(connect_timeout=0.1)}], indirect=True)
async def test_no_connect_command_in_time_closes_with_3502(dial: Dial) -> None:
    wire = dial()
    assert isinstance(wire.carrier, WebSocketCarrier)
    await wire.carrier.dial()
    assert await wire.end() == 3502


async def test_second_connect_closes_with_3501(wire: Conversation) -> None:
    await wire.post({"id": 4_294_967_295, "connect": {}})
    assert await wire.end() == 3501


async def test_on_connect_decides_who_it_is_and_what_goes_back(server: Server, dial: Dial) -> None:
    seen: list[tuple[str, object, str, str]] = []

    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        seen.append((connecting.token, connecting.data(), connecting.name, connecting.peer.address))
        return User("ada", info={"name": "Ada"}, data=Raw(b'{"welcome":\r\n"Ada"}'))

    wire = dial()
    reply = await wire.connect(token="secret", data={"a": [1, "é"]}, name="tests")
    assert reply["connect"]["data"] == {"welcome": "Ada"}
    assert seen == [("secret", {"a": [1, "é"]}, "tests", "127.0.0.1")]
    await wire.request("subscribe", channel="news")
    presence = (await wire.request("presence", channel="news"))["presence"]["presence"]
    assert presence == {wire.client: {"user": "ada", "client": wire.client, "conn_info": {"name": "Ada"}}}


async def test_refusal_with_an_error_code_is_the_reply_to_connect(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        raise Refused(codes.UNAUTHORIZED, "who are you?")

    wire = dial()
    reply = await wire.connect()
    assert reply["error"] == {"code": 101, "message": "who are you?"}
    await eventually(lambda: not server.node.sessions)
    if wire.transport in ("websocket", "sse", "stream"):
        await wire.end()


async def test_refusal_with_a_disconnect_code_ends_the_session_with_it(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        raise Refused(Code(4501, "banned", "you are banned", Kind.DISCONNECT, Retry.FINAL))

    wire = dial()
    reply = await wire.connect()
    assert reply["push"]["disconnect"] == {"code": 4501, "reason": "you are banned"}
    await eventually(lambda: not server.node.sessions)


async def test_on_connect_that_fails_is_answered_100_without_its_details(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        raise RuntimeError("the password of the database is hunter2")

    wire = dial()
    reply = await wire.connect()
    assert reply["error"] == {"code": 100, "message": "internal error", "temporary": True}
    assert b"hunter2" not in b"".join(wire.lines)


async def test_connect_data_that_does_not_fit_is_107(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        return User(str(connecting.data(int)))

    assert (await dial().connect(data="x"))["error"]["code"] == 107
    assert "connect" in await dial().connect(data=5)


async def test_a_decoding_error_of_the_applications_own_data_is_100_without_details(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        return User(msgspec.json.decode(b'{"hunter2": 5}', type=dict[str, str])["hunter2"])

    wire = dial()
    assert (await wire.connect())["error"]["code"] == 100
    assert b"hunter2" not in b"".join(wire.lines)


async def test_server_disconnect_reaches_the_client_with_code_and_reason(server: Server, wire: Conversation) -> None:
    assert server.node.disconnect(wire.client, codes.FORCE_DISCONNECT, "go away")
    assert await wire.end() == 3503
    assert wire.reason == "go away"
    assert not server.node.disconnect(wire.client)


async def test_a_reason_that_is_json_is_made_a_sentence(server: Server, wire: Conversation) -> None:
    server.node.disconnect(wire.client, codes.FORCE_DISCONNECT, '{"a": 1}')
    await wire.end()
    assert wire.reason == 'force disconnect: {"a": 1}'


async def test_on_disconnect_is_called_once_with_the_code(server: Server, dial: Dial) -> None:
    ends: list[tuple[str, str, int, str]] = []

    @server.node.on_disconnect
    async def disconnect(client: Client, code: int, reason: str) -> None:
        ends.append((client.id, client.wire, code, reason))

    wire = dial()
    await wire.connect()
    server.node.disconnect(wire.client, codes.FORCE_RECONNECT, "rebalancing")
    await wire.end()
    await wire.close()
    await eventually(lambda: ends)
    assert ends == [(wire.client, wire.transport, 3011, "rebalancing")]
    assert "error" not in server.node.metrics.errors


async def test_on_disconnect_is_not_called_for_who_was_refused(server: Server, dial: Dial) -> None:
    ends: list[int] = []

    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        raise Refused(codes.UNAUTHORIZED)

    @server.node.on_disconnect
    async def disconnect(_client: Client, code: int, _reason: str) -> None:
        ends.append(code)

    await dial().connect()
    await eventually(lambda: not server.node.sessions and not server.tasks)
    assert ends == []


@pytest.mark.parametrize("server", [{"limits": limits(sessions=1)}], indirect=True)
async def test_one_session_more_than_the_node_may_have_is_3504(dial: Dial) -> None:
    first, second = dial(), dial()
    assert "connect" in await first.connect()
    assert (await second.connect())["push"]["disconnect"]["code"] == 3504


async def test_while_draining_a_connect_is_answered_3001(server: Server, dial: Dial) -> None:
    server.node.is_draining = True
    disconnect = (await dial().connect())["push"]["disconnect"]
    assert disconnect["code"] == 3001


async def test_draining_ends_all_sessions_with_3001(server: Server, dial: Dial) -> None:
    wires = [dial(), dial(), dial()]
    for wire in wires:
        await wire.connect()
    await server.node.drain(0.03)
    assert [await wire.end() for wire in wires] == [3001, 3001, 3001]


@pytest.mark.parametrize("wire_name", [each for each in WIRES if each != "jsonp"])  # JSONP has nothing but the URL
async def test_a_connect_that_fits_no_url_works(server: Server, dial: Dial) -> None:
    seen: list[object] = []

    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        seen.append(connecting.data())
        return User("ada")

    wire = dial()
    assert "connect" in await wire.connect(data="x" * 20_000)
    assert seen == ["x" * 20_000]


async def test_a_connect_handler_that_takes_too_long_refuses_the_session_and_is_cancelled(dial: Dial) -> None:
    from node_under_test import running

    from wirehop.testing.wires import open_wire

    cancelled: list[str] = []
    async with running(limits=limits(handler_timeout=0.05)) as server:

        @server.node.on_connect
        async def connect(_connecting: Connecting) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("connect")
                raise

        wire = open_wire(dial().name, server.port)
        try:
            reply = await wire.connect()
            assert reply["error"]["code"] == 100
            assert cancelled == ["connect"]
        finally:
            await wire.close()


async def test_handler_that_takes_too_long_is_answered_100(dial: Dial) -> None:
    from node_under_test import running

    async with running(limits=limits(handler_timeout=0.05)) as server:

        @server.node.rpc("sleep")
        async def sleep(_client: Client) -> None:
            await asyncio.Event().wait()

        from wirehop.testing.wires import open_wire

        wire = open_wire(dial().name, server.port)
        try:
            await wire.connect()
            reply = await wire.request("rpc", method="sleep")
            assert reply["error"]["code"] == 100
        finally:
            await wire.close()
