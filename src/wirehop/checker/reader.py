"""One client's view of one channel, read from its history: what it must have seen, and did not, or saw wrongly.

Pure. A *span* runs from the first `Subscribed`, or one that admits a gap, to the next that does, or to the end. Within
a span nothing may be missing. A `Subscribed(recovered=True)` leaves a *mark*: the server says that all up to there
came.
"""

from bisect import bisect_left

from msgspec import Struct

from wirehop.checker.adapter import Received, Subscribed
from wirehop.checker.index import Finding, Index, Kind


class Mark(Struct):
    """The server said `recovered: true`: from `after` to `upto` (None: to the next publication that came). Without
    positions: of what was called from `since` on, until `at`."""

    since: float
    at: float
    after: int
    upto: int | None


class Span(Struct):
    """Nothing may be missing in (after, upto] of the epoch (`upto` None: to the end), in [since, until]."""

    epoch: str
    after: int
    since: float
    upto: int | None = None
    until: float = float("inf")
    marks: list[Mark] = []
    offsets: list[int] = []
    times: list[float] = []
    calls: list[float] = []
    """When what came (`times`) had been published."""

    def around(self, offset: int) -> tuple[float, float | None]:
        """When the publications before and behind that offset came."""
        place = bisect_left(self.offsets, offset)
        before = self.times[place - 1] if place else self.since
        return before, self.times[place] if place < len(self.times) else None


