"""The fan-out.

Publications of one channel that arrive within one loop turn are joined and written once per live slot, straight to
the wire's transport. Live slots that miss nothing wait for the same offset, which stands once in their cohort, so a
delivery costs one write and touches nothing else. Every other slot goes through its machine. A property test holds
the two ways equal.

The hub knows slots and frames. It does not know how bytes travel, nor what a session is: a slot's `owner` is told of
what did not take the fast lane.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Protocol, cast

from wirehop.codecs.frame import Frame, Lane
from wirehop.core.messages import ClientInfo, Join, Leave, Publication, Push
from wirehop.core.slot import Slot
from wirehop.hub.channel import Channel
from wirehop.hub.cohort import Cohort

log = logging.getLogger("wirehop.hub")

BUFFER_BYTES = 32_768
"""Payload that is joined into one buffer at most, unless a single publication is larger."""


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
    channel.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        window: Callable[[str], float] = lambda _channel: 0.0,
        *,
        tail_bytes: int = 1_048_576,
    ) -> None:
        self.channels: dict[str, Channel] = {}
        self.counters: Counter[str] = Counter()
        self.delivered: Counter[Lane] = Counter()  # publications written, by lane
        self.tail_bytes = tail_bytes
        self._later = later
        self._window = window
        self._dirty: list[Channel] = []

    # ---- slots -------------------------------------------------------------------------------------------------------

    def attach(self, slot: Slot, *, watches: bool) -> bool:
        """Register the slot (its `lane`, `out` and `owner` are set); True if it is the channel's first here."""
        channel = self.channels.get(slot.channel)
        is_first = channel is None
        if channel is None:
            channel = self.channels[slot.channel] = Channel(slot.channel)
        lane = cast(Lane, slot.lane)
        if lane not in channel.lanes:
            channel.lanes[lane] = Cohort(lane)
        channel.lanes[lane].add(slot)
        if watches:
            if channel.watchers is None:
                channel.watchers = {}
            channel.watchers[slot] = None
        return is_first

    def detach(self, slot: Slot) -> bool:
        """Forget the slot; True if the channel has no slot here any more. Forgetting twice is fine."""
        channel = self.channels.get(slot.channel)
        if channel is None:
            return False
        cohort = channel.lanes.get(cast(Lane, slot.lane))
        if cohort is None or not cohort.remove(slot):
            return False
        if not cohort:
            del channel.lanes[cohort.lane]
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
        frame = Frame(name, publication, epoch)
        pending = channel.pending
        size = len(publication.data)
        if not pending:
            pending.append([frame])
            channel.size = size
            self._schedule(channel)
        elif channel.size + size > BUFFER_BYTES or not self._follows(pending[-1][-1], publication, epoch):
            pending.append([frame])  # a gap, a new epoch or enough for one write: the next buffer begins
            channel.size = size
        else:
            pending[-1].append(frame)
            channel.size += size

    def _schedule(self, channel: Channel) -> None:
        window = self._window(channel.name)
        if window > 0:
            self._later(window, lambda: self.flush(channel))
            return
        self._dirty.append(channel)
        if len(self._dirty) == 1:
            self._later(0, self.flush_all)

    def flush_all(self) -> None:
        """Write what was published since the last flush."""
        dirty, self._dirty = self._dirty, []
        for channel in dirty:
            self.flush(channel)

    def flush(self, channel: Channel) -> None:
        """Write one channel's pending publications: live slots by the fast lane, the others through their machine."""
        for _ in range(len(channel.pending)):
            self._flush(channel, channel.pending.pop(0))

    def _flush(self, channel: Channel, frames: list[Frame]) -> None:
        channel.turn = frames
        first, last = frames[0].publication.offset, frames[-1].publication.offset
        epoch = frames[0].epoch
        slow: list[Slot] = []
        for cohort in channel.lanes.values():
            is_through = self._fast_lane(cohort, frames, first, last + 1 if last else 0)
            slow.extend(cohort.others if is_through else cohort.slots())
        for slot in slow:
            cast(SlotOwner, slot.owner).published(slot, first, last, epoch)
            channel.settle(slot)
        if channel.has_tail:
            channel.keep(frames, self.tail_bytes)
        channel.turn = []

    def settle(self, slot: Slot) -> None:
        """The slot's machine has moved: the shared tail may not be needed any more."""
        channel = self.channels.get(slot.channel)
        if channel is not None:
            channel.settle(slot)

    def _fast_lane(self, cohort: Cohort, frames: list[Frame], first: int, after: int) -> bool:
        """Write to the cohort's live slots, if this is what they wait for; whether it was."""
        if cohort.next != first or cohort.epoch != frames[0].epoch or not cohort.live:
            return False
        buffer = cohort.lane.join(frames)
        cohort.next = after
        for out in list(cohort.live.values()):  # a write may take its own slot out
            try:  # costs nothing unless it fails; one broken wire must not keep the others from their message
                out.write(buffer)
            except Exception:
                self.counters["write_failed"] += 1
                log.exception("a wire could not be written to")
        self.delivered[cohort.lane] += len(cohort.live) * len(frames)
        return True

    @staticmethod
    def _follows(before: Frame, publication: Publication, epoch: str) -> bool:
        offset = before.publication.offset
        return epoch == before.epoch and (offset == 0 or publication.offset == offset + 1)

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
