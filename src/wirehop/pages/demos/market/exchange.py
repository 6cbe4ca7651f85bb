"""An exchange: four symbols, each with its book, crowd and feeds, and the visitors' accounts. Time is an argument."""

import secrets
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Final

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.pages.demos.market.accounts import MOST_OPEN, Accounts
from wirehop.pages.demos.market.book import Order, OrderBook, Side
from wirehop.pages.demos.market.crowd import Crowd
from wirehop.pages.demos.market.feed import CANDLE_SECONDS, FEEDS, Candle, Diff, Feed, Print, Tape, Trades

SYMBOLS: Final = {
    "WIRE": ("Copperline", 18_420),
    "HOPS": ("Hopfield Systems", 9_115),
    "TIDE": ("Tidewater Power", 4_268),
    "OAKS": ("Oak & Sons", 31_940),
}
SLOWEST: Final = 10
USUAL: Final = 60
FASTEST: Final = 5_000
"""Changes of a symbol's book in a second."""
MOST_BEHIND: Final = 0.2
"""Seconds of changes that are made up for after a delay; more are left out, and counted."""
TAPE_SECONDS: Final = 0.1
TICKER_SECONDS: Final = 0.25
GOOD_SECONDS: Final = 600.0
"""How long a visitor's order may rest."""
MOST_RESTING: Final = 10_000
"""Visitors' orders that are remembered for that; beyond it the oldest end early."""
MOST_QUANTITY: Final = 10_000
NEAR: Final = 0.1
"""How far from the last price a visitor's order may be, as a share of it."""


class Snapshot(Struct, frozen=True):
    """A symbol as it stands at `seq`: levels as (price, quantity), the best first."""

    run: str
    seq: int
    at: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class History(Struct, frozen=True):
    """What was traded before a page came."""

    trades: list[Print]
    candles: list[Candle]
    candle_seconds: int = CANDLE_SECONDS


class Quote(Struct, frozen=True):
    """A symbol in the ticker; `pace` are the changes a second that were asked for, `skipped` those left out."""

    symbol: str
    name: str
    last: int
    first: int
    bid: int | None
    ask: int | None
    volume: int
    pace: int
    skipped: int


class Instrument:
    """One symbol."""

    def __init__(self, run: str, seed: int, symbol: str, now: float) -> None:
        self.symbol = symbol
        self.name, price = SYMBOLS[symbol]
        self.book = OrderBook()
        self.pace = USUAL
        self.skipped = 0
        self._run = run
        self._seq = 0
        self._owed = 0.0
        self._tape_due = self._ticker_due = 0.0
        random = Random(f"{seed} {symbol}")  # noqa: S311 - play
        self.trades = Trades(price)
        self.trades.make_up(random, now)
        self._crowd = Crowd(self.book, random, price)
        self.feeds = {name: Feed(run, is_conflated=name != "all", every=seconds) for name, seconds in FEEDS.items()}
        self.book.changes.clear()

    def advance(self, seconds: float, now: float, accounts: Accounts) -> None:
        """Let the crowd act as often as its pace says."""
        self._owed += seconds * self.pace
        if (too_many := self._owed - max(1.0, self.pace * MOST_BEHIND)) > 0:
            self._owed -= too_many
            self.skipped += int(too_many)
        acts = 0
        while self._owed >= 1 and acts < FASTEST:
            acts += 1
            before = len(self.book.changes)
            trades = self._crowd.act()
            self._owed -= len(self.book.changes) - before
            self.trades.add(trades, now)
            for trade in trades:
                if trade.maker.owner:
                    accounts.traded(self.symbol, trade, now)
        self.settle()

    def settle(self) -> None:
        """Number what has changed, and give it to the feeds."""
        changes = self.book.changes
        if changes:
            self._seq += len(changes)
            for feed in self.feeds.values():
                feed.take(changes, self._seq)
            changes.clear()

    def due(self, now: float) -> Iterator[tuple[str, Diff | Tape | Quote]]:
        """What is to be published now: the kind of the channel, and what goes there."""
        for name, feed in self.feeds.items():
            if (diff := feed.diff(now)) is not None:
                yield name, diff
        if now >= self._tape_due:
            self._tape_due = now + TAPE_SECONDS
            if (tape := self.trades.publication()) is not None:
                yield "tape", tape
        if now >= self._ticker_due:
            self._ticker_due = now + TICKER_SECONDS
            yield "ticker", self.quote()

    def snapshot(self, now: float) -> Snapshot:
        """The book as it is."""
        self.settle()
        sides = self.book.sides
        return Snapshot(self._run, self._seq, round(now * 1000), sides["bid"].levels(), sides["ask"].levels())

    def history(self) -> History:
        """Its newest trades and its candles."""
        return History(list(self.trades.tape), list(self.trades.candles))

    def quote(self) -> Quote:
        """Its line in the ticker."""
        trades, best = self.trades, self.book.best
        return Quote(
            self.symbol,
            self.name,
            trades.last,
            trades.first,
            best("bid"),
            best("ask"),
            trades.volume,
            self.pace,
            self.skipped,
        )


