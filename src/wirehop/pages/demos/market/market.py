"""The market: an exchange that is open while somebody looks, as channels and a few methods.

    market:{seed}:{symbol}:{feed}   numbered changes of the book, in each of the FEEDS; rpc market.snapshot begins
    market-tape:{seed}:{symbol}     trades and candles; those before are rpc market.history
    market-ticker:{seed}            the newest quote of each symbol (class latest, the symbol is the key)
    market-account:{run}:{key}      the newest state of the account whose owner has made up this key (class latest);
                                    each opening of an exchange is a run of its own, named in every diff

rpc market.order, market.cancel   trade; what comes of it is told in the account's channel
rpc market.pace                   so many changes a second from now on, for everybody
"""

import asyncio
import time
from typing import Annotated, Final

from msgspec import Meta, Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node import Client, Node
from wirehop.pages.demos.market.book import Side
from wirehop.pages.demos.market.exchange import FASTEST, SLOWEST, Exchange, History, Instrument, Snapshot
from wirehop.settings.tree import Namespace

TICK: Final = 0.025
UNWATCHED_SECONDS: Final = 30.0
"""After so long without anybody an exchange closes, and is forgotten."""
LOOK_SECONDS: Final = 1.0
"""How often an exchange asks whether somebody is there."""
MOST_EXCHANGES: Final = 8
"""Where one more is wanted, the one that nobody has looked at for the longest time makes room."""
MOST_CHANGES: Final = 12_000
"""In a second, of all symbols of all exchanges together."""
NAMESPACES = {
    "market": Namespace(history_size=300, history_age=30, subscribe="anyone"),
    "market-tape": Namespace(history_size=100, history_age=30, subscribe="anyone"),
    "market-ticker": Namespace(delivery="latest", history_age=60, presence=True, subscribe="anyone"),
    "market-account": Namespace(delivery="latest", history_age=3600, subscribe="anyone"),
}


class Wanted(Struct):
    """A symbol of an exchange; `pace` for `market.pace`."""

    symbol: str
    seed: Annotated[int, Meta(ge=0, le=999_999_999)] = 1
    pace: int = SLOWEST


class OrderWanted(Wanted, kw_only=True):
    """An order, or with `id` one to cancel. `account` is a key that its owner has made up; without a price it takes
    what is there."""

    account: Annotated[str, Meta(pattern="^[a-z0-9-]{16,64}$")]
    side: Side = "bid"
    price: int | None = None
    quantity: int = 0
    id: int = 0


class Placed(Struct):
    """The order's number; how much was traded at once, and how much rests; the last price."""

    id: int
    filled: int
    rests: int
    last: int


class Market:
    """The exchanges of this node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._exchanges: dict[int, Exchange] = {}
        node.rpc("market.snapshot")(self.snapshot)
        node.rpc("market.history")(self.history)
        node.rpc("market.pace")(self.pace)
        node.rpc("market.order")(self.order)
        node.rpc("market.cancel")(self.cancel)
        node.rpc("market.exchanges")(self.exchanges)

    async def snapshot(self, _client: Client, wanted: Wanted) -> Snapshot:
        """The book as it is now; diffs of a feed go on from it."""
        return self._instrument(wanted).snapshot(time.time())

    async def history(self, _client: Client, wanted: Wanted) -> History:
        """The newest trades, and the candles."""
        return self._instrument(wanted).history()

    async def pace(self, _client: Client, wanted: Wanted) -> int:
        """Set how fast a symbol's book changes, as far as there is room; how fast that is."""
        instrument = self._instrument(wanted)
        others = sum(each.pace for exchange in self._exchanges.values() for each in exchange.instruments.values())
        room = MOST_CHANGES - (others - instrument.pace)
        instrument.pace = max(SLOWEST, min(wanted.pace, FASTEST, room))
        return instrument.pace

    async def order(self, _client: Client, wanted: OrderWanted) -> Placed:
        """Buy (side `bid`) or sell."""
        exchange = self._exchange(wanted.seed)
        order = exchange.place(wanted.account, wanted.symbol, wanted.side, wanted.price, wanted.quantity, time.time())
        rests = order.quantity if wanted.price is not None else 0
        last = exchange.instrument(wanted.symbol).trades.last
        return Placed(order.id, wanted.quantity - order.quantity, rests, last)

    async def cancel(self, _client: Client, wanted: OrderWanted) -> bool:
        """Take an order back; whether it was still there."""
        return self._exchange(wanted.seed).cancel(wanted.account, wanted.symbol, wanted.id, time.time())

    async def exchanges(self, _client: Client) -> list[int]:
        """The seeds of those that are open."""
        return list(self._exchanges)

    # ---- inside

    def _instrument(self, wanted: Wanted) -> Instrument:
        return self._open(wanted.seed).instrument(wanted.symbol)

    def _exchange(self, seed: int) -> Exchange:
        exchange = self._exchanges.get(seed)
        if exchange is None:
            raise Refused(codes.NOT_AVAILABLE, "the exchange is closed: nobody looks at it")
        return exchange

    def _open(self, seed: int) -> Exchange:
        """It opens when somebody asks for its prices."""
        exchange = self._exchanges.get(seed)
        if exchange is None:
            if len(self._exchanges) >= MOST_EXCHANGES:
                self._make_room()
            exchange = self._exchanges[seed] = Exchange(seed, time.time())
            self._node.spawn(self._run(exchange))
        return exchange

    def _make_room(self) -> None:
        idle = min(self._exchanges.values(), key=lambda each: each.watched_at)
        if time.time() - idle.watched_at < LOOK_SECONDS * 2:
            raise Refused(codes.TOO_MANY_REQUESTS, f"{MOST_EXCHANGES} exchanges are open already")
        del self._exchanges[idle.seed]

    def _is_open(self, exchange: Exchange) -> bool:
        return self._exchanges.get(exchange.seed) is exchange

    async def _run(self, exchange: Exchange) -> None:
        """Trade, and publish, until nobody has looked for a while."""
        clock = asyncio.get_running_loop().time
        before, look_at = clock(), 0.0
        try:
            while self._is_open(exchange) and time.time() - exchange.watched_at < UNWATCHED_SECONDS:
                await asyncio.sleep(TICK)
                now, before = clock() - before, clock()
                exchange.advance(now, time.time())
                await self._publish(exchange, time.time())
                if clock() >= look_at:
                    look_at = clock() + LOOK_SECONDS
                    if await self._node.presence(f"market-ticker:{exchange.seed}"):
                        exchange.watched_at = time.time()
        finally:
            if self._is_open(exchange):
                del self._exchanges[exchange.seed]

    async def _publish(self, exchange: Exchange, now: float) -> None:
        publish, seed = self._node.publish, exchange.seed
        for symbol, instrument in exchange.instruments.items():
            for kind, data in instrument.due(now):
                if kind == "ticker":
                    await publish(f"market-ticker:{seed}", data, key=symbol)
                elif kind == "tape":
                    await publish(f"market-tape:{seed}:{symbol}", data)
                else:
                    await publish(f"market:{seed}:{symbol}:{kind}", data)
        for key, account in exchange.accounts.changed().items():
            await publish(f"market-account:{exchange.run}:{key}", account)
