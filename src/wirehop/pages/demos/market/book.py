"""A limit order book with price-time priority: who offers the best price trades first, at one price who came first.

Prices and quantities are whole numbers (cents, pieces). Every change of what stands at a price is written down as a
`Level`, the total that stands there from now on: these changes, in order, are the feed. It knows no clock, no channel
and nobody's money.
"""

from bisect import bisect_left, insort
from typing import Final, Literal, NamedTuple

from msgspec import Struct

Side = Literal["bid", "ask"]
OTHER: Final[dict[Side, Side]] = {"bid": "ask", "ask": "bid"}
MOST_ORDERS: Final = 4_000
"""Orders that may rest in one book."""


class Level(NamedTuple):
    """What stands at a price from now on; a quantity of 0: nothing."""

    side: Side
    price: int
    quantity: int


class Order(Struct, gc=False):
    """An order that rests or is being placed; `quantity` is what is left of it. `owner` "" is the crowd."""

    id: int
    side: Side
    price: int
    quantity: int
    owner: str = ""


class Trade(Struct, frozen=True, gc=False):
    """`side` is that of who took; `maker` is the order that stood there."""

    side: Side
    price: int
    quantity: int
    maker: Order
    taker: Order


class BookSide:
    """All bids, or all asks."""

    def __init__(self, side: Side) -> None:
        self.side: Side = side
        self.totals: dict[int, int] = {}
        self._queues: dict[int, dict[int, Order]] = {}
        self._sign = -1 if side == "bid" else 1
        self._ranks: list[int] = []  # price × sign, ascending: the best one stands first

    def __len__(self) -> int:
        return len(self._ranks)

    @property
    def best(self) -> int | None:
        """The highest bid, or the lowest ask."""
        return self._ranks[0] * self._sign if self._ranks else None

    def levels(self) -> list[tuple[int, int]]:
        """(price, quantity), the best first."""
        return [(rank * self._sign, self.totals[rank * self._sign]) for rank in self._ranks]

    def reaches(self, price: int) -> bool:
        """Whether an order of the other side at this price trades here."""
        return bool(self._ranks) and self._ranks[0] <= price * self._sign

    def first(self) -> Order:
        """Whose turn it is: the oldest order at the best price."""
        return next(iter(self._queues[self._ranks[0] * self._sign].values()))

    def add(self, order: Order) -> None:
        """Let it rest behind those at its price."""
        queue = self._queues.get(order.price)
        if queue is None:
            queue = self._queues[order.price] = {}
            insort(self._ranks, order.price * self._sign)
        queue[order.id] = order
        self.totals[order.price] = self.totals.get(order.price, 0) + order.quantity

    def take(self, order: Order, quantity: int) -> None:
        """So much less of it; an order of which nothing is left goes."""
        order.quantity -= quantity
        self.totals[order.price] -= quantity
        if order.quantity:
            return
        queue = self._queues[order.price]
        del queue[order.id]
        if not queue:
            del self._queues[order.price], self.totals[order.price]
            del self._ranks[bisect_left(self._ranks, order.price * self._sign)]


class OrderBook:
    """Both sides. `changes` is what has changed since somebody emptied it."""

    def __init__(self) -> None:
        self.sides: dict[Side, BookSide] = {"bid": BookSide("bid"), "ask": BookSide("ask")}
        self.orders: dict[int, Order] = {}
        self.changes: list[Level] = []
        self._last = 0

    @property
    def is_full(self) -> bool:
        """Whether no more orders can rest."""
        return len(self.orders) >= MOST_ORDERS

    def best(self, side: Side) -> int | None:
        """The best price of a side."""
        return self.sides[side].best

    def place(self, side: Side, price: int | None, quantity: int, owner: str = "") -> tuple[Order, list[Trade]]:
        """Trade what can be traded, and let the rest stand at `price`. Without a price it takes what there is, and the
        rest is dropped; so is the rest of an order that a full book has no room for (`quantity` says how much)."""
        self._last += 1
        other = self.sides[OTHER[side]]
        order = Order(self._last, side, 0 if price is None else price, quantity, owner)
        trades: list[Trade] = []
        while order.quantity and (len(other) > 0 if price is None else other.reaches(price)):
            maker = other.first()
            traded = min(order.quantity, maker.quantity)
            order.quantity -= traded
            other.take(maker, traded)
            if not maker.quantity:
                del self.orders[maker.id]
            trades.append(Trade(side, maker.price, traded, maker, order))
            self._changed(other, maker.price)
        if order.quantity and price is not None and not self.is_full:
            self.orders[order.id] = order
            self.sides[side].add(order)
            self._changed(self.sides[side], price)
        return order, trades

    def cancel(self, number: int) -> Order | None:
        """Take an order away; None if it is not there any more."""
        order = self.orders.pop(number, None)
        if order is None:
            return None
        side = self.sides[order.side]
        left = order.quantity
        side.take(order, left)
        self._changed(side, order.price)
        order.quantity = left
        return order

    def _changed(self, side: BookSide, price: int) -> None:
        self.changes.append(Level(side.side, price, side.totals.get(price, 0)))
