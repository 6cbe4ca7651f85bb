"""One request, one answer: publish, history, presence, short poll. Each is a session that lives for its request.

So rights, limits and codes are exactly those of the session protocol, and nothing is decided twice.
"""

from collections.abc import Callable, Sequence

from wirehop.abc import Exchange
from wirehop.codecs.frame import Frame, Lane
from wirehop.core.codes import Code
from wirehop.core.messages import Command, Reply
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.transports.channels.ask import CONNECT, Ask
from wirehop.transports.channels.wire import Held, Host

NAME = "http"
ASKED = 1
_LANE = Lane(NAME, lambda _channel, publication, _epoch: publication.data)


class RequestWire:
    """Connects, runs one command, and gives its reply to `done`. An error is answered here."""

    __slots__ = ("_command", "_done", "_exchange", "_host", "driver", "lane", "out")
    driver: Driver
    out: Writable

    def __init__(
        self, host: Host, exchange: Exchange, command: Command, done: Callable[[Exchange, Reply], None]
    ) -> None:
        self._host = host
        self._exchange: Exchange | None = exchange
        self._command = command
        self._done = done
        self.lane = _LANE
        self.out = Held()

    def start(self, ask: Ask) -> None:
        """Run it."""
        exchange = self._exchange
        assert exchange is not None
        exchange.on_gone(lambda: self.driver.lost("gone before the answer"))
        self.driver = self._host.open_session(self, exchange, NAME, is_transient=True)
        self.driver.received([ask.connect(), self._command], 0)

    def send(self, replies: Sequence[Reply]) -> int:
        for reply in replies:
            exchange = self._exchange
            if exchange is None or (reply.id == CONNECT and reply.error is None):
                continue
            self._exchange = None
            if reply.error is not None:
                self._host.refuse(exchange, reply.error.code, reply.error.message)
            else:
                self._done(exchange, reply)
            self._host.soon(lambda: self.driver.lost("answered"))
        return 0

    def write(self, frames: Sequence[Frame]) -> None:
        """Nothing is subscribed to."""

    def close(self, code: Code, reason: str) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._host.refuse(exchange, code.number, reason)
