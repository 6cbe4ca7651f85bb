"""Properties of the machines under schedules deeper than a walk reaches, and models simple enough to be believed.

The fast lane and the machine side by side; client, session, hub and broker through everything that can happen to them; the logs,
the poll wire's two halves and the readers of bytes against the few lines of code that say what they should do.
"""

import json
from collections.abc import Callable, Iterable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from wirehop.client.machine import ClientState
from wirehop.client.messages import decode_replies
from wirehop.codecs.cursor import decode_position, decode_positions, encode_position, encode_positions
from wirehop.codecs.event_stream import Event, EventStreamDecoder, encode_event
from wirehop.codecs.frame import Lane
from wirehop.codecs.json_lines import JsonLines, encode_command
from wirehop.core.batches import Batches, Give
from wirehop.core.errors import BadMessage
from wirehop.core.limits import Limits
from wirehop.core.log import LatestLog, Log
from wirehop.core.messages import (
    Command,
    PingRequest,
    Position,
    Publication,
    PublishRequest,
    RpcRequest,
    SendRequest,
    SubscribeRequest,
)
from wirehop.core.numbers import CommandNumbers
from wirehop.core.recovery import HistoryPage
from wirehop.core.session import SessionState
from wirehop.core.slot import NOT_LIVE, Dropped, Lost, Missed, Read, Slot, SlotOutput, SlotState, Started, Tail
from wirehop.hub import Hub
from wirehop.testing.clock import CountingIds
from wirehop.testing.pair import Pair, VirtualBroker

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def examples(count: int, steps: int = 50) -> settings:
    return settings(
        max_examples=count, stateful_step_count=steps, deadline=None, derandomize=True, suppress_health_check=QUIET
    )


# ---- the fast lane equals the machine --------------------------------------------------------------------------------

CHANNEL = "c"
SLOTS = 4
LIMITS = Limits(page_publications=2, merge_attempts=4)


def render(channel: str, publication: Publication, epoch: str) -> bytes:
    return b"[%b %b/%d %b]" % (channel.encode(), epoch.encode(), publication.offset, publication.data)


SHARED = Lane("shared", render)
WRAPPED = Lane("wrapped", render, lambda data: b"<" + data + b">")
OWN = Lane("own", render, is_shared=False)
LANES = (SHARED, WRAPPED, OWN, SHARED)


class Sink:
    """A wire that keeps what was written; it carries out what its slot says, as a session and a driver would."""

    def __init__(self, slot: Slot, lane: Lane, frames: Callable[[int, int], Iterable[Publication]]) -> None:
        self.slot = slot
        self.written = b""
        self.said: list[object] = []  # everything but bytes
        self.dropped = 0
        self.read: Read | None = None
        self.page: HistoryPage | None = None
        self._frames = frames
        slot.lane, slot.out, slot.owner = lane, self, self

    def write(self, data: bytes) -> None:
        self.written += data

    def follow(self, outputs: list[SlotOutput]) -> None:
        for output in outputs:
            match output:
                case Read():
                    self.read, self.page = output, None
                case Missed(publications):
                    self._write(publications)
                case Tail(first, last):
                    publications = list(self._frames(first, last))
                    assert not last or [each.offset for each in publications] == [*range(first, last + 1)]
                    self._write(publications)
                case Dropped(count):
                    self.dropped += count
                case Started() | Lost():
                    self.said.append(output)

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        """`hub.SlotOwner`."""
        assert slot is self.slot
        self.follow(slot.published(first, last, epoch, LIMITS))

    def pushed(self, push: object) -> None:
        raise AssertionError("nobody watches")

    def _write(self, publications: Iterable[Publication]) -> None:
        lane = self.slot.lane
        assert isinstance(lane, Lane)
        for publication in publications:
            self.write(lane.wrap(lane.render(self.slot.channel, publication, self.slot.epoch)))


