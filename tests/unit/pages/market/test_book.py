"""The matching engine: price-time priority, and a feed of changes that tells the whole book."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirehop.pages.demos.market import book as module
from wirehop.pages.demos.market.book import Order, OrderBook

Side = Literal["bid", "ask"]
SIDES: tuple[Side, Side] = ("bid", "ask")


def traded(book: OrderBook, side: Side, price: int | None, quantity: int) -> list[tuple[int, int, str]]:
    return [(each.price, each.quantity, each.maker.owner) for each in book.place(side, price, quantity)[1]]


def test_the_better_price_trades_first_then_who_came_first() -> None:
    book = OrderBook()
    book.place("ask", 101, 10, "late and dear")
    book.place("ask", 100, 10, "first")
    book.place("ask", 100, 10, "second")
    assert traded(book, "bid", 101, 25) == [(100, 10, "first"), (100, 10, "second"), (101, 5, "late and dear")]
    assert book.sides["ask"].levels() == [(101, 5)]


def test_an_order_trades_at_the_price_that_stood_there() -> None:
    book = OrderBook()
    book.place("bid", 90, 5, "generous")
    assert traded(book, "ask", 80, 5) == [(90, 5, "generous")]


def test_what_is_left_of_an_order_stands_at_its_price() -> None:
    book = OrderBook()
    book.place("ask", 100, 10)
    order, _ = book.place("bid", 100, 30)
    assert (order.quantity, book.best("bid"), book.best("ask")) == (20, 100, None)
    assert book.orders[order.id] is order


def test_without_a_price_the_rest_is_dropped() -> None:
    book = OrderBook()
    book.place("ask", 100, 10)
    order, trades = book.place("bid", None, 30)
    assert (order.quantity, len(trades), book.orders) == (20, 1, {})


def test_a_cancelled_order_is_gone_and_only_once() -> None:
    book = OrderBook()
    order, _ = book.place("bid", 100, 10)
    cancelled = book.cancel(order.id)
    assert cancelled is order
    assert cancelled.quantity == 10
    assert book.cancel(order.id) is None
    assert book.best("bid") is None


def test_a_full_book_lets_nothing_more_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ORDERS", 2)
    book = OrderBook()
    for price in (98, 99, 100):
        book.place("bid", price, 10)
    assert book.sides["bid"].levels() == [(99, 10), (98, 10)]
    assert traded(book, "ask", 98, 15) == [(99, 10, ""), (98, 5, "")]  # it still trades


ORDERS = st.tuples(st.sampled_from(SIDES), st.one_of(st.none(), st.integers(1, 12)), st.integers(1, 9))
STEPS = st.lists(st.one_of(ORDERS, st.integers(1, 40)), max_size=60)


class Naive:
    """The same by sorting a list each time."""

    def __init__(self) -> None:
        self.resting: list[Order] = []
        self.last = 0

    def place(self, side: Side, price: int | None, quantity: int) -> list[tuple[int, int]]:
        self.last += 1
        sign = 1 if side == "bid" else -1
        others = [each for each in self.resting if each.side != side]
        out = []
        for maker in sorted(others, key=lambda each: (sign * each.price, each.id)):
            if quantity == 0 or (price is not None and sign * maker.price > sign * price):
                break
            done = min(quantity, maker.quantity)
            quantity -= done
            maker.quantity -= done
            out.append((maker.price, done))
        self.resting = [each for each in self.resting if each.quantity]
        if quantity and price is not None:
            self.resting.append(Order(self.last, side, price, quantity))
        return out

    def levels(self, side: Side) -> dict[int, int]:
        out: dict[int, int] = {}
        for each in self.resting:
            if each.side == side:
                out[each.price] = out.get(each.price, 0) + each.quantity
        return out


@given(STEPS)
def test_it_trades_as_a_naive_book_does_and_its_changes_tell_all(
    steps: list[tuple[Side, int | None, int] | int],
) -> None:
    book, naive = OrderBook(), Naive()
    copy: dict[Side, dict[int, int]] = {"bid": {}, "ask": {}}
    for step in steps:
        if isinstance(step, int):
            book.cancel(step)
            naive.resting = [each for each in naive.resting if each.id != step]
        else:
            assert [(each.price, each.quantity) for each in book.place(*step)[1]] == naive.place(*step)
        for side in SIDES:
            assert dict(book.sides[side].levels()) == book.sides[side].totals == naive.levels(side)
        bid, ask = book.best("bid"), book.best("ask")
        assert bid is None or ask is None or bid < ask
    for level in book.changes:
        copy[level.side][level.price] = level.quantity
    for side in SIDES:
        assert {price: quantity for price, quantity in copy[side].items() if quantity} == naive.levels(side)
