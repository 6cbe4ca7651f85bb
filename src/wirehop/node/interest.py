"""Keeps the broker's subscriptions equal to the channels in which this node has slots.

The work on one channel is done strictly in order (subscribe, unsubscribe, enter, leave), so that a slow broker never
ends up in the state before the last one asked for. With a broker that answers at once no task is ever made.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from wirehop.core.slot import Slot
from wirehop.node.eager import run_eagerly

if TYPE_CHECKING:
    from wirehop.node.node import Node

log = logging.getLogger("wirehop.node")


class Interest:
    """Attaches slots to the hub and tells the broker about first and last ones."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._last: dict[str, asyncio.Task[None]] = {}
        self._failed: set[str] = set()  # channels that the broker did not subscribe to

    def attach(self, slot: Slot, *, watches: bool) -> None:
        """The slot is registered at once; `ready` waits until the broker delivers the channel to this node."""
        if self._node.hub.attach(slot, watches=watches):
            self.after_pending(slot.channel, self._subscribe(slot.channel))

    def detach(self, slot: Slot) -> None:
        """Forget the slot."""
        if self._node.hub.detach(slot):
            self.after_pending(slot.channel, self._unsubscribe(slot.channel))

    def is_busy(self, channel: str) -> bool:
        """Whether `ready` would wait or raise."""
        return channel in self._last or channel in self._failed

    async def ready(self, channel: str) -> None:
        """Return when everything asked for this channel so far is done; raise where the broker did not take it."""
        task = self._last.get(channel)
        if task is not None:
            await asyncio.wait([task])
        if channel in self._failed:
            raise ConnectionError(f"the broker did not subscribe to {channel[:64]!r}")

    def after_pending(self, channel: str, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` after all that was asked for the channel before."""
        before = self._last.get(channel)
        if before is None:
            run_eagerly(self._logged(work), lambda _none: None, lambda rest: self._keep(channel, rest))
        else:
            self._keep(channel, self._after(before, work))

    async def _subscribe(self, channel: str) -> None:
        self._failed.add(channel)
        await self._node.broker.subscribe(channel)
        self._failed.discard(channel)

    async def _unsubscribe(self, channel: str) -> None:
        self._failed.discard(channel)
        await self._node.broker.unsubscribe(channel)

    async def _after(self, before: asyncio.Task[None], work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wait([before])
        await self._logged(work)

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            self._node.metrics.errors["broker"] += 1
            log.exception("the broker failed")

    def _keep(self, channel: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._node.spawn(work)
        self._last[channel] = task
        task.add_done_callback(lambda done: self._last.get(channel) is done and self._last.pop(channel))
