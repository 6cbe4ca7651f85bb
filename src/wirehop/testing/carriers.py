"""The wires under a test's conversation, over real sockets: each sends commands as given and hands on what comes.

They know how a wire carries lines of JSON (or what stands for them: `speech`), and nothing of what the lines say, but
what they need to go on: a stream's session for the way up, a poll's batches.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from wirehop.testing import http
from wirehop.testing.http import SECONDS, Headers
from wirehop.testing.speech import JsonSpeech, ProtobufSpeech, Speech

POLL_INTERVAL = 0.02
"""Seconds between short polls."""

Message = dict[str, Any]
Take = Callable[[bytes], None]
Gone = Callable[[int, str], None]


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


async def quietly(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with contextlib.suppress(OSError, ConnectionClosed, TimeoutError, EOFError):
        await start()


class WebSocketCarrier:
    """A WebSocket of the `websockets` library; commands are in one message."""

    needs_numbers = False

    def __init__(self, port: int, take: Take, gone: Gone, *, is_protobuf: bool = False, headers: Headers = ()) -> None:
        self.speech: Speech = ProtobufSpeech() if is_protobuf else JsonSpeech()
        self._is_protobuf = is_protobuf
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
            subprotocols=[Subprotocol("centrifuge-protobuf")] if self._is_protobuf else None,
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
        await self.socket.send(self.speech.commands(commands), text=not self._is_protobuf)

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
                assert isinstance(message, bytes) is self._is_protobuf, f"a message of the other kind: {message!r}"
                for line in self.speech.lines(message if isinstance(message, bytes) else message.encode()):
                    self._take(line)
        except ConnectionClosed:
            pass
        self._gone(socket.close_code or 1006, socket.close_reason or "")


class Upwards:
    """The way up of wires that only go down: `POST /emulation`, once the connect result has said for whom."""

    def __init__(self, port: int, speech: Speech, headers: Headers) -> None:
        self._port = port
        self._speech = speech
        self._headers = headers
        self._secret = self._node = ""
        self._is_known = asyncio.Event()

    def look(self, line: bytes) -> None:
        """Whether it is the connect result."""
        result = json.loads(line).get("connect")
        if result is not None:
            self._secret, self._node = result["session"], result["node"]
            self._is_known.set()

    async def post(self, commands: Sequence[Message]) -> None:
        """Send the commands. 404: the session ended meanwhile, and says so on the stream."""
        async with asyncio.timeout(SECONDS):
            await self._is_known.wait()
        body = self._speech.emulated(self._secret, self._node, commands)
        headers = [*self._headers, ("Content-Type", self._speech.content_type)]
        answer = await http.request(self._port, "POST", "/emulation", headers=headers, body=body)
        if answer.status not in (204, 404):
            raise OSError(f"{answer.status}: {answer.body.decode()}")


class SseCarrier:
    """An event stream down, `POST /emulation` up."""

    needs_numbers = False

    def __init__(self, port: int, take: Take, gone: Gone, *, headers: Headers = ()) -> None:
        self.response: http.Response | None = None
        self.speech: Speech = JsonSpeech()
        self._port = port
        self._headers = headers
        self._take, self._gone = take, gone
        self._upwards = Upwards(port, self.speech, headers)
        self.post = self._upwards.post
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
                self._upwards.look(line)
                self._take(line)
        except (EOFError, OSError, asyncio.IncompleteReadError):
            pass
        self._gone(0, "the stream ended")


class StreamCarrier:
    """An HTTP stream down, `POST /emulation` up."""

    needs_numbers = False

    def __init__(self, port: int, take: Take, gone: Gone, *, is_protobuf: bool = False, headers: Headers = ()) -> None:
        self.response: http.Response | None = None
        self.speech: Speech = ProtobufSpeech() if is_protobuf else JsonSpeech()
        self._port = port
        self._headers = [*headers, ("Content-Type", self.speech.content_type)]
        self._take, self._gone = take, gone
        self._upwards = Upwards(port, self.speech, headers)
        self.post = self._upwards.post
        self._reading: asyncio.Task[None] | None = None

    async def open(self, connect: Message) -> None:
        self.response = await http.open_response(
            self._port,
            "POST",
            "/connection/http_stream",
            headers=self._headers,
            body=self.speech.commands([connect]),
        )
        if self.response.status != 200:
            raise OSError(f"{self.response.status}: {(await self.response.body()).decode()}")
        self._reading = asyncio.create_task(self._read(self.response))

    def cut(self) -> None:
        if self.response is not None:
            self.response.cut()

    async def close(self) -> None:
        if self.response is not None:
            await self.response.close()
        if self._reading is not None:
            await self._reading

    async def _read(self, response: http.Response) -> None:
        buffer = b""
        try:
            while piece := await response.read(timeout=3600):
                buffer += piece
                whole = self.speech.whole(buffer)
                for line in self.speech.lines(buffer[:whole]) if whole else ():
                    self._upwards.look(line)
                    self._take(line)
                buffer = buffer[whole:]
        except (OSError, asyncio.IncompleteReadError):
            pass
        self._gone(0, "the stream ended")


class PollCarrier:
    """Numbered polls, one always out. `wait` 0 is short polling; `is_script`: as JSONP."""

    needs_numbers = True

    def __init__(
        self,
        port: int,
        take: Take,
        gone: Gone,
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
        task = asyncio.create_task(quietly(lambda: self._poll(commands)))
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