class ByFastLane:
    """The real hub."""

    def __init__(self) -> None:
        self._flushes: list[Callable[[], None]] = []
        self.hub = Hub(lambda _delay, callback: self._flushes.append(callback))

    def sink(self, slot: Slot, lane: Lane) -> Sink:
        def frames(first: int, last: int) -> list[Publication]:
            return [frame.publication for frame in self.hub.range(CHANNEL, first, last)]

        sink = Sink(slot, lane, frames)
        self.hub.attach(slot, watches=False)
        return sink

    def detach(self, sink: Sink) -> None:
        self.hub.detach(sink.slot)

    def hear(self, publication: Publication, epoch: str) -> None:
        self.hub.published(CHANNEL, publication, epoch)

    def flush(self) -> None:
        flushes, self._flushes = self._flushes, []
        for callback in flushes:
            callback()

    def settle(self, sink: Sink) -> None:
        self.hub.settle(sink.slot)

    def tail_from(self, epoch: str) -> int:
        return self.hub.tail_from(CHANNEL, epoch)


class ByMachine:
    """The reference: no lanes, no joining, no shared tail. Every publication goes through every slot's machine, alone."""

    def __init__(self) -> None:
        self.sinks: list[Sink] = []
        self.pending: list[tuple[Publication, str]] = []
        self.known: dict[tuple[str, int], Publication] = {}
        self.now: Publication | None = None

    def sink(self, slot: Slot, lane: Lane) -> Sink:
        def frames(first: int, last: int) -> list[Publication]:
            if last == 0:
                assert self.now is not None
                return [self.now]
            return [self.known[slot.epoch, offset] for offset in range(first, last + 1)]

        sink = Sink(slot, lane, frames)
        self.sinks.append(sink)
        return sink

    def detach(self, sink: Sink) -> None:
        if sink in self.sinks:
            self.sinks.remove(sink)
        if not self.sinks:
            self.pending = []  # nobody is there to hear of them

    def hear(self, publication: Publication, epoch: str) -> None:
        if not self.sinks:
            return
        if self.pending:
            before, before_epoch = self.pending[-1]
            if epoch != before_epoch or (publication.offset and publication.offset != before.offset + 1):
                self.flush()  # what does not follow ends the turn for what came before: the one rule taken from the hub
        self.known[epoch, publication.offset] = publication
        self.pending.append((publication, epoch))

    def flush(self) -> None:
        pending, self.pending = self.pending, []
        for publication, epoch in pending:
            self.now = publication
            for sink in list(self.sinks):
                sink.published(sink.slot, publication.offset, publication.offset, epoch)

    def settle(self, sink: Sink) -> None:
        pass

    def tail_from(self, epoch: str) -> int:
        return 0


