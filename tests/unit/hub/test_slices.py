"""Big channels: served by cohorts, in as many turns of the loop as it takes, and in batches."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirehop.codecs.frame import Frame, Lane
from wirehop.core.limits import Limits
from wirehop.core.log import LatestLog, Log
from wirehop.core.messages import Position, Publication, Push
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import Dropped, Lost, Missed, Read, Slot, SlotOutput, SlotState, Started, Tail, Writable
from wirehop.hub import Hub, cohort, hub

LIMITS = Limits(page_publications=3, merge_attempts=50)


def render(_channel: str, publication: Publication, _epoch: str) -> bytes:
    return publication.data


SHARED = Lane("shared", render)
OTHER = Lane("other", render)
OWN = Lane("own", render, is_shared=False)


class Reader:
    """A slot with a wire that keeps what is written, and carries out what the slot says."""

    def __init__(self, world: "World", delivery: str, lane: Lane) -> None:
        self.world = world
        self.slot = Slot("c", delivery)
        self.slot.lane, self.slot.out, self.slot.owner = lane, self, self
        self.written: list[int] = []
        self.dropped = 0
        self.start = 0
        self.read: Read | None = None
        self.page: HistoryPage | None = None
        world.hub.attach(self.slot, watches=False)
        self.follow(self.slot.start(LIMITS))
        world.hub.settle(self.slot)

    def write(self, data: bytes) -> None:
        assert self.slot.state is SlotState.LIVE
        self.written += map(int, data.split())

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        count = last - first + 1 if last else len(self.world.hub.range("c", 0, 0))
        self.follow(slot.published(first, last, epoch, LIMITS, count=count))

    def pushed(self, push: Push) -> None:
        raise AssertionError("nobody watches")

    def follow(self, outputs: list[SlotOutput]) -> None:
        for output in outputs:
            match output:
                case Read():
                    self.read, self.page = output, None
                case Started(_, publications, position):
                    self.start = position.offset - len(publications)
                    self.take(publications)
                case Missed(publications):
                    self.take(publications)
                case Tail(first, last):
                    frames: list[Frame] = self.world.hub.range("c", first, last, self.slot.epoch)
                    assert not last or len(frames) == last - first + 1
                    self.take(tuple(frame.publication for frame in frames))
                case Dropped(count):
                    self.dropped += count
                case Lost():
                    raise AssertionError("nothing is ever lost here")

    def take(self, publications: tuple[Publication, ...]) -> None:
        for publication in publications:
            self.written += map(int, publication.data.split())

    def answer(self) -> None:
        """History is read, or what was read arrives."""
        if self.read is None or self.slot.state is not SlotState.CATCHING_UP:
            return
        if self.page is None:
            read = self.read
            self.page = self.world.log.read(read.since, 0.0, limit=read.limit, max_bytes=read.max_bytes)
            return
        page, self.read, self.page = self.page, None, None
        self.follow(self.slot.page(page, LIMITS, tail_from=self.world.hub.tail_from("c", page.top.epoch)))
        self.world.hub.settle(self.slot)


class World:
    """One channel whose every step takes so long that the next one waits for the next turn."""

    def __init__(self, delivery: str) -> None:
        self.delivery = delivery
        self.time = 0.0
        self.turns: list[Callable[[], None]] = []
        self.hub = Hub(lambda _delay, callback: self.turns.append(callback), clock=self.clock)
        self.log: Log | LatestLog = Log("e", size=1000, age=1e9)
        self.number = 0
        self.readers: list[Reader | None] = [None] * 8

    def clock(self) -> float:
        self.time += 1.0
        return self.time

    def turn(self) -> None:
        turns, self.turns = self.turns, []
        for callback in turns:
            callback()

    def publish(self) -> None:
        self.number += 1
        publication = Publication(b"%d " % self.number)
        if self.delivery == "signal":
            self.hub.published("c", publication, "")
        else:
            self.hub.published("c", self.log.append(publication, 0.0), "e")

    def do(self, operation: str, index: int) -> None:
        reader = self.readers[index]
        match operation:
            case "publish":
                self.publish()
            case "turn":
                self.turn()
            case "attach" if reader is None:
                lane = (SHARED, SHARED, SHARED, SHARED, SHARED, OTHER, OWN, SHARED)[index]
                self.readers[index] = Reader(self, self.delivery, lane)
            case "answer" if reader is not None:
                reader.answer()
            case "pause" if reader is not None:
                reader.slot.pause()
            case "drain" if reader is not None and reader.slot.state in (SlotState.LAGGING, SlotState.CATCHING_UP):
                reader.follow(reader.slot.drain(LIMITS))
                self.hub.settle(reader.slot)
            case "gap" if reader is not None and reader.slot.state is SlotState.LIVE:
                reader.follow(reader.slot.gap(LIMITS))
                self.hub.settle(reader.slot)
            case "rebind" if reader is not None:
                self.hub.rebind(reader.slot)
            case "detach" if reader is not None:
                reader.slot.stop()
                self.hub.detach(reader.slot)
                self.readers[index] = None
        for each in self.readers:
            if each is not None:
                self.check(each)

    def check(self, reader: Reader) -> None:
        """Nothing twice, nothing out of order, no hole; and the slot knows what it was sent."""
        if self.delivery == "signal":
            assert reader.written == sorted(set(reader.written))
            return
        assert reader.written == [*range(reader.start + 1, reader.start + 1 + len(reader.written))]
        if reader.slot.is_started:
            assert reader.slot.position.offset == reader.start + len(reader.written)

    def rest(self) -> None:
        """Let everything happen that is to come."""
        for _ in range(300):
            for index, reader in enumerate(self.readers):
                if reader is not None:
                    self.do("drain", index)
                    self.do("answer", index)
            if not self.turns and not any(each and each.read for each in self.readers):
                return
            self.turn()
        raise AssertionError("no rest")


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["publish"] * 4,
                *["turn"] * 8,
                *["answer"] * 3,
                *("attach", "attach", "pause", "drain", "drain", "gap", "rebind", "detach"),
            ]
        ),
        st.integers(0, 7),
    ),
    min_size=10,
    max_size=100,
)


@pytest.mark.parametrize("most", [1, 2, 1000])
@pytest.mark.parametrize("delivery", ["log", "signal"])
def test_in_slices_nothing_is_missed_doubled_or_out_of_order(
    monkeypatch: pytest.MonkeyPatch, delivery: str, most: int
) -> None:
    monkeypatch.setattr(cohort, "MOST", most)
    monkeypatch.setattr(hub, "TOLD_AT_ONCE", most)

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(OPERATIONS, st.booleans())
    def check(schedule: list[tuple[str, int]], all_live: bool) -> None:
        world = World(delivery)
        for index in range(8 if all_live else 0):
            for operation in ("attach", "answer", "answer"):
                world.do(operation, index)
        for operation, index in schedule:
            world.do(operation, index)
        world.rest()
        for reader in world.readers:
            if reader is None:
                continue
            assert reader.slot.state is SlotState.LIVE
            assert reader.slot.lane is OWN or reader.slot.cohort is not None
            if delivery == "log":
                assert reader.slot.position.offset == world.number

    check()


def live_world(count: int, *, delivery: str = "log") -> tuple[World, list[Reader]]:
    world = World(delivery)
    readers = [Reader(world, delivery, SHARED) for _ in range(count)]
    for reader in readers:
        reader.answer()
        reader.answer()
    return world, readers


def reached(readers: list[Reader]) -> int:
    return sum(bool(reader.written) for reader in readers)


def test_a_cohort_is_served_in_a_turn_and_the_next_publication_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 10)
    world, readers = live_world(35)
    world.publish()
    steps = []
    for _ in range(3):
        world.turn()
        steps.append(reached(readers))
        world.publish()
    assert steps == [10, 20, 30]
    world.turn()
    assert reached(readers) == 35
    assert all(reader.written == [1] for reader in readers)
    world.turn()
    assert readers[0].written == [1, 2, 3, 4], "what came meanwhile goes out as one"
    assert readers[-1].written == [1]


def test_as_many_cohorts_are_served_in_a_turn_as_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 10)
    world, readers = live_world(50)
    monkeypatch.setattr(world, "time", 0.0)
    ticks = iter(number * 0.0045 for number in range(100))
    monkeypatch.setattr(world.hub, "_clock", lambda: next(ticks))
    world.publish()
    world.turn()
    assert reached(readers) == 20, "a third one would take more than 10 ms"
    world.turn()
    assert reached(readers) == 40


def test_a_small_channel_waits_for_a_step_or_two_of_a_big_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 10)
    world, readers = live_world(50)
    slot = Slot("small", "log")
    small = readers[0]
    written: list[bytes] = []

    class Out:
        def write(self, data: bytes) -> None:
            written.append(data)

    slot.lane, slot.out, slot.owner = SHARED, Out(), small
    world.hub.attach(slot, watches=False)
    slot.start(LIMITS)
    slot.page(HistoryPage((), Position("e", 0)), LIMITS, tail_from=0)
    world.hub.settle(slot)
    world.publish()
    world.turn()
    world.hub.published("small", Publication(b"s", offset=1), "e")
    while not written:
        world.turn()
    assert reached(readers) <= 30


def test_who_leaves_before_its_turn_has_not_got_it_and_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 1)
    world, (first, second, third) = live_world(3)
    world.publish()
    world.turn()
    third.slot.stop()
    world.hub.detach(third.slot)
    second.slot.pause()
    world.hub.settle(second.slot)
    while world.turns:
        world.turn()
    assert (first.written, second.written, third.written) == ([1], [], [])
    assert (first.slot.position.offset, second.slot.position.offset, third.slot.position.offset) == (1, 0, 0)
    second.follow(second.slot.drain(LIMITS))
    second.answer()
    second.answer()
    assert second.written == [1]


def test_who_went_before_it_was_told_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world, (first,) = live_world(1)
    second = Reader(world, "log", OWN)
    told: list[object] = []
    monkeypatch.setattr(second, "published", lambda *arguments: told.append(arguments))
    world.publish()
    world.turn()
    channel = world.hub.channels["c"]
    second.slot.stop()
    world.hub.detach(second.slot)
    while world.turns:
        world.turn()
    assert first.written == [1]
    assert told == []
    assert not channel.is_moving
    assert not channel.has_tail


def test_a_signal_that_a_slot_missed_by_leaving_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 1)
    world, (first, second, third) = live_world(3, delivery="signal")
    world.publish()
    world.turn()
    for reader in (first, second):
        reader.slot.pause()
        world.hub.settle(reader.slot)
    third.slot.pause()
    third.follow(third.slot.drain(LIMITS))
    world.hub.settle(third.slot)
    while world.turns:
        world.turn()
    assert [reader.written for reader in (first, second, third)] == [[1], [], [1]]
    assert [reader.dropped for reader in (first, second, third)] == [0, 1, 0]


def test_a_channel_whose_slots_all_go_in_the_middle_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 1)
    world, readers = live_world(3)
    world.publish()
    world.turn()
    world.publish()
    for reader in readers:
        world.hub.detach(reader.slot)
    again = Reader(world, "log", SHARED)
    again.answer()
    again.answer()
    while world.turns:
        world.turn()
    assert again.written == []
    assert again.slot.position == Position("e", 2)
    world.publish()
    world.turn()
    assert again.written == [3]


def test_delivered_counts_every_slot_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 4)
    world, _ = live_world(10)
    world.publish()
    while world.turns:
        world.turn()
    assert world.hub.delivered[SHARED] == 10


def test_one_broken_session_keeps_nobody_from_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 1)
    world = World("log")
    broken, other = Reader(world, "log", OWN), Reader(world, "log", OWN)
    for reader in (broken, other):
        reader.answer()
        reader.answer()

    def fail(*_arguments: object) -> None:
        raise RuntimeError("as the test wants it")

    monkeypatch.setattr(broken, "published", fail)
    world.publish()
    while world.turns:
        world.turn()
    assert other.written == [1]
    assert world.hub.counters["write_failed"] == 1


def test_publications_that_cannot_be_encoded_are_a_gap_for_their_lane_only() -> None:
    def fail(_channel: str, publication: Publication, _epoch: str) -> bytes:
        if publication.offset == 1:
            raise ValueError("as the test wants it")
        return publication.data

    world, (well,) = live_world(1)
    broken = Reader(world, "log", Lane("broken", fail))
    broken.answer()
    broken.answer()
    for _ in range(2):
        world.publish()
        while world.turns:
            world.turn()
    assert well.written == [1, 2]
    assert broken.slot.state is SlotState.CATCHING_UP
    assert world.hub.counters["encode_failed"] == 1


def test_a_walk_that_fails_is_given_up_and_the_next_one_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 1)
    world, readers = live_world(3)
    world.publish()
    world.turn()
    with monkeypatch.context() as patched:
        patched.setattr(world.hub, "_fast_lane", lambda *_: 1 / 0)
        world.turn()
    world.publish()
    while world.turns:
        world.turn()
    assert world.hub.counters["flush_failed"] == 1
    assert [reader.written for reader in readers] == [[1, 2], [], []]
    for reader in readers:
        reader.answer()
        reader.answer()
        assert reader.written == [1, 2], "from history"


def test_thinned_cohorts_are_filled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort, "MOST", 10)
    world, readers = live_world(40)
    (audience,) = world.hub.channels["c"].lanes.values()
    assert [len(each.live) for each in audience.cohorts] == [10] * 4
    for reader in readers[::4] + readers[1::4] + readers[2::4]:
        world.hub.detach(reader.slot)
    world.publish()
    while world.turns:
        world.turn()
    assert [len(each.live) for each in audience.cohorts] == [10]
    assert all(reader.written == [1] for reader in readers[3::4])


# ---- batches ---------------------------------------------------------------------------------------------------------


class Batches:
    """`abc.BatchSender` that writes, and checks that it is told of everybody once."""

    def __init__(self, smallest: int) -> None:
        self.smallest = smallest
        self.open: list[Members] = []

    def batch(self) -> "Members":
        members = Members(self)
        self.open.append(members)
        return members


class Members:
    """`abc.Batch`."""

    def __init__(self, sender: Batches) -> None:
        self.sender = sender
        self.outs: list[Writable] = []
        self.writes = 0

    def add(self, out: Writable) -> None:
        assert out not in self.outs
        self.outs.append(out)

    def remove(self, out: Writable) -> None:
        self.outs.remove(out)

    def write(self, data: bytes) -> None:
        self.writes += 1
        for out in self.outs:
            out.write(data)

    def close(self) -> None:
        self.sender.open.remove(self)


def settled(world: World) -> None:
    world.publish()
    while world.turns:
        world.turn()


def test_many_are_a_batch_from_their_first_publication_and_few_are_none() -> None:
    world, readers = live_world(9)
    sender = world.hub.sender = Batches(10)
    settled(world)
    assert sender.open == []
    late = [Reader(world, "log", SHARED) for _ in range(2)]
    for reader in late:
        reader.answer()
        reader.answer()
    assert sender.open == [], "nothing is made for a channel that does not publish"
    settled(world)
    (batch,) = sender.open
    assert len(batch.outs) == 11
    for reader in readers[:6]:
        world.hub.detach(reader.slot)
    settled(world)
    assert len(batch.outs) == 5
    assert batch.writes == 2
    world.hub.detach(readers[6].slot)
    settled(world)
    assert sender.open == [], "half of the smallest: given back"
    for reader in readers[7:]:
        assert reader.written == [1, 2, 3, 4]
    for reader in late:
        assert reader.written == [2, 3, 4]
    assert world.hub.delivered[SHARED] == 9 + 11 + 5 + 4


def test_a_batch_is_given_back_with_the_last_slot() -> None:
    world, readers = live_world(3)
    sender = world.hub.sender = Batches(2)
    settled(world)
    assert len(sender.open) == 1
    for reader in readers:
        world.hub.detach(reader.slot)
    assert sender.open == []


def test_a_sender_that_fails_is_left() -> None:
    world, readers = live_world(3)
    sender = world.hub.sender = Batches(2)
    settled(world)
    sender.smallest = sys.maxsize
    settled(world)
    assert sender.open == []
    assert all(reader.written == [1, 2] for reader in readers)


def test_a_slot_with_another_out_is_in_the_batch_with_that() -> None:
    world, (first, _) = live_world(2)
    sender = world.hub.sender = Batches(2)
    settled(world)

    class Out:
        def __init__(self) -> None:
            self.got: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.got.append(data)

    other = Out()
    first.slot.out = other
    world.hub.rebind(first.slot)
    settled(world)
    assert first.written == [1]
    assert other.got == [b"2 "]
    assert len(sender.open[0].outs) == 2


@pytest.mark.parametrize("delivery", ["log", "signal"])
def test_in_batches_nothing_is_missed_doubled_or_out_of_order(monkeypatch: pytest.MonkeyPatch, delivery: str) -> None:
    monkeypatch.setattr(cohort, "MOST", 3)

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(OPERATIONS)
    def check(schedule: list[tuple[str, int]]) -> None:
        world = World(delivery)
        sender = world.hub.sender = Batches(2)
        for index in range(8):
            for operation in ("attach", "answer", "answer"):
                world.do(operation, index)
        for operation, index in schedule:
            world.do(operation, index)
        world.rest()
        for reader in world.readers:
            if reader is not None and delivery == "log":
                assert reader.slot.position.offset == world.number
        for index in range(8):
            world.do("detach", index)
        assert sender.open == []

    check()
