"""Properties of the machines under schedules deeper than a walk reaches, and models simple enough to be believed.

The fast lane and the machine side by side; client, session, hub and broker through everything that can happen to
them; the logs, the poll wire's two halves and the readers of bytes against the few lines of code that say what they
should do.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from test_poll_walk import PollWorld

from wirehop.client.messages import decode_replies
from wirehop.client.states import ClientState
from wirehop.codecs.cursor import decode_position, decode_positions, encode_position, encode_positions
from wirehop.codecs.event_stream import Event, EventStreamDecoder, encode_event
from wirehop.codecs.frame import Lane
from wirehop.codecs.json_lines import JsonLines, encode_command
from wirehop.core.batches import Batches, Give
from wirehop.core.codes import INSUFFICIENT_STATE, UNSUBSCRIBED, Code
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
from wirehop.core.slot import NOT_LIVE, Dropped, Lost, Missed, Read, Slot, SlotOutput, SlotState, Started, Tail
from wirehop.core.states import SessionState
from wirehop.core.subscription import SubscriptionState
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
            return [frame.publication for frame in self.hub.range(CHANNEL, first, last, slot.epoch)]

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
    """The reference: no lanes, no joining, no shared tail. Every publication goes through every slot's machine,
    alone."""

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
            assert (fast.dropped > 0) is (slow.dropped > 0)


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


def test_the_comparison_finds_a_buffer_that_lacks_a_publication(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Lane.join
    monkeypatch.setattr(Lane, "join", lambda self, frames: right(self, frames[:2]))
    with pytest.raises(AssertionError):
        test_the_fast_lane_writes_what_the_machine_would("log")


# ---- client, session, hub and broker together -----------------------------------------------------------------------

CHANNELS = ("a", "b", "c")
KEYS = 3
TAIL_BYTES = 6
WEIGHTS = {
    "publish": 5,
    "request": 1,
    "hear": 4,
    "flush": 3,
    "read": 4,
    "answer": 4,
    "up": 4,
    "down": 4,
    "reconnect": 3,
    "cut": 1,
    "evict": 1,
    "pause": 1,
    "resume": 1,
    "restart": 1,
    "lose": 1,
    "subscribe": 1,
    "unsubscribe": 1,
}
"""How often each step is tried where it is possible. Troubles have a budget too: else nothing else would happen."""
INDEXED = ("publish", "request", "read", "answer", "evict", "subscribe", "unsubscribe")
PAIR_LIMITS = Limits(page_publications=2, recovery_publications=4, held_bytes=4096)


class PairWorld:
    """One client on three channels. A step is a word and perhaps a number, so that a path can be replayed."""

    @property
    def open_channels(self) -> list[str]:
        """What the session is subscribed to, beyond asking."""
        wire = self.pair.wire
        held = wire.session.subscriptions if wire is not None else {}
        return [channel for channel, each in held.items() if each.state is SubscriptionState.OPEN]

    def __init__(self, delivery: str, *, changes: int = 0) -> None:
        self.delivery = delivery
        self.budget = {
            "cut": 3,
            "restart": 1,
            "lose": 2,
            "pause": 4,
            "evict": 2,
            "subscribe": changes,
            "unsubscribe": changes,
        }
        self.pair = Pair(delivery=delivery, log_size=6, limits=PAIR_LIMITS)
        self.pair.node.hub.tail_bytes = TAIL_BYTES
        self.number = 0
        self.keys: dict[bytes, str] = {}  # payload → key
        self.given: dict[tuple[str, str, int], bytes] = {}  # channel, epoch, offset → payload: what the broker promised
        self.seen: dict[str, list[tuple[str, int, bytes] | None]] = {channel: [] for channel in CHANNELS}
        self.asked: list[int] = []
        self.broker_lost = False
        self.path: list[str] = []
        self._publish = self.pair.broker.publish
        self.pair.broker.publish = self._recorded  # type: ignore[method-assign]
        self._drain_client = self.pair.run_client
        self.pair.run_client = self._run_client  # type: ignore[method-assign]
        self._counts = dict.fromkeys(CHANNELS, 0)
        self._values = 0
        for channel in CHANNELS[:2]:
            self.pair.subscribe(channel)

    def _recorded(self, channel: str, data: bytes, key: str = "") -> Publication:
        key = key or f"k{int(data) % KEYS}"
        self.keys[data] = key
        publication = self._publish(channel, data, key)
        if self.delivery != "signal":
            self.given[channel, self.pair.broker.log(channel).epoch, publication.offset] = data
        return publication

    # ---- what can happen -----------------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        link = self.pair.link
        return link is not None and link.is_open

    @property
    def is_paused(self) -> bool:
        return self.is_up and self.pair.wire is not None and self.pair.wire.is_paused

    def can(self, step: str) -> bool:
        pair = self.pair
        if self.budget.get(step) == 0:
            return False
        match step:
            case "hear" | "lose":
                return bool(pair.broker.to_node)
            case "flush":
                return pair.node.has_flush
            case "read":
                return any(pair.node.wants_read(index) for index in range(len(pair.node.calls)))
            case "answer":
                return any(not pair.node.wants_read(index) for index in range(len(pair.node.calls)))
            case "up" | "down":
                return pair.link is not None and bool(getattr(pair.link, step))
            case "cut":
                return self.is_up or pair.is_closed_by_server
            case "reconnect":
                return pair.client.state is ClientState.WAITING
            case "pause":
                return self.is_up and not self.is_paused
            case "resume":
                return self.is_paused
            case "evict":
                return self.is_up and bool(self.open_channels)
            case "subscribe":
                return len(pair.client.subscriptions) < len(CHANNELS)
            case "unsubscribe":
                return bool(pair.client.subscriptions)
        return True

    def do(self, step: str, index: int = 0) -> None:
        self.path.append(f"{step} {index}")
        if step in self.budget:
            self.budget[step] -= 1
        pair, node = self.pair, self.pair.node
        channel = CHANNELS[index % len(CHANNELS)]
        match step:
            case "publish":
                self.number += 1
                pair.broker.publish(channel, b"%d" % self.number)
            case "hear":
                node.hear()
            case "flush":
                node.flush()
            case "read":
                wanted = [each for each in range(len(node.calls)) if node.wants_read(each)]
                node.read(wanted[index % len(wanted)])
            case "answer":
                ready = [each for each in range(len(node.calls)) if not node.wants_read(each)]
                node.answer(ready[index % len(ready)])
            case "up" | "down":
                assert pair.link is not None
                getattr(pair.link, step).deliver()
            case "cut":
                pair.cut()
            case "reconnect":
                pair.reconnect()
            case "pause" | "resume":
                assert pair.wire is not None
                getattr(pair.wire, step)()
            case "evict":  # what a lost gap does: ended with a code that says subscribe again
                assert pair.wire is not None
                held = self.open_channels
                pair.wire.session.unsubscribe(held[index % len(held)], INSUFFICIENT_STATE, pair.clock.now())
                pair.wire.run()
            case "restart":
                self.broker_lost = True
                pair.broker.restart()
            case "lose":
                self.broker_lost = True
                pair.broker.to_node.popleft()
            case "request":
                self._request(index)
            case "subscribe":
                missing = [each for each in CHANNELS if each not in pair.client.subscriptions]
                channel = missing[index % len(missing)]
                self.seen[channel].append(None)  # begun anew: what was seen before says nothing about it
                pair.subscribe(channel)
            case "unsubscribe":
                held = list(pair.client.subscriptions)
                pair.client.unsubscribe(held[index % len(held)])
                pair.run_client()
        self.check()

    def _request(self, index: int) -> None:
        self.number += 1
        raw = msgspec.Raw(b"%d" % self.number)
        command = (
            Command(publish=PublishRequest(CHANNELS[index % len(CHANNELS)], raw))
            if index % 2
            else Command(ping=PingRequest())
        )
        self.asked.append(self.pair.client.request(command))
        self.pair.run_client()

    # ---- what must hold --------------------------------------------------------------------------------------------

    def _run_client(self) -> None:
        """Join what was delivered with its payloads. All news of one message are of one channel."""
        self._drain_client()
        values = self.pair.values[self._values :]
        self._values = len(self.pair.values)
        for channel in CHANNELS:
            news = self.pair.delivered.get(channel, [])[self._counts[channel] :]
            self._counts[channel] += len(news)
            for item in news:
                self.seen[channel].append(None if item is None else (*item, values.pop(0)))
        assert not values

    def check(self) -> None:
        for channel, seen in self.seen.items():
            self._check_order(channel, seen)
        assert len(self.pair.answers) == len(set(self.pair.answers)), "a request was answered twice"
        self._check_bounds()

    def _check_order(self, channel: str, seen: list[tuple[str, int, bytes] | None]) -> None:
        before = None
        ever: set[bytes] = set()
        for item in seen:
            if item is not None and self.delivery != "signal":
                epoch, offset, data = item
                assert data == self.given.get((channel, epoch, offset)), f"{data!r} is not {channel} {epoch}/{offset}"
                if before is not None:
                    assert before[0] == epoch, f"{channel}: {item} after {before}: another epoch without a word"
                    assert before[1] < offset, f"{channel}: {item} after {before}: twice, or out of order"
                    if self.delivery == "log":
                        assert before[1] + 1 == offset, f"{channel}: {item} after {before}: a gap without a word"
            if item is not None and self.delivery != "latest":
                assert item[2] not in ever, f"{channel}: {item} was delivered twice"
                ever.add(item[2])
            before = item

    def _check_bounds(self) -> None:
        hub = self.pair.node.hub
        for name in hub.channels if not self.pair.node.has_flush else ():
            size = sum(len(frame.publication.data) for frame in hub.range(name, 1, self.number))
            assert size <= TAIL_BYTES, f"the tail of {name} holds {size} bytes"
        wire = self.pair.wire
        if wire is None:
            return
        session = wire.session
        assert len(self.pair.node.calls) <= PAIR_LIMITS.pending_commands + 2 * len(CHANNELS)
        if session.state is SessionState.CLOSED:
            assert not session.subscriptions
            assert session.deadline() is None, "a closed session waits for something"
            assert not any(held is wire for held, _ in self.pair.node.calls if not self.is_up and held is not wire)
        for subscription in session.subscriptions.values():
            slot = subscription.slot
            if slot is not None:
                assert (slot.next == NOT_LIVE) is (slot.state is not SlotState.LIVE)

    # ---- at rest -----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        self.pair.settle(compares_tops=self.broker_lost)
        self.check()

    def check_at_rest(self) -> None:
        client = self.pair.client
        assert client.state is ClientState.CONNECTED
        assert sorted(self.pair.answers) == self.asked, "a request has no answer"
        for channel in client.subscriptions:
            self._check_complete(channel)
        self._check_is_live()

    def _check_complete(self, channel: str) -> None:
        if self.delivery == "signal":
            return
        log = self.pair.broker.log(channel)
        assert self.pair.client.subscriptions[channel].position == log.position, f"{channel} is not at the top"
        seen = self.seen[channel]
        marks = [index for index, item in enumerate(seen) if item is None]
        run = [item for item in seen[marks[-1] + 1 if marks else 0 :] if item is not None]
        if self.delivery == "log":
            assert not run or run[-1][:2] == (log.epoch, log.top), f"{channel}: the last one is missing"
            return
        newest = {self.keys[data]: data for _, _, data in run}
        kept = log.read(None, 0.0, limit=-1, max_bytes=1 << 20).publications
        assert newest == {publication.key: publication.data for publication in kept}, f"{channel}: values are missing"

    def _check_is_live(self) -> None:
        """Whoever wants a channel hears of the next publication, once."""
        expected = []
        for channel in self.pair.client.subscriptions:
            self.number += 1
            expected.append(b"%d" % self.number)
            self.pair.broker.publish(channel, expected[-1])
        before = len(self.pair.values)
        self.pair.settle()
        assert sorted(self.pair.values[before:]) == sorted(expected)

    def trace(self) -> object:
        pair = self.pair
        sessions = sorted(pair.node.counted.items())
        return (self.seen, pair.delivered, pair.values, pair.answers, sessions, pair.node.closed, pair.client.state)


class PairSchedule(RuleBasedStateMachine):
    """Everything in any order; then to rest, where nothing may be missing; then the same again, with the same
    result."""

    world: PairWorld
    changes = 0

    @initialize(delivery=st.sampled_from(["log", "log", "latest", "signal"]), is_settled=st.booleans())
    def begin(self, delivery: str, is_settled: bool) -> None:
        self.make = lambda: PairWorld(delivery, changes=self.changes)
        self.is_settled = is_settled
        self.world = self._new()

    def _new(self) -> PairWorld:
        world = self.make()
        if self.is_settled:
            world.settle()
        return world

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        possible = [word for word, weight in WEIGHTS.items() if self.world.can(word) for _ in range(weight)]
        word = data.draw(st.sampled_from(possible), label="step")
        self.world.do(word, data.draw(st.integers(0, 5), label="index") if word in INDEXED else 0)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        path = list(self.world.path)
        self._rest(self.world)
        again = self._new()
        for step in path:
            word, index = step.split()
            again.do(word, int(index))
        self._rest(again)
        assert again.trace() == self.world.trace(), "the same inputs gave other outputs"

    @staticmethod
    def _rest(world: PairWorld) -> None:
        world.settle()
        world.check_at_rest()


class ChangingSchedule(PairSchedule):
    """The same with an application that takes channels and lets them go."""

    changes = 3


def test_a_conversation_survives_any_schedule() -> None:
    run_state_machine_as_test(PairSchedule, settings=examples(150, steps=60))


def test_a_conversation_whose_channels_come_and_go_survives_any_schedule() -> None:
    run_state_machine_as_test(ChangingSchedule, settings=examples(100, steps=60))


@pytest.mark.parametrize("code", [INSUFFICIENT_STATE, UNSUBSCRIBED], ids=lambda code: code.name)
def test_an_end_that_crosses_a_new_subscription_ends_only_the_old_one(code: Code) -> None:
    """The server's push is on its way down while the application lets the channel go and takes it again.

    The push stands before the reply to the new subscribe, so it speaks of the old subscription.
    """
    world = PairWorld("log")
    world.settle()
    pair = world.pair
    assert pair.wire is not None
    pair.wire.session.unsubscribe("a", code, pair.clock.now())
    pair.wire.run()
    pair.client.unsubscribe("a")
    pair.run_client()
    world.seen["a"].append(None)
    pair.subscribe("a")
    world.settle()
    assert set(pair.client.subscriptions) == {"a", "b"}
    world.check_at_rest()


# ---- logs ------------------------------------------------------------------------------------------------------------

APPENDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 2)), max_size=25)
"""Each: seconds that pass, bytes of payload, key."""


def appended(log: Log | LatestLog, appends: list[tuple[int, int, int]]) -> tuple[list[tuple[Publication, int]], int]:
    """All publications ever, with the time of each, and the time now."""
    now, ever = 0, []
    for passed, size, key in appends:
        now += passed
        ever.append((log.append(Publication(b"x" * size, key=f"k{key}"), now), now))
    return ever, now


def naive_cut(entries: list[Publication], limit: int, max_bytes: int) -> tuple[tuple[Publication, ...], bool]:
    """As many as both limits allow, but one in any case where the count allows one."""
    taken: list[Publication] = []
    for entry in entries:
        is_too_much = sum(len(each.data) for each in [*taken, entry]) > max_bytes and taken
        if len(taken) == limit or is_too_much:
            return tuple(taken), True
        taken.append(entry)
    return tuple(taken), False


@examples(400)
@given(
    APPENDS,
    st.integers(0, 6),
    st.integers(1, 8),
    st.one_of(st.none(), st.tuples(st.sampled_from(["e", "e", "e", "other", ""]), st.integers(0, 27))),
    st.integers(-1, 6),
    st.integers(0, 60),
)
def test_a_log_reads_like_a_list(
    appends: list[tuple[int, int, int]], size: int, age: int, since: tuple[str, int] | None, limit: int, max_bytes: int
) -> None:
    log = Log("e", size=size, age=age)
    ever, now = appended(log, appends)
    assert [publication.offset for publication, _ in ever] == [*range(1, len(ever) + 1)]
    kept = [publication for publication, at in ever[max(0, len(ever) - size) :] if at > now - age]
    position = None if since is None else Position(*since)
    page = log.read(position, now, limit=limit, max_bytes=max_bytes)
    assert page.top == Position("e", len(ever))
    if position is None:
        wanted, is_complete = kept, True
    else:
        wanted = [publication for publication, _ in ever if publication.offset > position.offset]
        is_complete = position.epoch == "e" and position.offset <= len(ever) and all(each in kept for each in wanted)
    assert page.is_complete is is_complete
    assert (page.publications, page.has_more) == (naive_cut(wanted, limit, max_bytes) if is_complete else ((), False))


@examples(400)
@given(
    APPENDS,
    st.integers(0, 3),
    st.integers(1, 8),
    st.one_of(st.none(), st.tuples(st.sampled_from(["e", "e", "e", "other", ""]), st.integers(0, 27))),
    st.integers(-1, 6),
    st.integers(0, 60),
)
def test_a_latest_log_reads_like_a_dict(
    appends: list[tuple[int, int, int]], keys: int, age: int, since: tuple[str, int] | None, limit: int, max_bytes: int
) -> None:
    log = LatestLog("e", keys=keys, age=age)
    values: dict[str, tuple[Publication, int]] = {}
    lost = 0  # the highest offset of a value that went without a newer one of its key
    ever, now = [], 0
    for passed, size, key in appends:
        now += passed
        publication = log.append(Publication(b"x" * size, key=f"k{key}"), now)
        ever.append(publication)
        values.pop(publication.key, None)
        values[publication.key] = (publication, now)
        for name, (held, at) in list(values.items()):
            if at <= now - age or len(values) > keys:
                del values[name]
                lost = max(lost, held.offset)
    assert [publication.offset for publication in ever] == [*range(1, len(ever) + 1)]
    position = None if since is None else Position(*since)
    page = log.read(position, now, limit=limit, max_bytes=max_bytes)
    is_good = position is not None and position.epoch == "e" and lost <= position.offset <= len(ever)
    after = position.offset if position is not None and is_good else 0
    wanted = [publication for publication, _ in values.values() if publication.offset > after]
    assert page.is_complete is (position is None or is_good)
    assert (page.publications, page.has_more) == naive_cut(wanted, limit, max_bytes)
    if is_good:  # what the client has, and this, is the newest of every key that changed
        newest = {each.key: each for each in ever if each.offset > after}
        assert all(newest[each.key] == each for each in wanted)


@examples(200)
@given(APPENDS, st.integers(0, 6), st.one_of(st.none(), st.integers(0, 27)), st.integers(-1, 6), st.booleans())
def test_backwards_pages_join_to_the_log_reversed(
    appends: list[tuple[int, int, int]], size: int, before: int | None, limit: int, is_latest: bool
) -> None:
    log: Log | LatestLog = LatestLog("e", keys=size, age=1e9) if is_latest else Log("e", size=size, age=1e9)
    _, now = appended(log, appends)
    kept = log.read(None, now, limit=-1, max_bytes=10_000).publications
    since = None if before is None else Position("e", before)
    page = log.read(since, now, limit=limit, max_bytes=10_000, reverse=True)
    wanted = [each for each in reversed(kept) if before is None or each.offset < before]
    assert (page.publications, page.has_more) == naive_cut(wanted, limit, 10_000)


# ---- the poll wire
# -----------------------------------------------------------------------------------------------------

POLL_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["command", "push", "push", "poll", "poll", "arrives", "arrives", "answered", "answered"])
        | st.sampled_from(["lose-poll", "lose-answer", "twice"]),
        st.integers(0, 3),
    ),
    max_size=80,
)


@examples(400)
@given(POLL_STEPS, st.integers(1, 40))
def test_polls_over_a_bad_network_give_everything_once_and_in_order(
    steps: list[tuple[str, int]], max_bytes: int
) -> None:
    plenty = dict.fromkeys(("command", "push", "poll", "lose-poll", "lose-answer", "twice"), 1000)
    world = PollWorld(batches=lambda **_: Batches(max_bytes=max_bytes), **plenty)
    for word, index in steps:
        flying = {"arrives": world.polls, "answered": world.answers, "lose-answer": world.answers}.get(
            word, world.polls
        )
        if word in ("command", "push", "poll"):
            if word != "command" or len(world.client.open) < 4:
                world.do(word)
        elif flying:
            world.do(f"{word} {index % len(flying)}")
        world.check()
    world.settle(most=300)
    world.check()
    world.check_at_rest()


@examples(200)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 6)), max_size=60), st.integers(0, 30))
def test_batches_hold_no_more_than_they_may(steps: list[tuple[bool, int, int]], max_bytes: int) -> None:
    """Each step adds an item (of so many bytes) or polls (with an acknowledgement that lags behind by so many)."""
    batches = Batches(max_bytes=max_bytes)
    poll = newest = 0
    given: dict[int, tuple[bytes, ...]] = {}
    for is_add, size, lag in steps:
        if is_add:
            if not batches.is_full:
                batches.add(b"x" * size)
            continue
        poll += 1
        verdict = batches.poll(poll, max(0, newest - lag))
        if isinstance(verdict, Give):
            assert verdict.number in (newest, newest + 1)
            assert given.setdefault(verdict.number, tuple(verdict.items)) == tuple(verdict.items), "a batch has changed"
            newest = verdict.number
            assert verdict.items
            assert sum(map(len, verdict.items[1:])) <= max_bytes


@examples(300)
@given(
    st.lists(st.integers(1, 12), max_size=80),
    st.integers(1, 6),
)
def test_numbered_commands_run_once_and_in_order_however_they_arrive(arrivals: list[int], most: int) -> None:
    numbers = CommandNumbers(max_count=most, max_bytes=1000)
    ran: list[int] = []
    arrived: set[int] = set()
    for now, number in enumerate(arrivals):
        try:
            ready = numbers.accept(Command(number, ping=PingRequest()), 1, float(now))
        except OverflowError:
            waiting = arrived - set(ran)
            assert len(waiting) == most
            assert number not in arrived
            continue
        arrived.add(number)
        ran += [command.id for command in ready]
        waiting = {each for each in arrived if each >= numbers.next}
        assert ran == [*range(1, numbers.next)]
        assert len(waiting) <= most
        assert (numbers.gap_since is not None) is bool(waiting)
        assert numbers.next not in arrived


# ---- readers of bytes
# --------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
STREAM_LINES = st.sampled_from(
    [
        "data",
        "data:",
        "data: ",
        "data:  x",
        "data: é€😀",
        "id: 1",
        "id:2",
        "id",
        "id: a\x00b",
        "event: e",
        "event",
        ": c",
        "",
        "",
        "",
        "retry: 10",
        "retry: x",
        "retry:",
        "nothing: at all",
        " data: x",
        "\ufeffdata: x",
    ]
)
STREAMS = st.lists(st.tuples(STREAM_LINES | TEXTS, st.sampled_from(["\n", "\r", "\r\n"])), max_size=15)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def read_stream(parts: list[bytes]) -> tuple[list[Event], str, int | None, int]:
    decoder = EventStreamDecoder()
    events = [event for part in parts for event in decoder.feed(part)]
    return events, decoder.last_id, decoder.retry, decoder.comments


def naive_events(text: str) -> tuple[list[Event], str, int | None]:
    """The algorithm of the HTML standard, section 9.2.6, on the whole text at once."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")[:-1]
    events, data, kind, id_buffer, last_id, retry = [], "", "", "", "", None
    for line in lines:
        if not line:
            last_id = id_buffer
            if data:
                events.append(Event(data.removesuffix("\n"), kind or "message", last_id))
            data = kind = ""
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and value and all(digit in "0123456789" for digit in value):
            retry = int(value)
    return events, last_id, retry


