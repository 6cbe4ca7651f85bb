"""Polls of one channel by somebody anonymous, without a session: rights by the namespace, history by the broker, and a
room to wait in.

It serves those polls for which nobody has to be asked (`Effects.asks_nobody`); all others take a session
(`LongPollWire`). What they are answered is the same. It knows cursors, rooms and the node; it does not know HTTP beyond
exchanges.
"""

import logging
from collections.abc import Callable, Mapping

from msgspec import Struct

from wirehop.abc import Exchange, Headers, Request
from wirehop.codecs.cursor import encode_position
from wirehop.codecs.json_lines import encode_publication
from wirehop.core import codes
from wirehop.core.messages import Position
from wirehop.core.recovery import HistoryPage
from wirehop.node.eager import run_eagerly
from wirehop.transports.channels.ask import Ask
from wirehop.transports.channels.waiting import NAME, HeldPoll, WaitingRoom, rounded
from wirehop.transports.channels.wire import Host

log = logging.getLogger("wirehop.channels")

_TRIES = 5
_KEPT_ASKS, _KEPT_BYTES = 256, 1024
_TELLING = frozenset({"authorization", "cookie", "last-event-id", "origin", "upgrade"})
Finish = Callable[[Ask, Exchange, str, bytes, bool], None]
"""How an answer of its own is written: cursor, publications joined by commas, whether the cursor was good."""


class _Known(Struct, frozen=True):
    """A poll as it was asked, and what that means. A host that sees the same bytes again gives the same objects again,
    so that they need not be compared with more than `is`."""

    path: str
    query: str
    headers: Mapping[str, str]
    ask: Ask
    seconds: float


class Polls:
    """All polls without a session, in a room for each channel. Implements `node.wire.Guests`."""

    name = NAME

    def __init__(self, host: Host, finish: Finish) -> None:
        self._host = host
        self._node = host.node
        self._finish = finish
        self._rooms: dict[str, WaitingRoom] = {}
        self._asks: dict[tuple[str, str], Ask] = {}  # the latest, by path and query
        self._last: _Known | None = None  # of those that opened again
        self._node.guests.append(self)

    # ---- `Guests` ----------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(room.count for room in self._rooms.values())

    def ends(self) -> list[Callable[[], None]]:
        """What ends them, room by room."""
        return [room.end for room in self._rooms.values()]

    # ---- requests ----------------------------------------------------------------------------------------------------

    def takes(self, exchange: Exchange, ask: Ask) -> bool:
        """Whether the poll needs no session."""
        return (
            ask.is_single
            and not ask.callback
            and self._host.is_by_nobody(exchange.request)
            and self._node.effects.asks_nobody("subscribe")
            and self._node.policy.options(ask.channels[0]).delivery == "log"
        )

    def opens_again(self, exchange: Exchange) -> bool:
        """Serve a poll that asks for just what an earlier one asked, without reading it again; False where it may be
        something else."""
        request, known = exchange.request, self._last
        if (
            known is None
            or known.headers is not request.headers
            or known.query is not request.query
            or known.path is not request.path
        ):
            path, query, headers = request.path, request.query, request.headers
            ask = self._asks.get((path, query))
            if ask is None or not _is_plain(request):
                return False
            known = self._last = _Known(path, query, headers, ask, self._seconds(ask))
        if not self._node.effects.asks_nobody("subscribe"):
            return False
        self._open(exchange, known.ask, (), known.seconds)
        return True

    def open(self, exchange: Exchange, ask: Ask, cors: Headers) -> None:
        """Serve one that it takes."""
        request = exchange.request
        if _is_plain(request) and len(request.query) <= _KEPT_BYTES:
            if len(self._asks) >= _KEPT_ASKS:
                self._asks.clear()
            self._asks[request.path, request.query] = ask
        self._open(exchange, ask, cors, self._seconds(ask))

    def _open(self, exchange: Exchange, ask: Ask, cors: Headers, seconds: float) -> None:
        node, channel = self._node, ask.channels[0]
        node.metrics.received[NAME] += 1
        room = self._rooms.get(channel)
        if (
            room is not None  # somebody like this one was let in
            and ask.cursor
            and ask.cursor == room.cursor
            and ask.wait
            and not node.is_draining
            and not node.settings.limits.sessions
        ):
            room.wait(HeldPoll(exchange, ask, cors), seconds)
        elif self._admits(exchange, channel):
            self._serve(HeldPoll(exchange, ask, cors))

    def _seconds(self, ask: Ask) -> float:
        return rounded(min(ask.wait or 0.0, self._node.settings.limits.poll_wait))

    def _admits(self, exchange: Exchange, channel: str) -> bool:
        """The checks of a session's connect and subscribe, in their order."""
        node = self._node
        refusal = node.effects.refuses_guest("subscribe", channel)
        if refusal is not None:
            self._host.refuse(exchange, refusal.code.number, refusal.message)
        return refusal is None

    def _serve(self, poll: HeldPoll) -> None:
        run_eagerly(self._guarded(poll), lambda _none: None, self._node.spawn)

    async def _guarded(self, poll: HeldPoll) -> None:
        try:
            await self._read_or_wait(poll)
        except Exception:
            self._node.metrics.errors["effect"] += 1
            log.exception("a poll of %s failed", poll.ask.channels[0])
            self._host.refuse(poll.exchange, codes.INTERNAL.number, "")

    async def _read_or_wait(self, poll: HeldPoll) -> None:
        """Answer what there is after the cursor; where there is nothing, wait until there may be."""
        ask, channel = poll.ask, poll.ask.channels[0]
        since = ask.positions.get(channel) or (Position("", 0) if ask.cursor else None)
        for _ in range(_TRIES):
            room = self._rooms.get(channel)
            if room is not None and ask.wait and room.answer_late(poll):
                return
            page = await self._page(channel, since)
            if self._answers(poll, since, page):
                return
            if room is None:
                room = WaitingRoom(self._node, channel, again=self._serve, closed=self._forget)
                self._rooms[channel] = room
                await room.open(self._node.limits)
            else:
                await room.opened()
            if room.cursor == ask.cursor:
                room.wait(poll, self._seconds(ask))
                return
        self._host.refuse(poll.exchange, codes.INTERNAL.number, "the channel does not come to rest")

    async def _page(self, channel: str, since: Position | None) -> HistoryPage:
        limits = self._node.limits
        if since is None:
            return await self._node.broker.history(channel, None, limit=0, max_bytes=0)
        return await self._node.broker.history(
            channel, since, limit=limits.recovery_publications, max_bytes=limits.recovery_bytes
        )

    def _answers(self, poll: HeldPoll, since: Position | None, page: HistoryPage) -> bool:
        """Answer, if there is something to say at once."""
        ask = poll.ask
        is_recovered = since is None or (page.is_complete and not page.has_more)
        if since is not None and is_recovered and not page.publications and ask.wait:
            return False
        given = page.publications if since is not None and is_recovered else ()
        top = page.top if not given else Position(page.top.epoch, given[-1].offset)
        self._finish(ask, poll.exchange, encode_position(top), b",".join(map(encode_publication, given)), is_recovered)
        return True

    def _forget(self, channel: str) -> None:
        del self._rooms[channel]


def _is_plain(request: Request) -> bool:
    """Whether path and query say all that is asked."""
    headers = request.headers
    return _TELLING.isdisjoint(headers) and "text/event-stream" not in headers.get("accept", "")