class Lanes:
    """Both, given the same schedule. `do` takes one operation; what cannot happen at the moment does nothing."""

    def __init__(self, delivery: str) -> None:
        self.delivery = delivery
        self.broker = VirtualBroker(delivery, size=100, ids=CountingIds("e"))
        self.fast, self.slow = ByFastLane(), ByMachine()
        self.pairs: list[tuple[Sink, Sink] | None] = [None] * SLOTS
        self.number = 0

    def do(self, operation: str, index: int) -> None:
        pair = self.pairs[index % SLOTS]
        match operation:
            case "publish":
                self.number += 1
                self.broker.publish(CHANNEL, b"%d" % self.number, key=f"k{index}")
            case "hear" if self.broker.to_node:
                _, publication, epoch = self.broker.to_node.popleft()
                self.fast.hear(publication, epoch)
                self.slow.hear(publication, epoch)
            case "lose" if self.broker.to_node:
                self.broker.to_node.popleft()
            case "flush":
                self.fast.flush()
                self.slow.flush()
            case "restart":
                self.broker.restart()
            case "start" | "recover" if pair is None:
                self._start(index % SLOTS, is_recovering=operation == "recover")
            case "read" if pair is not None:
                self._read(pair)
            case "page" if pair is not None:
                self._page(pair)
            case "pause" if pair is not None:
                for sink in pair:
                    if sink.slot.state is not SlotState.CLOSED:
                        sink.slot.pause()
            case "drain" if pair is not None:
                self._drain(pair)
            case "gap" if pair is not None:
                self._gap(pair)
            case "detach" if pair is not None:
                for way, sink in zip((self.fast, self.slow), pair, strict=True):
                    sink.slot.stop()
                    way.detach(sink)
                self.pairs[index % SLOTS] = None
        self.check()

    def _start(self, index: int, *, is_recovering: bool) -> None:
        since = None
        if is_recovering and self.delivery != "signal":
            top = self.broker.log(CHANNEL).position
            since = Position(top.epoch, max(0, top.offset - 1))
        sinks = []
        for way in (self.fast, self.slow):
            sink = way.sink(Slot(CHANNEL, self.delivery, since=since), LANES[index])
            sink.follow(sink.slot.start(LIMITS))
            way.settle(sink)
            sinks.append(sink)
        self.pairs[index] = (sinks[0], sinks[1])

    def _read(self, pair: tuple[Sink, Sink]) -> None:
        for sink in pair:
            if sink.read is not None and sink.page is None:
                read = sink.read
                log = self.broker.log(CHANNEL)
                sink.page = log.read(read.since, 0.0, limit=read.limit, max_bytes=read.max_bytes)

    def _page(self, pair: tuple[Sink, Sink]) -> None:
        for way, sink in zip((self.fast, self.slow), pair, strict=True):
            page = sink.page
            if page is not None and sink.slot.state is SlotState.CATCHING_UP:
                sink.read = sink.page = None
                sink.follow(sink.slot.page(page, LIMITS, tail_from=way.tail_from(page.top.epoch)))
                way.settle(sink)

    def _drain(self, pair: tuple[Sink, Sink]) -> None:
        for way, sink in zip((self.fast, self.slow), pair, strict=True):
            if sink.slot.state in (SlotState.LAGGING, SlotState.CATCHING_UP):
                sink.follow(sink.slot.drain(LIMITS))
                way.settle(sink)

    def _gap(self, pair: tuple[Sink, Sink]) -> None:
        for way, sink in zip((self.fast, self.slow), pair, strict=True):
            if sink.slot.state is SlotState.LIVE:
                sink.follow(sink.slot.gap(LIMITS))
                way.settle(sink)

    def check(self) -> None:
        for pair in self.pairs:
            if pair is None:
                continue
            fast, slow = pair
            assert fast.written == slow.written
            assert fast.slot.position == slow.slot.position
            assert fast.slot.state is slow.slot.state
            assert (fast.slot.next == NOT_LIVE) is (fast.slot.state is not SlotState.LIVE)
            assert fast.said == slow.said
            assert fast.dropped == slow.dropped


OPERATIONS = (
    *["publish"] * 5,
    *["hear"] * 5,
    *["flush"] * 2,
    *["read"] * 2,
    *["page"] * 2,
    *("start", "recover", "pause", "drain", "gap", "detach", "restart", "lose"),
)
SCHEDULES = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, SLOTS - 1)), min_size=10, max_size=80)


def run_lanes(delivery: str, schedule: list[tuple[str, int]], *, all_live: bool) -> Lanes:
    lanes = Lanes(delivery)
    if all_live:
        for index in range(SLOTS):
            for operation in ("start", "read", "page"):
                lanes.do(operation, index)
    for operation, index in schedule:
        lanes.do(operation, index)
    for operation in ["hear"] * len(lanes.broker.to_node) + ["flush"]:
        lanes.do(operation, 0)
    return lanes


@pytest.mark.parametrize("delivery", ["log", "latest", "signal"])
def test_the_fast_lane_writes_what_the_machine_would(delivery: str) -> None:
    @examples(250)
    @given(SCHEDULES, st.booleans())
    def check(schedule: list[tuple[str, int]], all_live: bool) -> None:
        run_lanes(delivery, schedule, all_live=all_live)

    check()


def test_the_comparison_finds_a_fast_lane_that_skips_the_offset_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(
        self: Hub, lane: Lane, slots: dict[Slot, None], frames: list, first: int, after: int, slow: list[Slot], *_: object
    ) -> None:
        buffer = lane.join(frames)
        for slot in slots:
            if slot.next == NOT_LIVE:
                slow.append(slot)
            else:
                slot.next = after
                slot.out.write(buffer)

    monkeypatch.setattr(Hub, "_fast_lane", careless)
    with pytest.raises(AssertionError):
        test_the_fast_lane_writes_what_the_machine_would("log")
