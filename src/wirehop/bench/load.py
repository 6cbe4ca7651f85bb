"""The load generator: a process that opens clients, publishes, and says what arrived when.

It is told by lines of JSON on its standard input, and answers each with one line on its standard output; at the end
of the input it ends. It does not know the processor time of servers: `run` asks for that.
"""

import asyncio
import contextlib
import sys
import time
from typing import Final, cast

import msgspec
from msgspec import Struct

from wirehop.bench.crowd import Crowd, Member, masked, payload
from wirehop.bench.latencies import Latencies
from wirehop.bench.processes import run_child
from wirehop.bench.words import (
    CHANNEL,
    CONNECT_SECONDS,
    DRAIN_SECONDS,
    ECHO_METHOD,
    Close,
    Command,
    Echo,
    Measured,
    Open,
    Opened,
    Publish,
)

AT_ONCE: Final = 64
BINS: Final = 32
SESSION: Final = '{"id":1,"connect":{"name":"bench"}}'
SUBSCRIBE: Final = '{"id":2,"subscribe":{"channel":"%s"}}'


def crowd_for(command: Open) -> Crowd:
    """Clients that speak as the target expects."""
    if command.target == "floor":
        return Crowd(command.port, "/echo" if command.task == "echo" else "/")
    path = "/connection/websocket"
    if command.task == "echo":
        return Crowd(command.port, path, hello=SESSION.encode(), ready_on=b'"id":1,')
    return Crowd(command.port, path, hello=f"{SESSION}\n{SUBSCRIBE % CHANNEL}".encode(), ready_on=b'"id":2,')


class Publisher(asyncio.Protocol):
    """One keep-alive connection that publishes by POST, one at a time."""

    def __init__(self, crowd: "Fan") -> None:
        self._fan = crowd
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing to say yet."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Answers have no body; each begins with its status."""
        for status in data.split(b"HTTP/1.1 ")[1:]:
            self._fan.answered(status[:3].decode("ascii", "replace"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Without it nothing goes on."""
        self._fan.answered("no answer")

    def post(self, body: bytes) -> None:
        """Publish."""
        assert self.transport is not None
        if self.transport.is_closing():
            return
        head = f"POST /channels/{CHANNEL} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


class Fan:
    """One fan-out measurement."""

    def __init__(self, crowd: Crowd, command: Publish) -> None:
        self._crowd = crowd
        self._command = command
        self._audience = sum(member.is_ready for member in crowd.members)
        self._latencies = Latencies()
        self._owed = 0
        self._unanswered = 0
        self._last = self._end = 0.0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._publisher = Publisher(self)
        self._error = ""

    async def run(self) -> Measured:
        """Publish, wait for the last delivery, and count."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._publisher, "127.0.0.1", self._crowd.port)
        self._crowd.arrived = self._arrived
        started = time.monotonic()
        self._end = started + self._command.seconds
        try:
            async with asyncio.timeout(self._command.seconds + DRAIN_SECONDS):
                if self._command.rate:
                    await self._steadily(started)
                else:
                    self._next()
                await self._over
        except TimeoutError:
            self._error = self._error or "not everything published was delivered"
        self._over.cancel()
        assert self._publisher.transport is not None
        self._publisher.transport.abort()
        got = self._latencies
        return Measured(
            count=got.count,
            seconds=max((self._last or time.monotonic()) - started, 1e-6),
            missing=self._owed - got.count,
            p50_ms=got.percentile(0.5),
            p90_ms=got.percentile(0.9),
            p99_ms=got.percentile(0.99),
            shape=tuple(got.shape(BINS)),
            shape_ms=got.percentile(0.995),
            error=self._error or self._crowd.error,
        )

    async def _steadily(self, started: float) -> None:
        count = max(1, int(self._command.seconds * self._command.rate))
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / self._command.rate - time.monotonic()))
            self._publish()
        self._end = 0.0
        self._next()

    def _publish(self) -> None:
        self._owed += self._audience
        self._unanswered += 1
        self._publisher.post(payload(self._command.size))

    def _next(self) -> None:
        """Publish again when all is delivered and answered, or end."""
        if self._latencies.count < self._owed or self._unanswered or self._over.done():
            return
        # once at least: on a busy machine the time may be over before this process gets to begin
        if not self._command.rate and (not self._owed or time.monotonic() < self._end):
            self._publish()
        elif not self._end or not self._command.rate:
            self._over.set_result(None)

    def _arrived(self, _member: Member, sent: int) -> None:
        self._latencies.record(time.monotonic_ns() - sent)
        if self._latencies.count == self._owed:
            self._last = time.monotonic()
            self._next()

    def answered(self, status: str) -> None:
        """The answer to a POST."""
        self._unanswered -= 1
        if status != "201" and not self._over.done():
            self._error = f"a POST was answered with {status}"
            self._over.set_result(None)
            return
        self._next()


class Echoing:
    """One echo measurement."""

    def __init__(self, crowd: Crowd, command: Echo, *, is_session: bool) -> None:
        self._crowd = crowd
        self._size = command.size
        self._seconds = command.seconds
        self._is_session = is_session
        self._latencies = Latencies()
        self._end = 0.0
        self._waiting = 0
        self._number = 1
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> Measured:
        """Send, count, and wait for the last."""
        self._crowd.arrived = self._arrived
        started = time.monotonic()
        self._end = started + self._seconds
        for member in self._crowd.members:
            if member.is_ready:
                self._waiting += 1
                self._send(member)
        error = ""
        try:
            async with asyncio.timeout(self._seconds + DRAIN_SECONDS):
                await self._over
        except TimeoutError:
            error = "not every echo came back"
        got = self._latencies
        return Measured(
            count=got.count,
            seconds=time.monotonic() - started,
            missing=self._waiting,
            p50_ms=got.percentile(0.5),
            p90_ms=got.percentile(0.9),
            p99_ms=got.percentile(0.99),
            error=error or self._crowd.error,
        )

    def _send(self, member: Member) -> None:
        text = payload(self._size)
        if self._is_session:
            self._number += 1
            text = b'{"id":%d,"rpc":{"method":"%s","data":"%s"}}' % (self._number, ECHO_METHOD.encode(), text)
        member.send(masked(text))

    def _arrived(self, member: Member, sent: int) -> None:
        self._latencies.record(time.monotonic_ns() - sent)
        if time.monotonic() < self._end:
            self._send(member)
            return
        self._waiting -= 1
        if not self._waiting and not self._over.done():
            self._over.set_result(None)


async def obey() -> None:
    """Do what the lines on the standard input say, one after the other."""
    loop = asyncio.get_running_loop()
    decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
    crowd: Crowd | None = None
    is_session = False
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = decoder.decode(line)
        answer: Struct = Close()
        if isinstance(command, Open):
            crowd, is_session = crowd_for(command), command.target == "wirehop"
            started = time.monotonic()
            ready = await crowd.open(command.count, at_once=AT_ONCE, seconds=CONNECT_SECONDS)
            answer = Opened(ready, time.monotonic() - started, crowd.error)
        elif isinstance(command, Close):
            if crowd is not None:
                crowd.close()
            crowd = None
        elif crowd is None:
            answer = Measured(0, 0.0, error="nobody is connected")
        elif isinstance(command, Publish):
            answer = await Fan(crowd, command).run()
        else:
            answer = await Echoing(crowd, command, is_session=is_session).run()
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # nobody wants the answer any more
        run_child(obey())
