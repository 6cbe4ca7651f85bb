"""A session's wire whose commands travel apart: an open response body down, `POST /emulation` up.

What differs between Server-Sent Events and HTTP streams is a `Dialect`: the head, how replies are written, and how
commands are read.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from wirehop.abc import Codec, Exchange, Headers, Stream
from wirehop.codecs.frame import Frame, Lane
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command, Disconnect, Push, Reply
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.transports.door import Door, peer_of, reason_text
from wirehop.transports.emulation import Emulation


class Dialect(Struct, frozen=True):
    """`transport` is the name for applications and metrics; `codec` reads what comes up, `encode` writes what goes
    down, `lanes` are those of the publications, by framing."""

    transport: str
    headers: Headers
    codec: Codec
    encode: Callable[[Sequence[Reply]], bytes]
    lanes: Mapping[str, Lane]

    def one_connect(self, body: bytes) -> Command:
        """The connect command that the body is. Raises `BadMessage`."""
        if not self.codec.carries_bytes:
            try:
                body.decode()
            except UnicodeDecodeError:
                raise BadMessage("not UTF-8") from None
        commands = self.codec.decode_commands(body) if body else []
        if len(commands) != 1 or commands[0].connect is None:
            raise BadMessage("exactly one connect command is expected")
        return commands[0]


class OneWayWire:
    """One open response of a session."""

    __slots__ = ("_dialect", "_door", "_emulation", "_node", "_stream", "driver", "lane", "out")
    driver: Driver
    lane: Lane
    out: Writable
    _stream: Stream

    def __init__(self, node: Node, door: Door, emulation: Emulation, dialect: Dialect) -> None:
        self._node = node
        self._door = door
        self._emulation = emulation
        self._dialect = dialect

    def start(self, exchange: Exchange, command: Command, size: int) -> None:
        """Open the stream and feed the connect command."""
        dialect = self._dialect
        self._stream = exchange.stream(200, [*dialect.headers, *self._door.cors(exchange)], self)
        self.out = self._stream.out
        self.lane = dialect.lanes[self._stream.framing]
        self.driver = self._node.open_session(
            self,
            transport=dialect.transport,
            peer=peer_of(exchange.request, dialect.transport),
            heartbeat="ping",
            has_secret=True,
            carries_bytes=dialect.codec.carries_bytes,
            credential=self._door.credential(exchange, "stream" if exchange.request.method == "GET" else None),
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
        driver = self.driver
        driver.lost(f"stream {code} {reason}".rstrip())
        if driver.lasting is None or driver.lasting.resumable.is_over or driver.lasting.last is not driver:
            self._emulation.remove(driver)
        else:  # a bye may still come
            driver.late = lambda: self._emulation.remove(driver)

    # ---- from the driver ---------------------------------------------------------------------------------------------

    def send(self, replies: Sequence[Reply]) -> int:
        data = self._dialect.encode(replies)
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
