"""wirehop's own Python client as an `Adapter`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, cast

from wirehop.checker.adapter import (
    Answer,
    Capabilities,
    Dropped,
    Happening,
    Joined,
    Left,
    Opened,
    PublishFailed,
    Received,
    Subscribed,
)
from wirehop.client import Client, ClientClosed, ClientState, RequestFailed
from wirehop.client.client import WireName
from wirehop.client.outputs import Moved, PresenceChanged, StateChanged
from wirehop.client.outputs import Subscribed as ChannelLive
from wirehop.client.publication import Publication
from wirehop.core import codes
from wirehop.version import __version__

WIRES: Final = ("websocket", "stream", "sse", "long-poll", "short-poll")
CONNECT_SECONDS: Final = 20.0
MOVE_SECONDS: Final = 12.0
LOOK_SECONDS: Final = 0.02


class WirehopAdapter:
    """Implements `Adapter`."""

    def __init__(self, url: str, number: int, wires: tuple[str, ...]) -> None:
        self._happenings: asyncio.Queue[Happening | None] = asyncio.Queue()
        self._stack = contextlib.AsyncExitStack()
        self._was_connected = False
        self._client = Client(
            url,
            wires=cast("tuple[WireName, ...]", wires or WIRES),
            name=f"wirehop-check-{number}",
            timeout=CONNECT_SECONDS,
            on_state=self._on_state,
            on_moved=self._on_moved,
        )

    def capabilities(self) -> Capabilities:
        """All of it."""
        return Capabilities(
            "wirehop",
            __version__,
            WIRES,
            has_positions=True,
            tells_recovery=True,
            has_presence=True,
            moves=True,
            accepts_keys=True,
        )

    async def connect(self) -> None:
        """Connect for the first time."""
        try:
            await self._stack.enter_async_context(self._client)
        except ClientClosed as error:
            raise ConnectionError(str(error)) from error

    async def subscribe(self, channel: str) -> None:
        """Subscribe, with presence."""
        subscription = self._client.subscribe(
            channel,
            join_leave=True,
            on_subscribed=self._on_subscribed,
            on_presence=self._on_presence,
            on_publication=self._on_publication,
        )
        await self._stack.enter_async_context(subscription)

    async def publish(self, channel: str, number: int, key: str) -> Answer:
        """Publish `{"n": number}`."""
        try:
            position = await self._client.publish(channel, {"n": number}, key=key)
        except RequestFailed as error:
            is_unknown = error.code == codes.OUTCOME_UNKNOWN.number
            raise PublishFailed(str(error), is_unknown=is_unknown) from error
        except ClientClosed as error:
            raise PublishFailed(str(error), is_unknown=True) from error
        return Answer(position.epoch, position.offset)

    async def events(self) -> AsyncIterator[Happening]:
        """All that happens."""
        while (happening := await self._happenings.get()) is not None:
            yield happening

    async def move(self, wire: str) -> None:
        """Go on over that wire."""
        client = self._client
        if client.wire == wire:
            return
        failed = client.failed_moves
        client.move(cast("WireName", wire))
        try:
            async with asyncio.timeout(MOVE_SECONDS):
                while client.wire != wire:
                    if client.failed_moves != failed or client.state is not ClientState.CONNECTED:
                        raise ConnectionError(f"it did not move to {wire}")
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise ConnectionError(f"it did not move to {wire} in {MOVE_SECONDS:g} s") from None

    async def close(self) -> None:
        """End for good."""
        await self._stack.aclose()
        self._happenings.put_nowait(None)

    # ---- what the client tells ---------------------------------------------------------------------------------------

    def _on_state(self, change: StateChanged) -> None:
        if change.state is ClientState.CONNECTED and not self._was_connected:
            self._was_connected = True
            self._happenings.put_nowait(Opened(self._client.wire, self._client.id))
        elif change.state is ClientState.WAITING and self._was_connected:
            self._happenings.put_nowait(Dropped(change.reason))

    def _on_moved(self, moved: Moved) -> None:
        self._happenings.put_nowait(Opened(self._client.wire, self._client.id, moved.is_resumed))

    def _on_subscribed(self, live: ChannelLive) -> None:
        position = live.position
        epoch, offset = ("", 0) if position is None else (position.epoch, position.offset)
        self._happenings.put_nowait(Subscribed(live.channel, live.recovered, epoch, offset))

    def _on_publication(self, publication: Publication) -> None:
        data = publication.data
        if isinstance(data, dict) and isinstance(data.get("n"), int):
            position = publication.position
            epoch = "" if position is None else position.epoch
            self._happenings.put_nowait(Received(publication.channel, data["n"], epoch, publication.offset))

    def _on_presence(self, change: PresenceChanged) -> None:
        if change.join is not None:
            self._happenings.put_nowait(Joined(change.channel, change.join.info.client))
        if change.leave is not None:
            self._happenings.put_nowait(Left(change.channel, change.leave.info.client))