@examples(600)
@given(st.booleans(), STREAMS, st.lists(st.integers(0, 400), max_size=6))
def test_an_event_stream_reads_as_the_standard_says_in_any_pieces(
    has_bom: bool, lines: list[tuple[str, str]], cuts: list[int]
) -> None:
    text = "\ufeff" * has_bom + "".join(line + end for line, end in lines)
    events, _, retry = naive_events(text)
    for parts in ([text.encode()], pieces(text.encode(), cuts), [bytes([byte]) for byte in text.encode()]):
        got, _, got_retry, _ = read_stream(parts)
        assert got == events
        assert got_retry == retry


@examples(300)
@given(STREAMS)
def test_the_last_event_id_is_that_of_events_that_came_whole(lines: list[tuple[str, str]]) -> None:
    """HTML standard 9.2.6: the id is kept in a buffer and becomes the last event id at the blank line.

    A client that reconnects with the id of an event that was cut off before its blank line never gets that event.
    """
    text = "".join(line + end for line, end in lines)
    assert read_stream([text.encode()])[1] == naive_events(text)[1]


@examples(300)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_an_event_stream_of_any_bytes_reads_the_same_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    assert read_stream([data]) == read_stream(pieces(data, cuts))


@examples(200)
@given(
    TEXTS,
    st.from_regex(r"[A-Za-z0-9_.-]{0,8}", fullmatch=True),
    st.none() | st.from_regex(r"[\w:-]{0,8}", fullmatch=True),
)
def test_an_encoded_event_is_read_back(data: str, event: str, id_: str | None) -> None:
    got, last_id, _, _ = read_stream([encode_event(data.encode(), event=event, id=id_)])
    as_lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert got == [Event(as_lines, event or "message", id_ or "")]
    assert last_id == (id_ or "")


