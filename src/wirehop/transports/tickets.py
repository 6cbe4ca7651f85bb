"""`POST /connection/ticket`: a ticket for a URL, in exchange for a token in a header or in a cookie that counts.

    {"for": "stream", "channels": ["news"]}    for EventSource: reads, in these channels, until it expires
    {"for": "websocket"}                       for one WebSocket, with all that the token may (or `channels` of it)
    {"for": "jsonp"}                           for one JSONP session, or one call of a channel's URL

The answer is `{"ticket": …, "ttl": seconds}`; the ticket goes into the URL as `ticket=`.
"""

import msgspec
from msgspec import Struct, field

from wirehop.abc import Exchange
from wirehop.auth.tickets import TicketUse
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node.node import Node
from wirehop.transports.door import Door

METHODS = "POST, OPTIONS"
MAX_CHANNELS = 16


class TicketRequest(Struct, forbid_unknown_fields=True):
    """The body."""

    use: TicketUse = field(name="for")
    channels: list[str] = field(default_factory=list)


_REQUEST = msgspec.json.Decoder(TicketRequest)


class TicketTransport:
    """Gives tickets out."""

    name = "ticket"

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door

    def open(self, exchange: Exchange) -> None:
        """Serve one request."""
        method = exchange.request.method
        if method == "OPTIONS":
            self._door.preflight(exchange, METHODS)
        elif method != "POST":
            self._door.wrong_method(exchange, METHODS)
        elif self._door.admits(exchange):
            try:
                asked = self._read(exchange.request.body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
                self._door.refuse(exchange, codes.BAD_REQUEST, str(error))
                return
            self._node.spawn(self._give(exchange, asked))

    def _read(self, body: bytes) -> TicketRequest:
        body.decode()
        asked = _REQUEST.decode(body)
        if asked.use == "stream" and not asked.channels:
            raise ValueError("a ticket for streams names its channels")
        if len(asked.channels) > MAX_CHANNELS or not all(asked.channels):
            raise ValueError(f"a ticket names at most {MAX_CHANNELS} channels, each with a name")
        if any(len(channel.encode()) > self._node.limits.channel_bytes for channel in asked.channels):
            raise ValueError(f"a channel's name has at most {self._node.limits.channel_bytes} bytes")
        return asked

    async def _give(self, exchange: Exchange, asked: TicketRequest) -> None:
        credential = self._door.credential(exchange, None)
        try:
            if not isinstance(credential, str) or not credential:
                raise Refused(codes.UNAUTHORIZED, "a ticket is given for a token: in `Authorization: Bearer`")
            token = await self._node.auth.connection(credential)
        except Refused as refusal:
            self._door.refuse(exchange, refusal.code, refusal.message)
            return
        tickets = self._node.auth.tickets
        ticket, ttl = tickets.issue(asked.use, token, frozenset(asked.channels))
        self._node.metrics.dropped["ticket"] = tickets.dropped
        self._door.json(exchange, 200, msgspec.json.encode({"ticket": ticket, "ttl": int(ttl)}))
