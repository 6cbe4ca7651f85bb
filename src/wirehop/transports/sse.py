"""Sessions over Server-Sent Events: `GET /connection/sse?cf_connect=…` downwards, `POST /emulation` upwards.

Each event's data is one reply. A refusal is HTTP 200 with an error reply or a disconnect push: clients take an HTTP
error as "try another transport". A connect that does not fit a URL is POSTed first and fetched with a one-use ticket.
"""

from collections.abc import Sequence

import msgspec

from wirehop.abc import Exchange
from wirehop.codecs.event_stream import encode_event
from wirehop.codecs.frame import WRAPS, Lane
from wirehop.codecs.json_lines import JsonLines, encode_publication_push, encode_reply
from wirehop.core import codes
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command, Publication, Reply
from wirehop.node.node import Node
from wirehop.transports.door import EVENT_STREAM_HEADERS, Door, first, parameters
from wirehop.transports.emulation import Emulation
from wirehop.transports.one_way import Dialect, OneWayWire

NAME = "sse"
TICKET_SECONDS = 30.0
MAX_TICKETS = 10_000


def _render(channel: str, publication: Publication, _epoch: str) -> bytes:
    return encode_event(encode_publication_push(channel, publication))


def _events(replies: Sequence[Reply]) -> bytes:
    return b"".join([encode_event(encode_reply(reply)) for reply in replies])


DIALECT = Dialect(
    NAME,
    EVENT_STREAM_HEADERS,
    JsonLines(),
    _events,
    {framing: Lane(NAME, _render, wrap) for framing, wrap in WRAPS.items()},
)


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
            command = DIALECT.one_connect(body)
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
                command, size = DIALECT.one_connect(body), len(body)
        except BadMessage as error:
            self._door.refuse(exchange, codes.BAD_REQUEST, error.reason)
            return
        OneWayWire(self._node, self._door, self._emulation, DIALECT).start(exchange, command, size)

    def _redeem(self, ticket: str) -> tuple[Command, int]:
        command, size, until = self._tickets.pop(ticket, (Command(), 0, 0.0))
        if until <= self._node.clock.now():
            raise BadMessage("this ticket was used, has expired, or never was")
        return command, size
