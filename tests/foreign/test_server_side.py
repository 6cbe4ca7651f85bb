"""What the server does on its own: subscribe and unsubscribe sessions, let them expire, and ask for fresh tokens."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cutting_proxy import CuttingProxy
from msgspec import structs
from node_under_test import NAMESPACES, OPEN, Server, eventually

from foreign import as_value
from wirehop.node import Client, Connecting, User
from wirehop.settings.tree import Auth

pytestmark = pytest.mark.asyncio(loop_scope="session")
Dial = Callable[..., Any]
SECRET = "0123456789abcdef0123456789abcdef"
WITH_TOKENS = {
    "auth": Auth(secrets=(SECRET,)),
    "namespaces": {**NAMESPACES, "granted": structs.replace(OPEN, subscribe="token")},
}


def token(user: str = "ada", *, seconds: float = 3600, secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode({"sub": user, "exp": int(time.time() + seconds), **claims}, secret, algorithm="HS256")


# ---- subscriptions that the server makes -----------------------------------------------------------------------------


async def test_a_session_begins_with_the_servers_subscriptions(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        return User("ada", subs=("quiet:a", "quiet:b"))

    client = dial()
    await client.events.next("subscribed", channel="quiet:a")
    await client.events.next("subscribed", channel="quiet:b")
    await client.events.next("connected")
    await server.node.publish("quiet:b", {"n": 1})
    publication = await client.events.next("publication", channel="quiet:b")
    assert as_value(publication["data"]) == {"n": 1}


async def test_the_servers_subscriptions_are_recovered_after_a_cut(
    server: Server, dial: Dial, proxy: CuttingProxy
) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        return User("ada", subs=("quiet:a",))

    client = dial(address=proxy.address)
    await client.events.next("subscribed", channel="quiet:a")
    await server.node.publish("quiet:a", 0)
    proxy.is_open = False
    proxy.cut()
    await eventually(lambda: not server.node.sessions, "the cut is seen")
    for n in range(1, 11):
        await server.node.publish("quiet:a", n)
    proxy.is_open = True
    again = await client.events.next("subscribed", channel="quiet:a", timeout=15)
    assert (again["wasRecovering"], again["recovered"]) == (True, True)
    received = [await client.events.next("publication", channel="quiet:a") for _ in range(11)]
    assert [(each["offset"], as_value(each["data"])) for each in received] == [(n + 1, n) for n in range(11)]


async def test_the_server_subscribes_and_unsubscribes_who_is_connected(server: Server, dial: Dial) -> None:
    @server.node.on_connect
    async def connect(_connecting: Connecting) -> User:
        return User("ada")

    client = dial()
    await client.events.next("connected")
    assert server.node.subscribe("ada", "quiet:a") == 1
    await client.events.next("subscribed", channel="quiet:a")
    await server.node.publish("quiet:a", {"n": 1})
    publication = await client.events.next("publication", channel="quiet:a")
    assert (publication["offset"], as_value(publication["data"])) == (1, {"n": 1})
    assert server.node.unsubscribe("ada", "quiet:a") == 1
    await client.events.next("unsubscribed", channel="quiet:a")
    await eventually(lambda: not server.node.hub.channels, "nobody listens")


# ---- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_session_that_expires_is_refreshed_and_goes_on(server: Server, dial: Dial) -> None:
    refreshed: list[str] = []

    @server.node.on_connect
    async def connect(connecting: Connecting) -> User:
        return User("ada", ttl=1)

    @server.node.on_refresh
    async def refresh(_client: Client, fresh: str) -> float:
        refreshed.append(fresh)
        return 3600

    client = dial(token="first", tokens=["second"])
    connected = await client.events.next("connected")
    await eventually(lambda: refreshed == ["second"], "a refresh")
    session = server.node.sessions[connected["client"]].session
    await eventually(lambda: session.deadline() is not None and session._expires_at > server.node.clock.now() + 1000)
    assert client.events.names().count("connecting") == 1
    assert "disconnected" not in client.events.names()


@pytest.mark.parametrize("server", [WITH_TOKENS], indirect=True)
async def test_tokens_are_refreshed_before_they_expire(server: Server, dial: Dial) -> None:
    client = dial(token=token(seconds=2), tokens=[token()])
    client.subscribe("granted:a", token=token(channel="granted:a", seconds=2), tokens=[token(channel="granted:a")])
    connected = await client.events.next("connected")
    await client.events.next("subscribed", channel="granted:a")
    session = server.node.sessions[connected["client"]].session
    assert session.user == "ada"
    subscription = session.subscriptions["granted:a"]

    def are_fresh() -> bool:
        later = server.node.clock.now() + 1000
        return session._expires_at > later and subscription.expires_at is not None and subscription.expires_at > later

    await eventually(are_fresh, "both were refreshed")
    assert server.node.sessions.keys() == {connected["client"]}


@pytest.mark.parametrize("server", [WITH_TOKENS], indirect=True)
async def test_an_expired_token_is_replaced_and_the_client_connects(server: Server, dial: Dial) -> None:
    client = dial(token=token(seconds=-100), tokens=[token()])
    connected = await client.events.next("connected")
    assert server.node.sessions[connected["client"]].session.user == "ada"


@pytest.mark.parametrize("server", [WITH_TOKENS], indirect=True)
async def test_an_invalid_token_ends_it_for_good(server: Server, dial: Dial) -> None:
    client = dial(token=token(secret="another secret, also of 32 bytes"))
    assert (await client.events.next("disconnected"))["code"] == 3500


@pytest.mark.parametrize("server", [WITH_TOKENS], indirect=True)
async def test_a_subscription_needs_its_own_token(server: Server, dial: Dial) -> None:
    client = dial(token=token())
    client.subscribe("granted:a", token=token(channel="granted:b"))
    refused = await client.events.next("unsubscribed", channel="granted:a")
    assert refused["code"] == 103
