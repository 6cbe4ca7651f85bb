"""One test for each attack on subscription tokens and on revocation, named after it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from attacking import (  # noqa: F401 - fixtures
    OTHER_SECRET,
    bearer,
    claims_of,
    connected,
    dialing,
    end_code,
    forged,
    guarded_server,
    settings,
    subscribe_code,
    token,
)
from node_under_test import Server, running

from wirehop.core.errors import Refused
from wirehop.node import Node
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio


# ---- subscription tokens ---------------------------------------------------------------------------------------------


async def test_subscription_token_for_another_channel(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token("ada"))
    text = token("ada", channel="token:a")
    assert await subscribe_code(wire, "token:b", text) == 103
    assert await subscribe_code(wire, "token:a") == 103
    assert await subscribe_code(wire, "token:a", text) == 0


async def test_subscription_token_of_another_user(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token("eve"))
    assert await subscribe_code(wire, "token:a", token("ada", channel="token:a")) == 103
    assert await subscribe_code(wire, "token:a", token("", channel="token:a")) == 103


@pytest.mark.parametrize("server", [{"anonymous": True}], indirect=True)
async def test_subscription_token_of_a_user_by_somebody_anonymous(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, "")
    assert await subscribe_code(wire, "token:a", token("ada", channel="token:a")) == 103


async def test_bad_subscription_tokens(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    assert await subscribe_code(wire, "token:a", token(channel="token:a", ttl=-1)) == 109
    for text in (
        token(channel="token:a", secret=OTHER_SECRET),
        token(channel=""),
        token(),
        "x",
        forged({"alg": "none"}, {**claims_of(), "channel": "token:a"}),
    ):
        assert await subscribe_code(wire, "token:a", text) == 103


async def test_connection_token_used_to_subscribe(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    assert await subscribe_code(wire, "token:a", token()) == 103


async def test_subscription_token_used_to_connect(dial: Callable[..., Conversation], server: Server) -> None:
    text = token(channel="token:a")
    assert await end_code(dial(), text) == 3500
    assert (await server.request("GET", "/channels/public:a", headers=[bearer(text)])).status == 401


async def test_a_token_opens_no_closed_namespace(dial: Callable[..., Conversation]) -> None:
    caps = [{"channels": ["*"], "match": "wildcard", "allow": ["sub", "pub", "hst", "prs"]}]
    wire = await connected(dial, token(caps=caps))
    assert await subscribe_code(wire, "token:a") == 0
    assert await subscribe_code(wire, "closed:a") == 103
    assert await subscribe_code(wire, "closed:a", token(channel="closed:a")) == 103
    assert (await wire.request("publish", channel="closed:a", data=1))["error"]["code"] == 103
    assert await end_code(dial(), token(channels=["closed:a"])) == 103


async def test_subscription_token_grants_nothing_after_the_subscription(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    text = token(channel="token:a", allow=["pub", "hst"])
    assert await subscribe_code(wire, "token:a", text) == 0
    assert "publish" in await wire.request("publish", channel="token:a", data=1)
    assert "history" in await wire.request("history", channel="token:a", limit=1)
    await wire.request("unsubscribe", channel="token:a")
    assert (await wire.request("publish", channel="token:a", data=1))["error"]["code"] == 103
    assert (await wire.request("history", channel="token:a", limit=1))["error"]["code"] == 103


async def test_what_one_subscription_was_granted_is_not_the_next_ones(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    assert await subscribe_code(wire, "half:a", token(channel="half:a", allow=["pub"])) == 0
    assert "publish" in await wire.request("publish", channel="half:a", data=1)
    await wire.request("unsubscribe", channel="half:a")
    assert await subscribe_code(wire, "half:a") == 0
    assert (await wire.request("publish", channel="half:a", data=1))["error"]["code"] == 103


async def test_a_token_to_read_does_not_publish(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    assert await subscribe_code(wire, "token:a", token(channel="token:a")) == 0
    assert (await wire.request("publish", channel="token:a", data=1))["error"]["code"] == 103
    assert "presence" in await wire.request("presence", channel="token:a")


async def test_a_token_without_presence_does_not_see_who_is_there(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    assert await subscribe_code(wire, "token:a", token(channel="token:a", allow=["hst"])) == 0
    assert (await wire.request("presence", channel="token:a"))["error"]["code"] == 103
    assert (await wire.request("presence_stats", channel="token:a"))["error"]["code"] == 103


async def test_a_wildcard_in_a_channel_name_is_no_wildcard(dial: Callable[..., Conversation]) -> None:
    caps = [{"channels": ["token:a", "token:[ab]"], "allow": ["sub"]}]
    wire = await connected(dial, token(caps=caps))
    assert await subscribe_code(wire, "token:b") == 103
    assert await subscribe_code(wire, "token:*") == 103
    caps = [{"channels": ["token:[ab]*", "token:?"], "match": "wildcard", "allow": ["sub"]}]
    wire = await connected(dial, token(caps=caps))
    assert await subscribe_code(wire, "token:a") == 103


async def test_reading_further_back_than_a_token_allows(server: Server, dial: Callable[..., Conversation]) -> None:
    first = await server.node.publish("token:a", 1)
    await asyncio.sleep(0.01)
    since = time.time()
    await server.node.publish("token:a", 2)
    wire = await connected(dial, token())
    position = {"recover": True, "epoch": first.epoch, "offset": 0}
    text = token(channel="token:a", since=since)
    reply = await wire.request("subscribe", channel="token:a", token=text, **position)
    assert not reply["subscribe"].get("recovered", False)
    assert reply["subscribe"].get("publications", []) == []
    page = await wire.request("history", channel="token:a", limit=-1)
    assert [each["data"] for each in page["history"]["publications"]] == [2]
    await wire.request("unsubscribe", channel="token:a")
    reply = await wire.request("subscribe", channel="token:a", token=text, **{**position, "offset": 1})
    assert [each["data"] for each in reply["subscribe"]["publications"]] == [2]


async def test_a_cursor_grants_nothing(server: Server, dial: Callable[..., Conversation]) -> None:
    position = await server.node.publish("token:a", "secret")
    wire = await connected(dial, token())
    asked = {"recover": True, "epoch": position.epoch, "offset": 0}
    assert await subscribe_code(wire, "token:a", **asked) == 103
    for headers in ([], [bearer(token())]):
        for extra in ([("Last-Event-ID", f"{position.epoch}:0")], []):
            target = f"/channels/token:a?cursor={position.epoch}:0"
            for accept in ([("Accept", "text/event-stream")], []):
                answer = await server.request("GET", target, headers=[*headers, *extra, *accept])
                assert answer.status in (401, 403)
                assert b"secret" not in answer.body


async def test_refreshing_a_subscription_with_a_token_of_another(dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token())
    assert await subscribe_code(wire, "token:a", token(channel="token:a")) == 0
    good = await wire.request("sub_refresh", channel="token:a", token=token(channel="token:a", ttl=900))
    assert good["sub_refresh"]["ttl"] > 600
    for text in (token(channel="token:b"), token("eve", channel="token:a"), token()):
        assert (await wire.request("sub_refresh", channel="token:a", token=text))["error"]["code"] == 103
    await wire.request("sub_refresh", channel="token:a", token=token(channel="token:a", ttl=-1))
    assert (await wire.next_push())["unsubscribe"]["code"] == 2501


# ---- revocation ------------------------------------------------------------------------------------------------------


async def test_revoked_users_live_sockets_are_closed_at_once(server: Server, dial: Callable[..., Conversation]) -> None:
    wires = [await connected(dial, token("ada"), name) for name in ("websocket", "sse", "long-poll")]
    other = await connected(dial, token("bob"))
    stream = await server.events("/channels/room", headers=[bearer(token("ada"))])
    await stream.next()
    assert server.node.revoke(user="ada") == 4
    for wire in wires:
        assert await wire.end(timeout=2) == 3500
    with pytest.raises(EOFError):
        while True:
            await stream.next(timeout=2)
    await stream.response.close()
    assert "ping" in await other.request("ping")


async def test_revoked_token_reconnects(server: Server, dial: Callable[..., Conversation]) -> None:
    text, other = token("ada", jti="t1"), token("ada", jti="t2")
    wire, second = await connected(dial, text), await connected(dial, other)
    assert server.node.revoke(token_id="t1") == 1
    assert await wire.end() == 3500
    assert await end_code(dial(), text) == 3500
    assert (await server.request("GET", "/channels/room", headers=[bearer(text)])).status == 401
    assert "ping" in await second.request("ping")
    assert await end_code(dial(), other) == 0


async def test_revoked_token_at_refresh(server: Server, dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token("ada", jti="t1"))
    server.node.revoke(token_id="t2")
    await wire.send("refresh", token=token("ada", jti="t2"))
    assert await wire.end() == 3500


async def test_tokens_from_before_a_time(server: Server, dial: Callable[..., Conversation]) -> None:
    now = int(time.time())
    old, without, new = token("ada", iat=now - 100), token("ada", iat=None), token("ada", iat=now)
    wires = [await connected(dial, text) for text in (old, without, new)]
    assert server.node.revoke(before=now - 50) == 2
    assert [await wire.end() for wire in wires[:2]] == [3500, 3500]
    assert "ping" in await wires[2].request("ping")
    assert [await end_code(dial(), text) for text in (old, without, new)] == [3500, 3500, 0]
    assert server.node.revoke(user="ada", before=now + 1) == 2
    assert await end_code(dial(), new) == 3500
    assert await end_code(dial(), token("bob")) == 0


async def test_revoked_subscription_token(server: Server, dial: Callable[..., Conversation]) -> None:
    wire = await connected(dial, token("ada"))
    text = token("ada", channel="token:a", jti="s1")
    assert await subscribe_code(wire, "token:a", text) == 0
    assert server.node.revoke(token_id="s1") == 0
    assert (await wire.next_push())["unsubscribe"]["code"] == 2000
    assert await subscribe_code(wire, "token:a", text) == 103
    assert await subscribe_code(wire, "token:a", token("ada", channel="token:a", jti="s2")) == 0
    assert (await wire.request("sub_refresh", channel="token:a", token=text))["error"]["code"] == 103


async def test_revoked_while_connecting() -> None:
    """The token is checked, then the handler takes its time: what is revoked meanwhile does not slip in."""
    node = Node(settings())
    entered, go_on = asyncio.Event(), asyncio.Event()

    @node.on_connect
    async def connect(connecting: Any) -> None:
        assert connecting.user == "ada"
        entered.set()
        await go_on.wait()

    async with running(node) as server:
        wire = open_wire("websocket", server.port)
        waiting = asyncio.ensure_future(end_code(wire, token("ada", jti="t1")))
        await entered.wait()
        node.auth.revocations.revoke_id("t1")
        go_on.set()
        assert await waiting == 3500
        await wire.close()


async def test_a_flood_of_revocations_forgets_none(server: Server, dial: Callable[..., Conversation]) -> None:

    server.node.auth.revocations._most = 3
    for number in range(3):
        server.node.revoke(token_id=f"t{number}")
    with pytest.raises(Refused):
        server.node.revoke(token_id="t3")
    assert await end_code(dial(), token(jti="t0")) == 3500
