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
import contextlib
import json
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed

from wirehop.testing import http
from wirehop.testing.http import SECONDS, Headers

CONNECT_ID = 4_294_967_295
WIRES = ("websocket", "sse", "long-poll", "short-poll", "jsonp")
"""Every wire of the session protocol."""
POLL_INTERVAL = 0.02
"""Seconds between short polls."""
LONG_WAIT = 20.0
"""Seconds for which a long poll asks to be held."""

Message = dict[str, Any]
Take = Callable[[bytes], None]


class Carrier(Protocol):
    """One wire. It hands lines (each one reply, push or ping) to `take`, and says by `gone` that it is over."""

    needs_numbers: bool

    async def open(self, connect: Message) -> None:
        """Open the wire and send the connect command."""
        ...

    async def post(self, commands: Sequence[Message]) -> None:
        """Send commands, in one message or body."""
        ...

    def cut(self) -> None:
        """Drop the TCP connections without closing anything."""
        ...

    async def close(self) -> None:
        """Close as a good client does, and wait until nothing is left."""
        ...


class Conversation:
    """One session on one wire.

    `lines` keeps every line as it came. `code` and `reason` are those of the end: of the close frame, or of the
    disconnect push. Set `answers_pings` to False to be a peer that does not.
    """

    def __init__(self, name: str, carrier: Callable[[Take, Callable[[int, str], None]], Carrier]) -> None:
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

    # ---- what a test asks ------------------------------------------------------------------------------------------

    async def connect(self, *, timeout: float = SECONDS, wh: bool = False, **request: Any) -> Message:
        """Open the wire and connect: the reply, or `{"push": {"disconnect": …}}` where the session ends instead."""
        if wh or self.carrier.needs_numbers:
            request["wh"] = {}
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
        task = asyncio.get_running_loop().create_task(_quiet(start))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _quiet(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with contextlib.suppress(OSError, ConnectionClosed, TimeoutError, EOFError):
        await start()


def _lines(commands: Sequence[Message]) -> str:
    return "\n".join(json.dumps(command) for command in commands)


class WebSocketCarrier:
    """A WebSocket of the `websockets` library; commands are lines of one message."""

    needs_numbers = False

    def __init__(self, port: int, take: Take, gone: Callable[[int, str], None], *, headers: Headers = ()) -> None:
        self.socket: ClientConnection | None = None
        self._port = port
        self._headers = headers
        self._take, self._gone = take, gone
        self._reading: asyncio.Task[None] | None = None

    async def dial(self) -> ClientConnection:
        """Open the socket and say nothing."""
        self.socket = await open_websocket(
            f"ws://127.0.0.1:{self._port}/connection/websocket",
            additional_headers=list(self._headers),
            compression=None,
            ping_interval=None,
            max_size=None,
            proxy=None,
            close_timeout=1,
        )
        self._reading = asyncio.create_task(self._read(self.socket))
        return self.socket

    async def open(self, connect: Message) -> None:
        if self.socket is None:
            await self.dial()
        await self.post([connect])

    async def post(self, commands: Sequence[Message]) -> None:
        assert self.socket is not None
        await self.socket.send(_lines(commands))

    def cut(self) -> None:
        if self.socket is not None:
            self.socket.transport.abort()

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()
        if self._reading is not None:
            await self._reading

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                for line in message.encode().split(b"\n") if isinstance(message, str) else [message]:
                    self._take(line)
        except ConnectionClosed:
            pass
        self._gone(socket.close_code or 1006, socket.close_reason or "")


class SseCarrier:
    """An event stream down, `POST /emulation` up."""

    needs_numbers = False

    def __init__(self, port: int, take: Take, gone: Callable[[int, str], None], *, headers: Headers = ()) -> None:
        self.response: http.Response | None = None
        self._port = port
        self._headers = headers
        self._take, self._gone = take, gone
        self._secret = self._node = ""
        self._is_known = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, connect: Message) -> None:
        target = "/connection/sse?cf_connect=" + quote(json.dumps(connect))
        if len(target) > 4096:
            answer = await http.request(
                self._port, "POST", "/connection/sse", headers=self._headers, body=json.dumps(connect).encode()
            )
            target = "/connection/sse?cf_ticket=" + answer.json()["cf_ticket"]
        self.response = await http.open_response(self._port, "GET", target, headers=self._headers)
        if self.response.status != 200:
            raise OSError(f"{self.response.status}: {(await self.response.body()).decode()}")
        self._reading = asyncio.create_task(self._read(self.response))

    async def post(self, commands: Sequence[Message]) -> None:
        async with asyncio.timeout(SECONDS):
            await self._is_known.wait()
        body = json.dumps({"session": self._secret, "node": self._node, "data": _lines(commands)})
        answer = await http.request(self._port, "POST", "/emulation", headers=self._headers, body=body.encode())
        if answer.status not in (204, 404):  # 404: the session ended meanwhile, and says so on the stream
            raise OSError(f"{answer.status}: {answer.body.decode()}")

    def cut(self) -> None:
        if self.response is not None:
            self.response.cut()

    async def close(self) -> None:
        if self.response is not None:
            await self.response.close()
        if self._reading is not None:
            await self._reading

    async def _read(self, response: http.Response) -> None:
        blocks = http.Blocks(response)
        try:
            while True:
                block = await blocks.next(timeout=3600)
                line = "\n".join(value for name, value in block if name == "data").encode()
                result = json.loads(line).get("connect")
                if result is not None:
                    self._secret, self._node = result["session"], result["node"]
                    self._is_known.set()
                self._take(line)
        except (EOFError, OSError, asyncio.IncompleteReadError):
            pass
        self._gone(0, "the stream ended")


