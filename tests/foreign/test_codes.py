"""Every code with which the server ends a session or a subscription, and whether these clients come back."""

from collections.abc import Callable
from typing import Any

import pytest
from node_under_test import Server

from wirehop.core import codes
from wirehop.core.codes import Code, Kind, Retry

pytestmark = pytest.mark.asyncio(loop_scope="session")
Dial = Callable[..., Any]
APPLICATION = [
    Code(4000, "app_reconnect", "come back", Kind.DISCONNECT, Retry.RECONNECT),
    Code(4500, "app_final", "stay away", Kind.DISCONNECT, Retry.FINAL),
]
DISCONNECTS = [code for code in codes.TABLE if code.kind is Kind.DISCONNECT] + APPLICATION
ENDS = [code for code in codes.TABLE if code.kind is Kind.UNSUBSCRIBE]


@pytest.mark.parametrize("code", DISCONNECTS, ids=lambda code: str(code.number))
async def test_a_disconnect_is_final_or_not_as_its_code_says(server: Server, client: Any, code: Code) -> None:
    client.events.seen.clear()
    assert server.node.disconnect(client.id, code)
    if code.retry is Retry.FINAL:
        ended = await client.events.next("disconnected")
        assert (ended["code"], ended["reason"]) == (code.number, code.text)
        assert not {"connecting", "connected"} & set(client.events.names())
    else:
        again = await client.events.next("connecting")
        if code is not codes.CLOSED:  # it ends a stream without a word
            assert (again["code"], again["reason"]) == (code.number, code.text)
        assert (await client.events.next("connected"))["client"] != client.id


@pytest.mark.parametrize("code", ENDS, ids=lambda code: str(code.number))
async def test_an_unsubscribe_stays_or_subscribes_again_as_its_code_says(
    server: Server, client: Any, code: Code
) -> None:
    client.subscribe("quiet:a")
    await client.events.next("subscribed")
    client.events.seen.clear()
    driver = server.node.sessions[client.id]
    driver.unsubscribe("quiet:a", code)
    if code.retry is Retry.FINAL:
        assert (await client.events.next("unsubscribed", channel="quiet:a"))["code"] == code.number
        assert "subscribed" not in client.events.names()
    else:
        assert (await client.events.next("subscribing", channel="quiet:a"))["code"] == code.number
        await client.events.next("subscribed", channel="quiet:a")
