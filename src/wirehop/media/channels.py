"""Data channels to one participant, by label: whoever opens one, both have it.

A channel outlives the peer connection: when that is made anew, who opened it opens it again. What a connection had
taken and had not sent when it broke is lost, in a reliable channel too; `lost` counts the bytes. Where both open the
same label at once there are two underneath: each side sends on its own and hears both.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from aiortc import RTCDataChannel, RTCPeerConnection

from wirehop.media.errors import ChannelClosed, ChannelFull

HIGH, LOW = 1 << 20, 1 << 18
"""Bytes: above the high mark `send` waits, until the low one is reached."""
LARGEST = 65_536
"""Bytes of one message: what every browser takes."""
WAITING_SENDS = 1000
"""Calls of `send` that wait; more are refused with 106."""
WAITING_MESSAGES, WAITING_BYTES = 10_000, 4 << 20
"""Of what has come and was not read; what comes after that is dropped and counted."""
CHANNELS = 64
"""Labels; the other side may not open more."""


class DataChannel:
    """`await channel.send(data)`, and `async for message in channel`: `str` and `bytes`."""

    def __init__(self, label: str, *, is_reliable: bool, is_ordered: bool) -> None:
        self.label = label
        self.is_reliable = is_reliable
        self.is_ordered = is_ordered
        self.lost = 0
        self.dropped = 0
        self._own: RTCDataChannel | None = None
        self._theirs: RTCDataChannel | None = None
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._sends = 0
        self._messages: deque[str | bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._is_over = False

    @property
    def is_open(self) -> bool:
        """Whether messages can go out now."""
        return self._open() is not None

    async def send(self, data: str | bytes) -> None:
        """Send; returns when the connection has taken it. Waits while there is none, or too much is on its way.

        Raises `ChannelFull` (106: larger than 64 KiB, or 1000 others wait) and `ChannelClosed`.
        """
        size = len(data.encode() if isinstance(data, str) else data)
        if size > LARGEST:
            raise ChannelFull(f"a message of {size} bytes; {LARGEST} at most: send it in parts")
        if self._sends >= WAITING_SENDS:
            raise ChannelFull(f"{self._sends} messages wait in channel {self.label}: wait for send() before the next")
        self._sends += 1
        try:
            async with self._turn:
                (await self._ready()).send(data)
        finally:
            self._sends -= 1

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            while not self._messages:
                if self._is_over:
                    return
                self._news.clear()
                await self._news.wait()
            message = self._messages.popleft()
            self._bytes -= len(message)
            yield message

    async def _ready(self) -> RTCDataChannel:
        while True:
            if self._is_over:
                raise ChannelClosed(f"channel {self.label} is closed")
            channel = self._open()
            if channel is not None and channel.bufferedAmount <= HIGH:
                return channel
            self._changed.clear()
            await self._changed.wait()

    def _open(self) -> RTCDataChannel | None:
        chosen = self._own or self._theirs
        return chosen if chosen is not None and chosen.readyState == "open" else None

    # ---- what the connection does with it

    def attach(self, channel: RTCDataChannel, *, is_own: bool) -> None:
        """This one carries it from now on."""
        if is_own:
            self._own = channel
        else:
            self._theirs = channel
        channel.bufferedAmountLowThreshold = LOW
        channel.on("bufferedamountlow", self._changed.set)
        channel.on("open", self._changed.set)
        channel.on("close", lambda: self._gone(channel))
        channel.on("message", self._heard)
        self._changed.set()

    def detach(self) -> None:
        """The connection is gone."""
        for each in (self._own, self._theirs):
            if each is not None:
                self._gone(each)

    def close(self) -> None:
        """For good."""
        self._is_over = True
        self.detach()
        self._changed.set()
        self._news.set()

    def _gone(self, channel: RTCDataChannel) -> None:
        if channel not in (self._own, self._theirs):
            return
        self._own = None if channel is self._own else self._own
        self._theirs = None if channel is self._theirs else self._theirs
        self.lost += channel.bufferedAmount

    def _heard(self, message: str | bytes) -> None:
        if len(self._messages) >= WAITING_MESSAGES or self._bytes + len(message) > WAITING_BYTES:
            self.dropped += 1
            return
        self._messages.append(message)
        self._bytes += len(message)
        self._news.set()


class DataChannels:
    """All of one participant. `came` is called with one that the other side has opened; `refused` counts those above
    the limit."""

    def __init__(self, came: Callable[[DataChannel], None]) -> None:
        self.refused = 0
        self._came = came
        self._by_label: dict[str, DataChannel] = {}
        self._own: set[str] = set()
        self._connection: RTCPeerConnection | None = None

    def get(self, label: str, *, is_reliable: bool, is_ordered: bool) -> DataChannel:
        """The channel of that label, opened if it is not there. Raises `ChannelFull`."""
        known = self._by_label.get(label)
        if known is not None:
            return known
        if len(self._by_label) >= CHANNELS:
            raise ChannelFull(f"there are {CHANNELS} channels already")
        channel = self._by_label[label] = DataChannel(label, is_reliable=is_reliable, is_ordered=is_ordered)
        self._own.add(label)
        self._offer(channel)
        return channel

    def opened(self, connection: RTCPeerConnection) -> None:
        """There is a connection: open what is ours."""
        self._connection = connection
        for label in self._own:
            self._offer(self._by_label[label])

    def dropped(self) -> None:
        """It is gone."""
        self._connection = None
        for channel in self._by_label.values():
            channel.detach()

    def arrived(self, channel: RTCDataChannel) -> None:
        """The other side has opened one."""
        known = self._by_label.get(channel.label)
        if known is None:
            if len(self._by_label) >= CHANNELS:
                self.refused += 1
                channel.close()
                return
            is_reliable = channel.maxRetransmits is None and channel.maxPacketLifeTime is None
            known = DataChannel(channel.label, is_reliable=is_reliable, is_ordered=channel.ordered)
            self._by_label[channel.label] = known
            known.attach(channel, is_own=False)
            self._came(known)
        else:
            known.attach(channel, is_own=False)

    def close(self) -> None:
        """The participant is gone, or we are."""
        for channel in self._by_label.values():
            channel.close()

    def _offer(self, channel: DataChannel) -> None:
        if self._connection is not None:
            made = self._connection.createDataChannel(
                channel.label, ordered=channel.is_ordered, maxRetransmits=None if channel.is_reliable else 0
            )
            channel.attach(made, is_own=True)