class PollCarrier:
    """Numbered polls, one always out. `wait` 0 is short polling; `is_script`: as JSONP."""

    needs_numbers = True

    def __init__(
        self,
        port: int,
        take: Take,
        gone: Callable[[int, str], None],
        *,
        wait: float,
        is_script: bool = False,
        headers: Headers = (),
    ) -> None:
        self.wait = wait
        self.session = ""
        self.ack = 0
        self.number = 0
        self._port = port
        self._headers = headers
        self._is_script = is_script
        self._take, self._gone = take, gone
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_known = asyncio.Event()

    async def open(self, connect: Message) -> None:
        self._nonce = f"nonce-{id(self)}-{id(connect)}"
        self._start([connect])
        async with asyncio.timeout(SECONDS):
            await self._is_known.wait()

    async def post(self, commands: Sequence[Message]) -> None:
        if not self._is_over:
            self._start([command for command in commands if command])

    def cut(self) -> None:
        self._is_over = True
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, body: Message) -> tuple[int, Message]:
        """One poll exactly as given: status and answer."""
        data = json.dumps(body)
        if not self._is_script:
            answer = await http.request(
                self._port, "POST", "/connection/poll", headers=self._headers, body=data.encode(), timeout=60
            )
            return answer.status, answer.json()
        target = "/connection/jsonp?callback=go&body=" + quote(data)
        answer = await http.request(self._port, "GET", target, headers=self._headers, timeout=60)
        script = answer.body
        if not (script.startswith(b"/**/go(") and script.endswith(b");")):
            raise OSError(f"not the script that was asked for: {script[:200]!r}")
        result = json.loads(script[7:-2])
        return (404 if result.get("error", {}).get("code") == 102 else 200), result

    def _start(self, commands: list[Message]) -> None:
        task = asyncio.create_task(_quiet(lambda: self._poll(commands)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _poll(self, commands: list[Message]) -> None:
        self.number += 1
        number = self.number
        who = {"session": self.session} if self.session else {"nonce": self._nonce}
        status, answer = await self.ask(
            {**who, "poll": number, "ack": self.ack, "wait": self.wait, "commands": commands}
        )
        if status != 200 or "error" in answer:
            self._is_over = True
            self._is_known.set()
            self._gone(status, json.dumps(answer))
            return
        self.session = answer["session"]
        self._is_known.set()
        if answer.get("batch") == self.ack + 1:
            self.ack += 1
            for reply in answer["replies"]:
                self._take(json.dumps(reply).encode())
                self._is_over = self._is_over or "disconnect" in reply.get("push", {})
        if number == self.number and not self._is_over:
            if not self.wait:
                await asyncio.sleep(POLL_INTERVAL)
            if number == self.number and not self._is_over:
                self._start([])


def open_wire(name: str, port: int, *, headers: Headers = ()) -> Conversation:
    """A conversation over the wire of this name, not connected yet."""
    match name:
        case "websocket":
            return Conversation(name, lambda take, gone: WebSocketCarrier(port, take, gone, headers=headers))
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
