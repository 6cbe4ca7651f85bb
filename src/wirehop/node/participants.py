"""The sessions of a node as rooms see them: who is in a channel's presence, and how they are called."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from wirehop.core import codes
from wirehop.core.errors import Refused

if TYPE_CHECKING:
    from wirehop.node.node import Node


class Participants:
    """`rtc.rooms.Participants` of one node."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    def is_room(self, channel: str) -> bool:
        """Whether its members may call each other."""
        options = self._node.policy.options(channel)
        return options.rtc and options.presence

    def is_in(self, client: str, channel: str) -> bool:
        """Whether the session is in the channel's presence."""
        lasting = self._node.resumption.find(client)
        if lasting is not None and lasting.resumable.current is None:
            kept = lasting.resumable.kept().get(channel)
            return kept is not None and kept.grant.presence
        driver = self._node.sessions.get(client)
        session = lasting.resumable.current if lasting is not None else driver.session if driver is not None else None
        held = session.subscriptions.get(channel) if session is not None else None
        return held is not None and held.is_in

    def takes_calls(self, client: str) -> bool:
        """Whether the server can call the session: those that move can be called."""
        return self._node.resumption.find(client) is not None

    async def call(self, client: str, method: str, data: Raw, timeout: float) -> Raw:
        """Call it; its answer. Raises `Refused` (120 where the session is over) and `TimeoutError`."""
        lasting = self._node.resumption.find(client)
        if lasting is None:
            raise Refused(codes.OUTCOME_UNKNOWN, "the session is over")
        return await lasting.call(method, data, timeout)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it as a task of the node."""
        return self._node.spawn(work)
