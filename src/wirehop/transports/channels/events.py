"""A channel as an event stream: `new EventSource("/channels/NAME")` and nothing else.

The stream begins with `retry:` and an event `position` whose id is the position it starts from. (A block of an id alone
would do by the standard, but Firefox takes no id from it, and what was published before its first event would be lost
in silence after a cut.) Each event's id is the cursor
after it, so a bare EventSource recovers by `Last-Event-ID`; where recovery is impossible an event `reset` names the
channels, never silence. One channel: events are the same bytes for everybody. Several: each event's id is this
connection's own.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Exchange, Stream
from wirehop.codecs.cursor import encode_position, encode_positions
from wirehop.codecs.event_stream import COMMENT, encode_event, encode_retry
from wirehop.codecs.frame import WRAPS, Frame, Lane
from wirehop.codecs.payload import EVENT_TAG, as_json, as_text
from wirehop.core import codes
from wirehop.core.codes import Code, Retry
from wirehop.core.messages import Position, Publication, Reply, SubscribeResult
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.transports.channels.ask import FIRST_SUBSCRIBE, Ask
from wirehop.transports.channels.wire import Held, Host

NAME = "events"
RETRY_MILLISECONDS = 3000


def _render_one(_channel: str, publication: Publication, epoch: str) -> bytes:
    id_ = encode_position(Position(epoch, publication.offset)) if publication.offset else None
    return encode_event(as_text(publication), event=(publication.tags or {}).get(EVENT_TAG, ""), id=id_)


class _Item(Struct, omit_defaults=True):
    """The data of an event where one stream carries several channels."""

    channel: str
    data: Raw
    event: str = ""
    offset: int = 0


def render_item(channel: str, publication: Publication, _epoch: str) -> bytes:
    """The data line of one publication among several channels."""
    event = (publication.tags or {}).get(EVENT_TAG, "")
    item = _Item(channel, Raw(as_json(publication)), event, publication.offset)
    return encode_event(msgspec.json.encode(item))


_ONE = {framing: Lane(NAME, _render_one, wrap) for framing, wrap in WRAPS.items()}
_MANY = Lane(NAME, render_item, is_shared=False)


class EventWire:
    """One event stream. The head is sent when all channels are granted, so that a refusal can be an HTTP error."""

    __slots__ = (
        "_ask",
        "_asked",
        "_early",
        "_exchange",
        "_host",
        "_next_id",
        "_positions",
        "_reset",
        "_results",
        "_stream",
        "driver",
        "lane",
        "out",
    )
    driver: Driver
    lane: Lane
    out: Writable

    def __init__(self, host: Host, exchange: Exchange, ask: Ask) -> None:
        self._host = host
        self._exchange: Exchange | None = exchange
        self._ask = ask
        self._stream: Stream | None = None
        self._results: dict[int, SubscribeResult] | None = {}
        self._early: list[Frame] = []  # of several channels, before all are granted: their ids name all
        self._positions: dict[str, Position] = {}
        self._reset: list[str] = []  # channels that are being subscribed anew after a gap
        self._asked = {FIRST_SUBSCRIBE + number: number for number in range(len(ask.channels))}  # command id → channel
        self._next_id = FIRST_SUBSCRIBE + len(ask.channels)
        self.lane = _ONE[exchange.framing] if ask.is_single else _MANY
        self.out = Held()

    def start(self) -> None:
        """Ask for the channels."""
        exchange = self._exchange
        assert exchange is not None
        exchange.on_gone(lambda: self.driver.lost("gone before the stream began"))
        self.driver = self._host.open_session(self, exchange, NAME, heartbeat="ping")
        self.driver.received(self._ask.commands(), 0)

    # ---- from the host -----------------------------------------------------------------------------------------------

    def received(self, data: bytes, is_binary: bool) -> None:
        """Streams receive nothing."""

    def ponged(self) -> None:
        """Streams have no pongs."""

    def paused(self) -> None:
        self.driver.paused()

    def resumed(self) -> None:
        self.driver.resumed()

    def closed(self, code: int, reason: str) -> None:
        self.driver.lost(f"stream {code} {reason}".rstrip())

    # ---- from the driver ---------------------------------------------------------------------------------------------

    def send(self, replies: Sequence[Reply]) -> int:
        for reply in replies:
            if reply.error is not None:
                self._refuse(reply.error.code, reply.error.message)
                self.driver.end(codes.CLOSED, reply.error.message)
            elif reply.subscribe is not None:
                self._subscribed(self._asked.pop(reply.id), reply.subscribe)
            elif reply.push is not None and reply.push.unsubscribe is not None:
                self._unsubscribed(reply.push.channel, reply.push.unsubscribe.code)
            elif reply == Reply() and self._stream is not None:
                self._stream.send(COMMENT)
        return 0

    def write(self, frames: Sequence[Frame]) -> None:
        if self.lane.is_shared:
            self.out.write(self.lane.join(frames))
            return
        if self._stream is None:
            self._early += frames
            return
        parts = []
        for frame in frames:
            offset = frame.publication.offset
            if offset:
                self._positions[frame.channel] = Position(frame.epoch, offset)
                parts.append(b"id: %b\n" % encode_positions(self._positions).encode())
            parts.append(frame.encoded(self.lane))
        self._stream.send(b"".join(parts))

    def close(self, code: Code, reason: str) -> None:
        if self._stream is not None:
            if code is codes.SHUTDOWN:
                self._stream.send(encode_retry(self._host.jittered_retry()))
            elif code.retry is Retry.FINAL:
                self._stream.send(encode_event(reason.encode(), event="error"))
            self._stream.end()
        elif code is codes.SHUTDOWN and self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            body = encode_retry(self._host.jittered_retry())
            exchange.respond(200, self._host.event_stream_headers(exchange), body)
        else:
            self._refuse(code.number, reason)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _refuse(self, number: int, message: str) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._host.refuse(exchange, number, message)

    def _send(self, data: bytes) -> None:
        if self._stream is None:
            self.out.write(data)
        else:
            self._stream.send(data)

    def _subscribed(self, number: int, result: SubscribeResult) -> None:
        channel = self._ask.channels[number]
        self._positions[channel] = _start(result)
        if self._results is not None:
            self._results[number] = result
            if len(self._results) == len(self._ask.channels):
                self._begin(self._results)
                self._results = None
        elif channel in self._reset:
            self._reset.remove(channel)
            self._send(self._reset_event([channel]))
            self._publications(channel, result)

    def _begin(self, results: dict[int, SubscribeResult]) -> None:
        """All channels are granted: send the head, the position, what was missed."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        lost = [
            self._ask.channels[n] for n, result in results.items() if result.was_recovering and not result.recovered
        ]
        head = encode_retry(RETRY_MILLISECONDS) + encode_event(
            b"{}", event="position", id=self._cursor(self._positions)
        )
        if lost:
            head += self._reset_event(lost)
        held = self.out
        self._stream = exchange.stream(200, self._host.event_stream_headers(exchange), self)
        self._stream.send(head)
        self.out = self._stream.out
        self.driver.rebind()
        for number in sorted(results):
            self._publications(self._ask.channels[number], results[number])
        if isinstance(held, Held) and held.data:  # framed already: the lane is shared
            self.out.write(held.data)
        early, self._early = self._early, []
        if early:
            self.write(early)

    def _publications(self, channel: str, result: SubscribeResult) -> None:
        if result.publications:
            self.write([Frame(channel, publication, result.epoch) for publication in result.publications])

    def _cursor(self, positions: dict[str, Position]) -> str:
        if self._ask.is_single:
            return encode_position(positions[self._ask.channels[0]])
        return encode_positions(positions)

    def _reset_event(self, channels: list[str]) -> bytes:
        return encode_event(
            msgspec.json.encode({"channels": channels}), event="reset", id=self._cursor(self._positions)
        )

    def _unsubscribed(self, channel: str, code: int) -> None:
        """A gap that could not be closed: start again from the top, and say so; any other end ends the stream."""
        row = codes.find(code)
        if row is None or row.retry is not Retry.RECONNECT:
            self.driver.end(codes.FORCE_DISCONNECT, "unsubscribed by the server")
            return
        self._reset.append(channel)
        number = self._ask.channels.index(channel)
        self._asked[self._next_id] = number
        again = self._ask.subscribe(number, command_id=self._next_id, from_top=True)
        self._next_id += 1
        self._host.soon(lambda: self.driver.received([again], 0))


def _start(result: SubscribeResult) -> Position:
    """Where a channel's stream starts: before the first publication of its result."""
    offset = result.publications[0].offset - 1 if result.publications else result.offset
    return Position(result.epoch, offset)
