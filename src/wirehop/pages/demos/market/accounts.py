"""The visitors' accounts: their orders, fills, and what they have. It knows no book: it is told what was traded."""

from collections import OrderedDict
from typing import Final

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.pages.demos.market.book import Order, Side, Trade

MOST_ACCOUNTS: Final = 1_000
MOST_OPEN: Final = 20
"""Open orders of one account."""
MOST_FILLS: Final = 12
"""The newest are shown."""
BURST: Final = 20.0
PER_SECOND: Final = 10.0
"""Orders and cancellations of one account: so many at once, so many in the long run."""


class Standing(Struct):
    """An open order, `filled` pieces of its `quantity`."""

    id: int
    symbol: str
    side: Side
    price: int
    quantity: int
    filled: int


class Fill(Struct, frozen=True):
    """Pieces that were traded for an account."""

    id: int
    order: int
    symbol: str
    side: Side
    price: int
    quantity: int
    at: int


class Account(Struct):
    """What its owner sees, as it is published whole: `cash` in cents (it may be below 0), pieces by symbol.
    `version` is +1 with every change."""

    version: int = 0
    cash: int = 10_000_000
    holdings: dict[str, int] = {}
    orders: dict[int, Standing] = {}
    fills: list[Fill] = []
    fill_count: int = 0


class Accounts:
    """All of one exchange, by their keys: whoever knows a key is its owner. When there is one too many, the one that
    was used longest ago and has no open orders goes."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._allowance: dict[str, tuple[float, float]] = {}  # orders left, as of when
        self._changed: dict[str, Account] = {}

    def __len__(self) -> int:
        return len(self._accounts)

    def of(self, key: str) -> Account:
        """The account; a new one if there is none."""
        account = self._accounts.get(key)
        if account is None:
            self._make_room()
            account = self._accounts[key] = Account()
            self._changed[key] = account
        self._accounts.move_to_end(key)
        return account

    def spend(self, key: str, now: float) -> Account:
        """Its owner asks for something. Raises `Refused` where it is too often."""
        account = self.of(key)
        left, since = self._allowance.get(key, (BURST, now))
        left = min(BURST, left + (now - since) * PER_SECOND)
        if left < 1:
            raise Refused(codes.TOO_MANY_REQUESTS, f"at most {PER_SECOND:g} orders a second")
        self._allowance[key] = left - 1, now
        return account

    def placed(self, key: str, symbol: str, order: Order, quantity: int) -> None:
        """It has an order that rests; `quantity` is what was asked for."""
        filled = quantity - order.quantity
        self._of(key).orders[order.id] = Standing(order.id, symbol, order.side, order.price, quantity, filled)
        self._change(key)

    def ended(self, key: str, number: int) -> None:
        """An order is not there any more."""
        if self._of(key).orders.pop(number, None) is not None:
            self._change(key)

    def traded(self, symbol: str, trade: Trade, now: float) -> None:
        """Book it with those whose orders took part."""
        for order in (trade.maker, trade.taker):
            if order.owner and order.owner in self._accounts:
                self._fill(order, symbol, trade, now)

    def changed(self) -> dict[str, Account]:
        """Those that have changed since this was asked the last time."""
        out, self._changed = self._changed, {}
        return out

    def _fill(self, order: Order, symbol: str, trade: Trade, now: float) -> None:
        account = self._of(order.owner)
        sign = 1 if order.side == "bid" else -1
        account.cash -= sign * trade.price * trade.quantity
        account.holdings[symbol] = account.holdings.get(symbol, 0) + sign * trade.quantity
        account.fill_count += 1
        at = round(now * 1000)
        fill = Fill(account.fill_count, order.id, symbol, order.side, trade.price, trade.quantity, at)
        account.fills = [*account.fills[1 - MOST_FILLS :], fill]
        standing = account.orders.get(order.id)
        if standing is not None:
            standing.filled += trade.quantity
            if standing.filled >= standing.quantity:
                del account.orders[order.id]
        self._change(order.owner)

    def _of(self, key: str) -> Account:
        return self._accounts[key]

    def _change(self, key: str) -> None:
        account = self._of(key)
        account.version += 1
        self._changed[key] = account

    def _make_room(self) -> None:
        while len(self._accounts) >= MOST_ACCOUNTS:
            idle = next((key for key, account in self._accounts.items() if not account.orders), None)
            if idle is None:
                raise Refused(codes.LIMIT_EXCEEDED, f"at most {MOST_ACCOUNTS} accounts")
            del self._accounts[idle]
            self._allowance.pop(idle, None)
            self._changed.pop(idle, None)
