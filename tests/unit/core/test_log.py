"""The two logs; tests/machines/test_properties.py holds them against models."""

import pytest

from wirehop.core.log import LatestLog, Log
from wirehop.core.messages import Position, Publication

ALL = {"limit": -1, "max_bytes": 1 << 20}


def log(count: int = 3, *, size: int = 10, age: float = 100.0) -> Log:
    """Publications 1… at time 0."""
    made = Log("e", size=size, age=age)
    for number in range(count):
        made.append(Publication(b"%d" % number), 0.0)
    return made


def latest(*keys: str, most: int = 10, age: float = 100.0) -> LatestLog:
    made = LatestLog("e", keys=most, age=age)
    for key in keys:
        made.append(Publication(b"x", key=key), 0.0)
    return made


def offsets(publications: tuple[Publication, ...]) -> list[int]:
    return [publication.offset for publication in publications]


def test_offsets_rise_by_one_from_one() -> None:
    made = Log("e", size=2, age=1.0)
    assert [made.append(Publication(b""), 0.0).offset for _ in range(3)] == [1, 2, 3]
    assert made.position == Position("e", 3)


def test_a_publication_keeps_everything_but_its_offset() -> None:
    publication = Publication(b"x", tags={"a": "b"}, time=7, key="k", offset=99)
    made = log(0).append(publication, 0.0)
    assert (made.data, made.tags, made.time, made.key, made.offset) == (b"x", {"a": "b"}, 7, "k", 1)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_no_more_than_size_are_kept_and_the_top_stays(size: int) -> None:
    made = log(3, size=size)
    assert len(made) == size
    assert made.top == 3
    assert offsets(made.read(None, 0.0, **ALL).publications) == [1, 2, 3][3 - size :]


def test_what_has_reached_the_age_is_forgotten_without_a_new_publication() -> None:
    made = log(1, age=10.0)
    made.append(Publication(b""), 5.0)
    assert offsets(made.read(None, 9.9, **ALL).publications) == [1, 2]
    assert offsets(made.read(None, 10.0, **ALL).publications) == [2]
    page = made.read(Position("e", 0), 10.0, **ALL)
    assert not page.is_complete
    assert page.publications == ()


def test_reading_from_the_top_is_complete_and_empty() -> None:
    page = log(3).read(Position("e", 3), 0.0, **ALL)
    assert (page.publications, page.is_complete, page.has_more, page.top) == ((), True, False, Position("e", 3))


def test_reading_from_just_before_the_oldest_kept_is_complete() -> None:
    made = log(5, size=2)
    assert offsets(made.read(Position("e", 3), 0.0, **ALL).publications) == [4, 5]
    assert not made.read(Position("e", 2), 0.0, **ALL).is_complete


@pytest.mark.parametrize("since", [Position("other", 1), Position("", 0), Position("e", 4)], ids=str)
def test_a_position_that_is_not_of_this_log_gives_nothing_and_the_top(since: Position) -> None:
    page = log(3).read(since, 0.0, **ALL)
    assert (page.publications, page.is_complete, page.top) == ((), False, Position("e", 3))


def test_an_empty_log_can_be_continued_from_its_beginning() -> None:
    assert log(0).read(Position("e", 0), 0.0, **ALL).is_complete


def test_a_limit_cuts_and_says_so() -> None:
    page = log(3).read(Position("e", 0), 0.0, limit=2, max_bytes=100)
    assert (offsets(page.publications), page.has_more, page.is_complete) == ([1, 2], True, True)
    page = log(3).read(Position("e", 0), 0.0, limit=0, max_bytes=100)
    assert (page.publications, page.has_more) == ((), True)


def test_reverse_reads_from_the_newest_or_from_before_a_position() -> None:
    assert offsets(log(3).read(None, 0.0, **ALL, reverse=True).publications) == [3, 2, 1]
    assert offsets(log(3).read(Position("e", 3), 0.0, **ALL, reverse=True).publications) == [2, 1]
    assert not log(3).read(Position("other", 3), 0.0, **ALL, reverse=True).is_complete


def test_latest_keeps_one_value_per_key_in_offset_order() -> None:
    page = latest("a", "b", "a").read(None, 0.0, **ALL)
    assert [(each.key, each.offset) for each in page.publications] == [("b", 2), ("a", 3)]


def test_latest_gives_what_changed_since_and_calls_that_complete() -> None:
    page = latest("a", "b", "a").read(Position("e", 2), 0.0, **ALL)
    assert (offsets(page.publications), page.is_complete) == ([3], True)


def test_a_value_that_its_own_key_replaced_is_not_missing() -> None:
    assert latest("a", "a", "a").read(Position("e", 0), 0.0, **ALL).is_complete


def test_latest_gives_all_values_where_the_key_limit_dropped_a_later_one() -> None:
    made = latest("a", "b", "c", most=2)
    page = made.read(Position("e", 0), 0.0, **ALL)
    assert (offsets(page.publications), page.is_complete) == ([2, 3], False)
    assert made.read(Position("e", 1), 0.0, **ALL).is_complete


def test_a_value_that_grew_too_old_makes_positions_before_it_incomplete() -> None:
    made = latest("a", age=10.0)
    made.append(Publication(b"x", key="b"), 5.0)
    assert made.read(Position("e", 0), 9.0, **ALL).is_complete
    page = made.read(Position("e", 0), 10.0, **ALL)
    assert (offsets(page.publications), page.is_complete) == ([2], False)


@pytest.mark.parametrize("since", [Position("other", 1), Position("", 0), Position("e", 9)], ids=str)
def test_latest_gives_all_values_for_a_position_that_is_no_good(since: Position) -> None:
    page = latest("a", "b").read(since, 0.0, **ALL)
    assert (offsets(page.publications), page.is_complete) == ([1, 2], False)
