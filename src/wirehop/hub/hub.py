"""The fan-out.

Publications of one channel that arrive within one loop turn are joined and written once per live slot, straight to
the wire's transport. Live slots that miss nothing wait for the same offset, which stands once in their cohort, so a
delivery costs one write and touches nothing else. Every other slot goes through its machine. A property test holds
the two ways equal. Where a channel has so many that this takes long, it goes on in the next turns of the loop, after
everybody else had theirs; the channel's next publications wait that long, and are joined meanwhile.

The hub knows slots and frames. It does not know how bytes travel, nor what a session is: a slot's `owner` is told of
what did not take the fast lane.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Protocol, cast

from wirehop.abc import BatchSender
from wirehop.codecs.frame import Frame, Lane
from wirehop.core.messages import ClientInfo, Join, Leave, Publication, Push
from wirehop.core.slot import Slot
from wirehop.hub.audience import Audience
from wirehop.hub.channel import Channel
from wirehop.hub.cohort import Cohort
from wirehop.hub.walk import Walk

log = logging.getLogger("wirehop.hub")

BUFFER_BYTES = 32_768
"""Payload that is joined into one buffer at most, unless a single publication is larger."""

SLICE_SECONDS = 0.01
"""How long publications may hold up the loop in one turn, to the nearest cohort."""

TOLD_AT_ONCE = 32
"""Slots that go through their machine between two looks at the clock: about a millisecond."""


class SlotOwner(Protocol):
    """Who a slot belongs to: told of what the fast lane did not deliver."""

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        """The publications `first` to `last` (0, 0 in `signal` channels) are out; their frames are in `Hub.range`."""
        ...

    def pushed(self, push: Push) -> None:
        """A join or leave in a channel whose slot watches."""
        ...


class Hub:
    """All channels with slots on this node.

    `later(delay, callback)` runs a callback at the end of this loop turn (delay 0) or after that many seconds;
    `window(channel)` gives a channel's coalescing window in seconds. `tail_bytes` bounds the shared tail of one
    channel; `clock` gives seconds that only go forward (by default they stand still: nothing is sliced). A `sender`,
    where there is one, serves big cohorts.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        window: Callable[[str], float] = lambda _channel: 0.0,
        *,
        tail_bytes: int = 1_048_576,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.channels: dict[str, Channel] = {}
        self.counters: Counter[str] = Counter()
        self.delivered: Counter[Lane] = Counter()  # publications written, by lane
        self.tail_bytes = tail_bytes
        self.sender: BatchSender | None = None
        self._later = later
        self._window = window
        self._clock = clock
        self._dirty: list[Channel] = []
        self._before: list[Callable[[], None]] = []
        self._walking: OrderedDict[Channel, None] = OrderedDict()  # by turns; a dict's first is slow to find
        self._is_waiting = False  # for the next turn of the loop

    # ---- slots -------------------------------------------------------------------------------------------------------

    def attach(self, slot: Slot, *, watches: bool) -> bool:
        """Register the slot (its `lane`, `out` and `owner` are set); True if it is the channel's first here."""
        channel = self.channels.get(slot.channel)
        is_first = channel is None
        if channel is None:
            channel = self.channels[slot.channel] = Channel(slot.channel)
        lane = cast(Lane, slot.lane)
        if lane not in channel.lanes:
            channel.lanes[lane] = Audience(lane)
        channel.lanes[lane].add(slot)
        if watches:
            if channel.watchers is None:
                channel.watchers = {}
            channel.watchers[slot] = None
        return is_first

    def watch(self, slot: Slot) -> None:
        """Tell the slot, which is attached, of joins and leaves as well."""
        channel = self.channels.get(slot.channel)
        if channel is not None and channel.has(slot):
            if channel.watchers is None:
                channel.watchers = {}
            channel.watchers[slot] = None

    def detach(self, slot: Slot) -> bool:
        """Forget the slot; True if the channel has no slot here any more. Forgetting twice is fine."""
        channel = self.channels.get(slot.channel)
        if channel is None:
            return False
        audience = channel.lanes.get(cast(Lane, slot.lane))
        if audience is None or not audience.remove(slot):
            return False
        if not audience:
            del channel.lanes[audience.lane]
        if channel.watchers is not None:
            channel.watchers.pop(slot, None)
        channel.settle(slot)
        if channel.is_empty:
            del self.channels[slot.channel]
            return True
        return False

    def rebind(self, slot: Slot) -> None:
        """The slot's `out` is another one now."""
        if slot.cohort is not None:
            slot.next = slot.next  # leaves, and comes back with the new one
            self.settle(slot)

    def range(self, name: str, first: int, last: int, epoch: str | None = None) -> list[Frame]:
        """The frames of the channel with these offsets (in `epoch`, where it is given) that are at hand; with 0, 0
        those of this turn."""
        channel = self.channels.get(name)
        if channel is None:
            return []
        return list(channel.turn) if last == 0 else channel.range(first, last, epoch)

    def tail_from(self, name: str, epoch: str) -> int:
        """The lowest offset at hand; 0 for none."""
        channel = self.channels.get(name)
        return 0 if channel is None else channel.tail_from(epoch)

    # ---- publications -----------------------------------------------------------------------------------------------

    def published(self, name: str, publication: Publication, epoch: str) -> None:
        """A publication of a channel; it goes out at the end of this loop turn, with all others of the channel."""
        channel = self.channels.get(name)
        if channel is None:
            return
        channel.published += 1
        frame = Frame(name, publication, epoch)
        pending = channel.pending
        size = len(publication.data)
        if pending and channel.size + size <= BUFFER_BYTES and self._follows(pending[-1][-1], publication, epoch):
            pending[-1].append(frame)
            channel.size += size
            return
        pending.append([frame])  # nothing waits, or a gap, a new epoch, enough for one write: the next buffer begins
        channel.size = size
        if not channel.is_scheduled:
            self._schedule(channel)

    @staticmethod
    def _follows(before: Frame, publication: Publication, epoch: str) -> bool:
        offset = before.publication.offset
        return epoch == before.epoch and (offset == 0 or publication.offset == offset + 1)

    @property
    def is_due(self) -> bool:
        """Whether something goes out at the end of this loop turn."""
        return bool(self._dirty)

    def before_flush(self, callback: Callable[[], None]) -> None:
        """Where something is due: call back when it goes out, right before it."""
        self._before.append(callback)

    def _schedule(self, channel: Channel) -> None:
        channel.is_scheduled = True
        window = self._window(channel.name)
        if window > 0:
            self._later(window, lambda: self.flush(channel))
            return
        self._dirty.append(channel)
        if len(self._dirty) == 1:
            self._later(0, self.flush_all)

    def flush_all(self) -> None:
        """Write what was published since the last flush."""
        before, self._before = self._before, []
        for callback in before:
            callback()
        dirty, self._dirty = self._dirty, []
        for channel in dirty:
            self._set_out(channel)
        self._go_on()

    def flush(self, channel: Channel) -> None:
        """Write one channel's pending publications: live slots by the fast lane, the others through their machine."""
        self._set_out(channel)
        self._go_on()

    def _set_out(self, channel: Channel) -> None:
        channel.is_scheduled = False
        channel.due = len(channel.pending)
        self._walking[channel] = None

    # ---- walks ------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Walk, one channel after the other, until nothing is left or the time of this loop turn is used up: then the
        channel that used it goes behind the others."""
        if self._is_waiting:
            return  # it was used up already: the next turn takes what has come since
        began, steps = self._clock(), 0
        while self._walking:
            channel = next(iter(self._walking))
            try:
                has_more = self._step(channel)
            except Exception:  # whoever it did not reach sees a gap next time; other channels go on
                self.counters["flush_failed"] += 1
                log.exception("publications of channel %r could not be written", channel.name[:64])
                has_more = channel.give_up()
            if not has_more:
                del self._walking[channel]
            steps += 1
            elapsed = self._clock() - began
            if self._walking and elapsed * (steps + 1) > SLICE_SECONDS * steps:  # another step would be too long
                if has_more:
                    self._walking.move_to_end(channel)
                self._is_waiting = True
                self._later(0, self._next_turn)
                return

    def _next_turn(self) -> None:
        self._is_waiting = False
        self._go_on()

    def _step(self, channel: Channel) -> bool:
        """A cohort, or some of the others; whether there is more to do in this channel."""
        walk = channel.walk
        if walk is None:
            if not channel.due:
                return False
            channel.due -= 1
            walk = channel.walk = Walk(channel, channel.pending.pop(0))
        if walk.cohorts:
            self._fast_lane(walk.cohorts.pop(), walk)
        else:
            for slot in walk.take(TOLD_AT_ONCE):
                self._told(channel, slot, walk)
        if not walk.is_through:
            return True
        if channel.has_tail:
            channel.keep(walk.frames, self.tail_bytes)
        channel.walk = None
        return channel.due > 0

    def _fast_lane(self, cohort: Cohort, walk: Walk) -> None:
        """Write to the live slots of a cohort that waits for just this."""
        cohort.missed = None
        lane = cohort.audience.lane
        try:
            buffer = lane.join(walk.frames)
        except Exception:  # its slots see a gap next time, and read history
            self.counters["encode_failed"] += 1
            log.exception("publications of channel %r could not be encoded", walk.frames[0].channel[:64])
            return
        cohort.next = walk.after
        cohort.write(buffer, self.sender, self._failed)
        self.delivered[lane] += len(cohort.live) * len(walk.frames)

    def _told(self, channel: Channel, slot: Slot, walk: Walk) -> None:
        """Pass it through the slot's machine."""
        if not channel.has(slot):
            return  # it went since
        try:
            cast(SlotOwner, slot.owner).published(slot, walk.first, walk.last, walk.epoch)
            channel.settle(slot)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.counters["write_failed"] += 1
        log.error("a wire could not be written to", exc_info=error)

    def settle(self, slot: Slot) -> None:
        """The slot's machine has moved: the shared tail may not be needed any more."""
        channel = self.channels.get(slot.channel)
        if channel is not None:
            channel.settle(slot)

    # ---- joins and leaves -------------------------------------------------------------------------------------------

    def joined(self, name: str, info: ClientInfo, rev: int) -> None:
        """Tell the watchers."""
        self._tell(name, Push(name, join=Join(info, rev)))

    def left(self, name: str, info: ClientInfo, rev: int) -> None:
        """Tell the watchers."""
        self._tell(name, Push(name, leave=Leave(info, rev)))

    def _tell(self, name: str, push: Push) -> None:
        channel = self.channels.get(name)
        if channel is None or not channel.watchers:
            return
        for slot in list(channel.watchers):
            cast(SlotOwner, slot.owner).pushed(push)
