"""One direction of a connection: bytes go through it late, slowly, in lumps, or not at all.

It knows the faults of a direction and no HTTP but where the head of an answer ends. At most `LIMIT` bytes wait in it;
then it reads no further, and the sender feels it.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from wirehop.checker.bottleneck import Bottleneck
from wirehop.checker.compressor import CompressedAnswer
from wirehop.checker.faults import (
    SEGMENTS,
    SEGMENTS_LOST,
    Bandwidth,
    BlackHole,
    BufferStreams,
    Delay,
    EatFrames,
    Fault,
    GzipStreams,
    HalfOpen,
    Loss,
    SlowReader,
    Tunnel,
)
from wirehop.checker.loss import SEGMENT, LossySender, Stall, segments

LIMIT: Final = 262_144
PIECE: Final = 65_536
TICK: Final = 0.05
HEAD_BYTES: Final = 65_536
ROUNDING: Final = 0.0005
"""Timers of the loop are late by up to a millisecond: half of that sooner they are right on the average."""
SLICE: Final = 0.005
"""Seconds of a bandwidth that may come at once."""
LATE: Final = (Delay, Loss, Bandwidth)
SomeFault = TypeVar("SomeFault", bound=Fault)
now_of = time.monotonic
"""Finer than the clock of some loops."""


class Waiting:
    """A piece under way: it came at `came`, and is out `lag` seconds after it was `sent`, or sent again."""

    __slots__ = ("came", "data", "lag", "sent", "stall")

    def __init__(self, data: bytes, came: float, sent: float, lag: float, stall: Stall | None) -> None:
        self.data, self.came, self.sent, self.lag, self.stall = data, came, sent, lag, stall

    @property
    def due(self) -> float:
        """When it is out, as far as is known now."""
        return (self.sent if self.stall is None else max(self.sent, self.stall.again)) + self.lag


class Pipe:
    """Towards the client or the server. `set` changes what is wrong with it; `run` carries bytes until they end.
    `is_dead`: it has lost bytes, so nothing passes any more, not even the end. `passed` is told of every piece that
    goes in; `bottleneck` is the link's, shared by its connections."""

    def __init__(
        self,
        towards: Literal["client", "server"],
        counts: Counter[str],
        chance: random.Random,
        *,
        bottleneck: Bottleneck,
        passed: Callable[[bytes], None],
    ) -> None:
        self._towards = towards
        self._counts = counts
        self._random = chance
        self._bottleneck = bottleneck
        self._passed = passed
        self._faults: tuple[Fault, ...] = ()
        self._waiting: deque[Waiting] = deque()
        self._size = 0
        self._sender = LossySender(chance.random)
        self._answer: CompressedAnswer | None = None
        self.is_dead = False
        self._is_ended = False
        self._is_stream = False
        self._is_upgrade = False
        self._is_upgraded = False
        self._head = b""
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._counted: set[str] = set()

    def set(self, faults: tuple[Fault, ...]) -> None:
        """From now on these."""
        self._faults = faults
        self._counted.clear()
        self._changed.set()

    def expect(self, *, is_stream: bool, is_upgrade: bool, is_answered: bool = False, takes_gzip: bool = False) -> None:
        """What passes next: the answer to a request for a stream, to an upgrade (or what follows it)."""
        self._is_stream = is_stream
        self._answer = CompressedAnswer() if is_stream and takes_gzip and self._fault(GzipStreams) else None
        self._is_upgrade = is_upgrade
        self._is_upgraded = is_answered
        self._head = b""

    def feed(self, data: bytes) -> None:
        """Bytes that were read elsewhere and go first."""
        self._take(data)

    async def pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Bytes that were read elsewhere go through here now; returns when they are out, or lost."""
        self._take(data)
        while self._waiting:
            self._changed.clear()
            pause = await self._give(writer)
            if self._waiting:
                await self._rest(pause)

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the bytes end and are all through. A broken connection ends it too."""
        reading = asyncio.create_task(self._read(reader))
        try:
            while not self._is_ended or self._waiting:
                self._changed.clear()
                pause = await self._give(writer)
                if not self._is_ended or self._waiting:
                    await self._rest(pause)
        except OSError:
            return
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    # ---- in ----------------------------------------------------------------------------------------------------------

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while True:
                slow = self._fault(SlowReader) if self._towards == "client" else None
                if slow is not None:
                    self._count(slow.name)
                    data = await reader.read(max(1, int(slow.bytes_per_second * TICK)))
                    await asyncio.sleep(TICK)
                else:
                    await asyncio.sleep(self._bottleneck.wait(now_of()))
                    data = await reader.read(PIECE)
                if not data:
                    break
                self._take(data)
                if self._size > LIMIT:
                    self._room.clear()
                    await self._room.wait()
        self._is_ended = True
        self._changed.set()

    def _take(self, data: bytes) -> None:
        if self._is_upgrade and not self._is_upgraded:
            data, rest = self._split_head(data)
            self._put(data)
            data = rest
        if not data:
            return
        if self._is_upgraded and (eats := self._fault(EatFrames)) is not None:
            self.is_dead = True
            self._count(eats.name)
        else:
            hole = self._fault(BlackHole) or self._fault(HalfOpen)
            if hole is not None and not (isinstance(hole, HalfOpen) and hole.towards != self._towards):
                self.is_dead = True
                self._count(hole.name)
        if not self.is_dead:
            self._put(data)

    def _split_head(self, data: bytes) -> tuple[bytes, bytes]:
        """What belongs to the head of the answer, and what follows it."""
        before = len(self._head)
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0 and len(self._head) < HEAD_BYTES:
            return data, b""
        self._is_upgraded = self._head.startswith(b"HTTP/1.1 101")
        self._is_upgrade = self._is_upgraded
        cut = max(0, end + 4 - before) if end >= 0 else len(data)
        self._head = b""
        return data[:cut], data[cut:]

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self._passed(data)
        if self._answer is not None and self._towards == "client":
            self._count(GzipStreams.name)
            data = self._answer.feed(data)
            if not data:
                return
        loss, width, now = self._fault(Loss), self._fault(Bandwidth), now_of()
        step = len(data)
        if loss is not None:
            step = SEGMENT
        elif width is not None and self._bottleneck.rate:
            step = max(SEGMENT, int(self._bottleneck.rate * SLICE))
        for start in range(0, len(data), step):
            self._send(data[start : start + step], now, loss)
        self._changed.set()

    def _send(self, data: bytes, now: float, loss: Loss | None) -> None:
        """Give it to the link."""
        lag = round_trip = 0.0
        stall = None
        if (delay := self._fault(Delay)) is not None:
            self._count(delay.name)
            spread = (2 * self._random.random() - 1) * delay.jitter if delay.jitter else 0.0
            lag = max(0.0, delay.seconds + spread)
            round_trip = 2 * delay.seconds
        sent = now
        if self._fault(Bandwidth) is not None:
            sent = self._bottleneck.enter(now, len(data))
        if loss is not None:
            stall, lost = self._sender.send(sent, len(data), share=loss.share, round_trip=round_trip)
            self._counts[SEGMENTS] += segments(len(data))
            self._counts[SEGMENTS_LOST] += lost
        self._waiting.append(Waiting(data, now, sent, lag, stall))
        self._size += len(data)

    @property
    def _is_over(self) -> bool:
        """The answer that streams has ended (RFC 9112 section 7.1: a chunk of no bytes), or the connection."""
        return self._is_ended or (bool(self._waiting) and self._waiting[-1].data.endswith(b"\r\n0\r\n\r\n"))

    # ---- out ---------------------------------------------------------------------------------------------------------

    async def _give(self, writer: asyncio.StreamWriter) -> float:
        """Write what may go; seconds until more may, 0 if only a change can tell."""
        now = now_of()
        if (tunnel := self._fault(Tunnel)) is not None and self._waiting:
            self._count(tunnel.name)
            return 0.0
        lump = self._fault(BufferStreams) if self._is_stream and self._towards == "client" else None
        if lump is not None and self._waiting and self._size < lump.kib * 1024 and not self._is_over:
            old = self._waiting[0].came + lump.seconds
            if not lump.seconds or old > now:
                self._count(lump.name)
                return old - now if lump.seconds else 0.0
        is_late = any(self._fault(kind) is not None for kind in LATE)
        while self._waiting:
            first = self._waiting[0]
            if is_late and (left := first.due - now_of() - ROUNDING) > 0:
                return left
            self._waiting.popleft()
            self._size -= len(first.data)
            if self._size <= LIMIT:
                self._room.set()
            writer.write(first.data)
            await writer.drain()
        return 0.0

    async def _rest(self, seconds: float) -> None:
        """Until something changes, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds or None):
                await self._changed.wait()

    def _fault(self, kind: type[SomeFault]) -> SomeFault | None:
        return next((fault for fault in self._faults if isinstance(fault, kind)), None)

    def _count(self, name: str) -> None:
        """Once for each time that a fault is set."""
        if name not in self._counted:
            self._counted.add(name)
            self._counts[name] += 1
