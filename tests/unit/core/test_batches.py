"""Numbered batches: frozen when given, given again until acknowledged."""

import pytest

from wirehop.core.batches import BadAck, Batches, Give, Hold, Straggler


def batches(*items: bytes, max_bytes: int = 100) -> Batches:
    made = Batches(max_bytes=max_bytes)
    for item in items:
        made.add(item)
    return made


def given(verdict: object) -> tuple[int, list[bytes]]:
    assert isinstance(verdict, Give)
    return verdict.number, list(verdict.items)


def test_a_poll_is_held_while_there_is_nothing() -> None:
    made = batches()
    assert isinstance(made.poll(1, 0), Hold)
    assert not made.has_something


def test_a_poll_gets_what_waits_as_batch_one() -> None:
    made = batches(b"a", b"b")
    assert made.has_something
    assert given(made.poll(1, 0)) == (1, [b"a", b"b"])


def test_a_batch_is_given_again_unchanged_until_it_is_acknowledged() -> None:
    made = batches(b"a")
    made.poll(1, 0)
    made.add(b"b")
    assert given(made.poll(2, 0)) == (1, [b"a"])
    assert given(made.poll(2, 0)) == (1, [b"a"])
    assert given(made.poll(3, 1)) == (2, [b"b"])
    assert isinstance(made.poll(4, 2), Hold)


def test_what_is_held_gets_the_next_batch_when_something_comes() -> None:
    made = batches()
    made.poll(1, 0)
    assert isinstance(made.give(), Hold)
    made.add(b"a")
    assert given(made.give()) == (1, [b"a"])
    assert given(made.give()) == (1, [b"a"])


def test_a_poll_older_than_the_newest_gets_nothing() -> None:
    made = batches(b"a")
    made.poll(2, 0)
    assert isinstance(made.poll(1, 0), Straggler)
    assert made.newest_poll == 2


def test_the_acknowledgement_of_a_straggler_counts() -> None:
    made = batches(b"a")
    made.poll(2, 0)
    made.poll(1, 1)
    assert not made.has_something


def test_an_old_acknowledgement_does_not_release_the_batch_that_is_out() -> None:
    made = batches(b"a")
    made.poll(1, 0)
    made.add(b"b")
    made.poll(2, 1)
    assert given(made.poll(3, 1)) == (2, [b"b"])
    assert given(made.poll(4, 0)) == (2, [b"b"])


@pytest.mark.parametrize("ack", [1, 7])
def test_acknowledging_what_was_never_given_is_a_mistake_and_changes_nothing(ack: int) -> None:
    made = batches(b"a")
    assert isinstance(made.poll(5, ack), BadAck)
    assert made.newest_poll == 0
    assert given(made.poll(1, 0)) == (1, [b"a"])


def test_it_is_full_from_the_limit_on_and_what_was_given_does_not_count() -> None:
    made = batches(b"12345", max_bytes=10)
    assert not made.is_full
    made.add(b"12345")
    assert made.is_full
    made.poll(1, 0)
    assert not made.is_full


def test_a_size_may_be_given_where_the_bytes_are_shared() -> None:
    made = batches(max_bytes=10)
    made.add(b"123456789012345", 1)
    assert not made.is_full


def test_a_batch_holds_one_item_in_any_case_and_more_as_far_as_they_fit() -> None:
    made = batches(b"x" * 50, b"1", b"2" * 8, b"3" * 3, max_bytes=10)
    assert given(made.poll(1, 0)) == (1, [b"x" * 50])
    assert given(made.poll(2, 1)) == (2, [b"1", b"2" * 8])
    assert given(made.poll(3, 2)) == (3, [b"3" * 3])
    assert isinstance(made.poll(4, 3), Hold)
