"""One timer for everybody, by a clock that is turned by hand."""

from collections.abc import Callable

import pytest

from wirehop.node.wheel import DISMISSED, Wheel
from wirehop.testing.clock import ManualClock


class Timers:
    """An event loop's `call_later`, by hand."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.pending: list[tuple[float, Callable[[], None]]] = []
        self.set = 0

    def __call__(self, delay: float, callback: Callable[[], None]) -> None:
        assert delay >= 0
        self.set += 1
        self.pending.append((self.clock.now() + delay, callback))

    def turn(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.clock.now() + seconds
        while due := sorted((at, n) for n, (at, _) in enumerate(self.pending) if at <= end + 1e-9):
            at, index = due[0]
            self.clock.advance(max(0.0, at - self.clock.now()))
            self.pending.pop(index)[1]()
        self.clock.advance(max(0.0, end - self.clock.now()))


class Ticked:
    def __init__(self, again: Callable[[float], None] | None = None) -> None:
        self.at: list[float] = []
        self.again = again

    def tick(self, now: float) -> None:
        self.at.append(now)
        if self.again is not None:
            self.again(now)


@pytest.fixture
def timers() -> Timers:
    return Timers(ManualClock())


@pytest.fixture
def wheel(timers: Timers) -> Wheel:
    return Wheel(timers.clock.now, timers, resolution=0.05)


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.05, 0.0499, 1.0, 1.01, 25.0, 3600.0])
def test_nobody_is_called_early_and_all_at_most_one_resolution_late(timers: Timers, wheel: Wheel, delay: float) -> None:
    due = timers.clock.now() + delay
    who = Ticked()
    wheel.add(who, due)
    timers.turn(delay + 1)
    (at,) = who.at
    assert due <= at <= due + 0.05 + 1e-9
    assert len(wheel) == 0


def test_who_was_due_in_the_past_is_called_soon(timers: Timers, wheel: Wheel) -> None:
    who = Ticked()
    wheel.add(who, timers.clock.now() - 100)
    timers.turn(0)
    assert len(who.at) == 1


def test_all_are_called_in_the_order_of_their_deadlines(timers: Timers, wheel: Wheel) -> None:
    order: list[int] = []
    start = timers.clock.now()
    for number in (5, 1, 4, 2, 3):
        wheel.add(Ticked(lambda _now, number=number: order.append(number)), start + number)  # type: ignore[misc]
    timers.turn(10)
    assert order == [1, 2, 3, 4, 5]


def test_ten_thousand_deadlines_of_one_time_need_one_timer(timers: Timers, wheel: Wheel) -> None:
    everybody = [Ticked() for _ in range(10_000)]
    for who in everybody:
        wheel.add(who, timers.clock.now() + 25)
    assert timers.set == 1
    timers.turn(30)
    assert all(len(who.at) == 1 for who in everybody)
    assert timers.pending == []


def test_who_asks_again_from_its_tick_is_called_again(timers: Timers, wheel: Wheel) -> None:
    who = Ticked(lambda now: wheel.add(who, now + 1))
    wheel.add(who, timers.clock.now() + 1)
    timers.turn(10.6)
    assert len(who.at) == 10


def test_an_earlier_deadline_is_not_held_up_by_a_later_one(timers: Timers, wheel: Wheel) -> None:
    late, early = Ticked(), Ticked()
    start = timers.clock.now()
    wheel.add(late, start + 60)
    wheel.add(early, start + 1)
    timers.turn(2)
    assert len(early.at) == 1
    assert late.at == []
    timers.turn(60)
    assert len(late.at) == 1


def test_earlier_deadlines_that_keep_coming_do_not_multiply_the_timers(timers: Timers, wheel: Wheel) -> None:
    start = timers.clock.now()
    heart = Ticked(lambda now: wheel.add(heart, now + 25))
    wheel.add(heart, start + 25)
    for _ in range(200):
        wheel.add(Ticked(), timers.clock.now() + 10)
        timers.turn(5)
    timers.turn(60)
    assert len(timers.pending) == 1
    before = timers.set
    timers.turn(250)
    assert timers.set - before <= 11


def test_a_tick_that_fails_takes_nobody_else_along(timers: Timers, wheel: Wheel) -> None:
    def fail(_now: float) -> None:
        raise RuntimeError("broken")

    broken, other, later = Ticked(fail), Ticked(), Ticked()
    at = timers.clock.now() + 1
    wheel.add(broken, at)
    wheel.add(other, at)
    wheel.add(later, at + 5)
    timers.turn(10)
    assert (len(broken.at), len(other.at), len(later.at)) == (1, 1, 1)


def test_who_is_dismissed_is_not_called_and_not_kept(timers: Timers, wheel: Wheel) -> None:
    here, gone = Ticked(), Ticked()
    due = timers.clock.now() + 1
    wheel.add(here, due)
    wheel.add(gone, due)
    wheel.dismiss(gone)
    timers.turn(2)
    assert (len(here.at), gone.at) == (1, [])
    assert wheel._dismissed == set()


def test_many_that_are_over_do_not_wait_for_their_deadlines(timers: Timers, wheel: Wheel) -> None:
    here = [Ticked() for _ in range(100)]
    for who in here:
        wheel.add(who, timers.clock.now() + 25)
    for _ in range(5 * DISMISSED):
        who = Ticked()
        wheel.add(who, timers.clock.now() + 25)
        wheel.dismiss(who)
        assert len(wheel) + len(wheel._dismissed) <= 2 * DISMISSED + len(here)
    timers.turn(30)
    assert [len(who.at) for who in here] == [1] * 100
    assert len(wheel) == 0
