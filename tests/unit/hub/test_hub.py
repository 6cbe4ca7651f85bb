"""The fan-out, step by step; tests/machines/test_properties.py holds it equal to the machines."""

from collections.abc import Callable

import pytest

from wirehop.codecs.frame import Lane
from wirehop.core.limits import Limits
from wirehop.core.messages import ClientInfo, Position, Publication, Push
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import Slot, SlotState
from wirehop.hub import Hub

LIMITS = Limits()


def lane(name: str = "a", *, is_shared: bool = True) -> Lane:
    def render(channel: str, publication: Publication, epoch: str) -> bytes:
        return b"%b/%d " % (epoch.encode(), publication.offset)

    return Lane(name, render, is_shared=is_shared)


SHARED = lane()


class Wire:
    """`Writable` and `SlotOwner`: keeps what it is told, in order."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.told: list[tuple[int, int, str]] = []
        self.pushes: list[Push] = []
        self.on_write: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.on_write()

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        self.told.append((first, last, epoch))
        slot.published(first, last, epoch, LIMITS)

    def pushed(self, push: Push) -> None:
        self.pushes.append(push)


class Turns:
    """A hub, and its loop turns by hand."""

    def __init__(self, *, window: float = 0.0, tail_bytes: int = 1_048_576) -> None:
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.hub = Hub(
            lambda delay, callback: self.later.append((delay, callback)), lambda _channel: window, tail_bytes=tail_bytes
        )

    def end(self) -> None:
        later, self.later = self.later, []
        for _, callback in later:
            callback()

    def publish(self, *offsets: int, epoch: str = "e", channel: str = "c", data: bytes = b"xx") -> None:
        for offset in offsets:
            self.hub.published(channel, Publication(data, offset=offset), epoch)

    def slot(
        self, *, top: int | None = 0, epoch: str = "e", on: Lane = SHARED, delivery: str = "log", watches: bool = False
    ) -> tuple[Slot, Wire]:
        """Live at `top`; None: still catching up."""
        slot, wire = Slot("c", delivery), Wire()
        slot.lane, slot.out, slot.owner = on, wire, wire
        self.hub.attach(slot, watches=watches)
        slot.start(LIMITS)
        if top is not None and delivery != "signal":
            slot.page(HistoryPage((), Position(epoch, top)), LIMITS, tail_from=0)
        self.hub.settle(slot)
        return slot, wire


# ---- the fast lane
# ---------------------------------------------------------------------------------------------------------


def test_publications_of_one_turn_are_one_write_for_each_live_slot() -> None:
    turns = Turns()
    slots = [turns.slot() for _ in range(3)]
    turns.publish(1, 2, 3)
    assert all(wire.writes == [] for _, wire in slots), "nothing goes out before the turn ends"
    turns.end()
    assert all(wire.writes == [b"e/1 e/2 e/3 "] for _, wire in slots)
    assert all(wire.told == [] for _, wire in slots)
    assert all(slot.position == Position("e", 3) for slot, _ in slots)
    assert slots[0][1].writes[0] is slots[1][1].writes[0], "one buffer, shared"


def test_each_lane_is_encoded_for_itself_and_counted() -> None:
    turns = Turns()
    other = lane("b")
    turns.slot()
    turns.slot()
    turns.slot(on=other)
    turns.publish(1, 2)
    turns.end()
    assert turns.hub.delivered[SHARED] == 4
    assert turns.hub.delivered[other] == 2


def test_one_flush_is_asked_for_in_a_turn_for_all_channels() -> None:
    turns = Turns()
    turns.slot()
    turns.publish(1, 2)
    assert [delay for delay, _ in turns.later] == [0]


def test_a_window_delays_the_flush() -> None:
    turns = Turns(window=0.005)
    _, wire = turns.slot()
    turns.publish(1)
    turns.publish(2)
    assert [delay for delay, _ in turns.later] == [0.005]
    turns.end()
    assert wire.writes == [b"e/1 e/2 "]


def test_a_publication_of_a_channel_without_slots_is_nothing() -> None:
    turns = Turns()
    turns.publish(1)
    assert turns.later == []


@pytest.mark.parametrize("top", [1, 5])
def test_a_slot_that_stands_elsewhere_goes_through_its_machine(top: int) -> None:
    turns = Turns()
    turns.slot()
    _, wire = turns.slot(top=top)
    turns.publish(1, 2)
    turns.end()
    assert wire.writes == []
    assert wire.told == [(1, 2, "e")]


def test_a_slot_on_a_lane_of_its_own_bytes_goes_through_its_machine() -> None:
    turns = Turns()
    _, wire = turns.slot(on=lane(is_shared=False))
    turns.publish(1)
    turns.end()
    assert wire.writes == []
    assert wire.told == [(1, 1, "e")]


@pytest.mark.parametrize("first_epoch", [None, "e", "f"], ids=["nothing yet", "its own", "the other"])
def test_a_slot_of_another_epoch_never_takes_the_fast_lane(first_epoch: str | None) -> None:
    """It waits for offset 1 of its log, and offset 1 of another log comes: only the epochs tell them apart."""
    turns = Turns()
    if first_epoch is not None:
        slot, _ = turns.slot(epoch=first_epoch)
        turns.publish(1, epoch=first_epoch)
        turns.end()
        turns.hub.detach(slot) if first_epoch == "e" else None
    _, wire = turns.slot(epoch="e")
    turns.publish(1, epoch="f")
    turns.end()
    assert wire.writes == []
    assert wire.told == [(1, 1, "f")]


def test_slots_of_two_epochs_that_wait_for_the_same_offset_are_not_mixed_up() -> None:
    turns = Turns()
    _, old = turns.slot(epoch="e")
    _, new = turns.slot(epoch="f")
    turns.publish(1, epoch="e")  # a straggler of the log that is gone
    turns.end()
    assert old.writes == [b"e/1 "]
    assert new.writes == []
    turns.publish(1, epoch="f")
    turns.end()
    assert b"".join(old.writes) == b"e/1 "
    assert old.told[-1] == (1, 1, "f")


def test_a_gap_within_a_turn_is_seen() -> None:
    turns = Turns()
    slot, wire = turns.slot()
    turns.publish(1, 3)
    turns.end()
    assert wire.writes == [b"e/1 "]
    assert wire.told == [(3, 3, "e")]
    assert slot.state is SlotState.CATCHING_UP


def test_a_signal_channel_has_no_offsets_and_takes_the_fast_lane() -> None:
    turns = Turns()
    _, wire = turns.slot(delivery="signal")
    turns.publish(0, 0, epoch="")
    turns.end()
    turns.publish(0, epoch="")
    turns.end()
    assert wire.writes == [b"/0 /0 ", b"/0 "]


def test_every_signal_that_a_full_wire_misses_is_counted() -> None:
    """`Dropped.count` is the number of publications, and several come in one turn."""
    turns = Turns()
    slot, wire = turns.slot(delivery="signal")
    slot.pause()
    turns.hub.settle(slot)
    dropped: list[int] = []

    def published(slot: Slot, first: int, last: int, epoch: str) -> None:
        count = len(turns.hub.range("c", 0, 0))
        dropped.extend(
            output.count  # type: ignore[union-attr]
            for output in slot.published(first, last, epoch, LIMITS, count=count)
        )

    wire.published = published  # type: ignore[method-assign]
    turns.publish(0, 0, 0, epoch="")
    turns.end()
    assert sum(dropped) == 3


def test_a_full_wire_leaves_the_lane_and_keeps_nobody_else_from_it() -> None:
    """Wires tell that they are full between turns, never from inside a write: hosts/native/flow.py."""
    turns = Turns()
    slot, wire = turns.slot()
    _, other = turns.slot()
    turns.publish(1)
    turns.end()
    slot.pause()
    turns.hub.settle(slot)
    turns.publish(2)
    turns.end()
    assert wire.writes == [b"e/1 "]
    assert slot.position == Position("e", 1)
    assert other.writes == [b"e/1 ", b"e/2 "]
    assert other.told == []


def test_a_slot_that_caught_up_comes_back_to_the_lane() -> None:
    turns = Turns()
    turns.slot()
    slot, wire = turns.slot(top=None)
    turns.publish(1)
    turns.end()
    slot.page(HistoryPage((), Position("e", 1)), LIMITS, tail_from=1)
    turns.hub.settle(slot)
    turns.publish(2)
    turns.end()
    assert wire.told == [(1, 1, "e")]
    assert wire.writes == [b"e/2 "]


def test_one_wire_that_cannot_be_written_to_keeps_nobody_from_the_message() -> None:
    turns = Turns()
    _, broken = turns.slot()
    _, other = turns.slot()

    def fail() -> None:
        raise RuntimeError("gone")

    broken.on_write = fail
    turns.publish(1)
    turns.end()
    assert other.writes == [b"e/1 "]
    assert turns.hub.counters["write_failed"] == 1


# ---- attach and detach
# -------------------------------------------------------------------------------------------------------


def test_the_first_slot_and_the_last_one_of_a_channel_are_told() -> None:
    hub = Hub(lambda delay, callback: None)
    first, second = Slot("c", "log"), Slot("c", "log")
    first.lane = second.lane = SHARED
    assert hub.attach(first, watches=False)
    assert not hub.attach(second, watches=False)
    assert not hub.detach(first)
    assert hub.detach(second)
    assert hub.channels == {}


def test_forgetting_twice_is_fine() -> None:
    turns = Turns()
    slot, _ = turns.slot()
    turns.slot()
    assert not turns.hub.detach(slot)
    assert not turns.hub.detach(slot)
    assert len(turns.hub.channels["c"].slots()) == 1


def test_a_detached_slot_keeps_its_position_and_hears_nothing() -> None:
    turns = Turns()
    slot, wire = turns.slot()
    turns.slot()
    turns.publish(1)
    turns.end()
    turns.publish(2)
    turns.hub.detach(slot)
    turns.end()
    assert wire.writes == [b"e/1 "]
    assert slot.position == Position("e", 1)


def test_what_was_published_before_the_last_slot_went_is_not_given_to_the_next() -> None:
    turns = Turns()
    slot, _ = turns.slot()
    turns.publish(1)
    turns.hub.detach(slot)
    _, wire = turns.slot(top=1)
    turns.end()
    turns.publish(2)
    turns.end()
    assert wire.writes == [b"e/2 "]


# ---- the tail
# ------------------------------------------------------------------------------------------------------------------


def offsets(turns: Turns, first: int, last: int) -> list[tuple[str, int]]:
    return [(frame.epoch, frame.publication.offset) for frame in turns.hub.range("c", first, last)]


def test_what_is_published_while_somebody_catches_up_is_kept_and_then_forgotten() -> None:
    turns = Turns()
    turns.slot()
    slot, _ = turns.slot(top=None)
    turns.publish(1, 2)
    turns.end()
    turns.publish(3)
    turns.end()
    assert offsets(turns, 1, 3) == [("e", 1), ("e", 2), ("e", 3)]
    assert turns.hub.tail_from("c", "e") == 1
    slot.page(HistoryPage((), Position("e", 3)), LIMITS, tail_from=1)
    turns.hub.settle(slot)
    assert offsets(turns, 1, 3) == []
    assert turns.hub.tail_from("c", "e") == 0


def test_nothing_is_kept_where_nobody_catches_up() -> None:
    turns = Turns()
    turns.slot()
    turns.publish(1)
    turns.end()
    assert offsets(turns, 1, 1) == []


def test_the_tail_is_bounded_in_bytes_and_loses_the_oldest() -> None:
    turns = Turns(tail_bytes=4)
    turns.slot(top=None)
    for offset in (1, 2, 3):
        turns.publish(offset, data=b"xx")
        turns.end()
    assert offsets(turns, 1, 3) == [("e", 2), ("e", 3)]
    assert turns.hub.tail_from("c", "e") == 2


def test_the_tail_goes_with_the_slot_that_caught_up() -> None:
    turns = Turns()
    turns.slot()
    slot, _ = turns.slot(top=None)
    turns.publish(1)
    turns.end()
    slot.stop()
    turns.hub.detach(slot)
    assert offsets(turns, 1, 1) == []


def test_the_tail_begins_at_the_epoch_that_is_asked_for() -> None:
    turns = Turns()
    turns.slot(top=None)
    turns.publish(7, epoch="e")
    turns.publish(1, epoch="f")
    turns.end()
    assert turns.hub.tail_from("c", "e") == 7
    assert turns.hub.tail_from("c", "f") == 1
    assert turns.hub.tail_from("c", "g") == 0
    assert turns.hub.tail_from("nobody", "e") == 0


@pytest.mark.parametrize("is_flushed", [False, True], ids=["pending", "kept"])
def test_a_slot_is_sent_its_own_epoch_from_a_tail_that_holds_two(*, is_flushed: bool) -> None:
    """e/1 was heard while history was read; then the log began anew and f/1 arrived: the slot of `e` was sent f/1 as
    e/1."""
    turns = Turns()
    slot, _ = turns.slot(top=None)
    turns.publish(1, epoch="e")
    turns.end()
    turns.publish(1, epoch="f")
    if is_flushed:
        turns.slot(top=None)
        turns.end()
    page = HistoryPage((), Position("e", 0))  # read before the log was lost
    outputs = slot.page(page, LIMITS, tail_from=turns.hub.tail_from("c", "e"))
    tails = [output for output in outputs if type(output).__name__ == "Tail"]
    for tail in tails:  # where it is live, what it is sent must be of its epoch
        frames = turns.hub.range("c", tail.first, tail.last, slot.epoch)  # type: ignore[union-attr]
        assert [frame.epoch for frame in frames] == ["e"]


def test_a_signal_slot_on_a_lane_of_its_own_finds_the_frames_of_this_turn() -> None:
    turns = Turns()
    _slot, wire = turns.slot(on=lane(is_shared=False), delivery="signal")
    seen: list[int] = []
    wire.published = lambda *_: seen.append(len(turns.hub.range("c", 0, 0)))  # type: ignore[method-assign]
    turns.publish(0, 0, epoch="")
    turns.end()
    assert seen == [2]
    assert turns.hub.range("c", 0, 0) == []


# ---- joins and leaves
# --------------------------------------------------------------------------------------------------------------


def test_joins_and_leaves_are_told_to_those_who_watch() -> None:
    turns = Turns()
    slot, watcher = turns.slot(watches=True)
    _, other = turns.slot()
    turns.hub.joined("c", ClientInfo("u", "1"), 3)
    turns.hub.left("c", ClientInfo("u", "1"), 4)
    turns.hub.joined("nobody", ClientInfo("u", "1"), 1)
    assert [(push.join is not None, push.leave is not None) for push in watcher.pushes] == [
        (True, False),
        (False, True),
    ]
    assert watcher.pushes[0].join is not None
    assert watcher.pushes[0].join.rev == 3
    assert other.pushes == []
    turns.hub.detach(slot)
    turns.hub.joined("c", ClientInfo("u", "2"), 5)
    assert len(watcher.pushes) == 2


def test_what_waits_for_the_flush_goes_right_before_it_and_once() -> None:
    turns = Turns()
    _, wire = turns.slot()
    assert not turns.hub.is_due
    turns.publish(1)
    assert turns.hub.is_due
    turns.hub.before_flush(lambda: wire.writes.append(b"reply "))
    assert wire.writes == []
    turns.end()
    assert wire.writes == [b"reply ", b"e/1 "]
    assert not turns.hub.is_due
    turns.publish(2)
    turns.end()
    assert wire.writes == [b"reply ", b"e/1 ", b"e/2 "]