class Exchange:
    """All symbols. The same seed makes the same crowd, act by act."""

    def __init__(self, seed: int, now: float) -> None:
        self.seed = seed
        self.run = secrets.token_hex(4)
        self.watched_at = now
        self.accounts = Accounts()
        self._resting: deque[tuple[float, str, str, int]] = deque()  # until when, whose, where, which
        self.instruments = {symbol: Instrument(self.run, seed, symbol, now) for symbol in SYMBOLS}

    def instrument(self, symbol: str) -> Instrument:
        """Raises `Refused` where there is no such symbol."""
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise Refused(codes.BAD_REQUEST, f"there is no symbol {symbol!r}")
        return instrument

    def advance(self, seconds: float, now: float) -> None:
        """So much time has passed."""
        self._expire(now)
        for instrument in self.instruments.values():
            instrument.advance(seconds, now, self.accounts)

    def place(self, key: str, symbol: str, side: Side, price: int | None, quantity: int, now: float) -> Order:
        """A visitor's order; without a price it takes what is there. What is wrong with it is `Refused`."""
        instrument = self.instrument(symbol)
        account = self.accounts.spend(key, now)
        last = instrument.trades.last
        if not 1 <= quantity <= MOST_QUANTITY:
            raise Refused(codes.BAD_REQUEST, f"a quantity is 1 to {MOST_QUANTITY}")
        if price is not None and abs(price - last) > last * NEAR:
            raise Refused(codes.BAD_REQUEST, f"a price within {NEAR:.0%} of the last one")
        if len(account.orders) >= MOST_OPEN:
            raise Refused(codes.LIMIT_EXCEEDED, f"at most {MOST_OPEN} open orders")
        if instrument.book.is_full:
            raise Refused(codes.TOO_MANY_REQUESTS, "the book is full")
        order, trades = instrument.book.place(side, price, quantity, key)
        instrument.trades.add(trades, now)
        for trade in trades:
            self.accounts.traded(symbol, trade, now)
        if order.id in instrument.book.orders:
            self.accounts.placed(key, symbol, order, quantity)
            self._resting.append((now + GOOD_SECONDS, key, symbol, order.id))
        return order

    def cancel(self, key: str, symbol: str, number: int, now: float) -> bool:
        """Take back one's own order; whether it was still there."""
        instrument = self.instrument(symbol)
        self.accounts.spend(key, now)
        order = instrument.book.orders.get(number)
        if order is None or order.owner != key:
            return False
        instrument.book.cancel(number)
        self.accounts.ended(key, number)
        return True

    def _expire(self, now: float) -> None:
        while self._resting and (self._resting[0][0] <= now or len(self._resting) > MOST_RESTING):
            _, key, symbol, number = self._resting.popleft()
            if self.instruments[symbol].book.cancel(number) is not None:
                self.accounts.ended(key, number)
