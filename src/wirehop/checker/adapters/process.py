"""Clients that live in another process, in any language: lines of JSON on its standard input and output.

The process begins by saying what it can (`{"capabilities": {…}}`, the fields of `Capabilities`). Then it is told

    {"id": 7, "client": 0, "do": "connect", "url": "http://…", "wires": ["websocket"]}
    {"id": 8, "client": 0, "do": "subscribe", "channel": "c"}
    {"id": 9, "client": 0, "do": "publish", "channel": "c", "number": 12, "key": "k12"}
    {"id": 10, "client": 0, "do": "move", "wire": "sse"}
    {"id": 11, "client": 0, "do": "close"}

and answers each, once it is done, with `{"id": 9, "epoch": "…", "offset": 3}` (the last two for `publish`, where
known) or `{"id": 9, "error": "…", "unknown": true}`. What happens in between is said as it comes:

    {"client": 0, "event": "received", "channel": "c", "number": 12, "epoch": "…", "offset": 3}

The events are those of `Happening`, in small letters, with their fields. A line that is none of this ends the check.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

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
from wirehop.core.errors import WirehopError

LINE_LIMIT: Final = 1 << 20
START_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 5.0


class ProcessFailed(WirehopError):
    """The process with the clients does not do what it should; the text says what."""


class Said(Struct):
    """A line of the process."""

    id: int = 0
    client: int = -1
    error: str = ""
    unknown: bool = False
    event: str = ""
    channel: str = ""
    number: int = 0
    epoch: str | None = None
    offset: int = 0
    recovered: bool | None = None
    who: str = ""
    wire: str = ""
    is_resumed: bool = False
    reason: str = ""
    capabilities: Capabilities | None = None


class ClientProcess:
    """One process with all the clients. `make` is a `MakeAdapter`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Said]] = {}
        self._adapters: dict[int, ProcessAdapter] = {}
        self._failed = ""
        self.capabilities = Capabilities("")
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, command: Sequence[str]) -> "ClientProcess":
        """Start it, and hear what it can. Raises `ProcessFailed`."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT,
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessFailed(f"{command[0]} does not start: {error}") from None
        self = cls(process)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
            said = msgspec.json.decode(line, type=Said)
        except (TimeoutError, msgspec.MsgspecError) as error:
            await self.stop()
            raise ProcessFailed(f"{' '.join(command)} does not say what it can: {error}") from None
        if said.capabilities is None:
            await self.stop()
            raise ProcessFailed(f"{' '.join(command)} does not say what it can")
        self.capabilities = said.capabilities
        self._reading = asyncio.create_task(self._read())
        return self

    def make(self, url: str, number: int, wires: tuple[str, ...]) -> "ProcessAdapter":
        """A client in it."""
        self._adapters[number] = adapter = ProcessAdapter(self, url, number, wires)
        return adapter

    async def ask(self, client: int, do: str, **what: object) -> Said:
        """Tell it something and wait for the answer. Raises `ProcessFailed` where it ends first."""
        if self._failed:
            raise ProcessFailed(self._failed)
        number = next(self._numbers)
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        assert self._process.stdin is not None
        order = {"id": number, "client": client, "do": do, **what}
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        decoder = msgspec.json.Decoder(Said)
        failed = "the process with the clients has ended"
        try:
            async for line in self._process.stdout:
                self._take(decoder.decode(line))
        except (msgspec.MsgspecError, ValueError) as error:
            failed = f"the process with the clients says what is not understood: {error}"
        self._failed = failed
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ProcessFailed(failed))
        for adapter in self._adapters.values():
            adapter.hear(None)

    def _take(self, said: Said) -> None:
        answer = self._waiting.get(said.id)
        if answer is not None:
            if not answer.done():
                answer.set_result(said)
        elif said.event:
            adapter = self._adapters.get(said.client)
            if adapter is not None:
                adapter.hear(happening_of(said))


def happening_of(said: Said) -> Happening:
    """What an event says. Raises `ValueError` for one that there is not."""
    epoch = said.epoch or ""
    match said.event:
        case "received":
            return Received(said.channel, said.number, epoch, said.offset)
        case "subscribed":
            return Subscribed(said.channel, said.recovered, epoch, said.offset)
        case "joined":
            return Joined(said.channel, said.who)
        case "left":
            return Left(said.channel, said.who)
        case "opened":
            return Opened(said.wire, said.who, said.is_resumed)
        case "dropped":
            return Dropped(said.reason)
    raise ValueError(f"there is no event {said.event!r}")


class ProcessAdapter:
    """Implements `Adapter`."""

    def __init__(self, process: ClientProcess, url: str, number: int, wires: tuple[str, ...]) -> None:
        self._process = process
        self._url = url
        self._number = number
        self._wires = wires
        self._happenings: asyncio.Queue[Happening | None] = asyncio.Queue()

    def capabilities(self) -> Capabilities:
        """As the process has said."""
        return self._process.capabilities

    async def connect(self) -> None:
        """Connect for the first time."""
        await self._do("connect", url=self._url, wires=self._wires)

    async def subscribe(self, channel: str) -> None:
        """Subscribe."""
        await self._do("subscribe", channel=channel)

    async def publish(self, channel: str, number: int, key: str) -> Answer:
        """Publish."""
        said = await self._process.ask(self._number, "publish", channel=channel, number=number, key=key)
        if said.error:
            raise PublishFailed(said.error, is_unknown=said.unknown)
        return Answer(said.epoch or "", said.offset)

    async def events(self) -> AsyncIterator[Happening]:
        """All that happens."""
        while (happening := await self._happenings.get()) is not None:
            yield happening

    async def move(self, wire: str) -> None:
        """Go on over that wire."""
        await self._do("move", wire=wire)

    async def close(self) -> None:
        """End for good."""
        with contextlib.suppress(ProcessFailed, TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._do("close")
        self.hear(None)

    def hear(self, happening: Happening | None) -> None:
        """Something happened; None: nothing more will."""
        self._happenings.put_nowait(happening)

    async def _do(self, do: str, **what: object) -> None:
        said = await self._process.ask(self._number, do, **what)
        if said.error:
            raise ConnectionError(said.error)