CODEC = JsonLines()
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode())
RAWS = JSONS.map(msgspec.Raw)
COMMANDS = st.builds(
    lambda number, parts: Command(number, **parts),
    st.integers(0, 2**32 - 1),
    st.one_of(
        st.fixed_dictionaries({"publish": st.builds(PublishRequest, TEXTS, RAWS)}),
        st.fixed_dictionaries({"rpc": st.builds(RpcRequest, TEXTS, RAWS)}),
        st.fixed_dictionaries({"send": st.builds(SendRequest, RAWS)}),
        st.fixed_dictionaries({"ping": st.builds(PingRequest)}),
        st.fixed_dictionaries({"subscribe": st.builds(SubscribeRequest, TEXTS, TEXTS, offset=st.integers(0, 2**53))}),
        st.just({}),
    ),
)


@examples(300)
@given(st.lists(COMMANDS, min_size=1, max_size=4))
def test_commands_are_read_back_as_they_were_written(commands: list[Command]) -> None:
    lines = [encode_command(command) for command in commands]
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    assert CODEC.decode_commands(b"\n".join(lines)) == commands
    assert CODEC.decode_array(b"[" + b",".join(lines) + b"]") == commands


HALF_COMMANDS = st.lists(
    st.sampled_from(
        [
            '{"id":',
            "1",
            "-1",
            "1e9",
            ',"publish":',
            '{"channel":',
            '"a"',
            ',"data":',
            "}",
            "}",
            "[",
            "]",
            "\n",
            "null",
            '"\\ud800"',
            '"\\u0000"',
            "9" * 30,
            "9" * 5000,
            "{" * 9,
            "[" * 3000,
            ' "connect":{}',
            ',"ping":{}',
            "é",
            "\r",
        ]
    ),
    max_size=10,
).map("".join)


