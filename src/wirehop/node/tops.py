"""Compares, every 30 s, what live slots were sent with where the broker's logs end.

A gap in the middle shows with the next publication; a lost *last* publication shows only here.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol, cast

from wirehop.core.messages import Position
from wirehop.core.slot import Slot, SlotState

if TYPE_CHECKING:
    from wirehop.node.node import Node

log = logging.getLogger("wirehop.node")
INTERVAL_SECONDS = 30.0


class Comparing(Protocol):
    """The owner of a slot, as this sees it."""

    def compare(self, slot: Slot, top: Position) -> None:
        """The broker's log ends at `top`, the slot stands elsewhere."""
        ...


async def compare_tops_forever(node: "Node", *, interval: float = INTERVAL_SECONDS) -> None:
    """Until cancelled. A broker that fails is logged and asked again the next time."""
    while True:
        await asyncio.sleep(interval)
        try:
            await compare_tops(node)
        except Exception:
            node.metrics.errors["broker"] += 1
            log.exception("the tops could not be compared")


async def compare_tops(node: "Node") -> int:
    """Once over all channels of this node; how many slots had missed something."""
    behind = 0
    for name in list(node.hub.channels):
        if node.policy.options(name).delivery == "signal":
            continue
        page = await node.broker.history(name, None, limit=0, max_bytes=0)
        channel = node.hub.channels.get(name)
        if channel is None or channel.is_moving:  # what is on its way out right now says it by itself
            continue
        for slot in channel.slots():
            if slot.state is SlotState.LIVE and slot.position != page.top:
                behind += 1
                cast(Comparing, slot.owner).compare(slot, page.top)
        await asyncio.sleep(0)
    node.metrics.behind += behind
    return behind