class Reader:
    """Feed it with what the client was told; then `finish`."""

    def __init__(self, index: Index, client: int, channel: str) -> None:
        self._index = index
        self._client = client
        self._channel = channel
        self._spans: list[Span] = []
        self._seen: dict[int, tuple[float, str]] = {}
        self._offset = 0
        self._last_at = 0.0
        self._newest_call = 0.0
        self._newest: dict[int, tuple[float, int]] = {}
        self._findings: list[Finding] = []

    def _find(self, kind: Kind, since: float, until: float, text: str, number: int = 0) -> None:
        self._findings.append(Finding(kind, self._client, self._channel, since, until, text, number))

    # ---- what the client was told ------------------------------------------------------------------------------------

    def take(self, at: float, what: Subscribed | Received) -> None:
        """The next thing, in the client's order."""
        if isinstance(what, Subscribed):
            self._subscribed(at, what)
        elif what.number in self._index.publications:
            self._received(at, what)

    def _subscribed(self, at: float, what: Subscribed) -> None:
        if not self._spans or what.recovered is False:
            if self._spans:
                self._end_span()
            self._spans.append(Span(what.epoch, what.offset, at, marks=[], offsets=[], times=[], calls=[]))
            self._offset = what.offset
        elif what.recovered:
            span = self._spans[-1]
            if what.epoch and span.epoch and what.epoch != span.epoch:
                text = f"recovered: true, but the epoch was {span.epoch} and is {what.epoch}"
                self._find("false_recovered", self._last_at, at, text)
                self._begin_anew(at, what.epoch, what.offset)
                return
            span.epoch = span.epoch or what.epoch
            span.marks.append(Mark(self._newest_call, at, self._offset, what.offset if what.epoch else None))
        self._last_at = at

    def _received(self, at: float, what: Received) -> None:
        if not self._spans:
            self._spans.append(Span(what.epoch, max(0, what.offset - 1), at, marks=[], offsets=[], times=[], calls=[]))
            self._offset = max(0, what.offset - 1)
        if what.number in self._seen:
            before, epoch = self._seen[what.number]
            if epoch == what.epoch or not self._index.may_repeat(what.number):
                text = f"publication {what.number} came twice"
                self._find("doubled", before, at, text, what.number)
            return
        self._seen[what.number] = (at, what.epoch)
        self._newest_call = max(self._newest_call, self._index.publications[what.number].called)
        span = self._spans[-1]
        span.epoch = span.epoch or what.epoch
        if what.offset and what.epoch != span.epoch:
            text = f"the epoch was {span.epoch} and is {what.epoch}, and nobody said that something may be missing"
            self._find("silent_gap", self._last_at, at, text, what.number)
            self._begin_anew(at, what.epoch, what.offset)
        elif what.offset and what.offset < self._offset:
            text = f"publication {what.number} (offset {what.offset}) came behind offset {self._offset}"
            self._find("out_of_order", self._last_at, at, text, what.number)
        elif what.offset:
            self._offset = what.offset
            span.offsets.append(what.offset)
            span.times.append(at)
        else:
            span.times.append(at)
            span.calls.append(self._index.publications[what.number].called)
            self._in_order_of_calls(at, what.number)
        self._last_at = at

    def _begin_anew(self, at: float, epoch: str, offset: int) -> None:
        self._end_span()
        self._spans.append(Span(epoch, offset, at, marks=[], offsets=[], times=[], calls=[]))
        self._offset = offset
        self._last_at = at

    def _end_span(self) -> None:
        """Up to what came, or the server said had come. Without positions: what was there when the newest was called;
        what was on its way then, nobody can tell."""
        span = self._spans[-1]
        span.upto = max(self._offset, *(mark.upto or 0 for mark in span.marks), 0)
        span.until = self._newest_call

    def _in_order_of_calls(self, at: float, number: int) -> None:
        publication = self._index.publications[number]
        called, before = self._newest.get(publication.publisher, (-1.0, 0))
        if (publication.called, number) < (called, before):
            text = f"publication {number} came behind {before}, which the same client published later"
            self._find("out_of_order", self._last_at, at, text, number)
            return
        self._newest[publication.publisher] = (publication.called, number)

    # ---- at the end --------------------------------------------------------------------------------------------------

    def finish(self) -> list[Finding]:
        """All that is wrong."""
        for span in self._spans:
            for offset, number in self._index.between(self._channel, span.epoch, span.after, span.upto):
                if number not in self._seen:
                    self._missing(span, offset, number)
        self._after_the_last_epoch()
        for number in self._index.unplaced.get(self._channel, ()):
            if number not in self._seen:
                self._unplaced(number)
        return self._findings

    def _missing(self, span: Span, offset: int, number: int) -> None:
        before, after = span.around(offset)
        name = f"publication {number} (offset {offset})"
        for mark in span.marks:
            is_told = offset <= mark.upto if mark.upto is not None else after is None or after >= mark.at
            if mark.after < offset and is_told:
                text = f"{name} is missing, and `recovered: true` was said over it"
                self._find("false_recovered", min(before, mark.at), max(after or 0.0, mark.at), text, number)
                return
        until = max(self._index.publications[number].called, before) if after is None else after
        self._lost_or_silent(before, until, name, number)

    def _lost_or_silent(self, since: float, until: float, name: str, number: int) -> None:
        if self._index.restarted(since, until):
            text = f"{name} is missing since a restart, and nobody said that something may be"
            self._find("silent_gap", since, until, text, number)
        else:
            self._find("lost", since, until, f"{name} is missing", number)

    def _after_the_last_epoch(self) -> None:
        """Publications stand in an epoch that began later, and this client has heard nothing of it."""
        span = self._spans[-1]
        mine = self._first_seen(span.epoch)
        for (channel, epoch), offsets in self._index.offsets.items():
            if channel != self._channel or not span.epoch or any(each.epoch == epoch for each in self._spans):
                continue
            number = self._index.names[channel, epoch, offsets[-1]]
            called = self._index.publications[number].called
            if called > max(self._last_at, mine):
                text = f"{len(offsets)} publications stand in a newer epoch, and this client has heard nothing of it"
                self._find("silent_gap", self._last_at, called, text, number)

    def _first_seen(self, epoch: str) -> float:
        offsets = self._index.offsets.get((self._channel, epoch))
        if not offsets:
            return 0.0
        return self._index.publications[self._index.names[self._channel, epoch, offsets[0]]].called

    def _unplaced(self, number: int) -> None:
        """By times: called after a span began, and known to be there before it ended."""
        publication = self._index.publications[number]
        there = min(publication.answered if publication.is_acknowledged else float("inf"), publication.first_seen)
        for span in self._spans:
            if span.since <= publication.called and there <= span.until:
                break
        else:
            return
        place = bisect_left(span.times, publication.called)
        before = span.times[place - 1] if place else span.since
        later = [at for at, called in zip(span.times, span.calls, strict=True) if called > publication.called]
        after = max(later[0], there) if later else there
        name = f"publication {number}"
        for mark in span.marks:
            if mark.since <= there and publication.called <= mark.at:
                text = f"{name} is missing, and `recovered: true` was said over it"
                self._find("false_recovered", min(before, mark.at), max(after, mark.at), text, number)
                return
        if not later and self._index.restarted(before, span.until):
            after = self._index.next_restart(before)
        self._lost_or_silent(before, after, name, number)
