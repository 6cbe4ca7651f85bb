"""The log of one channel: positions given once, publications kept within a count and an age.

Two shapes, one for each class that has positions: `Log` keeps the last publications in order; `LatestLog` keeps the
newest publication of each key. Both number every publication +1 inside their epoch. They know no channel names, no
clock and no subscribers.
"""

from collections import deque

from msgspec.structs import replace

from wirehop.core.messages import Position, Publication
from wirehop.core.recovery import HistoryPage, cut, reaches


class Log:
    """Class `log`: at most `size` publications, none older than `age` seconds. Older ones are forgotten, in order."""

    __slots__ = ("_entries", "_times", "age", "epoch", "size", "top")

    def __init__(self, epoch: str, *, size: int, age: float) -> None:
        self.epoch = epoch
        self.size = size
        self.age = age
        self.top = 0
        self._entries: deque[Publication] = deque()
        self._times: deque[float] = deque()

    @property
    def position(self) -> Position:
        """The top: where a subscriber who wants no history starts."""
        return Position(self.epoch, self.top)

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, publication: Publication, now: float) -> Publication:
        """Number the publication, keep it, and return it with its offset."""
        self.top += 1
        numbered = replace(publication, offset=self.top)
        self._entries.append(numbered)
        self._times.append(now)
        self.trim(now)
        return numbered

    def trim(self, now: float) -> None:
        """Forget what is beyond the count or the age."""
        horizon = now - self.age
        while self._entries and (len(self._entries) > self.size or self._times[0] <= horizon):
            self._entries.popleft()
            self._times.popleft()

    def read(
        self, since: Position | None, now: float, *, limit: int, max_bytes: int, reverse: bool = False
    ) -> HistoryPage:
        """The page after `since` (None: from the oldest kept); `reverse`: backwards from the newest, or from before
        it."""
        self.trim(now)
        top = self.position
        if since is None and limit == 0:  # a subscriber who starts at the top
            return HistoryPage((), top, has_more=bool(self._entries))
        oldest = self.top - len(self._entries) + 1
        if reverse:
            before = self.top + 1 if since is None else since.offset
            entries = [entry for entry in reversed(self._entries) if entry.offset < before]
            is_complete = since is None or since.epoch == self.epoch
        elif since is None:
            entries, is_complete = list(self._entries), True
        else:
            is_complete = reaches(since, top=top, oldest=oldest)
            skip = since.offset - oldest + 1
            entries = [self._entries[index] for index in range(skip, len(self._entries))] if is_complete else []
        if not is_complete:
            return HistoryPage((), top, is_complete=False)
        publications, has_more = cut(entries, limit=limit, max_bytes=max_bytes)
        return HistoryPage(publications, top, has_more=has_more)


class LatestLog:
    """Class `latest`: the newest publication of each key, at most `keys` of them, none older than `age` seconds.

    A value that is pushed out by the key limit or its age leaves a mark: positions before it are no longer complete.
    """

    __slots__ = ("_forgotten", "_values", "age", "epoch", "keys", "top")

    def __init__(self, epoch: str, *, keys: int, age: float) -> None:
        self.epoch = epoch
        self.keys = keys
        self.age = age
        self.top = 0
        self._forgotten = 0  # the highest offset whose value was dropped without a newer one of its key
        self._values: dict[str, tuple[Publication, float]] = {}  # in offset order: a new value moves to the end

    @property
    def position(self) -> Position:
        """The top."""
        return Position(self.epoch, self.top)

    def __len__(self) -> int:
        return len(self._values)

    def append(self, publication: Publication, now: float) -> Publication:
        """Number the publication, let it stand for its key, and return it with its offset."""
        self.top += 1
        numbered = replace(publication, offset=self.top)
        self._values.pop(numbered.key, None)
        self._values[numbered.key] = (numbered, now)
        self.trim(now)
        return numbered

    def trim(self, now: float) -> None:
        """Forget what is beyond the key limit or the age."""
        horizon = now - self.age
        while self._values:
            key = next(iter(self._values))
            publication, time = self._values[key]
            if len(self._values) <= self.keys and time > horizon:
                return
            del self._values[key]
            self._forgotten = publication.offset

    def read(
        self, since: Position | None, now: float, *, limit: int, max_bytes: int, reverse: bool = False
    ) -> HistoryPage:
        """The newest value of every key that changed after `since`, in offset order; all values if it is no good."""
        self.trim(now)
        top = self.position
        is_complete = since is None or reaches(since, top=top, oldest=self._forgotten + 1)
        after = since.offset if since is not None and is_complete and not reverse else 0
        entries = [publication for publication, _ in self._values.values() if publication.offset > after]
        if reverse:
            before = since.offset if since is not None else self.top + 1
            entries = [entry for entry in reversed(entries) if entry.offset < before]
        publications, has_more = cut(entries, limit=limit, max_bytes=max_bytes)
        return HistoryPage(publications, top, is_complete=is_complete, has_more=has_more)
