"""What the wires of channel URLs share: the host that opened them, and bytes that wait for the answer to begin."""

import random
from collections.abc import Callable

from wirehop.abc import Exchange, Headers, Request
from wirehop.auth.tickets import TicketUse
from wirehop.core import codes
from wirehop.core.codes import Code, Kind, Retry
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.node.terms import HeartbeatStyle
from wirehop.node.wire import Wire
from wirehop.transports.door import EVENT_STREAM_HEADERS, Door, first, parameters, peer_of, status_of

_RETRY_LOW, _RETRY_HIGH = 1_000, 10_000


class Held:
    """Takes what is written before the answer has begun."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


class Host:
    """The node and the door, as a wire of a channel URL needs them."""

    def __init__(self, node: Node, door: Door) -> None:
        self.node = node
        self.door = door

    def open_session(
        self,
        wire: Wire,
        exchange: Exchange,
        transport: str,
        *,
        heartbeat: HeartbeatStyle = "none",
        is_transient: bool = False,
    ) -> Driver:
        """A session for this request."""
        use = _use_of(exchange.request)
        return self.node.open_session(
            wire,
            transport=transport,
            peer=peer_of(exchange.request, transport),
            heartbeat=heartbeat,
            is_transient=is_transient,
            credential=self.door.credential(exchange, use, takes_cookie=use != "jsonp"),
            is_bare=True,
        )

    def is_by_nobody(self, request: Request) -> bool:
        """Whether the request brings no credential of any kind."""
        headers = request.headers
        return (
            "authorization" not in headers
            and "ticket=" not in request.query
            and not ("cookie" in headers and self.node.settings.auth.cookie)
        )

    def event_stream_headers(self, exchange: Exchange) -> Headers:
        return [*EVENT_STREAM_HEADERS, *self.door.cors(exchange)]

    def refuse(self, exchange: Exchange, number: int, message: str) -> None:
        """Answer with the HTTP status that fits the code."""
        code = codes.find(number) or Code(number, "application", message, Kind.ERROR, Retry.FINAL)
        self.door.refuse(exchange, code, message, status=403 if 4000 <= number <= 4999 else status_of(number))

    def jittered_retry(self) -> int:
        """Milliseconds after which a client of a stopping server may return: spread out."""
        return random.randint(_RETRY_LOW, _RETRY_HIGH)  # noqa: S311 - spreading load is no secret

    def soon(self, callback: Callable[[], None]) -> None:
        self.node.soon(callback)


def _use_of(request: Request) -> TicketUse | None:
    """What kind of ticket is good for a request of a channel URL: none publishes by POST."""
    if request.method == "POST":
        return None
    if "websocket" in request.headers.get("upgrade", "").lower():
        return "websocket"
    return "jsonp" if "callback=" in request.query and first(parameters(request), "callback") else "stream"