def swallow(read: Callable[[], object], *errors: type[Exception]) -> None:
    with contextlib.suppress(errors):
        read()


@examples(400)
@given(HALF_COMMANDS | st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_text_is_commands_or_a_bad_message(text: str) -> None:
    swallow(lambda: CODEC.decode_commands(text.encode()), BadMessage)
    swallow(lambda: CODEC.decode_array(text.encode()), BadMessage)


@examples(300)
@given(HALF_COMMANDS.map(str.encode) | st.binary(max_size=30))
def test_any_bytes_are_replies_or_a_decode_error(data: bytes) -> None:
    swallow(lambda: decode_replies(data), msgspec.DecodeError)


@examples(200)
@given(st.dictionaries(TEXTS, st.builds(Position, TEXTS, st.integers(0, 10**18 - 1)), max_size=5))
def test_positions_are_read_back_from_their_cursor(positions: dict[str, Position]) -> None:
    cursor = encode_positions(positions)
    assert cursor.replace("-", "").replace("_", "").isalnum() or not cursor
    assert decode_positions(cursor) == positions
    for position in positions.values():
        assert decode_position(encode_position(position)) == position


@examples(400)
@given(st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9_=-]{0,40}", fullmatch=True) | JSONS.map(bytes.decode))
def test_any_string_is_a_cursor_or_none(text: str) -> None:
    position = decode_position(text)
    assert position is None or position.offset >= 0
    assert all(each.offset >= 0 for each in decode_positions(text).values())
    with_base64 = msgspec.json.encode(text.encode())[1:-1].decode()
    assert all(each.offset >= 0 for each in decode_positions(with_base64).values())
