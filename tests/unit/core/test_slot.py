"""One subscription on one wire, step by step."""

import pytest

from wirehop.core.errors import LocalProtocolError
from wirehop.core.limits import Limits
from wirehop.core.messages import Position, Publication
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import NOT_LIVE, Dropped, Lost, Missed, Read, Slot, SlotState, Started, Tail

LIMITS = Limits(recovery_publications=30, recovery_bytes=3000, page_publications=10, page_bytes=1000, merge_attempts=3)


def page(
    first: int = 1, last: int = 0, *, top: int | None = None, epoch: str = "e", has_more: bool = False
) -> HistoryPage:
    """Publications `first` to `last` of a log that ends at `top` (or at `last`)."""
    publications = tuple(Publication(b"%d" % offset, offset=offset) for offset in range(first, last + 1))
    return HistoryPage(publications, Position(epoch, last if top is None else top), has_more=has_more)


def incomplete(top: int, *, epoch: str = "e", values: tuple[int, ...] = ()) -> HistoryPage:
    publications = tuple(Publication(b"%d" % offset, offset=offset) for offset in values)
    return HistoryPage(publications, Position(epoch, top), is_complete=False)


def started(delivery: str = "log", *, since: Position | None = None) -> Slot:
    slot = Slot("c", delivery, since=since)
    slot.start(LIMITS)
    return slot


def live(top: int = 5, delivery: str = "log") -> Slot:
    slot = started(delivery)
    slot.page(page(top=top), LIMITS, tail_from=0)
    assert slot.state is SlotState.LIVE
    return slot


# ---- how it starts ---------------------------------------------------------------------------------------------------


def test_without_a_position_it_asks_for_the_top_only() -> None:
    assert Slot("c", "log").start(LIMITS) == [Read(None, 0, 0)]


def test_with_a_position_it_asks_for_one_recovery_at_most() -> None:
    since = Position("e", 3)
    assert Slot("c", "log", since=since).start(LIMITS) == [Read(since, 30, 3000)]


@pytest.mark.parametrize("since", [None, Position("e", 3)])
def test_a_latest_channel_is_asked_for_values_without_a_count(since: Position | None) -> None:
    assert Slot("c", "latest", since=since).start(LIMITS) == [Read(since, -1, 3000)]


def test_a_signal_channel_is_live_at_once() -> None:
    slot = Slot("c", "signal")
    assert slot.start(LIMITS) == [Started(recovered=False, publications=(), position=Position("", 0))]
    assert (slot.state, slot.next) == (SlotState.LIVE, 0)


def test_a_new_subscriber_starts_at_the_top_and_is_given_nothing() -> None:
    slot = started()
    assert slot.page(page(top=5), LIMITS, tail_from=0) == [Started(False, (), Position("e", 5))]
    assert (slot.state, slot.next, slot.position) == (SlotState.LIVE, 6, Position("e", 5))


def test_what_was_missed_is_given_with_the_start_and_the_position_is_that_of_the_last_one() -> None:
    slot = started(since=Position("e", 3))
    history = page(4, 6)
    assert slot.page(history, LIMITS, tail_from=0) == [Started(True, history.publications, Position("e", 6))]
    assert slot.next == 7


def test_recovering_at_the_top_is_complete_and_empty() -> None:
    slot = started(since=Position("e", 3))
    assert slot.page(page(top=3), LIMITS, tail_from=0) == [Started(True, (), Position("e", 3))]


@pytest.mark.parametrize(
    "history", [incomplete(9), incomplete(2, epoch="f"), page(4, 6, top=9, has_more=True)], ids=str
)
def test_a_recovery_that_is_not_whole_gives_nothing_and_starts_at_the_top(history: HistoryPage) -> None:
    slot = started(since=Position("e", 3))
    assert slot.page(history, LIMITS, tail_from=0) == [Started(False, (), history.top)]
    assert slot.position == history.top


def test_latest_gives_all_values_where_the_position_is_no_good() -> None:
    slot = started("latest", since=Position("f", 3))
    history = incomplete(9, values=(4, 9))
    assert slot.page(history, LIMITS, tail_from=0) == [Started(False, history.publications, Position("e", 9))]


def test_latest_that_does_not_fit_goes_on_reading_behind_what_it_gave() -> None:
    slot = started("latest")
    outputs = slot.page(page(1, 2, top=9, has_more=True), LIMITS, tail_from=0)
    assert [type(output) for output in outputs] == [Started, Read]
    assert outputs[1] == Read(Position("e", 2), 10, 1000)
    assert slot.page(page(3, 9), LIMITS, tail_from=0) == [Missed(page(3, 9).publications)]
    assert slot.next == 10


# ---- what is published meanwhile
# ---------------------------------------------------------------------------------------


