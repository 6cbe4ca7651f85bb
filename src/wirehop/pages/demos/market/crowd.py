"""The crowd that makes a market move: orders around a fair value that wanders, with the same seed always the same.

It knows one book. It does not know how fast it is asked to act: time is the number of its acts.
"""

from random import Random
from typing import Final

from wirehop.pages.demos.market.book import OrderBook, Side, Trade

RESTING: Final = 420
"""Orders that the crowd has in the book, about; at a quarter more it only cancels."""
REACH: Final = 16.0
"""How far from the fair value its orders stand, in ticks, on the average."""
WANDERING: Final = 0.35
"""Ticks that the fair value moves by with one act."""
PULL: Final = 1e-6
"""How strongly it is drawn back to where it began: it stays within some per cent, however long it runs."""
OPENING_ACTS: Final = 500


class Crowd:
    """Traders without names."""

    def __init__(self, book: OrderBook, random: Random, price: int) -> None:
        self._book = book
        self._random = random
        self._start = price
        self._mine: list[int] = []  # some of them have been traded meanwhile
        self.fair = float(price)
        for _ in range(OPENING_ACTS):
            self._place(is_opening=True)

    def act(self) -> list[Trade]:
        """Do one thing; what was traded by it."""
        random = self._random
        self.fair += random.gauss(0.0, WANDERING) + (self._start - self.fair) * PULL
        resting, chance = len(self._mine), random.random()
        if chance < 0.1:
            return self._take()
        if resting > RESTING * 1.25 or (resting > RESTING * 0.8 and chance < 0.52):
            self._cancel()
            return []
        return self._place()

    def _place(self, *, is_opening: bool = False) -> list[Trade]:
        random = self._random
        side: Side = "bid" if random.random() < 0.5 else "ask"
        away = random.expovariate(1 / REACH) + (1 if is_opening else 0)
        price = max(1, round(self.fair - away if side == "bid" else self.fair + away))
        order, trades = self._book.place(side, price, self._size(8))
        if order.quantity:
            self._mine.append(order.id)
        return trades

    def _take(self) -> list[Trade]:
        bid, ask = self._book.best("bid"), self._book.best("ask")
        if bid is None or ask is None:
            return self._place()
        lean = max(-0.4, min(0.4, (self.fair - (bid + ask) / 2) * 0.1))
        side: Side = "bid" if self._random.random() < 0.5 + lean else "ask"
        return self._book.place(side, None, self._size(10))[1]

    def _cancel(self) -> None:
        """One of its orders, rather one that is far away."""
        mine, random = self._mine, self._random
        places = [int(random.random() * len(mine)) for _ in range(3)]
        place = max(places, key=lambda each: self._distance(mine[each]))
        number, mine[place] = mine[place], mine[-1]
        mine.pop()
        self._book.cancel(number)

    def _distance(self, number: int) -> float:
        order = self._book.orders.get(number)
        return 1e9 if order is None else abs(order.price - self.fair)  # what is gone is forgotten first

    def _size(self, average: float) -> int:
        return 10 * (1 + int(self._random.expovariate(1 / average)))
