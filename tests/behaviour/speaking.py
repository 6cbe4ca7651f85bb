"""A small server in the shape of OpenAI's API, which a test tells what to say."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager


class Speaking:
    """Answers each request with `status`, `headers` and the lines of `says`, `every` seconds apart.

    A line is data of an event; a float in between is a pause in seconds. `ends` False: it then says nothing any more.
    """

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.says: Sequence[object] = ()
        self.every = 0.0
        self.limit = 1_000_000  # lines of an answer that may be said by now
        self.ends = True
        self.requests: list[tuple[str, dict[str, str], dict[str, object]]] = []
        self.said = 0
        self.left_at = 0.0  # when who asked had gone, by time.monotonic()
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self.tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.requests.append((first, headers, body))
            kind = "text/event-stream" if self.status == 200 else "application/json"
            given = {"Content-Type": kind, "Connection": "close", **self.headers}
            writer.write(f"HTTP/1.1 {self.status} Said\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in given.items()).encode() + b"\r\n")
            speaking = asyncio.create_task(self._speak(writer))
            leaving = asyncio.create_task(reader.read())
            await asyncio.wait([speaking, leaving], return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not speaking.done():
                self.left_at = time.monotonic()
            for task in (speaking, leaving):
                task.cancel()
            await asyncio.gather(speaking, leaving, return_exceptions=True)

    async def _speak(self, writer: asyncio.StreamWriter) -> None:
        for number, line in enumerate(self.says):
            while number >= self.limit:  # noqa: ASYNC110 - the test raises it from another thread
                await asyncio.sleep(0.005)
            if isinstance(line, float):
                await asyncio.sleep(line)
                continue
            text = line if isinstance(line, str) else json.dumps(line)
            writer.write(text.encode() if self.status != 200 else f"data: {text}\n\n".encode())
            await writer.drain()
            self.said += 1
            await asyncio.sleep(self.every)
        if not self.ends:
            await asyncio.Event().wait()


@asynccontextmanager
async def speaking() -> AsyncIterator[Speaking]:
    """On a port of its own."""
    each = Speaking()
    server = await asyncio.start_server(each.serve, "127.0.0.1", 0)
    each.port = server.sockets[0].getsockname()[1]
    try:
        yield each
    finally:
        server.close()
        for task in list(each.tasks):
            task.cancel()
        await asyncio.gather(*each.tasks, return_exceptions=True)


def chunk(finish: str | None = None, **delta: object) -> dict[str, object]:
    """A chunk of a streamed chat completion."""
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