def test_what_was_published_meanwhile_is_sent_from_the_tail() -> None:
    slot = started()
    assert slot.published(6, 7, "e", LIMITS) == []
    assert slot.published(8, 8, "e", LIMITS) == []
    assert slot.page(page(top=5), LIMITS, tail_from=6) == [Started(False, (), Position("e", 5)), Tail(6, 8)]
    assert slot.next == 9


def test_what_came_with_history_is_not_sent_again() -> None:
    slot = started()
    slot.published(4, 7, "e", LIMITS)
    assert slot.page(page(top=5), LIMITS, tail_from=4)[1:] == [Tail(6, 7)]
    slot = started()
    slot.published(4, 5, "e", LIMITS)
    assert slot.page(page(top=5), LIMITS, tail_from=4)[1:] == []
    assert slot.next == 6


@pytest.mark.parametrize(
    ("heard", "tail_from"),
    [
        ([(7, 7, "e")], 7),  # 6 is missing between history and what was heard
        ([(6, 6, "e"), (8, 8, "e")], 6),  # a hole in what was heard
        ([(6, 6, "f")], 0),  # another epoch
        ([(6, 6, "f"), (7, 7, "e")], 7),
        ([(6, 8, "e")], 8),  # the tail has lost its beginning
    ],
)
def test_where_history_and_what_was_heard_do_not_meet_it_reads_again(
    heard: list[tuple[int, int, str]], tail_from: int
) -> None:
    slot = started()
    for first, last, epoch in heard:
        slot.published(first, last, epoch, LIMITS)
    assert slot.page(page(top=5), LIMITS, tail_from=tail_from) == [Read(None, 0, 0)]
    assert slot.page(page(top=8), LIMITS, tail_from=0) == [Started(False, (), Position("e", 8))]


def test_reading_again_starts_from_the_position_that_the_client_gave() -> None:
    slot = started(since=Position("e", 3))
    slot.published(9, 9, "e", LIMITS)
    assert slot.page(page(4, 5), LIMITS, tail_from=9) == [Read(Position("e", 3), 30, 3000)]
    assert slot.page(page(4, 9), LIMITS, tail_from=9) == [Started(True, page(4, 9).publications, Position("e", 9))]


def test_a_tail_that_was_lost_is_read_from_history() -> None:
    slot = started()
    slot.published(6, 8, "e", LIMITS)
    slot.page(page(top=5), LIMITS, tail_from=6)
    assert slot.behind(5, LIMITS) == [Read(Position("e", 5), 10, 1000)]
    assert slot.page(page(6, 8), LIMITS, tail_from=0) == [Missed(page(6, 8).publications)]
    assert slot.next == 9


def test_a_tail_that_was_lost_on_a_full_wire_is_read_when_it_drains() -> None:
    slot = live()
    slot.published(6, 8, "e", LIMITS)
    slot.pause()
    assert slot.behind(5, LIMITS) == []
    assert slot.drain(LIMITS) == [Read(Position("e", 5), 10, 1000)]


def test_after_so_many_attempts_it_is_lost() -> None:
    slot = started()
    for _ in range(LIMITS.merge_attempts - 1):
        slot.published(9, 9, "e", LIMITS)
        assert slot.page(page(top=5), LIMITS, tail_from=9) == [Read(None, 0, 0)]
    slot.published(9, 9, "e", LIMITS)
    assert slot.page(page(top=5), LIMITS, tail_from=9) == [Lost(was_slow=False)]
    assert slot.state is SlotState.CLOSED


# ---- live
# --------------------------------------------------------------------------------------------------------------


def test_live_it_is_sent_what_follows() -> None:
    slot = live(5)
    assert slot.published(6, 8, "e", LIMITS) == [Tail(6, 8)]
    assert slot.published(8, 9, "e", LIMITS) == [Tail(9, 9)]
    assert slot.published(3, 4, "e", LIMITS) == []
    assert slot.position == Position("e", 9)


@pytest.mark.parametrize(("first", "epoch"), [(7, "e"), (6, "f"), (1, "f")])
def test_a_gap_or_a_foreign_epoch_takes_it_back_to_catching_up(first: int, epoch: str) -> None:
    slot = live(5)
    assert slot.published(first, first, epoch, LIMITS) == [Read(Position("e", 5), 10, 1000)]
    assert (slot.state, slot.next, slot.position) == (SlotState.CATCHING_UP, NOT_LIVE, Position("e", 5))


def test_a_gap_is_closed_from_history() -> None:
    slot = live(5)
    slot.gap(LIMITS)
    assert slot.page(page(6, 7), LIMITS, tail_from=0) == [Missed(page(6, 7).publications)]
    assert slot.next == 8


def test_a_gap_that_history_cannot_close_is_a_loss_and_not_the_fault_of_the_wire() -> None:
    slot = live(5)
    slot.gap(LIMITS)
    assert slot.page(incomplete(9), LIMITS, tail_from=0) == [Lost(was_slow=False)]


