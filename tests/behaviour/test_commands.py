"""What a client may ask, and what it is answered: the same on every wire."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from node_under_test import Server, eventually, limits

from wirehop.codecs import protobuf
from wirehop.core import codes
from wirehop.core.codes import Code, Kind, Retry
from wirehop.core.errors import Refused
from wirehop.core.messages import Command, PublishRequest
from wirehop.node import Client, Connecting, User
from wirehop.testing.wires import Conversation

pytestmark = pytest.mark.asyncio
Dial = Callable[..., Conversation]


async def result(wire: Conversation, kind: str, **fields: Any) -> Any:
    reply = await wire.request(kind, **fields)
    assert kind in reply, reply
    return reply[kind]


async def error(wire: Conversation, kind: str, **fields: Any) -> dict[str, Any]:
    reply = await wire.request(kind, **fields)
    assert "error" in reply, reply
    return dict(reply["error"])


# ---- subscribe, unsubscribe ------------------------------------------------------------------------------------------


async def test_subscribe_result_is_the_top_of_the_channel(server: Server, wire: Conversation) -> None:
    position = await server.node.publish("quiet:a", 1)
    assert await result(wire, "subscribe", channel="quiet:a") == {
        "recoverable": True,
        "positioned": True,
        "epoch": position.epoch,
        "offset": 1,
    }


async def test_publications_reach_the_subscriber_with_their_offsets(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="quiet:a")
    await server.node.publish("quiet:a", {"n": 1})
    await server.node.publish("quiet:a", [2], tags={"x": "y"}, event="named")
    first, second = await wire.publications(2)
    assert (first["data"], first["offset"], first.get("tags")) == ({"n": 1}, 1, None)
    assert (second["data"], second["offset"], second["tags"]) == ([2], 2, {"x": "y", "event": "named"})
    assert first["time"] > 1_600_000_000_000
    assert "info" not in first


async def test_unsubscribe_ends_the_pushes_and_leaves_nothing(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="quiet:a")
    assert await result(wire, "unsubscribe", channel="quiet:a") == {}
    assert not server.node.hub.channels
    await server.node.publish("quiet:a", 1)
    await wire.request("ping")
    assert wire.waiting_pushes() == []


async def test_unsubscribing_what_is_not_held_succeeds(wire: Conversation) -> None:
    assert await result(wire, "unsubscribe", channel="nowhere") == {}


async def test_subscribing_twice_is_105_and_for_who_numbers_commands_a_new_start(wire: Conversation) -> None:
    await wire.request("subscribe", channel="quiet:a")
    reply = await wire.request("subscribe", channel="quiet:a")
    if wire.carrier.needs_numbers:
        assert "subscribe" in reply
    else:
        assert reply["error"]["code"] == 105


async def test_a_filter_by_tags_is_refused_and_not_ignored(server: Server, wire: Conversation) -> None:
    refused = await error(wire, "subscribe", channel="quiet:a", tf={"key": "colour", "cmp": "eq", "val": "red"})
    assert (refused["code"], refused["message"]) == (107, "this server does not filter by tags (tf)")
    assert not server.node.hub.channels
    assert "epoch" in await result(wire, "subscribe", channel="quiet:a")


async def test_who_has_no_name_is_shown_with_an_empty_one(wire: Conversation) -> None:
    await wire.request("subscribe", channel="news", join_leave=True)
    nobody = {"user": "", "client": wire.client}
    assert (await result(wire, "presence", channel="news"))["presence"] == {wire.client: nobody}
    await wire.request("publish", channel="news", data=1)
    assert (await wire.publications(1))[0]["info"] == nobody


async def test_the_subscribe_reply_comes_before_own_publications_sent_with_it(wire: Conversation) -> None:
    subscribe = wire.command("subscribe", channel="news")
    publishes = [wire.command("publish", channel="news", data=n) for n in range(5)]
    await wire.post(subscribe, *publishes)
    publications = await wire.publications(5)
    assert [each["data"] for each in publications] == [0, 1, 2, 3, 4]
    reply = next(n for n, line in enumerate(wire.lines) if b'"subscribe"' in line)
    push = next(n for n, line in enumerate(wire.lines) if b'"pub"' in line)
    assert reply < push


async def test_500_fast_publications_arrive_once_and_in_order(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="news")
    for n in range(500):
        await server.node.publish("news", n)
        if n % 50 == 0:
            await asyncio.sleep(0)
    publications = await wire.publications(500, timeout=10)
    assert [each["offset"] for each in publications] == list(range(1, 501))
    assert [each["data"] for each in publications] == list(range(500))


async def test_two_publishers_at_once_are_seen_in_one_order_by_all(server: Server, dial: Dial) -> None:
    readers = [dial(), dial()]
    for reader in readers:
        await reader.connect()
        await reader.request("subscribe", channel="quiet:a")
    for n in range(20):
        for reader in readers:
            await reader.send("publish", channel="quiet:a", data=n)
    seen = [[(p["offset"], p["data"]) for p in await reader.publications(40)] for reader in readers]
    assert seen[0] == seen[1]
    assert [offset for offset, _ in seen[0]] == list(range(1, 41))


# ---- publish ---------------------------------------------------------------------------------------------------------


async def test_publication_says_who_published_it(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        return User(connecting.token, info={"colour": "red"})

    wire = dial()
    await wire.connect(token="ada")
    await wire.request("subscribe", channel="quiet:a")
    await wire.request("publish", channel="quiet:a", data=1)
    (publication,) = await wire.publications(1)
    assert publication["info"] == {"user": "ada", "client": wire.client, "conn_info": {"colour": "red"}}


async def test_publish_result_has_the_position_for_who_numbers_commands(server: Server, dial: Dial) -> None:
    wire = dial()
    await wire.connect(wh=True)
    position = (await result(wire, "publish", channel="quiet:a", data=1))["wh"]
    assert position["offset"] == 1
    assert position["epoch"] == (await server.node.history("quiet:a")).top.epoch


async def test_publish_with_a_key_runs_once(server: Server, dial: Dial) -> None:
    wire = dial()
    await wire.connect(wh=True)
    first = await result(wire, "publish", channel="quiet:a", data={"n": 1}, wh={"key": "k"})
    again = await result(wire, "publish", channel="quiet:a", data={"n": 1}, wh={"key": "k"})
    assert first == again
    assert (await error(wire, "publish", channel="quiet:a", data={"n": 2}, wh={"key": "k"}))["code"] == 107
    assert len((await server.node.history("quiet:a")).publications) == 1
    assert (await result(wire, "publish", channel="quiet:b", data={"n": 2}, wh={"key": "k"}))["wh"]["offset"] == 1


async def test_keys_of_different_publishers_do_not_meet(dial: Dial) -> None:
    first, second = dial(), dial()
    await first.connect(wh=True)
    await second.connect(wh=True)
    assert (await result(first, "publish", channel="quiet:a", data=1, wh={"key": "k"}))["wh"]["offset"] == 1
    assert (await result(second, "publish", channel="quiet:a", data=2, wh={"key": "k"}))["wh"]["offset"] == 2


async def test_a_key_of_more_than_256_characters_is_107(dial: Dial) -> None:
    wire = dial()
    await wire.connect(wh=True)
    assert (await error(wire, "publish", channel="quiet:a", data=1, wh={"key": "k" * 257}))["code"] == 107


async def test_payloads_arrive_byte_for_byte(server: Server, wire: Conversation) -> None:
    await wire.request("subscribe", channel="quiet:a")
    payloads = [
        b'"\\u0000 \\ud83d\\ude00 \xf0\x9f\x98\x80"',
        '"line\\nbreaks\\r\\n and \u2028 and \u2029"'.encode(),
        b"123456789012345678901234567890.5e-10",
        b'{"b":1,"a":2,"b":3,"big":18446744073709551616}',
        b'{ "spaced" : [ 1 , 2 ] }',
        b'"</script>"',
    ]  # fmt: skip
    for payload in payloads:
        await server.publish_raw("quiet:a", payload)
    await wire.publications(len(payloads))
    lines = [line for line in wire.lines if b'"pub"' in line]
    if wire.carrier.needs_numbers:  # the carrier decodes a batch; what it hands on is JSON's value
        expected = [msgspec.json.decode(payload) for payload in payloads]
        assert [msgspec.json.decode(line)["push"]["pub"]["data"] for line in lines] == expected
        return
    for line, payload in zip(lines, payloads, strict=True):
        assert b'"data":' + payload + b',"offset"' in line


async def test_a_line_break_smuggled_between_tokens_forges_nothing(server: Server, dial: Dial) -> None:
    reader, writer = dial("websocket"), dial()
    for each in (reader, writer):
        await each.connect()
    await reader.request("subscribe", channel="quiet:a")
    body = b'{"id":1,"publish":{"channel":"quiet:a","data":{"a":\r\n\r\n[1,\n2]}}}'
    if writer.name in ("sse", "stream"):
        envelope = b'{"session":"%b","data":[%b]}' % (writer.secret.encode(), body)
        answer = await server.request("POST", "/emulation", body=envelope)
        assert answer.status == 204
    elif writer.name.endswith("-protobuf"):
        publish = PublishRequest("quiet:a", Raw(b'{"a":\r\n\r\n[1,\n2]}'))
        speech = writer.carrier.speech  # type: ignore[attr-defined]
        speech.commands = lambda _commands: protobuf.encode_command(Command(id=1, publish=publish))
        await writer.post({})
    elif writer.name == "websocket":
        await writer.carrier.socket.send(body.replace(b"\n", b"").decode())  # type: ignore[attr-defined]
    else:
        carrier: Any = writer.carrier
        carrier.number += 1
        poll = b'{"session":"%b","poll":%d,"ack":%d,"commands":[%b]}' % (
            carrier.session.encode(), carrier.number, carrier.ack, body,
        )  # fmt: skip
        assert (await server.request("POST", "/connection/poll", body=poll)).status == 200
    await reader.publications(1)
    pushed = [line for line in reader.lines if b'"pub"' in line]
    assert len(pushed) == 1
    assert b'"data":{"a":[1,2]}' in pushed[0].replace(b" ", b"")


async def test_publishing_without_data_is_107(wire: Conversation) -> None:
    assert (await error(wire, "publish", channel="quiet:a"))["code"] == 107


async def test_publication_over_its_namespaces_limit_is_106(server: Server, wire: Conversation) -> None:
    assert await result(wire, "publish", channel="small:a", data="x" * 98) == {} or wire.carrier.needs_numbers
    assert (await error(wire, "publish", channel="small:a", data="x" * 99))["code"] == 106
    assert len((await server.node.history("small:a")).publications) == 1


async def test_on_publish_may_replace_the_data(server: Server, wire: Conversation) -> None:
    @server.node.on_publish
    async def publish(client: Client, channel: str, data: dict[str, int]) -> object:
        return {"n": data["n"] * 2, "by": client.id, "in": channel}

    await wire.request("subscribe", channel="quiet:a")
    await wire.request("publish", channel="quiet:a", data={"n": 21})
    (publication,) = await wire.publications(1)
    assert publication["data"] == {"n": 42, "by": wire.client, "in": "quiet:a"}


async def test_on_publish_may_refuse(server: Server, wire: Conversation) -> None:
    @server.node.on_publish
    async def publish(_client: Client, _channel: str, data: str) -> None:
        raise Refused(codes.TOO_MANY_REQUESTS, f"not {data} again")

    assert await error(wire, "publish", channel="quiet:a", data="spam") == {
        "code": 111,
        "message": "not spam again",
        "temporary": True,
    }
    assert (await error(wire, "publish", channel="quiet:a", data=5))["code"] == 107
    assert (await server.node.history("quiet:a")).publications == ()


async def test_on_publish_that_refuses_with_a_disconnect_code_ends_the_session(
    server: Server, wire: Conversation
) -> None:
    @server.node.on_publish
    async def publish(_client: Client, _channel: str, data: object) -> None:
        raise Refused(codes.FORCE_DISCONNECT, "spammer")

    await wire.send("publish", channel="quiet:a", data=1)
    assert await wire.end() == 3503
    assert wire.reason == "spammer"


# ---- namespaces ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["subscribe", "history", "presence", "presence_stats"])
async def test_nobody_may_enter_a_closed_namespace(wire: Conversation, kind: str) -> None:
    assert await error(wire, kind, channel="closed:a") == {"code": 103, "message": "permission denied"}


async def test_nobody_may_publish_to_a_closed_namespace(wire: Conversation) -> None:
    assert (await error(wire, "publish", channel="closed:a", data=1))["code"] == 103
    assert (await error(wire, "publish", channel="readonly:a", data=1))["code"] == 103


async def test_only_the_signed_in_may_enter_a_members_namespace(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Connecting) -> User | None:
        return User(connecting.token) if connecting.token else None

    anonymous, ada = dial(), dial()
    await anonymous.connect()
    await ada.connect(token="ada")
    assert (await error(anonymous, "subscribe", channel="members:a"))["code"] == 103
    assert (await error(anonymous, "publish", channel="members:a", data=1))["code"] == 103
    await result(ada, "subscribe", channel="members:a")
    await result(ada, "publish", channel="members:a", data=1)


async def test_on_subscribe_may_refuse_and_leaves_nothing(server: Server, wire: Conversation) -> None:
    @server.node.on_subscribe
    async def subscribe(client: Client, channel: str) -> None:
        if channel.endswith(":secret"):
            raise Refused(message=f"not for {client.user or 'you'}")

    assert await error(wire, "subscribe", channel="quiet:secret") == {"code": 103, "message": "not for you"}
    await result(wire, "subscribe", channel="quiet:open")
    assert list(server.node.hub.channels) == ["quiet:open"]


async def test_on_subscribe_may_refuse_with_an_own_code(server: Server, wire: Conversation) -> None:
    @server.node.on_subscribe
    async def subscribe(_client: Client, _channel: str) -> None:
        raise Refused(Code(4003, "sold_out", "sold out", Kind.ERROR, Retry.FINAL))

    assert await error(wire, "subscribe", channel="quiet:a") == {"code": 4003, "message": "sold out"}


async def test_on_subscribe_that_fails_is_100_without_details(server: Server, wire: Conversation) -> None:
    @server.node.on_subscribe
    async def subscribe(_client: Client, _channel: str) -> None:
        raise KeyError("hunter2")

    assert await error(wire, "subscribe", channel="quiet:a") == {
        "code": 100,
        "message": "internal error",
        "temporary": True,
    }


async def test_unsubscribing_while_the_grant_is_awaited_leaves_nothing(server: Server, wire: Conversation) -> None:
    go = asyncio.Event()

    @server.node.on_subscribe
    async def subscribe(_client: Client, _channel: str) -> None:
        await go.wait()

    subscribe_id = await wire.send("subscribe", channel="news")
    unsubscribe_id = await wire.send("unsubscribe", channel="news")
    await wire.request("ping")
    go.set()
    await wire.reply(subscribe_id)
    await wire.reply(unsubscribe_id)
    assert not server.node.hub.channels
    assert (await server.node.presence("news")) == {}


@pytest.mark.parametrize("channel", ["", "x" * 256, "é" * 128, "a\nb", "a\rb", "a\x00b", "a\u2028b"])
@pytest.mark.parametrize("wire_name", ["websocket", "long-poll"])
async def test_names_that_are_none_are_107(wire: Conversation, channel: str) -> None:
    assert (await error(wire, "subscribe", channel=channel))["code"] == 107
    assert (await error(wire, "publish", channel=channel, data=1))["code"] == 107


# ---- presence --------------------------------------------------------------------------------------------------------


async def test_presence_and_its_counts(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        return User(connecting.token)

    wires = [dial(), dial(), dial()]
    for wire, user in zip(wires, ("ada", "ada", "bob"), strict=True):
        await wire.connect(token=user)
        await wire.request("subscribe", channel="news")
    presence = await result(wires[0], "presence", channel="news")
    assert {client: info["user"] for client, info in presence["presence"].items()} == {
        wire.client: user for wire, user in zip(wires, ("ada", "ada", "bob"), strict=True)
    }
    assert presence["rev"] == 3
    assert await result(wires[0], "presence_stats", channel="news") == {"num_clients": 3, "num_users": 2}
    await wires[2].request("unsubscribe", channel="news")
    assert await result(wires[0], "presence_stats", channel="news") == {"num_clients": 2, "num_users": 1}


async def test_presence_where_it_is_off_is_108(wire: Conversation) -> None:
    assert (await error(wire, "presence", channel="quiet:a"))["code"] == 108
    assert (await error(wire, "presence_stats", channel="quiet:a"))["code"] == 108


async def test_joins_and_leaves_are_pushed_with_rising_revisions_to_who_asked(server: Server, dial: Dial) -> None:
    watcher, other, deaf = dial(), dial(), dial()
    for each in (watcher, other, deaf):
        await each.connect()
    await deaf.request("subscribe", channel="news")
    await watcher.request("subscribe", channel="news", join_leave=True)
    await other.request("subscribe", channel="news")
    await other.request("unsubscribe", channel="news")
    pushes = [await watcher.next_push() for _ in range(3)]
    changes = [(next(k for k in ("join", "leave") if k in push), push) for push in pushes]
    assert [(what, push[what]["info"]["client"], push[what]["rev"]) for what, push in changes] == [
        ("join", watcher.client, 2),
        ("join", other.client, 3),
        ("leave", other.client, 4),
    ]
    await deaf.request("ping")
    assert deaf.waiting_pushes() == []


async def test_a_session_that_ends_leaves_its_channels(server: Server, dial: Dial) -> None:
    watcher, other = dial("websocket"), dial()
    await watcher.connect()
    await other.connect()
    await watcher.request("subscribe", channel="news", join_leave=True)
    await other.request("subscribe", channel="news")
    server.node.disconnect(other.client)
    pushes = [await watcher.next_push() for _ in range(3)]
    assert pushes[-1]["leave"]["info"]["client"] == other.client
    assert list(await server.node.presence("news")) == [watcher.client]


# ---- history ---------------------------------------------------------------------------------------------------------


async def test_history_pages_forwards_and_backwards(server: Server, wire: Conversation) -> None:
    for n in range(1, 8):
        top = await server.node.publish("quiet:a", n)

    async def page(**options: Any) -> list[int]:
        history = await result(wire, "history", channel="quiet:a", **options)
        assert (history["epoch"], history["offset"]) == (top.epoch, 7)
        return [each["data"] for each in history["publications"]]

    since = {"epoch": top.epoch, "offset": 3}
    assert await page() == []
    assert await page(limit=3) == [1, 2, 3]
    assert await page(limit=-1) == [1, 2, 3, 4, 5, 6, 7]
    assert await page(limit=2, since=since) == [4, 5]
    assert await page(limit=100, since=since) == [4, 5, 6, 7]
    assert await page(limit=3, reverse=True) == [7, 6, 5]
    assert await page(limit=100, reverse=True, since=since) == [2, 1]
    assert await page(limit=100, since={"epoch": top.epoch, "offset": 7}) == []


@pytest.mark.parametrize(("epoch", "offset"), [("other", 1), ("", 1), (None, 8)])
async def test_history_from_a_position_that_is_not_good_is_112(
    server: Server, wire: Conversation, epoch: str | None, offset: int
) -> None:
    for n in range(1, 8):
        top = await server.node.publish("quiet:a", n)
    since = {"epoch": top.epoch if epoch is None else epoch, "offset": offset}
    assert (await error(wire, "history", channel="quiet:a", limit=5, since=since))["code"] == 112


async def test_history_from_a_position_that_was_trimmed_is_112(server: Server, wire: Conversation) -> None:
    for n in range(1, 8):
        top = await server.node.publish("short:a", n)
    since = {"epoch": top.epoch, "offset": 1}
    assert (await error(wire, "history", channel="short:a", limit=5, since=since))["code"] == 112
    since = {"epoch": top.epoch, "offset": 2}
    history = await result(wire, "history", channel="short:a", limit=5, since=since)
    assert [each["data"] for each in history["publications"]] == [3, 4, 5, 6, 7]


async def test_subscribing_after_reading_an_empty_history_misses_nothing(server: Server, wire: Conversation) -> None:
    empty = await result(wire, "history", channel="quiet:new", limit=1)
    assert (empty["publications"], empty["offset"]) == ([], 0)
    await server.node.publish("quiet:new", "first")
    reply = await result(
        wire, "subscribe", channel="quiet:new", recover=True, epoch=empty["epoch"], offset=empty["offset"]
    )
    assert reply["recovered"]
    assert [each["data"] for each in reply["publications"]] == ["first"]


# ---- rpc, send, ping -------------------------------------------------------------------------------------------------


class Sum(msgspec.Struct):
    a: int
    b: int


async def test_rpc_decodes_its_argument_and_answers(server: Server, wire: Conversation) -> None:
    @server.node.rpc("add")
    async def add(client: Client, numbers: Sum) -> object:
        return {"sum": numbers.a + numbers.b, "for": client.id}

    reply = await result(wire, "rpc", method="add", data={"a": 2, "b": 40})
    assert reply == {"data": {"sum": 42, "for": wire.client}}


@pytest.mark.parametrize("data", [{"a": 2}, {"a": "2", "b": 1}, None, 7])
async def test_rpc_with_data_that_does_not_fit_is_107_and_says_why(
    server: Server, wire: Conversation, data: object
) -> None:
    @server.node.rpc("add")
    async def add(_client: Client, numbers: Sum) -> int:
        raise AssertionError

    refusal = await error(wire, "rpc", method="add", data=data)
    assert refusal["code"] == 107
    assert refusal["message"]


async def test_rpc_to_a_method_that_is_not_there_is_104(wire: Conversation) -> None:
    refusal = await error(wire, "rpc", method="nope", data=1)
    assert refusal["code"] == 104
    assert "nope" in refusal["message"]


async def test_rpc_that_fails_is_100_without_details_and_counted(server: Server, wire: Conversation) -> None:
    @server.node.rpc("fail")
    async def fail(_client: Client) -> None:
        raise RuntimeError("hunter2")

    assert await error(wire, "rpc", method="fail") == {"code": 100, "message": "internal error", "temporary": True}
    assert b"hunter2" not in b"".join(wire.lines)
    assert server.node.metrics.errors["effect"] == 1
    assert (await wire.request("ping"))["ping"] == {}


async def test_rpc_answer_that_is_no_json_is_100(server: Server, wire: Conversation) -> None:
    @server.node.rpc("broken")
    async def broken(_client: Client) -> object:
        return object()

    assert (await error(wire, "rpc", method="broken"))["code"] == 100


async def test_rpc_answer_with_line_breaks_stays_one_reply(server: Server, wire: Conversation) -> None:
    @server.node.rpc("pretty")
    async def pretty(_client: Client) -> msgspec.Raw:
        return msgspec.Raw(b'{\n  "a": 1,\r\n  "b": "x"\n}')

    assert await result(wire, "rpc", method="pretty") == {"data": {"a": 1, "b": "x"}}


async def test_rpc_echo_of_raw_data_keeps_its_bytes(server: Server, wire: Conversation) -> None:
    @server.node.rpc("echo")
    async def echo(_client: Client, data: msgspec.Raw) -> msgspec.Raw:
        return data

    assert (await result(wire, "rpc", method="echo", data={"z": 1, "a": [1.50, None]}))["data"] == {
        "z": 1,
        "a": [1.5, None],
    }


async def test_rpcs_do_not_wait_for_one_another(server: Server, wire: Conversation) -> None:
    go = asyncio.Event()

    @server.node.rpc("wait")
    async def wait(_client: Client) -> str:
        await go.wait()
        return "done"

    @server.node.rpc("go")
    async def let_go(_client: Client) -> None:
        go.set()

    waiting = await wire.send("rpc", method="wait")
    await result(wire, "rpc", method="go")
    assert (await wire.reply(waiting))["rpc"] == {"data": "done"}


async def test_send_reaches_the_application_and_has_no_reply(server: Server, wire: Conversation) -> None:
    heard: list[object] = []

    @server.node.on_message
    async def message(client: Client, data: dict[str, int]) -> None:
        heard.append((client.id, data))

    await wire.send("send", data={"n": 1})
    await wire.send("send", data={"n": 2})
    await eventually(lambda: len(heard) == 2)
    assert heard == [(wire.client, {"n": 1}), (wire.client, {"n": 2})]
    await wire.request("ping")


async def test_send_that_nobody_handles_is_counted(server: Server, wire: Conversation) -> None:
    await wire.send("send", data=1)
    await eventually(lambda: server.node.metrics.dropped["no_message_handler"] == 1)


async def test_ping_is_answered(wire: Conversation) -> None:
    reply = await wire.request("ping")
    assert reply["ping"] == {}
    assert ("wh" in reply) == wire.carrier.needs_numbers


async def test_refresh_is_not_available_yet(wire: Conversation) -> None:
    assert (await error(wire, "refresh", token="x"))["code"] == 108


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [{"limits": limits(channels_per_session=2)}], indirect=True)
async def test_one_subscription_more_than_a_session_may_have_is_106(wire: Conversation) -> None:
    await result(wire, "subscribe", channel="a")
    await result(wire, "subscribe", channel="b")
    assert (await error(wire, "subscribe", channel="c"))["code"] == 106
    await result(wire, "unsubscribe", channel="a")
    await result(wire, "subscribe", channel="c")


@pytest.mark.parametrize("server", [{"limits": limits(pending_commands=4)}], indirect=True)
async def test_one_unanswered_command_more_than_a_session_may_have_is_111(server: Server, wire: Conversation) -> None:
    go = asyncio.Event()

    @server.node.rpc("wait")
    async def wait(_client: Client) -> None:
        await go.wait()

    waiting = [await wire.send("rpc", method="wait") for _ in range(4)]
    await eventually(lambda: server.node.metrics.received[wire.transport] == 5)
    assert await error(wire, "rpc", method="wait") == {
        "code": 111,
        "message": "too many requests",
        "temporary": True,
    }
    go.set()
    for number in waiting:
        assert "rpc" in await wire.reply(number)


@pytest.mark.parametrize("server", [{"limits": limits(pending_commands=4)}], indirect=True)
async def test_commands_that_wait_for_their_channel_count_as_unanswered(server: Server, wire: Conversation) -> None:
    go = asyncio.Event()

    @server.node.on_subscribe
    async def subscribe(_client: Client, _channel: str) -> None:
        await go.wait()

    commands = []
    for channel in ("a", "b"):
        commands += [wire.command("subscribe", channel=channel), wire.command("publish", channel=channel, data=1)]
    commands.append(wire.command("ping"))
    extra = wire.command("publish", channel="a", data=2)
    await wire.post(*commands, extra)
    reply = await wire.reply(extra["id"])
    assert reply.get("error", {}).get("code") == 111
    go.set()


async def test_replies_on_one_channel_come_in_the_order_of_the_commands(wire: Conversation) -> None:
    commands = [
        wire.command("subscribe", channel="closed:a"),
        wire.command("unsubscribe", channel="closed:a"),
        wire.command("publish", channel="closed:a", data=1),
        wire.command("history", channel="closed:a"),
    ]
    await wire.post(*commands)
    numbers = [command["id"] for command in commands]
    for number in numbers:
        await wire.reply(number)
    replied = [msgspec.json.decode(line).get("id") for line in wire.lines]
    assert [number for number in replied if number in numbers] == numbers
