"""One symbol's book as a feed: numbered changes, thinned out for those who want less.

Every change has a number, +1 each. A *diff* has those after `prev` up to `seq`; whoever is at `prev`, or between the
two, can apply it, since a level says what stands there and not by how much it has changed. The feed `all` has every
change; the others have, of each price, only what stood there last: they are conflated.
"""

from collections import deque
from collections.abc import Iterable
from random import Random
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from wirehop.pages.demos.market.book import Level, Side, Trade

FEEDS: Final[dict[str, float]] = {"all": 0.05, "100": 0.1, "250": 0.25, "500": 0.5, "1000": 1.0}
"""Their names, and the seconds between two diffs."""
ALIVE_SECONDS: Final = 0.5
"""A feed without changes says so this often: a page can tell a quiet market from a dead one."""
CANDLE_SECONDS: Final = 5
CANDLES: Final = 96
MADE_UP: Final = 84
MADE_UP_TICKS: Final = 5
"""Candles of the past that an opened market begins with, and how far one of them goes."""
TAPE: Final = 40
"""Trades that a page gets at its begin, and with one publication; of more than that only the sum."""

Wire = tuple[str, int, int]  # "b" or "a", price, quantity


class Diff(Struct, frozen=True):
    """Changes `prev + 1` to `seq` of the book that was opened as `run`; without any it says that the feed is alive.
    `at` is the server's time in milliseconds."""

    run: str
    prev: int
    seq: int
    at: int
    levels: list[Wire]


class Print(Struct, frozen=True):
    """A line of the tape. `side` is that of who took."""

    id: int
    at: int
    price: int
    quantity: int
    side: Side


class Candle(Struct):
    """What was traded in the `CANDLE_SECONDS` from `at` on (Unix time in seconds)."""

    at: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class Tape(Struct, frozen=True):
    """What was traded since the last one: the newest trades, how many more there were, and the candles they changed."""

    trades: list[Print]
    more: int
    candles: list[Candle]


def as_wire(level: Level) -> Wire:
    """A level as it travels."""
    return "b" if level.side == "bid" else "a", level.price, level.quantity


class Feed:
    """One of the `FEEDS` of a symbol."""

    def __init__(self, run: str, *, is_conflated: bool, every: float) -> None:
        self._run = run
        self._is_conflated = is_conflated
        self._every = every
        self._prev = self._seq = 0
        self._due = self._said = 0.0
        self._all: list[Level] = []
        self._latest: dict[tuple[Side, int], Level] = {}

    def take(self, changes: Iterable[Level], seq: int) -> None:
        """These have come; the last one is number `seq`."""
        self._seq = seq
        if self._is_conflated:
            self._latest.update(((level.side, level.price), level) for level in changes)
        else:
            self._all.extend(changes)

    def diff(self, now: float) -> Diff | None:
        """What is due, if something is."""
        if now < self._due:
            return None
        if not (self._all or self._latest) and now < self._said + ALIVE_SECONDS:
            return None
        self._due, self._said = max(self._due + self._every, now), now
        levels = [as_wire(level) for level in (self._latest.values() if self._is_conflated else self._all)]
        self._all.clear()
        self._latest.clear()
        prev, self._prev = self._prev, self._seq
        return Diff(self._run, prev, self._seq, round(now * 1000), levels)


class Trades:
    """The trades of one symbol: its tape, its candles and its figures."""

    def __init__(self, price: int) -> None:
        self.first = self.last = price
        self.volume = 0
        self.candles: deque[Candle] = deque(maxlen=CANDLES)
        self.tape: deque[Print] = deque(maxlen=TAPE)
        self._count = 0
        self._fresh: deque[Print] = deque(maxlen=TAPE)
        self._since = 0  # trades since the last publication
        self._changed: dict[int, Candle] = {}

    def add(self, trades: Iterable[Trade], now: float) -> None:
        """Traded at `now`."""
        for trade in trades:
            self._count += 1
            self._since += 1
            self.last = trade.price
            self.volume += trade.quantity
            line = Print(self._count, round(now * 1000), trade.price, trade.quantity, trade.side)
            self.tape.append(line)
            self._fresh.append(line)
            self._draw(trade, int(now) // CANDLE_SECONDS * CANDLE_SECONDS)

    def publication(self) -> Tape | None:
        """What was traded since the last one, if anything was."""
        if not self._since:
            return None
        out = Tape(
            list(self._fresh), self._since - len(self._fresh), [replace(candle) for candle in self._changed.values()]
        )
        self._fresh.clear()
        self._changed.clear()
        self._since = 0
        return out

    def make_up(self, random: Random, now: float) -> None:
        """A past from before the market was opened, which leads to where it begins."""
        price = self.last
        newest = int(now) // CANDLE_SECONDS - 1
        for number in range(newest, newest - MADE_UP, -1):
            first = price + round(random.gauss(0, MADE_UP_TICKS))
            low, high = sorted((first, price))
            low, high = low - int(random.expovariate(0.5)), high + int(random.expovariate(0.5))
            volume = 100 * int(random.expovariate(1 / 25)) + 10
            self.candles.appendleft(Candle(number * CANDLE_SECONDS, first, high, low, price, volume))
            price = first
        self.first = price

    def _draw(self, trade: Trade, at: int) -> None:
        price = trade.price
        candle = self.candles[-1] if self.candles else None
        if candle is None or candle.at != at:
            start = price if candle is None else candle.close
            candle = Candle(at, start, max(start, price), min(start, price), price, 0)
            self.candles.append(candle)
        candle.high, candle.low = max(candle.high, price), min(candle.low, price)
        candle.close, candle.volume = price, candle.volume + trade.quantity
        self._changed[at] = candle
