"""What the suites of brokers and presence stores look at them with: opened brokers, and who hears what they say.

It knows the interfaces of `wirehop.abc`, and none of the promises: those are the suites'.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from wirehop.abc import Broker, PresenceStore
from wirehop.core.messages import ClientInfo, Publication

SECONDS = 5.0
"""How long anything may take to be heard."""


class Storage(Broker, PresenceStore, Protocol):
    """What the suite is given: both interfaces in one object."""


class Recorder:
    """A receiver that remembers what it was told, in order."""

    def __init__(self) -> None:
        self.publications: list[tuple[str, Publication, str]] = []
        self.changes: list[tuple[str, str, str, int]] = []
        self._changed = asyncio.Event()

    def published(self, channel: str, publication: Publication, epoch: str) -> None:
        self.publications.append((channel, publication, epoch))
        self._changed.set()

    def joined(self, channel: str, info: ClientInfo, rev: int) -> None:
        self.changes.append(("joined", channel, info.client, rev))
        self._changed.set()

    def left(self, channel: str, info: ClientInfo, rev: int) -> None:
        self.changes.append(("left", channel, info.client, rev))
        self._changed.set()

    def of(self, channel: str) -> list[Publication]:
        """The publications of one channel."""
        return [publication for name, publication, _ in self.publications if name == channel]

    async def heard(self, *, publications: int = 0, changes: int = 0) -> None:
        """Return when so much has come; `TimeoutError` if it does not."""
        async with asyncio.timeout(SECONDS):
            while len(self.publications) < publications or len(self.changes) < changes:
                await self._changed.wait()
                self._changed.clear()


def publication(data: object, key: str = "") -> Publication:
    """A publication of JSON."""
    return Publication(str(data).encode(), key=key)


def numbers(page: Any) -> list[int]:
    """The payloads of a page of numbers."""
    return [int(each.data) for each in page.publications]


class Brokers(Protocol):
    """Where a suite's brokers come from."""

    def brokers(self, count: int) -> AbstractAsyncContextManager[list[Storage]]: ...


@asynccontextmanager
async def opened(suite: Brokers, count: int = 1) -> AsyncIterator[list[tuple[Storage, Recorder]]]:
    """Opened brokers, each with what its receiver heard."""
    async with suite.brokers(count) as brokers:
        pairs = [(broker, Recorder()) for broker in brokers]
        for broker, recorder in pairs:
            await broker.open(recorder)
        try:
            yield pairs
        finally:
            for broker, _ in pairs:
                await broker.close()
