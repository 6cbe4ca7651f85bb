"""The server API: the unmodified `cent` package, sync and async, against a real node; and raw requests for what fails.

`cent` is a client for another server's API, so it knows nothing of this one: what it can read is in the right shape.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import cent
import pytest
import pytest_asyncio
from msgspec import structs
from node_under_test import NAMESPACES, OPEN, Server, eventually, running

from wirehop.node import Connecting, Node, User
from wirehop.settings.tree import Api, Settings
from wirehop.testing.wires import Conversation, open_wire

KEY = "a key that only servers know"


class Cent:
    """Both clients under one set of async methods."""

    def __init__(self, kind: str, port: int, key: str = KEY) -> None:
        url = f"http://127.0.0.1:{port}/api"
        self._sync = cent.Client(url, key) if kind == "sync" else None
        self._async = cent.AsyncClient(url, key) if kind == "async" else None

    def __getattr__(self, method: str) -> Any:
        if self._async is not None:
            return getattr(self._async, method)

        async def call(request: Any) -> Any:
            return await asyncio.to_thread(getattr(self._sync, method), request)

        return call

    async def close(self) -> None:
        if self._async is not None:
            await self._async.close()
        else:
            assert self._sync is not None
            self._sync.close()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A node where who connects says who he is."""
    node = Node(Settings(namespaces=NAMESPACES, api=Api(key=KEY)))

    @node.on_connect
    async def connect(connecting: Connecting) -> User | None:
        name = connecting.data()
        return User(str(name), info={"name": name}) if name else None

    async with running(node) as server:
        yield server


