"""The one rule of recovery, and where a page is cut."""

import pytest

from wirehop.core.messages import Position, Publication
from wirehop.core.recovery import cut, reaches

TOP = Position("e", 10)


@pytest.mark.parametrize(
    ("since", "oldest", "expected"),
    [
        (Position("e", 10), 1, True),  # at the top
        (Position("e", 0), 1, True),  # from the very beginning
        (Position("e", 4), 5, True),  # the next one is the oldest kept
        (Position("e", 3), 5, False),  # the next one is gone
        (Position("e", 11), 1, False),  # above the top
        (Position("f", 10), 1, False),  # another log
        (Position("", 10), 1, False),  # no epoch at all
        (Position("e", 10), 11, True),  # the log is empty, and nothing is missing
        (Position("e", 9), 11, False),
    ],
)
def test_a_log_continues_exactly_from_where_nothing_is_missing(since: Position, oldest: int, *, expected: bool) -> None:
    assert reaches(since, top=TOP, oldest=oldest) is expected


def test_two_empty_epochs_are_not_the_same_log() -> None:
    assert not reaches(Position("", 1), top=Position("", 1), oldest=1)


def publications(*sizes: int) -> list[Publication]:
    return [Publication(b"x" * size, offset=number + 1) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "limit", "max_bytes", "count", "has_more"),
    [
        ((), 0, 0, 0, False),
        ((1,), 0, 10, 0, True),
        ((1, 1), 2, 10, 2, False),
        ((1, 1, 1), 2, 10, 2, True),
        ((5, 5), -1, 10, 2, False),
        ((5, 6), -1, 10, 1, True),
        ((50, 1), -1, 10, 1, True),  # one in any case
        ((0, 0, 0), -1, 0, 3, False),
    ],
)
def test_a_page_is_the_longest_prefix_within_both_limits(
    sizes: tuple[int, ...], limit: int, max_bytes: int, count: int, *, has_more: bool
) -> None:
    all_of_them = publications(*sizes)
    assert cut(all_of_them, limit=limit, max_bytes=max_bytes) == (tuple(all_of_them[:count]), has_more)