def test_a_new_epoch_found_in_history_is_a_loss() -> None:
    slot = live(5)
    slot.gap(LIMITS)
    assert slot.page(page(1, 1, epoch="f"), LIMITS, tail_from=0) == [Lost(was_slow=False)]


def test_pages_follow_one_another_until_nothing_is_missing() -> None:
    slot = live(5)
    slot.gap(LIMITS)
    outputs = slot.page(page(6, 7, top=9, has_more=True), LIMITS, tail_from=0)
    assert outputs == [Missed(page(6, 7).publications), Read(Position("e", 7), 10, 1000)]
    slot.page(page(8, 9), LIMITS, tail_from=0)
    assert slot.next == 10


# ---- slow wires
# --------------------------------------------------------------------------------------------------------


def test_a_full_wire_hears_nothing_and_catches_up_from_its_position() -> None:
    slot = live(5)
    slot.pause()
    assert (slot.state, slot.next) == (SlotState.LAGGING, NOT_LIVE)
    assert slot.published(6, 6, "e", LIMITS) == []
    assert slot.gap(LIMITS) == []
    assert slot.drain(LIMITS) == [Read(Position("e", 5), 10, 1000)]
    assert slot.page(page(6, 6), LIMITS, tail_from=0) == [Missed(page(6, 6).publications)]


def test_a_wire_that_was_too_slow_for_its_log_is_told_so() -> None:
    slot = live(5)
    slot.pause()
    slot.drain(LIMITS)
    assert slot.page(incomplete(50), LIMITS, tail_from=0) == [Lost(was_slow=True)]


def test_a_log_that_began_anew_meanwhile_is_not_the_fault_of_the_wire() -> None:
    slot = live(5)
    slot.pause()
    slot.drain(LIMITS)
    assert slot.page(incomplete(1, epoch="f"), LIMITS, tail_from=0) == [Lost(was_slow=False)]


def test_a_slow_latest_channel_rereads_and_is_never_lost_in_its_epoch() -> None:
    slot = live(5, "latest")
    slot.pause()
    slot.drain(LIMITS)
    history = incomplete(50, values=(49, 50))
    assert slot.page(history, LIMITS, tail_from=0) == [Missed(history.publications)]
    assert slot.next == 51


def test_history_that_arrives_at_a_full_wire_is_read_again_when_it_drains() -> None:
    slot = started(since=Position("e", 3))
    slot.pause()
    slot.published(9, 9, "e", LIMITS)
    assert slot.page(page(4, 5), LIMITS, tail_from=9) == []
    assert slot.state is SlotState.LAGGING
    assert slot.drain(LIMITS) == [Read(Position("e", 3), 30, 3000)]
    assert slot.page(page(4, 9), LIMITS, tail_from=0) == [Started(True, page(4, 9).publications, Position("e", 9))]


def test_a_wire_that_drains_while_history_is_read_goes_on_as_if_nothing_had_been() -> None:
    slot = started()
    slot.pause()
    assert slot.drain(LIMITS) == []
    slot.page(page(top=5), LIMITS, tail_from=0)
    assert slot.state is SlotState.LIVE


def test_starting_on_a_full_wire_waits_for_it() -> None:
    slot = Slot("c", "log")
    assert slot.start(LIMITS, is_paused=True) == [Read(None, 0, 0)]
    slot.page(page(top=5), LIMITS, tail_from=0)
    assert slot.state is SlotState.LAGGING


def test_a_signal_channel_drops_on_a_full_wire_and_is_live_again_after_it() -> None:
    slot = Slot("c", "signal")
    slot.start(LIMITS, is_paused=True)
    assert slot.published(0, 0, "", LIMITS) == [Dropped(1)]
    assert slot.drain(LIMITS) == []
    assert slot.published(0, 0, "", LIMITS) == [Tail(0, 0)]
    slot.pause()
    assert slot.published(0, 0, "", LIMITS) == [Dropped(1)]


def test_a_signal_channel_has_no_gaps() -> None:
    slot = live_signal()
    assert slot.gap(LIMITS) == []
    assert slot.state is SlotState.LIVE


def live_signal() -> Slot:
    slot = Slot("c", "signal")
    slot.start(LIMITS)
    return slot


# ---- the end
# -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: Slot("c", "log"), started, live, live_signal])
def test_nothing_follows_after_the_stop(make: object) -> None:
    slot = make()  # type: ignore[operator]
    slot.stop()
    slot.stop()
    assert slot.published(6, 6, "e", LIMITS) == []
    assert (slot.state, slot.next) == (SlotState.CLOSED, NOT_LIVE)
    with pytest.raises(LocalProtocolError):
        slot.gap(LIMITS)


def test_a_slot_has_no_dict() -> None:
    assert not hasattr(live(), "__dict__")
