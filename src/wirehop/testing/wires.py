"""A deliberately dumb client of the session protocol, one for every wire, that shows replies and pushes as they came.

    wire = open_wire("long-poll", port)
    reply = await wire.connect(data={"name": "Ada"})      # {"id": …, "connect": {…}}
    reply = await wire.request("subscribe", channel="news")
    push = await wire.next_push()                          # {"channel": "news", "pub": {…}}

`Conversation` numbers commands and sorts what comes back; a `Carrier` is one wire over real sockets. Nothing is
retried, resumed or deduplicated but what the poll wires demand (batches), so that tests see what the server does. Every
wait has a limit and raises `TimeoutError`.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from wirehop.testing.carriers import (
    Carrier,
    Gone,
    Message,
    PollCarrier,
    SseCarrier,
    StreamCarrier,
    Take,
    WebSocketCarrier,
    quietly,
)
from wirehop.testing.http import SECONDS, Headers

CONNECT_ID = 4_294_967_295
WIRES = (
    "websocket",
    "websocket-protobuf",
    "sse",
    "stream",
    "stream-protobuf",
    "long-poll",
    "short-poll",
    "jsonp",
)
"""Every wire of the session protocol, and the two codecs where a wire has both."""
LONG_WAIT = 20.0
"""Seconds for which a long poll asks to be held."""


class Conversation:
    """One session on one wire.

    `lines` keeps every line as it came. `code` and `reason` are those of the end: of the close frame, or of the
    disconnect push. Set `answers_pings` to False to be a peer that does not.
    """

    def __init__(self, name: str, carrier: Callable[[Take, Gone], Carrier]) -> None:
        self.name = name
        self.lines: list[bytes] = []
        self.pings = 0
        self.answers_pings = True
        self.client = ""
        self.secret = ""
        self.node = ""
        self.code = 0
        self.reason = ""
        self.is_gone = False
        self.carrier = carrier(self._take, self._gone)
        self._number = 0
        self._wants_pong = False
        self._replies: dict[int, deque[Message]] = {}
        self._pushes: deque[Message] = deque()
        self._waiting: set[asyncio.Event] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def transport(self) -> str:
        """The wire's name as the server says it, whatever the codec."""
        return self.name.removesuffix("-protobuf")

    # ---- what a test asks ------------------------------------------------------------------------------------------

    async def connect(self, *, timeout: float = SECONDS, wh: bool | Message = False, **request: Any) -> Message:
        """Open the wire and connect: the reply, or `{"push": {"disconnect": …}}` where the session ends instead. `wh`:
        as a client whose session moves, with what it says of it."""
        if wh or self.carrier.needs_numbers or isinstance(wh, dict):
            request["wh"] = wh if isinstance(wh, dict) else {}
        async with asyncio.timeout(timeout):
            await self.carrier.open({"id": CONNECT_ID, "connect": request})
            reply = await self.reply(CONNECT_ID, timeout=timeout)
        result = reply.get("connect", {})
        self.client, self.secret, self.node = (result.get(key, "") for key in ("client", "session", "node"))
        self._wants_pong = result.get("pong", False)
        return reply

    async def request(self, kind: str, *, timeout: float = SECONDS, **fields: Any) -> Message:
        """One command and its reply (with its result, or with `error`)."""
        return await self.reply(await self.send(kind, **fields), timeout=timeout)

    async def send(self, kind: str, **fields: Any) -> int:
        """One command, without waiting for its reply; its number."""
        command = self.command(kind, **fields)
        await self.post(command)
        return int(command["id"])

    def command(self, kind: str, **fields: Any) -> Message:
        """The next command by number, not sent. Without `wh`, `send` has none."""
        if kind == "send" and not self.carrier.needs_numbers:
            return {"send": fields, "id": 0}
        self._number += 1
        return {"id": self._number, kind: fields}

    async def post(self, *commands: Message) -> None:
        """Commands exactly as given, in one message or body."""
        await self.carrier.post(commands)

    async def reply(self, number: int, *, timeout: float = SECONDS) -> Message:
        """The reply to a command. If the session ends first, its disconnect as a push."""
        await self._until(lambda: bool(self._replies.get(number)) or self.is_gone, timeout, f"a reply to {number}")
        if self._replies.get(number):
            return self._replies[number].popleft()
        return {"push": {"disconnect": {"code": self.code, "reason": self.reason}}}

    async def next_push(self, *, timeout: float = SECONDS) -> Message:
        """The next push that was not asked for yet."""
        await self._until(lambda: bool(self._pushes) or self.is_gone, timeout, "a push")
        if not self._pushes:
            raise EOFError(f"the session ended: {self.code} {self.reason}")
        return self._pushes.popleft()

    async def publications(self, count: int, *, channel: str = "", timeout: float = SECONDS) -> list[Message]:
        """The next `count` publications (of a channel), leaving other pushes where they are."""
        found: list[Message] = []

        def look() -> bool:
            for push in [each for each in self._pushes if "pub" in each and channel in ("", each["channel"])]:
                if len(found) < count:
                    self._pushes.remove(push)
                    found.append(push["pub"])
            return len(found) >= count or self.is_gone

        await self._until(look, timeout, f"{count} publications")
        return found

    async def end(self, *, timeout: float = SECONDS) -> int:
        """The code with which the server ends the session."""
        await self._until(lambda: self.is_gone, timeout, "the end")
        return self.code

    async def wait_for_ping(self, count: int = 1, *, timeout: float = SECONDS) -> None:
        """Return when `count` pings have come in all."""
        await self._until(lambda: self.pings >= count or self.is_gone, timeout, "a ping")

    def waiting_pushes(self) -> list[Message]:
        """Pushes that have come and were not asked for."""
        return list(self._pushes)

    def cut(self) -> None:
        """Drop the TCP connection without closing."""
        self.is_gone = True
        self.carrier.cut()

    async def close(self) -> None:
        """Close, and leave nothing behind. Harmless at any time, also twice."""
        await self.carrier.close()
        self.is_gone = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- what the carrier says -------------------------------------------------------------------------------------

    def _take(self, line: bytes) -> None:
        self.lines.append(line)
        message: Message = json.loads(line)
        push = message.get("push")
        if push is not None and "disconnect" in push:
            self.code, self.reason = push["disconnect"]["code"], push["disconnect"]["reason"]
            self.is_gone = True
        elif push is not None:
            self._pushes.append(push)
        elif message.get("id"):
            self._replies.setdefault(message["id"], deque()).append(message)
        else:
            self.pings += 1
            if self._wants_pong and self.answers_pings:
                self._spawn(lambda: self.carrier.post([{}]))
        self._tell()

    def _gone(self, code: int, reason: str) -> None:
        if not self.is_gone:
            self.is_gone = True
            self.code, self.reason = code, reason
        self._tell()

    def _tell(self) -> None:
        for each in self._waiting:
            each.set()

    async def _until(self, is_true: Callable[[], bool], timeout: float, what: str) -> None:
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            async with asyncio.timeout(timeout):
                while not is_true():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            last = self.lines[-3:]
            raise TimeoutError(f"{self.name}: no sign of {what} in {timeout} s; the last lines: {last}") from None
        finally:
            self._waiting.discard(changed)

    def _spawn(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.get_running_loop().create_task(quietly(start))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def open_wire(name: str, port: int, *, headers: Headers = ()) -> Conversation:
    """A conversation over the wire of this name, not connected yet."""
    match name:
        case "websocket" | "websocket-protobuf":
            return Conversation(
                name,
                lambda take, gone: WebSocketCarrier(
                    port, take, gone, is_protobuf=name == "websocket-protobuf", headers=headers
                ),
            )
        case "stream" | "stream-protobuf":
            return Conversation(
                name,
                lambda take, gone: StreamCarrier(
                    port, take, gone, is_protobuf=name == "stream-protobuf", headers=headers
                ),
            )
        case "sse":
            return Conversation(name, lambda take, gone: SseCarrier(port, take, gone, headers=headers))
        case "long-poll" | "jsonp":
            return Conversation(
                name,
                lambda take, gone: PollCarrier(
                    port, take, gone, wait=LONG_WAIT, is_script=name == "jsonp", headers=headers
                ),
            )
        case "short-poll":
            return Conversation(name, lambda take, gone: PollCarrier(port, take, gone, wait=0.0, headers=headers))
        case _:
            raise ValueError(f"there is no wire {name!r}; there are {', '.join(WIRES)}")
