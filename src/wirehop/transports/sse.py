"""Sessions over Server-Sent Events: `GET /connection/sse?cf_connect=…` downwards, `POST /emulation` upwards.

Each event's data is one reply. A refusal is HTTP 200 with an error reply or a disconnect push: clients take an HTTP
error as "try another transport". A connect that does not fit a URL is POSTed first and fetched with a one-use ticket.
"""

from collections.abc import Sequence

import msgspec

from wirehop.abc import Exchange, Stream
from wirehop.codecs.event_stream import encode_event
from wirehop.codecs.frame import WRAPS, Frame, Lane
from wirehop.codecs.json_lines import JsonLines, encode_publication_push, encode_reply
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command, Disconnect, Publication, Push, Reply
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.transports.door import EVENT_STREAM_HEADERS, Door, first, parameters, peer_of, reason_text
from wirehop.transports.emulation import Emulation

NAME = "sse"
CODEC = JsonLines()
TICKET_SECONDS = 30.0
MAX_TICKETS = 10_000


def _render(channel: str, publication: Publication, _epoch: str) -> bytes:
    return encode_event(encode_publication_push(channel, publication))


_LANES = {framing: Lane(NAME, _render, wrap) for framing, wrap in WRAPS.items()}


class SseTransport:
    """Implements `abc.Transport`. At most 10,000 tickets wait to be used, each for 30 s; the oldest goes first."""

    name = NAME

    def __init__(self, node: Node, door: Door, emulation: Emulation) -> None:
        self._node = node
        self._door = door
        self._emulation = emulation
        self._tickets: dict[str, tuple[Command, int, float]] = {}

    def open(self, exchange: Exchange) -> None:
        """Serve the stream, or the POST that prepares one."""
        method = exchange.request.method
        if method == "OPTIONS":
            self._door.preflight(exchange, "GET, POST, OPTIONS")
        elif method not in ("GET", "HEAD", "POST"):
            self._door.wrong_method(exchange, "GET, HEAD, POST, OPTIONS")
        elif not self._door.admits(exchange):
            return
        elif method == "HEAD":
            exchange.respond(200, [*EVENT_STREAM_HEADERS, *self._door.cors(exchange)])
        elif method == "POST":
            self._prepare(exchange)
        else:
            self._stream(exchange)

    def _prepare(self, exchange: Exchange) -> None:
        body = exchange.request.body
        try:
            command = _one_connect(body)
        except BadMessage as error:
            self._door.refuse(exchange, codes.BAD_REQUEST, error.reason)
            return
        ticket = self._node.ids.new()
        now = self._node.clock.now()
        self._tickets[ticket] = (command, len(body), now + TICKET_SECONDS)
        while len(self._tickets) > MAX_TICKETS or self._tickets[next(iter(self._tickets))][2] <= now:
            del self._tickets[next(iter(self._tickets))]
        self._door.json(exchange, 200, msgspec.json.encode({"cf_ticket": ticket}))

    def _stream(self, exchange: Exchange) -> None:
        query = parameters(exchange.request)
        ticket = first(query, "cf_ticket")
        try:
            if ticket:
                command, size = self._redeem(ticket)
            else:
                body = first(query, "cf_connect").encode()
                command, size = _one_connect(body), len(body)
        except BadMessage as error:
            self._door.refuse(exchange, codes.BAD_REQUEST, error.reason)
            return
        SseWire(self._node, self._door, self._emulation).start(exchange, command, size)

    def _redeem(self, ticket: str) -> tuple[Command, int]:
        command, size, until = self._tickets.pop(ticket, (Command(), 0, 0.0))
        if until <= self._node.clock.now():
            raise BadMessage("this ticket was used, has expired, or never was")
        return command, size


def _one_connect(data: bytes) -> Command:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise BadMessage("not UTF-8") from None
    commands = CODEC.decode_commands(data) if data else []
    if len(commands) != 1 or commands[0].connect is None:
        raise BadMessage("exactly one connect command is expected")
    return commands[0]


class SseWire:
    """One event stream of a session."""

    __slots__ = ("_door", "_emulation", "_node", "_stream", "driver", "lane", "out")
    driver: Driver
    lane: Lane
    out: Writable
    _stream: Stream

    def __init__(self, node: Node, door: Door, emulation: Emulation) -> None:
        self._node = node
        self._door = door
        self._emulation = emulation

    def start(self, exchange: Exchange, command: Command, size: int) -> None:
        """Open the stream and feed the connect command."""
        self._stream = exchange.stream(200, [*EVENT_STREAM_HEADERS, *self._door.cors(exchange)], self)
        self.out = self._stream.out
        self.lane = _LANES[self._stream.framing]
        self.driver = self._node.open_session(
            self, transport=NAME, peer=peer_of(exchange.request, NAME), heartbeat="ping", has_secret=True
        )
        self._emulation.add(self.driver)
        self.driver.received([command], size)

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
        self._emulation.remove(self.driver)
        self.driver.lost(f"stream {code} {reason}".rstrip())

    # ---- from the driver ---------------------------------------------------------------------------------------------

    def send(self, replies: Sequence[Reply]) -> int:
        data = b"".join([encode_event(encode_reply(reply)) for reply in replies])
        self._stream.send(data)
        return len(data)

    def write(self, frames: Sequence[Frame]) -> None:
        self.out.write(self.lane.join(frames))

    def close(self, code: Code, reason: str) -> None:
        self._emulation.remove(self.driver)
        if code is not codes.CLOSED:  # a refused connect has said it in its error reply
            disconnect = Disconnect(code.number, reason_text(code, reason), codes.may_reconnect(code.number))
            self.send([Reply(push=Push(disconnect=disconnect))])
        self._stream.end()
