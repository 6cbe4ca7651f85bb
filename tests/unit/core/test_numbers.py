"""Numbered commands: once each, in order, however they arrive."""

import pytest

from wirehop.core.messages import CONNECT_ID, FIRST_UNNUMBERED_ID, Command, PingRequest
from wirehop.core.numbers import CommandNumbers


def command(number: int) -> Command:
    return Command(number, ping=PingRequest())


def numbers(*arrivals: int, max_count: int = 10, max_bytes: int = 100) -> tuple[CommandNumbers, list[list[int]]]:
    """Arrivals of ten bytes, at seconds 1, 2, 3 …"""
    made = CommandNumbers(max_count=max_count, max_bytes=max_bytes)
    ready = [
        [each.id for each in made.accept(command(number), 10, float(now))] for now, number in enumerate(arrivals, 1)
    ]
    return made, ready


def test_commands_in_order_start_at_once() -> None:
    made, ready = numbers(1, 2, 3)
    assert ready == [[1], [2], [3]]
    assert made.next == 4


def test_commands_behind_a_gap_wait_and_then_start_in_order() -> None:
    made, ready = numbers(3, 2, 5, 1)
    assert ready == [[], [], [], [1, 2, 3]]
    assert made.next == 4


@pytest.mark.parametrize("arrivals", [(1, 1), (2, 2, 1, 2), (1, 2, 1)])
def test_a_number_that_comes_again_is_dropped(arrivals: tuple[int, ...]) -> None:
    _, ready = numbers(*arrivals)
    started = [number for each in ready for number in each]
    assert started == sorted(set(started))


def test_ids_outside_of_the_numbering_start_at_once_whatever_waits() -> None:
    made, ready = numbers(2, CONNECT_ID, FIRST_UNNUMBERED_ID, FIRST_UNNUMBERED_ID)
    assert ready == [[], [CONNECT_ID], [FIRST_UNNUMBERED_ID], [FIRST_UNNUMBERED_ID]]
    assert made.next == 1


def test_a_gap_is_open_from_when_something_waits_until_nothing_does() -> None:
    made, _ = numbers(1)
    assert made.gap_since is None
    made.accept(command(3), 1, 7.0)
    made.accept(command(4), 1, 9.0)
    assert made.gap_since == 7.0
    made.accept(command(2), 1, 10.0)
    assert made.gap_since is None


def test_a_second_gap_behind_the_first_is_seen() -> None:
    made, _ = numbers(2, 4, 1)
    assert made.next == 3
    assert made.gap_since is not None


@pytest.mark.parametrize("limits", [{"max_count": 2}, {"max_bytes": 20}], ids=["count", "bytes"])
def test_one_more_than_may_wait_is_an_overflow_and_changes_nothing(limits: dict[str, int]) -> None:
    made, _ = numbers(3, 4, **limits)
    with pytest.raises(OverflowError):
        made.accept(command(5), 10, 3.0)
    assert [each.id for each in made.accept(command(1), 10, 4.0)] == [1]
    assert [each.id for each in made.accept(command(2), 10, 4.0)] == [2, 3, 4]


def test_what_started_does_not_count_against_the_limit_any_more() -> None:
    made, _ = numbers(2, 3, 1, max_count=2, max_bytes=20)
    made.accept(command(5), 10, 5.0)
    made.accept(command(6), 10, 5.0)
    assert made.next == 4
