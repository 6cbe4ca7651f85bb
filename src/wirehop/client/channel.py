"""A subscription as an application holds it: an asynchronous context, and an iterator over publications."""

import asyncio
import logging
from collections.abc import Callable

from wirehop.client.driver import Driver
from wirehop.client.errors import ClientError
from wirehop.client.inbox import Inbox
from wirehop.client.outputs import PresenceChanged, Subscribed
from wirehop.client.publication import Publication
from wirehop.codecs.json_lines import WirePublication
from wirehop.core.messages import Position

log = logging.getLogger("wirehop.client")


class Subscription:
    """`async with client.subscribe(channel) as subscription: async for publication in subscription: …`

    Entering waits until the server has granted it (`SubscriptionEnded` if it refuses); leaving unsubscribes.
    Iteration ends when the client is closed by the application, and raises `SubscriptionEnded` or `ClientClosed` when
    somebody else ended it.
    """

    def __init__(
        self,
        driver: Driver,
        channel: str,
        *,
        position: Position | None,
        limit: int,
        join_leave: bool,
        on_subscribed: Callable[[Subscribed], None] | None,
        on_presence: Callable[[PresenceChanged], None] | None,
        on_publication: Callable[[Publication], None] | None,
    ) -> None:
        self.channel = channel
        self.recovered: bool | None = None
        self._driver = driver
        self._inbox = Inbox(channel, limit=limit, position=position)
        self._join_leave = join_leave
        self._on_subscribed = on_subscribed
        self._on_presence = on_presence
        self._on_publication = on_publication
        self._granted = asyncio.Event()
        self._news = asyncio.Event()
        self._end: ClientError | None = None
        self._is_open = False

    @property
    def position(self) -> Position | None:
        """After the last publication that iteration gave: with it a later `subscribe` goes on from there."""
        return self._inbox.position

    @property
    def gaps(self) -> int:
        """How often publications were missed and could not be recovered; the next one then says `is_after_gap`."""
        return self._inbox.gaps

    @property
    def dropped(self) -> int:
        """Publications without an offset (`signal` channels) for which there was no room."""
        return self._inbox.dropped

    async def __aenter__(self) -> "Subscription":
        self._driver.enter(self)
        self._is_open = True
        self._ask()
        try:
            await self._granted.wait()
            if self._end is not None:
                raise self._end
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Publication:
        while (publication := self._inbox.take()) is None:
            if self._end is not None:
                if self._driver.is_closed_by_application:
                    raise StopAsyncIteration
                raise self._end
            if not self._is_open:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        if self._inbox.wants_more and self._end is None and self._is_open:
            self._ask()
        return publication

    def _leave(self) -> None:
        self._is_open = False
        self._driver.leave(self)
        self._news.set()

    def _ask(self) -> None:
        """Subscribe, the first time or again after the inbox was full."""
        inbox = self._inbox
        position = inbox.resume_from if inbox.is_behind else inbox.position
        self._driver.subscribe(self.channel, position, join_leave=self._join_leave)

    # ---- what the driver calls -------------------------------------------------------------------------------------

    def subscribed(self, output: Subscribed) -> None:
        """The channel is live."""
        self._inbox.subscribed(output.position, recovered=output.recovered)
        self.recovered = output.recovered
        self._granted.set()
        if output.recovered is False:
            log.warning("channel %s: publications were missed and could not be recovered", self.channel)
        if self._on_subscribed is not None:
            self._on_subscribed(output)

    def delivered(self, wire: WirePublication) -> None:
        """A publication came."""
        dropped = self._inbox.dropped
        if not self._inbox.add(wire):
            self._driver.unsubscribe(self.channel)
            log.info(
                "channel %s: %d publications wait, so it is left until half are taken", self.channel, len(self._inbox)
            )
        elif self._inbox.dropped > dropped == 0:
            log.warning("channel %s: the reader is too slow, publications are dropped", self.channel)
        self._news.set()
        if self._on_publication is not None:
            while (publication := self._inbox.take()) is not None:
                self._on_publication(publication)

    def changed(self, output: PresenceChanged) -> None:
        """Somebody came or went."""
        if self._on_presence is not None:
            self._on_presence(output)

    def ended(self, error: ClientError) -> None:
        """Nothing more will come."""
        self._end = error
        self._granted.set()
        self._news.set()
