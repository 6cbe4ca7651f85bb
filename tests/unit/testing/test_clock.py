"""Time that moves only when told to, and identifiers that count."""

import pytest

from wirehop.testing.clock import CountingIds, ManualClock


def test_time_stands_still_until_it_is_turned() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == 1000.0
    assert clock.wall() == 1_700_000_000.0
    assert clock.advance(2.5) == 1002.5
    assert (clock.now(), clock.wall()) == (1002.5, 1_700_000_002.5)


def test_time_does_not_go_back() -> None:
    clock = ManualClock(5.0)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-0.1)
    assert clock.now() == 5.0


def test_identifiers_are_the_same_in_every_run() -> None:
    first, second = CountingIds("s"), CountingIds("s")
    assert [first.new() for _ in range(2)] == [second.new() for _ in range(2)] == ["s-000001", "s-000002"]
