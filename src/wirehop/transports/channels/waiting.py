"""Where the polls of one channel wait: one slot for all of them, and one answer for all who asked from the same cursor.

A room is how polls are woken, and nothing more: each poll knows by its own cursor what it has. Where the room's slot
falls out of the fast lane (a gap, a new epoch), the room closes and every poll in it reads history again. So nothing
that a poll is told depends on anything but its cursor and the log. A room outlives its last poll by a moment, because
polls come back. It knows slots and held exchanges; it does not know who may wait, or how history is read.

    OPENING  ─opened→  OPEN  ─not the fast lane, empty for a while→  CLOSED
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from wirehop.abc import Exchange, Headers
from wirehop.codecs.cursor import encode_position
from wirehop.codecs.frame import Lane
from wirehop.codecs.json_lines import encode_publication
from wirehop.core.limits import Limits
from wirehop.core.messages import Position, Publication, Push
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import Read, Slot, SlotState
from wirehop.node.node import Node
from wirehop.transports.channels.ask import Ask, etag

NAME = "channel-poll"
LINGER_SECONDS = 1.0
ANSWERS_PER_TURN = 200
"""Polls answered in one turn of the loop: about 2 ms."""
_WAIT_STEP = 0.05  # waits are rounded up to this, so that few queues are needed


def render(_channel: str, publication: Publication, _epoch: str) -> bytes:
    """One publication as it stands, behind a comma, in the answer to a poll of one channel."""
    return b"," + encode_publication(publication)


LANE = Lane(NAME, render)


def poll_body(cursor: str, publications: bytes, *, is_recovered: bool = True) -> bytes:
    """The answer to a poll; `publications` are joined by commas."""
    lost = b"" if is_recovered else b',"recovered":false'
    return b'{"cursor":%b,"publications":[%b]%b}' % (msgspec.json.encode(cursor), publications, lost)


def poll_headers(cursor: str, cors: Headers) -> Headers:
    """The head of an answer that was waited for."""
    return (
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("ETag", etag(cursor)),
        *cors,
    )


class HeldPoll(Struct, eq=False):
    """One poll that waits. `queue` is where it stands, or stood last; `until` when its wait is over (0: it has not
    begun)."""

    exchange: Exchange
    ask: Ask
    cors: Headers
    queue: "dict[HeldPoll, float] | None" = None
    until: float = 0.0

    def gone(self) -> None:
        """The peer went away."""
        if self.queue is not None:
            self.queue.pop(self, None)


class Answer:
    """What all are told who asked from the cursor `before`: the same body, and the same head for all of one origin."""

    __slots__ = ("_heads", "before", "body", "cursor")

    def __init__(self, before: str, cursor: str, publications: bytes) -> None:
        self.before = before
        self.cursor = cursor
        self.body = poll_body(cursor, publications)
        self._heads: dict[Headers, Headers] = {}

    def give(self, polls: Iterable[HeldPoll]) -> None:
        """Answer the polls with it. The host builds the bytes of a head and a body that it knows once."""
        cors: Headers = ()
        head, body = self._head(cors), self.body
        for poll in polls:
            if poll.cors is not cors:
                cors, head = poll.cors, self._head(poll.cors)
            poll.exchange.respond(200, head, body)

    def _head(self, cors: Headers) -> Headers:
        head = self._heads.get(cors)
        if head is None:
            head = self._heads[cors] = poll_headers(self.cursor, cors)
        return head


class WaitingRoom:
    """All that wait for one channel. `again` serves a poll anew, from its cursor; `closed` is told of the end.

    `cursor` is where the room stands, "" unless it is open. Polls with the same wait stand in one queue in the order of
    their deadlines, so that one look at the first of each is enough.
    """

    __slots__ = (
        "_again",
        "_answer",
        "_answering",
        "_armed",
        "_closed",
        "_empty_since",
        "_node",
        "_opening",
        "_queues",
        "_slot",
        "cursor",
    )

    def __init__(
        self, node: Node, channel: str, *, again: Callable[[HeldPoll], None], closed: Callable[[str], None]
    ) -> None:
        self._node = node
        self._again = again
        self._closed = closed
        self._slot = Slot(channel, "log")
        self._slot.lane, self._slot.out, self._slot.owner = LANE, self, self
        self._queues: dict[float, dict[HeldPoll, float]] = {}
        self._armed = float("inf")
        self._empty_since: float | None = None
        self.cursor = ""
        self._answer: Answer | None = None  # the last one
        self._answering: deque[tuple[Answer, list[HeldPoll]]] = deque()  # the next one last
        self._opening: list[asyncio.Future[None]] | None = []

    @property
    def channel(self) -> str:
        return self._slot.channel

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(map(len, self._queues.values()))

    @property
    def is_closed(self) -> bool:
        return self._slot.state is SlotState.CLOSED

    # ---- opening -----------------------------------------------------------------------------------------------------

    async def open(self, limits: Limits) -> None:
        """Attach to the channel and stand at its top. Raises what the broker raises, and is closed then."""
        node, slot = self._node, self._slot
        node.interest.attach(slot, watches=False)
        try:
            outputs = slot.start(limits)
            while any(isinstance(each, Read) for each in outputs):  # again where it moved meanwhile
                await node.interest.ready(slot.channel)
                page: HistoryPage = await node.broker.history(slot.channel, None, limit=0, max_bytes=0)
                if self.is_closed:
                    return
                outputs = slot.page(page, limits, tail_from=node.hub.tail_from(slot.channel, page.top.epoch))
            if slot.state is SlotState.LIVE:
                node.hub.settle(slot)
                self.cursor = encode_position(slot.position)
                self._linger()
        finally:
            if not self.cursor:
                self.close()
            waiting, self._opening = self._opening or (), None
            for each in waiting:
                if not each.done():
                    each.set_result(None)

    async def opened(self) -> None:
        """Return when it stands at the top, or is closed."""
        if self._opening is not None:
            opened = asyncio.get_running_loop().create_future()
            self._opening.append(opened)
            await opened

    def close(self) -> list[HeldPoll]:
        """Close; those who waited."""
        if self.is_closed:
            return []
        polls = self._take()
        self.cursor, self._answer = "", None
        self._slot.stop()
        self._node.interest.detach(self._slot)
        self._closed(self.channel)
        return polls

    # ---- waiting -----------------------------------------------------------------------------------------------------

    def wait(self, poll: HeldPoll, seconds: float) -> None:
        """Hold the poll, whose cursor is the room's, for so long at most since it was held first."""
        now = self._node.clock.now()
        if poll.until:
            seconds = rounded(max(poll.until - now, 0.0))
        else:
            poll.until = now + seconds
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = {}
        queue[poll] = poll.until
        poll.queue = queue
        poll.exchange.on_gone(poll.gone)
        if poll.until < self._armed:
            self._arm(poll.until)

    def answer_late(self, poll: HeldPoll) -> bool:
        """Answer a poll that comes from where the room stood before; whether it does."""
        answer = self._answer
        if answer is None or poll.ask.cursor != answer.before:
            return False
        answer.give((poll,))
        return True

    def tick(self, now: float) -> None:
        """`wheel.Timed`: answer those whose wait is over; close where nobody came for a while."""
        self._armed = float("inf")
        if self.is_closed:
            return
        for seconds, queue in list(self._queues.items()):
            while queue:
                poll = next(iter(queue))
                if queue[poll] > now:
                    self._arm(queue[poll])
                    break
                del queue[poll]
                self._respond_empty(poll)
            if not queue:
                del self._queues[seconds]
        if self._queues:
            self._empty_since = None
        elif self._empty_since is None:
            self._linger()
        elif now >= self._empty_since + LINGER_SECONDS:
            self.close()
        else:
            self._arm(self._empty_since + LINGER_SECONDS)

    def end(self) -> None:
        """The server stops: everybody gets the cursor that he had."""
        for poll in self.close():
            self._respond_empty(poll)

    # ---- what the fan-out says ---------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """`Writable`: publications of the fast lane, each behind a comma."""
        before, self.cursor = self.cursor, encode_position(self._slot.position)
        answer = self._answer = Answer(before, self.cursor, data[1:])
        polls = self._take()
        polls.reverse()
        self._answering.append((answer, polls))
        self._node.metrics.sent[NAME] += len(polls)
        self._linger()
        self._answer_some()

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        """`hub.SlotOwner`: not by the fast lane, so the room stands in the wrong place."""
        if slot.state is not SlotState.LIVE:
            slot.published(first, last, epoch, self._node.limits)  # still opening: it reads again
            return
        for poll in self.close():
            self._again(poll)

    def compare(self, slot: Slot, top: Position) -> None:
        """The broker's log ends at `top`, which is not where the room stands."""
        for poll in self.close():
            self._again(poll)

    def pushed(self, push: Push) -> None:
        """`hub.SlotOwner`: polls are not told of joins and leaves."""

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _take(self) -> list[HeldPoll]:
        polls = [poll for queue in self._queues.values() for poll in queue]
        for queue in self._queues.values():
            queue.clear()  # what is still referred to by those who stood in it
        self._queues.clear()
        return polls

    def _arm(self, at: float) -> None:
        if at < self._armed:
            self._armed = at
            self._node.wheel.add(self, at)

    def _linger(self) -> None:
        """Nobody waits: close in a while, unless somebody comes."""
        self._empty_since = self._node.clock.now()
        self._arm(self._empty_since + LINGER_SECONDS)

    def _answer_some(self) -> None:
        answering, left = self._answering, ANSWERS_PER_TURN
        while answering and left > 0:
            answer, polls = answering[0]
            some = polls[-left:]
            del polls[-left:]
            if not polls:
                answering.popleft()
            left -= len(some)
            answer.give(reversed(some))
        if answering:
            self._node.soon(self._answer_some)

    def _respond_empty(self, poll: HeldPoll) -> None:
        cursor = poll.ask.cursor
        poll.exchange.respond(200, poll_headers(cursor, poll.cors), poll_body(cursor, b""))


def rounded(seconds: float) -> float:
    """A wait as rooms count it."""
    return -(-seconds // _WAIT_STEP) * _WAIT_STEP
