"""Sessions that move: one conversation over one wire after the other, with nothing lost, doubled or stolen."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from node_under_test import Server, eventually

from wirehop import Client, Namespace, User
from wirehop.settings.tree import Sessions
from wirehop.testing.wires import WIRES, Conversation

pytestmark = pytest.mark.asyncio
Dial = Callable[..., Conversation]
CONFIRM = 4_000_000_000
EVERYONE = {
    "": Namespace(subscribe="anyone", publish="anyone", presence=True, join_leave=True, history_size=100),
    "signal": Namespace(subscribe="anyone", publish="anyone", delivery="signal"),
}
SETTINGS = [{"namespaces": EVERYONE}]


@pytest.fixture
def wire_name() -> str:
    """Each test names its wires."""
    return "websocket"


async def begun(wire: Conversation, **request: Any) -> dict[str, Any]:
    """A session that its client has heard of."""
    result: dict[str, Any] = (await wire.connect(wh={}, **request))["connect"]
    await confirm(wire, result["wh"]["attach"])
    return result


async def confirm(wire: Conversation, attach: int) -> dict[str, Any]:
    await wire.post({"id": CONFIRM + attach, "ping": {}, "wh": {"attach": attach}})
    return await wire.reply(CONFIRM + attach)


async def going_on(
    wire: Conversation, shown: str, positions: dict[str, Any], *, acked: tuple[int, ...] = (), **request: Any
) -> dict[str, Any]:
    """A trial wire of the session that the token is of; not confirmed."""
    answer = await wire.connect(wh={"token": shown, "positions": positions, "acked": acked}, **request)
    result: dict[str, Any] = answer["connect"]
    return result


async def publications(wire: Conversation, channel: str, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        push = await wire.next_push()
        if push.get("channel") == channel and "pub" in push:
            found.append(push["pub"]["offset"])
    return found


async def is_left(server: Server, wire: Conversation) -> None:
    """The wire was told that another one is current."""
    await eventually(lambda: wire.is_gone or wire.code == 3600)
    assert wire.code == 3600


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
@pytest.mark.parametrize("new", WIRES)
@pytest.mark.parametrize("old", WIRES)
async def test_a_session_goes_on_over_another_wire(server: Server, dial: Dial, old: str, new: str) -> None:
    first, second = dial(old), dial(new)
    said = (await begun(first))["wh"]
    epoch = (await first.request("subscribe", channel="a"))["subscribe"]["epoch"]
    await server.node.publish("a", 1)
    assert await publications(first, "a", 1) == [1]
    await server.node.publish("a", 2)

    result = await going_on(second, said["token"], {"a": {"epoch": epoch, "offset": 1}})
    assert result["client"] == first.client
    assert result["wh"]["resumed"]
    assert result["wh"]["attach"] == 2
    assert [each["offset"] for each in result["wh"]["subs"]["a"]["publications"]] == [2]
    assert result["wh"]["subs"]["a"]["recovered"]

    await server.node.publish("a", 3)  # before it is confirmed: on both
    assert await publications(second, "a", 1) == [3]
    assert await publications(first, "a", 2) == [2, 3]
    assert (await confirm(second, 2))["wh"]["next"] == 2
    await is_left(server, first)

    await server.node.publish("a", 4)
    assert await publications(second, "a", 1) == [4]
    second._number = 1  # the numbers go on
    assert (await second.request("publish", channel="a", data="x"))["publish"]["wh"]["offset"] == 5
    assert list(await server.node.presence("a")) == [first.client]
    assert list(server.node.sessions) == [first.client]


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_nobody_leaves_presence_by_moving_and_the_others_hear_nothing(server: Server, dial: Dial) -> None:
    watcher, first, second = dial("websocket"), dial("websocket"), dial("sse")
    await watcher.connect()
    await watcher.request("subscribe", channel="a", join_leave=True)
    said = (await begun(first))["wh"]
    await first.request("subscribe", channel="a")
    seen = [push for push in (await watcher.next_push(), await watcher.next_push()) if "join" in push]
    assert len(seen) == 2
    await going_on(second, said["token"], {"a": {}})
    await confirm(second, 2)
    await is_left(server, first)
    await server.node.publish("a", "after")
    push = await watcher.next_push()
    assert "pub" in push, f"presence flickers: {push}"


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_without_a_wire_it_waits_and_comes_back(server: Server, dial: Dial) -> None:
    ended: list[int] = []

    @server.node.on_disconnect
    async def disconnect(client: Client, code: int, reason: str) -> None:
        ended.append(code)

    first, second = dial("websocket"), dial("stream")
    said = (await begun(first))["wh"]
    epoch = (await first.request("subscribe", channel="a"))["subscribe"]["epoch"]
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    assert not server.node.sessions
    assert not server.node.hub.channels
    assert list(await server.node.presence("a")) == [first.client]
    await server.node.publish("a", 1)
    result = await going_on(second, said["token"], {"a": {"epoch": epoch, "offset": 0}})
    assert [each["offset"] for each in result["wh"]["subs"]["a"]["publications"]] == [1]
    await confirm(second, 2)
    assert server.node.resumption.waiting == 0
    assert list(server.node.sessions) == [first.client]
    assert ended == []


@pytest.mark.parametrize(
    "server", [{"namespaces": EVERYONE, "sessions": Sessions(window=0.2)}], indirect=True, ids=["short window"]
)
async def test_after_the_window_it_is_over_and_the_handler_hears_of_it_once(server: Server, dial: Dial) -> None:
    ended: list[int] = []

    @server.node.on_disconnect
    async def disconnect(client: Client, code: int, reason: str) -> None:
        ended.append(code)

    first, second = dial("websocket"), dial("websocket")
    said = (await begun(first))["wh"]
    await first.request("subscribe", channel="a")
    first.carrier.cut()
    await eventually(lambda: bool(ended))
    assert not await server.node.presence("a")
    assert len(server.node.resumption) == 0
    result = await going_on(second, said["token"], {"a": {}})
    assert "resumed" not in result["wh"]
    assert result["client"] != first.client
    await asyncio.sleep(0)
    assert ended == [3000]


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_a_wire_closed_in_order_ends_the_session_at_once(server: Server, dial: Dial) -> None:
    first = dial("websocket")
    await begun(first)
    await first.carrier.close()
    await eventually(lambda: len(server.node.resumption) == 0)
    assert not server.node.sessions


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
@pytest.mark.parametrize("wire_name", ["sse", "stream", "long-poll", "websocket"])
async def test_bye_ends_the_session_at_once(server: Server, dial: Dial, wire_name: str) -> None:
    wire = dial(wire_name)
    await begun(wire)
    await wire.post({"id": 1, "ping": {}, "wh": {"bye": True}})
    await eventually(lambda: len(server.node.resumption) == 0)
    assert not server.node.sessions


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_a_bye_comes_after_its_stream_has_closed(server: Server, dial: Dial) -> None:
    first = dial("stream")
    await begun(first)
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    await first.post(
        {"id": 1, "publish": {"channel": "a", "data": "last words"}}, {"id": 2, "ping": {}, "wh": {"bye": True}}
    )
    await eventually(lambda: len(server.node.resumption) == 0)
    assert (await server.node.history("a")).publications[-1].data == b'"last words"'


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_a_call_that_runs_while_the_wire_is_lost_answers_on_the_next_one_and_runs_once(
    server: Server, dial: Dial
) -> None:
    go, ran = asyncio.Event(), 0

    @server.node.rpc("slow")
    async def slow(client: Client, data: object) -> str:
        nonlocal ran
        ran += 1
        await go.wait()
        return "done"

    first, second = dial("websocket"), dial("sse")
    said = (await begun(first))["wh"]
    await first.send("rpc", method="slow", data=1)
    await eventually(lambda: ran == 1)
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    await going_on(second, said["token"], {})
    assert (await confirm(second, 2))["wh"]["next"] == 2
    await second.post({"id": 1, "rpc": {"method": "slow", "data": 1}})
    go.set()
    assert (await second.reply(1))["rpc"]["data"] == "done"
    assert ran == 1


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_a_publish_whose_reply_was_lost_is_not_published_twice(server: Server, dial: Dial) -> None:
    first, second = dial("websocket"), dial("long-poll")
    said = (await begun(first))["wh"]
    publish = {"id": 1, "publish": {"channel": "a", "data": 1}}
    await first.post(publish)
    position = (await first.reply(1))["publish"]["wh"]
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    await going_on(second, said["token"], {})
    await confirm(second, 2)
    await second.post(publish)
    assert (await second.reply(1))["publish"]["wh"] == position
    await second.post({"id": 2, "ping": {}, "wh": {"acked": [1]}})
    await second.reply(2)
    assert len((await server.node.history("a")).publications) == 1


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_somebody_elses_token_opens_a_session_of_ones_own(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Any) -> User:
        return User(connecting.token)

    first, thief = dial("websocket"), dial("websocket")
    said = (await begun(first, token="ada"))["wh"]
    result = await going_on(thief, said["token"], {"a": {}}, token="eve")
    assert "resumed" not in result["wh"]
    assert result["client"] != first.client
    assert not first.is_gone


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_showing_a_token_moves_nothing_until_it_is_confirmed(server: Server, dial: Dial) -> None:
    first, second = dial("websocket"), dial("websocket")
    said = (await begun(first))["wh"]
    await going_on(second, said["token"], {})
    await second.post({"id": 1, "publish": {"channel": "a", "data": "held"}})
    assert "publish" in await first.request("publish", channel="b", data=1)
    assert (await server.node.history("a")).publications == ()
    await second.post({"id": CONFIRM, "ping": {}, "wh": {"attach": 1}})
    assert (await second.reply(CONFIRM))["error"]["code"] == 107
    assert not first.is_gone


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_signals_and_joins_go_to_the_current_wire_alone(server: Server, dial: Dial) -> None:
    first, second, other = dial("websocket"), dial("websocket"), dial("websocket")
    said = (await begun(first))["wh"]
    await first.request("subscribe", channel="signal:a")
    await first.request("subscribe", channel="a", join_leave=True)
    assert "join" in await first.next_push()
    await going_on(second, said["token"], {"signal:a": {}, "a": {}})
    await server.node.publish("signal:a", "old")
    assert (await first.next_push())["pub"]["data"] == "old"
    await confirm(second, 2)
    await server.node.publish("signal:a", "new")
    assert (await second.next_push())["pub"]["data"] == "new"
    await other.connect()
    await other.request("subscribe", channel="a")
    assert "join" in await second.next_push()


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_what_was_not_named_ends_and_what_ended_meanwhile_is_told(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Any) -> User:
        return User("ada")

    first, second = dial("websocket"), dial("websocket")
    said = (await begun(first))["wh"]
    for channel in ("a", "b", "c"):
        await first.request("subscribe", channel=channel)
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    assert server.node.unsubscribe("ada", "b") == 1
    assert not await server.node.presence("b")
    result = await going_on(second, said["token"], {"a": {}, "b": {}, "x": {}}, acked=(3,))
    assert list(result["wh"]["subs"]) == ["a"]
    assert result["wh"]["ended"] == {"b": 2000, "x": 2500}
    await confirm(second, 2)
    await eventually(lambda: not server.node.hub.channels.keys() - {"a"})
    assert not await server.node.presence("c")
    assert list(await server.node.presence("a")) == [first.client]


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_presence_waits_for_a_subscribe_whose_answer_was_lost(server: Server, dial: Dial) -> None:
    first, second = dial("websocket"), dial("websocket")
    said = (await begun(first))["wh"]
    await first.request("subscribe", channel="chat:x")
    first.carrier.cut()
    await going_on(second, said["token"], {})  # the client has not acknowledged the subscribe: it will ask again
    await confirm(second, 2)
    assert first.client in await server.node.presence("chat:x")
    await second.request("subscribe", channel="chat:x")
    assert first.client in await server.node.presence("chat:x")
    await second.request("unsubscribe", channel="chat:x")
    assert first.client not in await server.node.presence("chat:x")


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
@pytest.mark.parametrize("is_one_message", [True, False])
@pytest.mark.parametrize("wire_kind", ["websocket", "sse", "stream"])
async def test_a_goodbye_right_behind_the_confirmation_leaves_nothing(
    server: Server, dial: Dial, wire_kind: str, is_one_message: bool
) -> None:
    first, second = dial("websocket"), dial(wire_kind)
    said = (await begun(first))["wh"]
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    await going_on(second, said["token"], {})
    confirming = {"id": CONFIRM + 2, "ping": {}, "wh": {"attach": 2}}
    bye = {"id": 1, "ping": {}, "wh": {"attach": 2, "bye": True}}
    if is_one_message:
        await second.post(confirming, bye)
    else:
        await second.post(confirming)
        await second.post(bye)
    await second.close()
    await eventually(lambda: not server.leftovers().get("sessions"), "the session is forgotten")


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_disconnect_reaches_who_waits_for_a_wire(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Any) -> User:
        return User("ada")

    first, second = dial("websocket"), dial("websocket")
    said = (await begun(first))["wh"]
    first.carrier.cut()
    await eventually(lambda: server.node.resumption.waiting == 1)
    assert server.node.disconnect_user("ada") == 1
    assert "resumed" not in (await going_on(second, said["token"], {}))["wh"]


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_a_call_to_the_client_survives_a_move(server: Server, dial: Dial) -> None:
    clients: list[Client] = []

    @server.node.rpc("hello")
    async def hello(client: Client, data: object) -> None:
        clients.append(client)

    first, second = dial("websocket"), dial("sse")
    said = (await begun(first))["wh"]
    await first.request("rpc", method="hello", data=None)
    asking = asyncio.create_task(clients[0].call("colour", {"of": "sky"}))
    push = await first.next_push()
    assert (push["message"]["data"], push["wh"]) == ({"of": "sky"}, {"call": 1, "method": "colour"})
    first.carrier.cut()
    await going_on(second, said["token"], {})
    await confirm(second, 2)
    again = await second.next_push()
    assert again["wh"]["call"] == 1
    second._number = 1
    await second.request("rpc", method="wh.answer", data={"call": 1, "data": "blue"})
    assert await asking == "blue"


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_the_server_asks_to_move(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(connecting: Any) -> User:
        return User("ada")

    first = dial("websocket")
    await begun(first)
    assert server.node.move("ada", to=["sse"], spread=1.5, reason="drain") == 1
    assert (await first.next_push())["wh"]["move"] == {"to": ["sse"], "spread_ms": 1500, "reason": "drain"}


@pytest.mark.parametrize("server", SETTINGS, indirect=True)
async def test_a_third_trial_drops_the_oldest(server: Server, dial: Dial) -> None:
    first = dial("websocket")
    token = (await begun(first))["wh"]["token"]
    trials = [dial("websocket") for _ in range(3)]
    for trial in trials:
        token = (await going_on(trial, token, {}))["wh"]["token"]
    await is_left(server, trials[0])
    await confirm(trials[2], 4)
    await is_left(server, trials[1])
    await is_left(server, first)
    assert not trials[2].is_gone
