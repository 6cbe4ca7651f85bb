"""Publications between the wire and a reader that may be slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from wirehop.client.inbox import Inbox
from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import Position


def publication(offset: int) -> WirePublication:
    return WirePublication(Raw(b"%d" % offset), offset=offset)


def live(*, limit: int = 4, top: int = 0, position: Position | None = None) -> Inbox:
    inbox = Inbox("c", limit=limit, position=position)
    inbox.subscribed(Position("e", top), recovered=None)
    return inbox


def test_the_position_is_after_what_was_taken_not_after_what_was_received() -> None:
    inbox = live(top=7)
    assert inbox.position == Position("e", 7)
    for offset in (8, 9):
        assert inbox.add(publication(offset))
    assert inbox.position == Position("e", 7)
    taken = inbox.take()
    assert taken is not None
    assert taken.offset == 8
    assert inbox.position == Position("e", 8)
    inbox.take()
    assert inbox.position == Position("e", 9)
    assert inbox.take() is None


def test_before_the_server_spoke_the_position_is_the_one_given() -> None:
    assert Inbox("c", limit=1, position=Position("e", 3)).position == Position("e", 3)
    assert Inbox("c", limit=1, position=None).position is None


def test_a_full_inbox_leaves_the_channel_and_goes_on_after_the_last_that_fitted() -> None:
    inbox = live(limit=2)
    assert inbox.add(publication(1))
    assert inbox.add(publication(2))
    assert not inbox.add(publication(3))
    assert inbox.add(publication(4)), "said once is enough"
    assert inbox.is_behind
    assert inbox.resume_from == Position("e", 2)
    assert not inbox.wants_more
    inbox.take()
    assert inbox.wants_more
    inbox.subscribed(Position("e", 4), recovered=True)
    assert inbox.add(publication(3))
    assert [each.offset for each in iter(inbox.take, None)] == [2, 3]
    assert inbox.gaps == 0


def test_what_follows_a_failed_recovery_says_so_once() -> None:
    inbox = live()
    inbox.subscribed(Position("f", 9), recovered=False)
    inbox.add(publication(10))
    inbox.add(publication(11))
    assert [(each.offset, each.is_after_gap) for each in iter(inbox.take, None)] == [(10, True), (11, False)]
    assert inbox.gaps == 1
    assert inbox.position == Position("f", 11)


def test_publications_without_an_offset_are_dropped_and_counted_where_there_is_no_room() -> None:
    inbox = Inbox("signal:c", limit=1, position=None)
    inbox.subscribed(None, recovered=None)
    assert inbox.add(publication(0))
    assert inbox.add(publication(0))
    assert inbox.dropped == 1
    assert not inbox.is_behind
    assert inbox.position is None


def test_an_inbox_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Inbox("c", limit=0, position=None)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=80))
def test_with_a_server_that_recovers_a_slow_reader_misses_nothing_and_sees_nothing_twice(
    limit: int, steps: list[bool]
) -> None:
    """True: something is published. False: the reader takes one, and the channel is subscribed again if it may be."""
    inbox = live(limit=limit)
    top, is_live, seen = 0, True, []

    def take() -> None:
        nonlocal is_live
        taken = inbox.take()
        if taken is not None:
            seen.append(taken.offset)
        while inbox.wants_more:
            start = inbox.resume_from
            assert start is not None
            inbox.subscribed(Position("e", top), recovered=True)
            missed = [inbox.add(publication(offset)) for offset in range(start.offset + 1, top + 1)]
            is_live = all(missed)
            assert len(inbox) <= limit

    for is_published in steps:
        if is_published:
            top += 1
            is_live = is_live and inbox.add(publication(top))
        else:
            take()
        assert len(inbox) <= limit
    while len(seen) < top:
        before = len(seen)
        take()
        assert len(seen) == before + 1, "the reader is stuck"
    assert seen == list(range(1, top + 1))
