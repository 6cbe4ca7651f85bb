"""A channel as a WebSocket: one message per publication, and what the client sends is published.

`?format=raw` (default): the payload alone, text as text, bytes as bytes; it does not recover. `?format=json`: first
`{"cursor", "recovered"}`, then the publication with its offset; `?cursor=` recovers.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from wirehop.abc import Duplex, Exchange
from wirehop.codecs.cursor import encode_position
from wirehop.codecs.frame import BINARY_WRAPS, WRAPS, Frame, Lane
from wirehop.codecs.json_lines import encode_publication
from wirehop.codecs.payload import as_text
from wirehop.core import codes
from wirehop.core.codes import Code, Retry
from wirehop.core.messages import (
    Command,
    PayloadKind,
    Position,
    Publication,
    PublishRequest,
    PublishWh,
    Reply,
    SubscribeResult,
)
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.transports.channels.ask import FIRST_SUBSCRIBE, Ask
from wirehop.transports.channels.payloads import command_payload
from wirehop.transports.channels.wire import Held, Host
from wirehop.transports.door import reason_text

NAME = "socket"


def _raw_lane(framing: str) -> Lane:
    """The payload alone, as the kind of message that it is: so it is framed where it is rendered."""
    text, binary = WRAPS[framing], BINARY_WRAPS[framing]

    def render(_channel: str, publication: Publication, _epoch: str) -> bytes:
        if publication.kind is PayloadKind.BINARY:
            return binary(publication.data)
        return text(as_text(publication))

    return Lane(NAME, render)


def _render_json(_channel: str, publication: Publication, _epoch: str) -> bytes:
    return encode_publication(publication)


_RAW = {framing: _raw_lane(framing) for framing in WRAPS}
_JSON = {framing: Lane(NAME, _render_json, wrap) for framing, wrap in WRAPS.items()}


class SocketWire:
    """One WebSocket of one channel."""

    __slots__ = ("_ask", "_duplex", "_host", "_last_id", "driver", "lane", "out")
    driver: Driver
    lane: Lane
    out: Writable

    def __init__(self, host: Host, ask: Ask) -> None:
        self._host = host
        self._ask = ask
        self._duplex: Duplex | None = None
        self._last_id = FIRST_SUBSCRIBE
        self.out = Held()

    def start(self, exchange: Exchange) -> None:
        """Accept the upgrade, then ask for the channel."""
        self._duplex = exchange.upgrade(self, max_message=self._host.node.settings.limits.message_bytes)
        if self._duplex is None:
            return
        self.out = self._duplex.out
        self.lane = (_JSON if self._ask.form == "json" else _RAW)[self._duplex.framing]
        self.driver = self._host.open_session(self, exchange, NAME, heartbeat="pong")
        self.driver.received(self._ask.commands(), 0)

    # ---- from the host -----------------------------------------------------------------------------------------------

    def received(self, data: bytes, is_binary: bool) -> None:
        value, kind = command_payload(data, is_binary=is_binary)
        request = PublishRequest(self._ask.channels[0], Raw(value), PublishWh(kind=kind))
        self._last_id += 1
        self.driver.received([Command(self._last_id, publish=request)], len(data))

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
        for reply in replies:
            if reply.error is not None:
                self._refused(reply.error.code, reply.error.message)
            elif reply.subscribe is not None:
                self._subscribed(reply.subscribe)
            elif reply.push is not None and reply.push.unsubscribe is not None:
                self.driver.end(codes.INSUFFICIENT_STATE_CLOSE, reply.push.unsubscribe.reason)
            elif reply == Reply() and self._duplex is not None:
                self._duplex.ping()
        return 0

    def write(self, frames: Sequence[Frame]) -> None:
        self.out.write(self.lane.join(frames))

    def close(self, code: Code, reason: str) -> None:
        if self._duplex is not None:
            self._duplex.close(code.number, reason_text(code, reason))

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _subscribed(self, result: SubscribeResult) -> None:
        if self._ask.form != "json" or self._duplex is None:
            return
        first = result.publications[0].offset - 1 if result.publications else result.offset
        head = {"cursor": encode_position(Position(result.epoch, first)), "recovered": result.recovered}
        self._duplex.send(msgspec.json.encode(head))
        if result.publications:
            self.write([Frame(self._ask.channels[0], each, result.epoch) for each in result.publications])

    def _refused(self, number: int, message: str) -> None:
        """What may not be published or subscribed closes; a temporary failure lets the client come back."""
        row = codes.find(number)
        if row is codes.PERMISSION_DENIED or row is codes.UNAUTHORIZED:
            self.driver.end(codes.PERMISSION_DENIED_CLOSE, message)
        elif row is not None and row.retry is Retry.TEMPORARY:
            self.driver.end(codes.SERVER_ERROR if row is codes.INTERNAL else codes.TOO_MANY_REQUESTS_CLOSE, message)
        elif row is None:
            self.driver.end(codes.Code(number, "application", message, codes.Kind.DISCONNECT, Retry.FINAL), message)
        else:
            self.driver.end(codes.BAD_REQUEST_CLOSE, message)
