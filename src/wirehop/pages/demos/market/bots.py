"""Traders with names: each is a session of its own that places orders, and takes them back."""

import asyncio
from random import Random

from wirehop.client import Client
from wirehop.client.errors import RequestFailed
from wirehop.core import codes
from wirehop.pages.demos.market.exchange import SYMBOLS

REFUSALS = {codes.NOT_AVAILABLE.number, codes.TOO_MANY_REQUESTS.number, codes.BAD_REQUEST.number}
"""The exchange has closed, is busy, or the price has run away."""


async def trade(client: Client, number: int, random: Random) -> None:
    """Buy and sell at the exchanges that are open, a little every other second, until cancelled."""
    account = f"bot-{number}-{random.getrandbits(64):016x}"
    last = {symbol: price for symbol, (_, price) in SYMBOLS.items()}
    while True:
        await asyncio.sleep(random.uniform(0.8, 2.5))
        seeds = await client.rpc("market.exchanges")
        if not seeds:
            continue
        symbol = random.choice(list(SYMBOLS))
        wanted = {"seed": seeds[number % len(seeds)], "symbol": symbol, "account": account}
        side, sign = random.choice((("bid", -1), ("ask", 1)))
        price = last[symbol] + sign * random.randint(0, 12) if random.random() < 0.7 else None
        order = {**wanted, "side": side, "price": price, "quantity": 10 * random.randint(1, 9)}
        try:
            placed = await client.rpc("market.order", order)
            last[symbol] = placed["last"]
            if placed["rests"]:
                await asyncio.sleep(random.uniform(0.5, 4))
                await client.rpc("market.cancel", {**wanted, "id": placed["id"]})
        except RequestFailed as error:
            if error.code not in REFUSALS:
                raise
