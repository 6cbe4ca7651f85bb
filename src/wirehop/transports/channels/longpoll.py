"""A channel as a long poll: `?wait=25s&cursor=…` answers as soon as there is something after the cursor.

Subscribing, waiting and leaving is one session that lives for its request; the publications' bytes are shared by all
who wait. Without a cursor the answer comes at once, with the cursor to start from.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Exchange
from wirehop.codecs.frame import Frame, Lane
from wirehop.codecs.payload import as_json, json_tags
from wirehop.core import codes
from wirehop.core.codes import Code
from wirehop.core.messages import Publication, Reply, SubscribeResult
from wirehop.core.slot import Slot, Writable
from wirehop.node.driver import Driver
from wirehop.transports.channels.ask import FIRST_SUBSCRIBE, Ask, write_cursor
from wirehop.transports.channels.waiting import NAME, render
from wirehop.transports.channels.wire import Host


class _Item(Struct, omit_defaults=True):
    """A publication where one poll carries several channels."""

    channel: str
    data: Raw
    offset: int = 0
    tags: dict[str, str] | None = None
    time: int = 0


def _render_many(channel: str, publication: Publication, _epoch: str) -> bytes:
    tags = json_tags(publication)
    item = _Item(channel, Raw(as_json(publication)), publication.offset, tags, publication.time)
    return b"," + msgspec.json.encode(item)


_ONE = Lane(NAME, render)
_MANY = Lane(NAME, _render_many)
Finish = Callable[[Exchange, str, bytes, bool], None]
"""How the answer is written: exchange, cursor, publications joined by commas, whether the cursor was good."""


class LongPollWire:
    """One poll that is held."""

    __slots__ = (
        "_ask",
        "_exchange",
        "_finish",
        "_host",
        "_is_recovered",
        "_parts",
        "_results",
        "_slots",
        "_until",
        "driver",
        "lane",
        "out",
    )
    driver: Driver
    out: Writable

    def __init__(self, host: Host, exchange: Exchange, ask: Ask, finish: Finish) -> None:
        self._host = host
        self._exchange: Exchange | None = exchange
        self._ask = ask
        self._finish = finish
        self._parts: list[bytes] = []
        self._results = 0
        self._slots: dict[str, Slot] = {}
        self._is_recovered = True
        self._until = host.node.clock.now() + min(ask.wait or 0.0, host.node.settings.limits.poll_wait)
        self.lane = _ONE if ask.is_single else _MANY
        self.out = self

    def start(self) -> None:
        """Ask for the channels."""
        exchange = self._exchange
        assert exchange is not None
        exchange.on_gone(self._gone)
        self.driver = self._host.open_session(self, exchange, NAME, is_transient=True)
        self.driver.received(self._ask.commands(), 0)
        if self._exchange is not None:
            self._host.node.wheel.add(self, self._until)

    def tick(self, now: float) -> None:
        """`wheel.Timed`: the wait is over."""
        if self._exchange is not None and self._results == len(self._ask.channels):
            self._answer()

    # ---- from the driver and the fan-out -----------------------------------------------------------------------------

    def send(self, replies: Sequence[Reply]) -> int:
        for reply in replies:
            if reply.error is not None:
                self._refuse(reply.error.code, reply.error.message)
            elif reply.subscribe is not None:
                self._subscribed(reply.id - FIRST_SUBSCRIBE, reply.subscribe)
            elif reply.push is not None and reply.push.unsubscribe is not None:
                self._is_recovered = False  # a gap while it waited: the client starts again
                self._answer_soon()
        return 0

    def write(self, data: "bytes | Sequence[Frame]") -> None:
        """Bytes of the fast lane, or frames that did not take it."""
        self._parts.append(data if isinstance(data, bytes) else self.lane.join(data))
        self._answer_soon()

    def close(self, code: Code, reason: str) -> None:
        if code is codes.SHUTDOWN and self._results == len(self._ask.channels):
            self._answer()
        else:
            self._refuse(code.number, reason)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _subscribed(self, number: int, result: SubscribeResult) -> None:
        self._results += 1
        channel = self._ask.channels[number]
        slot = self.driver.session.subscriptions[channel].slot
        if slot is not None:
            self._slots[channel] = slot
        self._is_recovered = self._is_recovered and (result.recovered or not result.was_recovering)
        if result.publications and result.recovered:
            self.write([Frame(channel, publication, result.epoch) for publication in result.publications])
        if self._results == len(self._ask.channels) and (
            self._parts or not self._ask.cursor or not self._is_recovered or self._until <= self._host.node.clock.now()
        ):
            self._answer_soon()

    def _answer_soon(self) -> None:
        self._host.soon(self._answer)

    def _answer(self) -> None:
        if self._results < len(self._ask.channels):
            return  # the cursor must name them all
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        self._host.node.wheel.dismiss(self)
        self._finish(exchange, self._cursor(), b"".join(self._parts)[1:], self._is_recovered)
        self.driver.lost("answered")

    def _cursor(self) -> str:
        positions = {channel: slot.position for channel, slot in self._slots.items()}
        return write_cursor(self._ask.channels, positions)

    def _refuse(self, number: int, message: str) -> None:
        exchange, self._exchange = self._exchange, None
        self._host.node.wheel.dismiss(self)
        if exchange is not None:
            self._host.refuse(exchange, number, message)
            self._host.soon(lambda: self.driver.lost("refused"))

    def _gone(self) -> None:
        self._exchange = None
        self._host.node.wheel.dismiss(self)
        self.driver.lost("gone while it waited")
