"""Sessions over HTTP streams: `POST /connection/http_stream` downwards, `POST /emulation` upwards.

The body is exactly one connect command; the response is one reply after the other, as lines of JSON or, where the body
is `application/octet-stream`, as Protobuf messages behind their lengths. A refusal is HTTP 200 with an error reply or a
disconnect push: clients take an HTTP error as "try another transport".
"""

from collections.abc import Sequence

from wirehop.abc import Exchange, Headers
from wirehop.codecs import json_lines, protobuf
from wirehop.codecs.frame import BINARY_WRAPS, WRAPS, Lane
from wirehop.core import codes
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Publication, Reply
from wirehop.node.node import Node
from wirehop.transports.door import Door
from wirehop.transports.emulation import Emulation, is_protobuf
from wirehop.transports.one_way import Dialect, OneWayWire

NAME = "stream"
_JSON, _PROTOBUF = json_lines.JsonLines(), protobuf.Protobuf()
_HEADERS: Headers = (
    ("Cache-Control", "no-cache, no-transform"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
    ("X-Content-Type-Options", "nosniff"),
)
"""No cache keeps it, no proxy buffers or compresses it, no browser waits for enough of it to guess what it is."""


def _render_line(channel: str, publication: Publication, _epoch: str) -> bytes:
    return json_lines.encode_publication_push(channel, publication) + b"\n"


def _render_message(channel: str, publication: Publication, _epoch: str) -> bytes:
    return protobuf.encode_publication_push(channel, publication)


def _lines(replies: Sequence[Reply]) -> bytes:
    return _JSON.encode_replies(replies) + b"\n"


JSON = Dialect(
    NAME,
    (("Content-Type", "application/x-ndjson"), *_HEADERS),
    _JSON,
    _lines,
    {framing: Lane(NAME, _render_line, wrap) for framing, wrap in WRAPS.items()},
)
PROTOBUF = Dialect(
    NAME,
    (("Content-Type", "application/octet-stream"), *_HEADERS),
    _PROTOBUF,
    _PROTOBUF.encode_replies,
    {framing: Lane(NAME, _render_message, wrap) for framing, wrap in BINARY_WRAPS.items()},
)


class StreamTransport:
    """Implements `abc.Transport`."""

    name = NAME

    def __init__(self, node: Node, door: Door, emulation: Emulation) -> None:
        self._node = node
        self._door = door
        self._emulation = emulation

    def open(self, exchange: Exchange) -> None:
        """Serve one stream."""
        request = exchange.request
        if request.method == "OPTIONS":
            self._door.preflight(exchange, "POST, OPTIONS")
        elif request.method != "POST":
            self._door.wrong_method(exchange, "POST, OPTIONS")
        elif self._door.admits(exchange):
            dialect = PROTOBUF if is_protobuf(request) else JSON
            try:
                command = dialect.one_connect(request.body)
            except BadMessage as error:
                self._door.refuse(exchange, codes.BAD_REQUEST, error.reason)
                return
            wire = OneWayWire(self._node, self._door, self._emulation, dialect)
            wire.start(exchange, command, len(request.body))
