"""Publications of one channel that have been received and not yet taken by the application.

Theory. The position belongs to the client, so a slow reader needs no endless queue: when the inbox is full the
channel is left, and when half of it has been taken the channel is subscribed again from after the last publication
that fitted in. The server then brings what was missed, or says that it cannot, which shows as `is_after_gap`.
Publications without an offset cannot be asked for again: those that do not fit are dropped and counted.

It does no I/O: `add` says that the channel must be left, `wants_more` that it may be subscribed again, `resume_from`
from where.
"""

from collections import deque

from wirehop.client.publication import Publication
from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import Position


class Inbox:
    """At most `limit` publications wait. `gaps` counts recoveries that failed, `dropped` what could not be kept."""

    def __init__(self, channel: str, *, limit: int, position: Position | None) -> None:
        if limit < 1:
            raise ValueError(f"an inbox holds at least one publication, not {limit}")
        self.limit = limit
        self.gaps = 0
        self.dropped = 0
        self.is_behind = False  # the channel was left, because the inbox was full
        self.resume_from: Position | None = None
        self._channel = channel
        self._queue: deque[Publication] = deque()
        self._epoch = ""
        self._received = position  # after what was received
        self._taken = position  # after what was taken
        self._is_after_gap = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def position(self) -> Position | None:
        """After what the application has taken: what to give to a later `subscribe`."""
        return self._taken if self._queue else self._received

    @property
    def wants_more(self) -> bool:
        """Whether the channel was left and may be subscribed again."""
        return self.is_behind and len(self._queue) <= self.limit // 2

    def subscribed(self, position: Position | None, *, recovered: bool | None) -> None:
        """The channel is live, from `position`, which is after the publications that come along with it."""
        self.is_behind = False
        self._epoch = position.epoch if position is not None else ""
        self._received = position
        if recovered is False:
            self.gaps += 1
            self._is_after_gap = True

    def add(self, wire: WirePublication) -> bool:
        """One more. False: there is no room for it, and the channel must be left; until `subscribed` nothing is taken
        in.
        """
        if self.is_behind:
            return True
        position = Position(self._epoch, wire.offset) if wire.offset and self._epoch else None
        if len(self._queue) >= self.limit:
            if position is None:
                self.dropped += 1
                return True
            self.is_behind = True
            self.resume_from = self._received = Position(position.epoch, position.offset - 1)
            return False
        if position is not None:
            if not self._queue:
                self._taken = Position(position.epoch, position.offset - 1)
            self._received = position
        self._queue.append(Publication(self._channel, wire, position, is_after_gap=self._is_after_gap))
        self._is_after_gap = False
        return True

    def take(self) -> Publication | None:
        """The next one; None: there is none."""
        if not self._queue:
            return None
        publication = self._queue.popleft()
        if publication.position is not None:
            self._taken = publication.position
        return publication
