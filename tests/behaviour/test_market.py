"""The market on a node: feeds over a real client, and exchanges that open and close."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from node_under_test import Server, eventually, running

from wirehop.client import Client
from wirehop.client.errors import RequestFailed
from wirehop.core import codes
from wirehop.pages.app import demo_node
from wirehop.pages.demos.market import market
from wirehop.pages.demos.market.bots import trade
from wirehop.settings.tree import Settings

pytestmark = pytest.mark.asyncio
KEY = "a-key-of-sixteen-letters-or-more"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with running(demo_node(Settings())) as server:
        yield server


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


async def refusal(asked: Any) -> int:
    with pytest.raises(RequestFailed) as caught:
        await asked
    return caught.value.code


async def test_a_snapshot_and_a_feed_are_the_book(server: Server) -> None:
    async with Client(url(server)) as client, client.subscribe("market:1:WIRE:all") as feed:
        await client.rpc("market.pace", {"symbol": "WIRE", "pace": 2000})
        snapshot = await client.rpc("market.snapshot", {"symbol": "WIRE"})
        seq, book = snapshot["seq"], {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        async with asyncio.timeout(30):
            async for publication in feed:
                diff: Any = publication.data
                if diff["seq"] <= seq:
                    continue
                assert diff["prev"] <= seq
                assert diff["run"] == snapshot["run"]
                for side, price, quantity in diff["levels"]:
                    book[side][price] = quantity
                seq = diff["seq"]
                bids, asks = ({price for price, quantity in book[side].items() if quantity} for side in "ba")
                assert max(bids) < min(asks)
                if seq > snapshot["seq"] + 1000:
                    break


async def test_an_order_is_filled_and_its_owner_is_told(server: Server) -> None:
    async with Client(url(server)) as client:
        run = (await client.rpc("market.snapshot", {"symbol": "TIDE"}))["run"]
        async with client.subscribe(f"market-account:{run}:{KEY}") as account:
            order = {"symbol": "TIDE", "account": KEY, "side": "bid", "quantity": 50}
            placed = await client.rpc("market.order", order)
            assert placed["filled"] == 50
            async with asyncio.timeout(30):
                state: Any = (await anext(aiter(account))).data
            assert state["holdings"] == {"TIDE": 50}
            price = state["fills"][-1]["price"]
            assert await refusal(client.rpc("market.order", {**order, "price": price // 2})) == codes.BAD_REQUEST.number
            assert await refusal(client.rpc("market.order", {**order, "account": "short"})) == codes.BAD_REQUEST.number
            waiting = await client.rpc("market.order", {**order, "price": price - price // 20})
            assert waiting["rests"] == 50
            assert await client.rpc("market.cancel", {**order, "id": waiting["id"]}) is True


async def test_nobody_publishes_to_the_market_but_the_market(server: Server) -> None:
    async with Client(url(server)) as client:
        for channel in ("market:1:WIRE:all", "market-ticker:1", "market-tape:1:WIRE", f"market-account:1:{KEY}"):
            assert await refusal(client.publish(channel, {})) == codes.PERMISSION_DENIED.number


async def test_the_pace_of_all_together_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "MOST_CHANGES", 1000)
    async with Client(url(server)) as client:
        assert await client.rpc("market.pace", {"symbol": "WIRE", "pace": 500}) == 500
        assert await client.rpc("market.pace", {"symbol": "HOPS", "pace": 500}) == 380  # the two others have 60 each
        assert await client.rpc("market.pace", {"symbol": "HOPS", "pace": -1}) == 10


async def test_an_exchange_closes_when_nobody_looks_any_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "UNWATCHED_SECONDS", 0.3)
    monkeypatch.setattr(market, "LOOK_SECONDS", 0.05)
    async with Client(url(server)) as client:
        async with client.subscribe("market-ticker:3") as quotes:
            run = (await client.rpc("market.snapshot", {"seed": 3, "symbol": "WIRE"}))["run"]
            async with asyncio.timeout(30):
                seen = {(await anext(aiter(quotes))).key for _ in range(12)}  # three rounds: longer than it would last
            assert seen == {"WIRE", "HOPS", "TIDE", "OAKS"}
        async with asyncio.timeout(30):
            while await client.rpc("market.exchanges"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
        order = {"seed": 3, "symbol": "WIRE", "account": KEY, "quantity": 10}
        assert await refusal(client.rpc("market.order", order)) == codes.NOT_AVAILABLE.number
        assert (await client.rpc("market.snapshot", {"seed": 3, "symbol": "WIRE"}))["run"] != run


async def test_there_are_so_many_exchanges_at_most(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "MOST_EXCHANGES", 2)
    async with Client(url(server)) as client:
        ask = {"symbol": "WIRE"}
        for seed in (1, 2):
            await client.rpc("market.snapshot", {**ask, "seed": seed})
        code = await refusal(client.rpc("market.snapshot", {**ask, "seed": 3}))
        assert code == codes.TOO_MANY_REQUESTS.number
        monkeypatch.setattr(market, "LOOK_SECONDS", 0.0)  # both have been left, then
        await client.rpc("market.snapshot", {**ask, "seed": 3})
        assert await client.rpc("market.exchanges") == [2, 3]


async def test_bots_trade_where_an_exchange_is_open(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[str] = []
    original = market.Market.order

    async def counted(self: market.Market, client: Any, wanted: market.OrderWanted) -> market.Placed:
        placed.append(wanted.account)
        return await original(self, client, wanted)

    monkeypatch.setattr(market.Market, "order", counted)
    async with running(demo_node(Settings())) as second, Client(url(second)) as client:
        await client.rpc("market.snapshot", {"symbol": "WIRE"})
        bots = [asyncio.create_task(trade(client, number, Random(number))) for number in range(8)]
        await eventually(lambda: len(set(placed)) == 8, "all bots trade", 30)
        for bot in bots:
            bot.cancel()
        await asyncio.gather(*bots, return_exceptions=True)
    assert all(account.startswith("bot-") for account in placed)