@pytest_asyncio.fixture(params=["sync", "async"])
async def api(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[Cent]:
    api = Cent(request.param, server.port)
    yield api
    await api.close()


@pytest_asyncio.fixture
async def dial(server: Server) -> AsyncIterator[Any]:
    """`await dial("ann", "room")`: a conversation of a user, subscribed to channels; its client id is `.client`."""
    opened: list[Conversation] = []

    async def dial(user: str = "", *channels: str) -> Any:
        wire = open_wire("websocket", server.port)
        opened.append(wire)
        reply = await wire.connect(**({"data": user} if user else {}))
        assert "connect" in reply
        for channel in channels:
            assert "error" not in await wire.request("subscribe", channel=channel)
        return wire

    yield dial
    for wire in opened:
        await wire.close()


async def told(wire: Conversation, kind: str) -> Any:
    """The next push of this kind; others before it are left out."""
    while kind not in (push := await wire.next_push()):
        pass
    return push


async def ended(wire: Conversation) -> tuple[int, str]:
    """Code and reason of the end."""
    return await wire.end(), wire.reason


async def post(server: Server, method: str, body: object, *headers: tuple[str, str], key: str = KEY) -> Any:
    """A raw request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await server.request("POST", f"/api/{method}", headers=[("X-API-Key", key), *headers], body=data)


async def refused(server: Server, method: str, **body: object) -> tuple[int, str]:
    """Code and message of an error that comes with status 200."""
    answer = await post(server, method, body)
    assert answer.status == 200, answer.body
    assert set(answer.json()) == {"error"}, answer.body
    error = answer.json()["error"]
    return error["code"], error["message"]


# ---- publications ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_publish_reaches_subscribers(api: Cent, server: Server, dial: Any) -> None:
    wire = await dial("ann", "room")
    result = await api.publish(cent.PublishRequest(channel="room", data={"a": [1, None]}, tags={"event": "tick"}))
    assert (result.offset, bool(result.epoch)) == (1, True)
    push = await told(wire, "pub")
    assert (push["pub"]["data"], push["pub"]["tags"]) == ({"a": [1, None]}, {"event": "tick"})
    assert "info" not in push["pub"]


@pytest.mark.asyncio
async def test_publish_takes_bytes_in_base64(api: Cent, server: Server, dial: Any) -> None:
    wire = await dial("", "room")
    await api.publish(cent.PublishRequest(channel="room", data=None, b64data="AP8B"))
    push = await told(wire, "pub")
    assert push["pub"]["data"] == "AP8B"
    assert push["pub"]["tags"] == {"wh-encoding": "base64"}


@pytest.mark.asyncio
async def test_publish_again_with_the_same_key_publishes_nothing(api: Cent, server: Server) -> None:
    requests = [cent.PublishRequest(channel="room", data=data, idempotency_key="k") for data in (1, 1, 2)]
    first, second = await api.publish(requests[0]), await api.publish(requests[1])
    assert first == second
    with pytest.raises(cent.CentApiResponseError) as error:
        await api.publish(requests[2])
    assert error.value.code == 107
    assert (await server.node.history("room")).top.offset == 1


@pytest.mark.asyncio
async def test_publish_without_history_is_for_channels_without_history(api: Cent, server: Server, dial: Any) -> None:
    wire = await dial("", "signal:s")
    await api.publish(cent.PublishRequest(channel="signal:s", data=1, skip_history=True))
    assert (await told(wire, "pub"))["pub"]["data"] == 1
    with pytest.raises(cent.CentApiResponseError) as error:
        await api.publish(cent.PublishRequest(channel="room", data=1, skip_history=True))
    assert error.value.code == 108
    assert (await server.node.history("room")).top.offset == 0


@pytest.mark.asyncio
async def test_publish_over_the_limit_is_106(api: Cent) -> None:
    with pytest.raises(cent.CentApiResponseError) as error:
        await api.publish(cent.PublishRequest(channel="small:s", data="x" * 200))
    assert error.value.code == 106


@pytest.mark.asyncio
async def test_broadcast_answers_for_each_channel(api: Cent, server: Server) -> None:
    await server.node.publish("b", 0)
    channels = ["a", "small:s", "b", "bad\nname"]
    result = await api.broadcast(cent.BroadcastRequest(channels=channels, data="x" * 150, idempotency_key="k"))
    assert [None if each.error is None else each.error.code for each in result.responses] == [None, 106, None, 107]
    assert [each.result.offset for each in result.responses if each.result] == [1, 2]


@pytest.mark.asyncio
async def test_publish_with_a_key_keeps_the_newest_value_of_each(server: Server) -> None:
    for value, key in ((1, "x"), (2, "y"), (3, "x")):
        answer = await post(server, "publish", {"channel": "latest:l", "data": value, "key": key})
        assert "result" in answer.json()
    page = await server.node.history("latest:l")
    assert [(each.key, each.data) for each in page.publications] == [("y", b"2"), ("x", b"3")]


@pytest.mark.asyncio
async def test_history_is_read_from_either_end_and_from_a_position(api: Cent, server: Server) -> None:
    for number in range(1, 6):
        await server.node.publish("room", {"n": number}, tags={"t": str(number)})
    top = await api.history(cent.HistoryRequest(channel="room"))
    assert (top.offset, top.publications) == (5, [])
    page = await api.history(cent.HistoryRequest(channel="room", limit=2))
    assert [(each.offset, each.data, each.tags) for each in page.publications] == [
        (1, {"n": 1}, {"t": "1"}),
        (2, {"n": 2}, {"t": "2"}),
    ]
    since = cent.StreamPosition(offset=3, epoch=page.epoch)
    page = await api.history(cent.HistoryRequest(channel="room", limit=-1, since=since))
    assert [each.offset for each in page.publications] == [4, 5]
    page = await api.history(cent.HistoryRequest(channel="room", limit=2, reverse=True))
    assert [each.offset for each in page.publications] == [5, 4]
    with pytest.raises(cent.CentApiResponseError) as error:
        await api.history(
            cent.HistoryRequest(channel="room", limit=1, since=cent.StreamPosition(offset=1, epoch="other"))
        )
    assert error.value.code == 112


@pytest.mark.asyncio
async def test_history_says_who_published(api: Cent, dial: Any) -> None:
    wire = await dial("ann")
    await wire.request("publish", channel="room", data=1)
    page = await api.history(cent.HistoryRequest(channel="room", limit=1))
    info = page.publications[0].info
    assert (info.user, info.client, info.conn_info) == ("ann", wire.client, {"name": "ann"})


@pytest.mark.asyncio
async def test_history_remove_is_refused(api: Cent) -> None:
    with pytest.raises(cent.CentApiResponseError) as error:
        await api.history_remove(cent.HistoryRemoveRequest(channel="room"))
    assert error.value.code == 108


# ---- who is there ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_presence_and_its_numbers(api: Cent, dial: Any) -> None:
    wires = [await dial(user, "room") for user in ("ann", "ann", "bob")]
    presence = (await api.presence(cent.PresenceRequest(channel="room"))).presence
    assert set(presence) == {wire.client for wire in wires}
    assert presence[wires[2].client].user == "bob"
    assert presence[wires[2].client].conn_info == {"name": "bob"}
    stats = await api.presence_stats(cent.PresenceStatsRequest(channel="room"))
    assert (stats.num_clients, stats.num_users) == (3, 2)
    for call, request in (
        (api.presence, cent.PresenceRequest(channel="quiet:q")),
        (api.presence_stats, cent.PresenceStatsRequest(channel="quiet:q")),
    ):
        with pytest.raises(cent.CentApiResponseError) as error:
            await call(request)
        assert error.value.code == 108


@pytest.mark.asyncio
async def test_channels_by_pattern(api: Cent, dial: Any) -> None:
    await dial("ann", "room", "quiet:1", "quiet:2")
    await dial("bob", "room")
    channels = (await api.channels(cent.ChannelsRequest())).channels
    assert {name: each.num_clients for name, each in channels.items()} == {"room": 2, "quiet:1": 1, "quiet:2": 1}
    for pattern, names in (
        ("quiet:*", {"quiet:1", "quiet:2"}),
        ("*:[!2]", {"quiet:1"}),
        ("{room,quiet:2}", {"room", "quiet:2"}),
        ("roo?", {"room"}),
        ("nothing", set()),
    ):
        assert set((await api.channels(cent.ChannelsRequest(pattern=pattern))).channels) == names


@pytest.mark.asyncio
async def test_info_says_what_the_node_holds(api: Cent, server: Server, dial: Any) -> None:
    await dial("ann", "room", "quiet:1")
    await dial("ann", "room")
    await dial("")
    (node,) = (await api.info(cent.InfoRequest())).nodes
    assert node.uid == server.node.id
    assert node.name
    assert node.version
    assert (node.num_clients, node.num_users, node.num_subs, node.num_channels) == (3, 1, 3, 2)
    assert node.process is not None
    assert node.process.rss > 1_000_000


# ---- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_subscribe_brings_all_sessions_of_a_user_into_a_channel(api: Cent, server: Server, dial: Any) -> None:
    first, second, other = await dial("ann"), await dial("ann"), await dial("bob")
    request = cent.SubscribeRequest(user="ann", channel="closed:c", data={"why": "invited"}, info={"role": "guest"})
    await api.subscribe(request)
    for wire in (first, second):
        push = await told(wire, "subscribe")
        assert (push["channel"], push["subscribe"]["data"]) == ("closed:c", {"why": "invited"})
    await api.publish(cent.PublishRequest(channel="closed:c", data=1))
    for wire in (first, second):
        assert (await told(wire, "pub"))["pub"]["data"] == 1
    assert not server.node.sessions[other.client].session.subscriptions


@pytest.mark.asyncio
async def test_subscribe_from_a_position_shows_the_info_and_can_hide(api: Cent, server: Server, dial: Any) -> None:
    seen, hidden = await dial("ann"), await dial("bob")
    for number in (1, 2, 3):
        await server.node.publish("room", number)
    epoch = (await server.node.history("room")).top.epoch
    await api.subscribe(
        cent.SubscribeRequest(
            user="ann",
            channel="room",
            info={"role": "guest"},
            client=seen.client,
            recover_since=cent.StreamPosition(offset=1, epoch=epoch),
        )
    )
    assert [(await told(seen, "pub"))["pub"]["data"] for _ in range(2)] == [2, 3]
    no = cent.BoolValue(value=False)
    override = cent.ChannelOptionsOverride(presence=no, join_leave=no, force_recovery=cent.BoolValue(value=True))
    await api.subscribe(cent.SubscribeRequest(user="bob", channel="room", override=override))
    await told(hidden, "subscribe")
    presence = (await api.presence(cent.PresenceRequest(channel="room"))).presence
    assert {each.user: each.chan_info for each in presence.values()} == {"ann": {"role": "guest"}}


@pytest.mark.asyncio
async def test_unsubscribe_ends_subscriptions_of_a_user(api: Cent, server: Server, dial: Any) -> None:
    first, second, other = await dial("ann", "room"), await dial("ann", "room"), await dial("bob", "room")
    await api.unsubscribe(cent.UnsubscribeRequest(user="ann", channel="room", client=second.client))
    assert (await told(second, "unsubscribe"))["unsubscribe"]["code"] == 2000
    await api.unsubscribe(cent.UnsubscribeRequest(user="ann", channel="room"))
    assert (await told(first, "unsubscribe"))["channel"] == "room"
    await api.unsubscribe(cent.UnsubscribeRequest(user="ann", channel="room"))  # nobody left: that is no error
    assert list(server.node.sessions[other.client].session.subscriptions) == ["room"]


@pytest.mark.asyncio
async def test_disconnect_ends_the_sessions_of_a_user_but_those_to_keep(api: Cent, dial: Any) -> None:
    first, kept, other = await dial("ann"), await dial("ann"), await dial("bob")
    await api.disconnect(cent.DisconnectRequest(user="ann", whitelist=[kept.client]))
    assert await ended(first) == (3503, "force disconnect")
    wanted = cent.Disconnect(code=4321, reason="moved to another plan")
    await api.disconnect(cent.DisconnectRequest(user="ann", client=kept.client, disconnect=wanted))
    assert await ended(kept) == (4321, "moved to another plan")
    assert "error" not in await other.request("ping")


@pytest.mark.asyncio
async def test_disconnect_reaches_somebody_anonymous_by_client(api: Cent, dial: Any) -> None:
    wire = await dial()
    await api.disconnect(cent.DisconnectRequest(user="ann", client=wire.client))  # not hers
    assert "error" not in await wire.request("ping")
    await api.disconnect(cent.DisconnectRequest(user="", client=wire.client))
    assert (await ended(wire))[0] == 3503


@pytest.mark.asyncio
async def test_refresh_moves_the_end_of_sessions(api: Cent, server: Server, dial: Any) -> None:
    first, second = await dial("ann"), await dial("ann")
    at = int(server.node.clock.wall()) + 100
    await api.refresh(cent.RefreshRequest(user="ann", client=first.client, expire_at=at))
    push = await told(first, "refresh")
    assert push["refresh"]["expires"]
    assert 90 < push["refresh"]["ttl"] <= 100
    await api.refresh(cent.RefreshRequest(user="ann", client=first.client))
    assert not (await told(first, "refresh"))["refresh"].get("expires")
    await api.refresh(cent.RefreshRequest(user="ann", client=second.client, expire_at=at - 200))
    assert (await ended(second))[0] == 3005
    await api.refresh(cent.RefreshRequest(user="ann", expired=True))
    assert (await ended(first))[0] == 3005


# ---- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("parallel", [False, True])
async def test_a_batch_answers_each_command_in_order(api: Cent, dial: Any, parallel: bool) -> None:
    wire = await dial("ann", "room")
    batch = cent.BatchRequest(
        requests=[
            cent.PublishRequest(channel="room", data=1),
            cent.BroadcastRequest(channels=["room", "other"], data=2),
            cent.HistoryRequest(channel="room", limit=10),
            cent.PresenceRequest(channel="room"),
            cent.DisconnectRequest(user="nobody"),
            cent.InfoRequest(),
        ],
        parallel=parallel,
    )
    publish, broadcast, history, presence, disconnect, info = (await api.batch(batch)).replies
    assert publish.offset == 1
    assert [each.result.offset for each in broadcast.responses] == [2, 1]
    assert [each.data for each in history.publications] == [1, 2]
    assert set(presence.presence) == {wire.client}
    assert isinstance(disconnect, cent.DisconnectResult)
    assert len(info.nodes) == 1


@pytest.mark.asyncio
async def test_one_command_of_a_batch_that_fails_does_not_stop_the_others(server: Server) -> None:
    commands: list[object] = [
        {"publish": {"channel": "small:s", "data": "x" * 200}},
        {"history_remove": {"channel": "room"}},
        {"no_such_method": {}},
        {"publish": {"channel": "room"}},
        {"publish": {"channel": "room", "data": 1}},
    ]
    answer = (await post(server, "batch", {"commands": commands})).json()
    assert [each.get("error", {}).get("code") for each in answer["replies"]] == [106, 108, 104, 107, None]
    assert answer["replies"][-1]["publish"]["offset"] == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"commands": []},
        {"commands": [{}]},
        {"commands": [{"info": {}, "channels": {}}]},
        {"commands": [{"batch": {"commands": [{"info": {}}]}}]},
        {"commands": [{"info": {}}] * 1001},
        {"commands": 1},
    ],
)
async def test_what_is_no_batch_is_107(server: Server, body: dict[str, object]) -> None:
    assert (await refused(server, "batch", **body))[0] == 107


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "body", "code", "word"),
    [
        ("publish", {"data": 1}, 107, "channel"),
        ("publish", {"channel": "room"}, 107, "data"),
        ("publish", {"channel": "room", "data": 1, "colour": "red"}, 107, "colour"),
        ("publish", {"channel": 7, "data": 1}, 107, "channel"),
        ("publish", {"channel": "x" * 256, "data": 1}, 107, "255"),
        ("publish", {"channel": "room", "b64data": "%%"}, 107, "b64data"),
        ("publish", {"channel": "room", "data": 1, "delta": True}, 108, "delta"),
        ("publish", {"channel": "room", "data": 1, "version": 3}, 108, "version"),
        ("publish", {"channel": "room", "data": 1, "tags": {"event": "a b"}}, 107, "event"),
        ("broadcast", {"channels": [], "data": 1}, 107, "channels"),
        ("broadcast", {"channels": ["a"]}, 107, "data"),
        ("subscribe", {"channel": "room"}, 107, "user"),
        ("subscribe", {"user": "ann"}, 107, "channel"),
        ("subscribe", {"user": "ann", "channel": "room", "session": "s"}, 108, "session"),
        ("subscribe", {"user": "ann", "channel": "room", "b64info": "AAA="}, 107, "JSON"),
        (
            "subscribe",
            {"user": "ann", "channel": "quiet:q", "override": {"presence": {"value": True}}},
            108,
            "presence",
        ),
        ("subscribe", {"user": "a", "channel": "b", "override": {"force_recovery": {"value": False}}}, 108, "recovery"),
        ("unsubscribe", {"user": "ann"}, 107, "channel"),
        ("disconnect", {}, 107, "user"),
        ("disconnect", {"user": "ann", "disconnect": {"code": 1000}}, 107, "code"),
        ("disconnect", {"user": "ann", "disconnect": {"code": 2000}}, 107, "code"),
        ("disconnect", {"user": "ann", "disconnect": {"code": 4000, "reason": "x" * 121}}, 107, "reason"),
        ("disconnect", {"user": "ann", "disconnect": {"code": 4600, "reconnect": True}}, 108, "reconnect"),
        ("refresh", {}, 107, "user"),
        ("presence", {}, 107, "channel"),
        ("history", {"channel": "signal:s"}, 108, "signal"),
        ("history", {"channel": "room", "limit": "all"}, 107, "limit"),
        ("channels", {"pattern": "a" * 256}, 107, "255"),
        ("channels", {"pattern": "{a,b}" * 7}, 107, "64"),
        ("channels", {"pattern": "a\\*"}, 107, "backslash"),
        ("info", {"verbose": True}, 107, "verbose"),
        ("info", [1], 107, "object"),
        ("rpc", {"method": "echo"}, 108, "rpc"),
        ("connections", {"user": "ann", "expression": ""}, 108, "connections"),
        ("block_user", {"user": "ann"}, 108, "block_user"),
    ],
)
async def test_what_cannot_be_done_says_so(server: Server, method: str, body: Any, code: int, word: str) -> None:
    answer = await post(server, method, body)
    assert answer.status == 200
    assert answer.json()["error"]["code"] == code
    assert word in answer.json()["error"]["message"]


@pytest.mark.asyncio
async def test_a_wrong_key_is_401_and_cent_says_unauthorized(server: Server) -> None:
    for kind in ("sync", "async"):
        api = Cent(kind, server.port, "another key")
        with pytest.raises(cent.CentUnauthorizedError):
            await api.info(cent.InfoRequest())
        await api.close()
    for headers in ((), (("X-API-Key", ""),), (("Authorization", f"Bearer {KEY}"),), (("Authorization", KEY),)):
        answer = await server.request("POST", "/api/info", headers=headers, body=b"{}")
        assert (answer.status, answer.json()["error"]["code"]) == (401, 101)
    assert 'wirehop_api_total{code="101",method="unauthorized"} 6.0' in await server.metrics()


@pytest.mark.asyncio
@pytest.mark.parametrize("scheme", ["apikey", "APIKEY"])
async def test_the_key_may_stand_in_authorization(server: Server, scheme: str) -> None:
    answer = await server.request("POST", "/api/info", headers=[("Authorization", f"{scheme} {KEY}")])
    assert answer.status == 200
    assert "nodes" in answer.json()["result"]


@pytest.mark.asyncio
async def test_what_is_no_json_is_400(server: Server) -> None:
    for body in (b"{", b'{"channel": "\xff"', b"[" * 100_000, b"\x00"):
        answer = await post(server, "publish", body)
        assert (answer.status, answer.json()["error"]["code"]) == (400, 107), body[:20]
        assert "not JSON" in answer.json()["error"]["message"]


@pytest.mark.asyncio
async def test_a_payload_that_is_not_utf8_is_refused(server: Server) -> None:
    answer = await post(server, "publish", b'{"channel": "room", "data": "\xff"}')
    assert answer.json()["error"]["code"] == 107
    assert (await server.node.history("room")).top.offset == 0


@pytest.mark.asyncio
async def test_a_body_over_the_hosts_limit_is_413() -> None:
    node = Node(Settings(namespaces={"": OPEN}, api=Api(key=KEY)))
    async with running(node) as server:
        answer = await post(server, "publish", b" " * 1_048_577)
        assert answer.status == 413


@pytest.mark.asyncio
async def test_unknown_methods_are_404_and_other_verbs_405(server: Server) -> None:
    for path in ("/api/", "/api/nothing", "/api/publish/", "/api/publish/x"):
        answer = await server.request("POST", path, headers=[("X-API-Key", KEY)], body=b"{}")
        assert (answer.status, answer.json()["error"]["code"]) == (404, 104), path
    for verb in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = await server.request(verb, "/api/publish", headers=[("X-API-Key", KEY)])
        assert (answer.status, answer.header("allow")) == (405, "POST")


@pytest.mark.asyncio
async def test_no_page_of_another_origin_may_ask(server: Server) -> None:
    """Also not one that may connect: the key is for servers."""
    origin = ("Origin", "https://example.org")
    preflight = [origin, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-api-key")]
    answers = [
        await server.request("OPTIONS", "/api/info", headers=preflight),
        await post(server, "info", {}, origin),
    ]
    assert [answer.status for answer in answers] == [401, 200]
    for answer in answers:
        assert not any(name.lower().startswith("access-control") for name, _ in answer.headers)


@pytest.mark.asyncio
async def test_without_a_key_there_is_no_api() -> None:
    for settings in (Settings(), structs.replace(Settings(), dev=True)):
        async with running(Node(settings)) as server:
            answer = await server.request("POST", "/api/info", headers=[("X-API-Key", "")], body=b"{}")
            assert answer.status == 404


@pytest.mark.asyncio
async def test_a_broker_that_fails_is_100_and_details_stay_here(server: Server) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError("the password of the broker is wrong: hunter2")

    server.node.broker.history = fail  # type: ignore[method-assign,assignment]
    code, message = await refused(server, "history", channel="room")
    assert (code, message) == (100, "internal error")
    assert 'wirehop_errors_total{reason="api"} 1.0' in await server.metrics()


@pytest.mark.asyncio
async def test_a_session_with_all_the_subscriptions_it_may_have_is_106(dial: Any, server: Server) -> None:
    wire = await dial("ann")
    most = server.node.limits.channels
    for number in range(most):
        assert (await post(server, "subscribe", {"user": "ann", "channel": f"c{number}"})).json() == {"result": {}}
    await eventually(lambda: len(server.node.sessions[wire.client].session.subscriptions) == most)
    assert (await refused(server, "subscribe", user="ann", channel="one more"))[0] == 106
    assert (await post(server, "subscribe", {"user": "ann", "channel": "c1"})).json() == {"result": {}}
