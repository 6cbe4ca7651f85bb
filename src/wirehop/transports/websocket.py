"""Sessions over WebSocket: `/connection/websocket`. One message holds one or more lines of JSON, both ways."""

from collections.abc import Sequence

from wirehop.abc import Duplex, Exchange
from wirehop.codecs.frame import WRAPS, Frame, Lane
from wirehop.codecs.json_lines import JsonLines, encode_publication_push
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Publication, Reply
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.transports.door import Door, peer_of, reason_text

NAME = "websocket"
CODEC = JsonLines()


def render_push(channel: str, publication: Publication, _epoch: str) -> bytes:
    """A publication as the push of a session wire."""
    return encode_publication_push(channel, publication)


_LANES = {framing: Lane(NAME, render_push, wrap) for framing, wrap in WRAPS.items()}


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
        wire = WebSocketWire()
        duplex = exchange.upgrade(wire, max_message=self._node.settings.limits.message_bytes)
        if duplex is not None:
            wire.start(self._node, duplex, exchange)


class WebSocketWire:
    """One WebSocket of a session: `abc.Listener` towards the host, `node.Wire` towards the driver."""

    __slots__ = ("_duplex", "driver", "lane", "out")
    driver: Driver
    lane: Lane
    out: Writable
    _duplex: Duplex

    def start(self, node: Node, duplex: Duplex, exchange: Exchange) -> None:
        """The upgrade is done."""
        self._duplex = duplex
        self.out = duplex.out
        self.lane = _LANES[duplex.framing]
        self.driver = node.open_session(self, transport=NAME, peer=peer_of(exchange.request, NAME))

    # ---- from the host -----------------------------------------------------------------------------------------------

    def received(self, data: bytes, is_binary: bool) -> None:
        if is_binary:
            self.driver.end(codes.INAPPROPRIATE_PROTOCOL, "this wire speaks JSON in text messages")
            return
        try:
            commands = CODEC.decode_commands(data)
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
        self.driver.lost(f"websocket {code} {reason}".rstrip())

    # ---- from the driver ---------------------------------------------------------------------------------------------

    def send(self, replies: Sequence[Reply]) -> int:
        data = CODEC.encode_replies(replies)
        self._duplex.send(data)
        return len(data)

    def write(self, frames: Sequence[Frame]) -> None:
        self.out.write(self.lane.join(frames))

    def close(self, code: Code, reason: str) -> None:
        self._duplex.close(code.number, reason_text(code, reason))
