"""Who is idle for how long, with a clock turned by hand."""

import heapq
from itertools import count

import pytest

from wirehop.hosts.native.keep_alive import BUSY, KeepAlive


class Timer:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """As much of a loop as `KeepAlive` uses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, int, Timer, object]] = []
        self.looks = 0
        self._numbers = count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, function: object) -> Timer:
        timer = Timer()
        heapq.heappush(self.timers, (self.now + delay, next(self._numbers), timer, function))
        return timer

    def turn(self, now: float) -> None:
        while self.timers and self.timers[0][0] <= now:
            self.now, _, timer, function = heapq.heappop(self.timers)
            if not timer.is_cancelled:
                self.looks += 1
                function()  # type: ignore[operator]
        self.now = now


class Someone:
    def __init__(self, clock: Clock, keep_alive: KeepAlive, *, is_idle: bool = True) -> None:
        self.ended: list[float] = []
        self.idle_since = clock.now if is_idle else BUSY
        self._clock = clock
        self._keep_alive = keep_alive
        keep_alive.add(self)

    def idle_too_long(self) -> None:
        self.ended.append(self._clock.now)
        self.idle_since = BUSY
        self._keep_alive.remove(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keep_alive(clock: Clock) -> KeepAlive:
    return KeepAlive(clock, 10.0)  # type: ignore[arg-type]


def test_nobody_ends_early_or_more_than_a_second_late(clock: Clock, keep_alive: KeepAlive) -> None:
    people = []
    for number in range(100):
        clock.turn(number * 0.37)
        people.append((clock.now, Someone(clock, keep_alive)))
    clock.turn(100)
    for began, someone in people:
        (ended,) = someone.ended
        assert 10.0 <= ended - began <= 11.0
    assert clock.timers == [], "nobody is left, and no timer"


def test_who_is_busy_stays_and_its_time_begins_when_it_is_not(clock: Clock, keep_alive: KeepAlive) -> None:
    someone = Someone(clock, keep_alive, is_idle=False)
    clock.turn(55)
    assert someone.ended == []
    someone.idle_since = clock.now
    clock.turn(64.9)
    assert someone.ended == []
    clock.turn(66)
    assert len(someone.ended) == 1


def test_where_nobody_is_idle_for_long_there_is_hardly_a_look(clock: Clock, keep_alive: KeepAlive) -> None:
    people = [Someone(clock, keep_alive) for _ in range(10)]
    for tenth in range(1000):
        clock.turn(tenth / 10)
        for someone in people:
            someone.idle_since = clock.now
    assert clock.looks <= 11  # in 100 seconds
    assert len(clock.timers) == 1


def test_who_left_is_not_asked(clock: Clock, keep_alive: KeepAlive) -> None:
    someone = Someone(clock, keep_alive)
    keep_alive.remove(someone)
    keep_alive.remove(someone)
    clock.turn(20)
    assert someone.ended == []
    assert clock.timers == []


def test_after_the_end_nothing_is_looked_at(clock: Clock, keep_alive: KeepAlive) -> None:
    someone = Someone(clock, keep_alive)
    keep_alive.close()
    clock.turn(20)
    assert (someone.ended, clock.looks) == ([], 0)


def test_one_that_fails_does_not_keep_the_others(
    clock: Clock, keep_alive: KeepAlive, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Someone):
        def idle_too_long(self) -> None:
            super().idle_too_long()
            raise RuntimeError("in a time-out")

    people = [Failing(clock, keep_alive), Someone(clock, keep_alive), Failing(clock, keep_alive)]
    clock.turn(12)
    assert [len(someone.ended) for someone in people] == [1, 1, 1]
    assert "in a time-out" in caplog.text
