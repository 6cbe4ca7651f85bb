"""One source for many: a slow taker loses frames and delays nobody."""

import asyncio
from fractions import Fraction

import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import VideoFrame

from wirehop.media.channels import LARGEST, WAITING_MESSAGES, DataChannel
from wirehop.media.errors import ChannelClosed, ChannelFull
from wirehop.media.feed import WAITING, Feed

pytestmark = pytest.mark.asyncio


class Numbered(MediaStreamTrack):
    """Gives so many frames, each when it is told to."""

    kind = "video"

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = iter(range(count))
        self.turn = asyncio.Semaphore(0)

    async def recv(self) -> VideoFrame:
        await self.turn.acquire()
        number = next(self._left, None)
        if number is None:
            raise MediaStreamError
        frame = VideoFrame(16, 16, "gray")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        return frame


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_outlet_gets_the_newest_and_an_eager_one_gets_all() -> None:
    track = Numbered(10)
    feed = Feed(track)
    eager, slow = feed.outlet(), feed.outlet()
    first = asyncio.ensure_future(slow.recv())
    seen = []
    for _ in range(10):
        waiting = asyncio.ensure_future(eager.recv())
        await settled()
        track.turn.release()
        seen.append((await waiting).pts)
    assert seen == list(range(10))
    assert (await first).pts == 0
    assert [(await slow.recv()).pts for _ in range(WAITING["video"])] == [8, 9]
    assert feed.dropped == 10 - 1 - WAITING["video"]
    track.turn.release()
    for outlet in (eager, slow, feed.outlet()):
        with pytest.raises(MediaStreamError):
            await outlet.recv()
    assert feed.ended.is_set()
    await feed.close()


async def test_an_outlet_that_stops_gets_nothing_more() -> None:
    track = Numbered(3)
    feed = Feed(track)
    stays, goes = feed.outlet(), feed.outlet()
    both = [asyncio.ensure_future(each.recv()) for each in (stays, goes)]
    await settled()
    track.turn.release()
    await asyncio.gather(*both)
    goes.stop()
    track.turn.release()
    assert (await stays.recv()).pts == 1
    assert feed.dropped == 0
    with pytest.raises(MediaStreamError):
        await goes.recv()
    await feed.close()
    assert track.readyState == "ended"


# ---- data channels without a connection


async def test_a_channel_keeps_so_many_messages_for_its_reader_and_counts_the_rest() -> None:
    channel = DataChannel("notes", is_reliable=True, is_ordered=True)
    for number in range(WAITING_MESSAGES + 5):
        channel._heard(str(number))
    assert channel.dropped == 5
    assert await anext(aiter(channel)) == "0"
    channel._heard("one more")
    assert channel.dropped == 5


async def test_sends_wait_for_a_connection_and_fail_when_there_will_be_none() -> None:
    channel = DataChannel("notes", is_reliable=True, is_ordered=True)
    with pytest.raises(ChannelFull) as caught:
        await channel.send(b"x" * (LARGEST + 1))
    assert caught.value.code == 106
    waiting = [asyncio.ensure_future(channel.send("text")) for _ in range(1000)]
    await settled()
    with pytest.raises(ChannelFull):
        await channel.send("one more")
    channel.close()
    for each in waiting:
        with pytest.raises(ChannelClosed):
            await each
