"""The upward half of one-way wires: `POST /emulation {session, node, data}`, in JSON or (as `application/octet-stream`)
in Protobuf. It must be what the session's wire speaks.

`session` is the wire's own secret, so it needs neither cookie nor token; the origin is checked all the same. 204
means that the owner has accepted the commands, 404 that the session is not known here.
"""

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Exchange, Request
from wirehop.codecs.json_lines import JsonLines
from wirehop.codecs.protobuf import Protobuf, decode_emulated
from wirehop.core import codes
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.transports.door import Door

CODEC = JsonLines()
PROTOBUF = Protobuf()
PROTOBUF_TYPE = "application/octet-stream"


class EmulationRequest(Struct):
    session: str
    data: Raw
    node: str = ""


class Emulated(Struct):
    """A POST that was read: `commands` for the session with the secret `session`."""

    session: str
    node: str
    commands: list[Command]


_REQUEST = msgspec.json.Decoder(EmulationRequest)
_STRING = msgspec.json.Decoder(str)


def decode_data(data: Raw) -> list[Command]:
    """Commands as a string of JSON lines, an array, or one object. Raises `BadMessage`."""
    value = bytes(data)
    if value.startswith(b'"'):
        try:
            return CODEC.decode_commands(_STRING.decode(value).encode())
        except msgspec.DecodeError as error:
            raise BadMessage(f"data is not a string: {error}") from None
    if value.startswith(b"["):
        return CODEC.decode_array(value)
    return CODEC.decode_commands(value)


def is_protobuf(request: Request) -> bool:
    """Whether the body says that it is Protobuf."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == PROTOBUF_TYPE


def read(request: Request) -> Emulated:
    """What was posted. Raises `BadMessage`."""
    if is_protobuf(request):
        emulated = decode_emulated(request.body)
        return Emulated(emulated.session, emulated.node, PROTOBUF.decode_commands(bytes(emulated.data)))
    try:
        request.body.decode()
        posted = _REQUEST.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(str(error)) from None
    return Emulated(posted.session, posted.node, decode_data(posted.data))


class Emulation:
    """The sessions of this node whose commands travel apart, by secret."""

    name = "emulation"

    def __init__(self, node: Node, door: Door) -> None:
        self._node = node
        self._door = door
        self._drivers: dict[str, Driver] = {}

    def add(self, driver: Driver) -> None:
        """The session's commands may come from now on."""
        self._drivers[driver.session.secret] = driver

    def remove(self, driver: Driver) -> None:
        """The session is over."""
        self._drivers.pop(driver.session.secret, None)

    def open(self, exchange: Exchange) -> None:
        """Serve one POST."""
        request = exchange.request
        if request.method == "OPTIONS":
            self._door.preflight(exchange, "POST, OPTIONS")
        elif request.method != "POST":
            self._door.wrong_method(exchange, "POST, OPTIONS")
        elif self._door.admits(exchange):
            self._accept(exchange)

    def _accept(self, exchange: Exchange) -> None:
        request = exchange.request
        try:
            emulated = read(request)
        except BadMessage as error:
            self._door.refuse(exchange, codes.BAD_REQUEST, error.reason)
            return
        driver = self._drivers.get(emulated.session)
        if driver is None or (emulated.node and emulated.node != self._node.id):
            self._door.refuse(exchange, codes.UNKNOWN_CHANNEL, "no such session here", status=404)
            return
        if driver.carries_bytes is not is_protobuf(request):
            spoken = "Protobuf" if driver.carries_bytes else "JSON"
            self._door.refuse(exchange, codes.BAD_REQUEST, f"this session speaks {spoken}")
            return
        driver.received(emulated.commands, len(request.body))
        exchange.respond(204, [("Cache-Control", "no-store"), *self._door.cors(exchange)])
