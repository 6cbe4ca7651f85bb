"""An exchange without a node: the crowd, the feeds, and visitors with their limits."""

from itertools import pairwise

import pytest

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.pages.demos.market import accounts, exchange
from wirehop.pages.demos.market.accounts import Accounts
from wirehop.pages.demos.market.exchange import FASTEST, SYMBOLS, Exchange, Instrument, Quote, Snapshot
from wirehop.pages.demos.market.feed import FEEDS, TAPE, Diff, Tape

NOW = 1_800_000_000.0
TICK = 0.025
KEY, OTHER = "a-visitor-with-a-key", "another-visitor-and-key"


class Copy:
    """A book as a page keeps it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.seq = snapshot.seq
        self.bids, self.asks = dict(snapshot.bids), dict(snapshot.asks)

    def apply(self, diff: Diff) -> None:
        if diff.seq <= self.seq:
            return
        assert diff.prev <= self.seq, "a gap"
        for side, price, quantity in diff.levels:
            levels = self.bids if side == "b" else self.asks
            if quantity:
                levels[price] = quantity
            else:
                levels.pop(price, None)
        self.seq = diff.seq


def run(instrument: Instrument, seconds: float, start: float = NOW) -> list[tuple[str, Diff | Tape | Quote]]:
    """What is published meanwhile."""
    out: list[tuple[str, Diff | Tape | Quote]] = []
    for step in range(1, round(seconds / TICK) + 1):
        instrument.advance(TICK, start + step * TICK, Accounts())
        out += instrument.due(start + step * TICK)
    return out


def diffs(published: list[tuple[str, Diff | Tape | Quote]], feed: str) -> list[Diff]:
    return [data for kind, data in published if kind == feed and isinstance(data, Diff)]


@pytest.fixture
def instrument() -> Instrument:
    return Exchange(1, NOW).instruments["WIRE"]


def test_the_same_seed_is_the_same_market() -> None:
    first, second, other = (Exchange(seed, NOW).instruments["HOPS"] for seed in (5, 5, 6))
    for each in (first, second, other):
        run(each, 4)
    assert first.snapshot(NOW).bids == second.snapshot(NOW).bids != other.snapshot(NOW).bids
    assert first.history() == second.history() != other.history()


@pytest.mark.parametrize("feed", FEEDS)
def test_a_snapshot_and_the_diffs_after_it_are_the_book(instrument: Instrument, feed: str) -> None:
    instrument.pace = 1000
    before = run(instrument, 1.3)
    copy = Copy(instrument.snapshot(NOW))
    after = run(instrument, 5, NOW + 1.3) + list(instrument.due(NOW + 20))
    for diff in diffs(before, feed) + diffs(after, feed):
        copy.apply(diff)
    last = instrument.snapshot(NOW)
    assert copy.seq == last.seq > 5000
    assert (copy.bids, copy.asks) == (dict(last.bids), dict(last.asks))


def test_diffs_follow_one_another_and_the_whole_feed_has_every_change(instrument: Instrument) -> None:
    instrument.pace = 2000
    published = run(instrument, 5)
    for feed in FEEDS:
        mine = diffs(published, feed)
        assert all(one.seq == two.prev for one, two in pairwise(mine))
    assert all(len(diff.levels) == diff.seq - diff.prev for diff in diffs(published, "all"))
    changes = sum(diff.seq - diff.prev for diff in diffs(published, "1000"))
    levels = sum(len(diff.levels) for diff in diffs(published, "1000"))
    assert changes == pytest.approx(8000, abs=2100)  # in whole seconds
    assert levels < changes / 10
    for diff in diffs(published, "1000"):
        assert len({level[:2] for level in diff.levels}) == len(diff.levels), "a price twice"


@pytest.mark.parametrize("pace", [10, 200, FASTEST])
def test_it_goes_at_the_pace_that_was_asked_for(instrument: Instrument, pace: int) -> None:
    instrument.pace = pace
    made = sum(diff.seq - diff.prev for diff in diffs(run(instrument, 10), "all"))
    assert made == pytest.approx(10 * pace, rel=0.05, abs=10)
    assert instrument.skipped == 0


def test_after_a_long_delay_the_changes_that_are_left_out_are_counted(instrument: Instrument) -> None:
    instrument.pace = 1000
    instrument.advance(3.0, NOW, Accounts())
    assert instrument.skipped == pytest.approx(2800, abs=2)
    assert instrument.snapshot(NOW).seq == pytest.approx(200, abs=30)


def test_a_quiet_feed_says_that_it_is_alive(instrument: Instrument) -> None:
    quiet = [diff for step in range(1, 81) for diff in [instrument.feeds["all"].diff(NOW + step * TICK)] if diff]
    assert [len(diff.levels) for diff in quiet] == [0] * 4
    assert all(two.at - one.at <= 550 for one, two in pairwise(quiet))


def test_the_market_stays_in_bounds_however_long_it_runs(instrument: Instrument) -> None:
    instrument.pace = FASTEST
    start = instrument.trades.last
    for hour in range(20):
        run(instrument, 1, NOW + 3600 * hour)
        snapshot = instrument.snapshot(NOW)
        assert 3 < len(snapshot.bids) < 400
        assert 3 < len(snapshot.asks) < 400
        assert len(instrument.book.orders) < 600
        assert abs(instrument.trades.last - start) < start / 4


def test_the_tape_has_the_newest_trades_and_says_how_many_more_there_were(instrument: Instrument) -> None:
    instrument.pace = FASTEST
    tapes = [data for kind, data in run(instrument, 2) if kind == "tape" and isinstance(data, Tape)]
    assert all(len(tape.trades) <= TAPE for tape in tapes)
    numbers = [0]
    for tape in tapes:
        assert tape.trades[0].id == numbers[-1] + tape.more + 1
        numbers += [line.id for line in tape.trades]
        assert tape.candles[-1].close == tape.trades[-1].price
    assert numbers[-1] > 200
    history = instrument.history()
    assert [line.id for line in history.trades] == list(range(history.trades[0].id, history.trades[0].id + TAPE))
    assert [one.at + 5 for one in history.candles[:-1]] == [two.at for two in history.candles[1:]]
    for candle in history.candles:
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high


# ---- visitors


@pytest.fixture
def place() -> Exchange:
    return Exchange(1, NOW)


def rest(place: Exchange, key: str = KEY, away: int = 500, now: float = NOW) -> int:
    """A bid far below the market, which stays."""
    price = place.instruments["WIRE"].trades.last - away
    return place.place(key, "WIRE", "bid", price, 100, now).id


def test_an_order_that_waits_and_is_filled_by_another_visitor(place: Exchange) -> None:
    book = place.instruments["WIRE"].book
    ask = book.best("ask")
    assert ask is not None
    order = place.place(KEY, "WIRE", "bid", ask - 1, 100, NOW)
    assert order.quantity == 100
    assert place.accounts.of(KEY).orders[order.id].quantity == 100
    place.place(OTHER, "WIRE", "ask", ask - 1, 30, NOW)
    mine, theirs = place.accounts.of(KEY), place.accounts.of(OTHER)
    assert mine.orders[order.id].filled == 30
    assert mine.holdings == {"WIRE": 30}
    assert mine.cash == 10_000_000 - 30 * (ask - 1)
    assert theirs.holdings == {"WIRE": -30}
    assert theirs.cash == 10_000_000 + 30 * (ask - 1)
    assert mine.fills[-1].quantity == 30
    place.place(OTHER, "WIRE", "ask", ask - 1, 70, NOW)
    assert mine.orders == {}


def test_the_crowd_fills_a_visitors_order(place: Exchange) -> None:
    instrument = place.instruments["WIRE"]
    best = instrument.book.best("bid")
    assert best is not None
    order = place.place(KEY, "WIRE", "bid", best + 1, 10, NOW)
    instrument.pace = 1000
    for step in range(400):
        place.advance(TICK, NOW + step * TICK)
        if not place.accounts.of(KEY).orders:
            break
    account = place.accounts.of(KEY)
    assert account.holdings == {"WIRE": 10}
    assert account.cash == 10_000_000 - sum(fill.price * fill.quantity for fill in account.fills)
    assert {fill.order for fill in account.fills} == {order.id}


def test_only_the_owner_takes_an_order_back(place: Exchange) -> None:
    number = rest(place)
    assert place.cancel(OTHER, "WIRE", number, NOW) is False
    assert place.cancel(KEY, "WIRE", number, NOW) is True
    assert place.cancel(KEY, "WIRE", number, NOW) is False
    assert place.accounts.of(KEY).orders == {}


@pytest.mark.parametrize(
    ("price", "quantity"), [(18_420, 0), (18_420, -5), (18_420, 10_001), (10, 10), (10**9, 10), (-1, 10)]
)
def test_orders_that_are_no_orders_are_refused(place: Exchange, price: int, quantity: int) -> None:
    with pytest.raises(Refused) as caught:
        place.place(KEY, "WIRE", "bid", price, quantity, NOW)
    assert caught.value.code is codes.BAD_REQUEST
    with pytest.raises(Refused):
        place.place(KEY, "NONE", "bid", price, 10, NOW)


def test_an_account_has_so_many_open_orders_at_most(place: Exchange) -> None:
    for number in range(accounts.MOST_OPEN):
        rest(place, now=NOW + number)
    with pytest.raises(Refused) as caught:
        rest(place, now=NOW + 60)
    assert caught.value.code is codes.LIMIT_EXCEEDED


def test_orders_come_so_fast_at_most(place: Exchange) -> None:
    for _ in range(int(accounts.BURST)):
        place.cancel(KEY, "WIRE", 0, NOW)
    with pytest.raises(Refused) as caught:
        rest(place)
    assert caught.value.code is codes.TOO_MANY_REQUESTS
    rest(place, OTHER)
    rest(place, now=NOW + 0.2)


def test_an_order_ends_after_a_while(place: Exchange) -> None:
    number = rest(place, away=1500)
    place.advance(0, NOW + exchange.GOOD_SECONDS - 1)
    assert number in place.instruments["WIRE"].book.orders
    place.advance(0, NOW + exchange.GOOD_SECONDS)
    assert number not in place.instruments["WIRE"].book.orders
    assert place.accounts.of(KEY).orders == {}


def test_accounts_make_room_where_no_orders_are_open(monkeypatch: pytest.MonkeyPatch, place: Exchange) -> None:
    monkeypatch.setattr(accounts, "MOST_ACCOUNTS", 2)
    rest(place, KEY)
    place.accounts.of(OTHER)
    place.accounts.of("a-third-visitors-key")
    assert len(place.accounts) == 2
    assert place.accounts.of(KEY).orders
    rest(place, "a-third-visitors-key")
    with pytest.raises(Refused) as caught:
        place.accounts.of(OTHER)
    assert caught.value.code is codes.LIMIT_EXCEEDED


def test_every_symbol_has_a_quote(place: Exchange) -> None:
    for symbol in SYMBOLS:
        quote = place.instruments[symbol].quote()
        assert quote.symbol == symbol
        assert quote.bid is not None
        assert quote.ask is not None
        assert quote.bid < quote.ask
