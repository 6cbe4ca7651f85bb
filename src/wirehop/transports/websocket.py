"""Sessions over WebSocket: `/connection/websocket`. A text message holds one or more lines of JSON, both ways.

With the subprotocol `centrifuge-protobuf`, or `?cf_protocol=protobuf` in the address, a binary message holds one or
more Protobuf messages behind their lengths. A message of the other kind ends the session (3506).
"""

from collections.abc import Sequence

from wirehop.abc import Codec, Duplex, Exchange, Request
from wirehop.auth.rights import Credential
from wirehop.codecs import json_lines, protobuf
from wirehop.codecs.frame import BINARY_WRAPS, WRAPS, Frame, Lane
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Publication, Reply
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.transports.door import Door, first, parameters, peer_of, reason_text

NAME = "websocket"
SUBPROTOCOL = "centrifuge-protobuf"
JSON: Codec = json_lines.JsonLines()
PROTOBUF: Codec = protobuf.Protobuf()


def _render_text(channel: str, publication: Publication, _epoch: str) -> bytes:
    return json_lines.encode_publication_push(channel, publication)


def _render_binary(channel: str, publication: Publication, _epoch: str) -> bytes:
    return protobuf.encode_publication_push(channel, publication)


_TEXT_LANES = {framing: Lane(NAME, _render_text, wrap) for framing, wrap in WRAPS.items()}
_BINARY_LANES = {framing: Lane(NAME, _render_binary, wrap) for framing, wrap in BINARY_WRAPS.items()}


def _offers_protobuf(request: Request) -> bool:
    """Whether the subprotocol is among those that the client offers."""
    return SUBPROTOCOL in request.headers.get("sec-websocket-protocol", "").replace(" ", "").split(",")


class WebSocketTransport:
    """Implements `abc.Transport`."""

    name = NAME

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door

    def open(self, exchange: Exchange) -> None:
        """Accept the upgrade and start a session."""
        if not self._door.admits(exchange):
            return
        request = exchange.request
        offers = _offers_protobuf(request)
        is_protobuf = offers or (
            "cf_protocol" in request.query and first(parameters(request), "cf_protocol") == "protobuf"
        )
        credential = self._door.credential(exchange, "websocket")
        wire = WebSocketWire(PROTOBUF if is_protobuf else JSON)
        limit = self._node.settings.limits.message_bytes
        duplex = exchange.upgrade(wire, subprotocol=SUBPROTOCOL if offers else "", max_message=limit)
        if duplex is not None:
            wire.start(self._node, duplex, exchange, credential)


class WebSocketWire:
    """One WebSocket of a session: `abc.Listener` towards the host, `node.Wire` towards the driver."""

    __slots__ = ("_codec", "_duplex", "driver", "lane", "out")
    driver: Driver
    lane: Lane
    out: Writable
    _duplex: Duplex

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def start(self, node: Node, duplex: Duplex, exchange: Exchange, credential: Credential) -> None:
        """The upgrade is done."""
        self._duplex = duplex
        self.out = duplex.out
        is_binary = self._codec.carries_bytes
        self.lane = (_BINARY_LANES if is_binary else _TEXT_LANES)[duplex.framing]
        self.driver = node.open_session(
            self,
            transport=NAME,
            peer=peer_of(exchange.request, NAME),
            carries_bytes=is_binary,
            credential=credential,
        )

    # ---- from the host -----------------------------------------------------------------------------------------------

    def received(self, data: bytes, is_binary: bool) -> None:
        if is_binary is not self._codec.carries_bytes:
            spoken = "JSON in text messages" if is_binary else "Protobuf in binary messages"
            self.driver.end(codes.INAPPROPRIATE_PROTOCOL, f"this wire speaks {spoken}")
            return
        try:
            commands = self._codec.decode_commands(data)
        except BadMessage as error:
            self.driver.end(error.code, error.reason)
        else:
            self.driver.received(commands, len(data))

    def ponged(self) -> None:
        self.driver.heard()

    def paused(self) -> None:
        self.driver.paused()

    def resumed(self) -> None:
        self.driver.resumed()

    def closed(self, code: int, reason: str) -> None:
        self.driver.lost(f"websocket {code} {reason}".rstrip(), is_clean=code == 1000)

    # ---- from the driver ---------------------------------------------------------------------------------------------

    def send(self, replies: Sequence[Reply]) -> int:
        data = self._codec.encode_replies(replies)
        self._duplex.send(data, is_binary=self._codec.carries_bytes)
        return len(data)

    def write(self, frames: Sequence[Frame]) -> None:
        self.out.write(self.lane.join(frames))

    def close(self, code: Code, reason: str) -> None:
        self._duplex.close(code.number, reason_text(code, reason))
