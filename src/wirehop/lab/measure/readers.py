"""Somebody who reads a channel by one technique, as an application would, and says when each message came.

    async with reading("websocket", "http://127.0.0.1:8000", "lab:race", heard) as reader:
        …

`heard(data)` is called at once with each payload. wirehop's own wires are read by the Python client, a bare event
stream and JSONP by hand: they are what a page would do without a library.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from wirehop.client import Client
from wirehop.client.address import read_address
from wirehop.client.client import WireName
from wirehop.client.errors import HttpError
from wirehop.client.http import HttpClient
from wirehop.codecs.event_stream import EventStreamDecoder

Heard = Callable[[Any], None]
WIRES: Final[dict[str, WireName]] = {
    "websocket": "websocket",
    "stream": "stream",
    "sse-post": "sse",
    "long-poll": "long-poll",
    "short-poll": "short-poll",
}
"""Techniques that are wires of the Python client."""

READABLE: Final = (*WIRES, "sse", "jsonp")
EVENT_BYTES: Final = 4_194_304
HOLD: Final = 25
"""Seconds for which a JSONP poll is held."""

_PREFIX, _SUFFIX = b"/**/f(", b");"
_AGAIN: Final = 0.5


class Reader:
    """Who reads. `opened` is the number of connections or sessions that were begun; `client` is there for own wires."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.opened = 0
        self.gaps = 0


@contextlib.asynccontextmanager
async def reading(technique: str, url: str, channel: str, heard: Heard, **options: Any) -> AsyncIterator[Reader]:
    """Read until the end of the block; ready when the channel is live. `options` go to the client of own wires."""
    reader = Reader()
    if technique in WIRES:
        async with Client(url, wire=WIRES[technique], **options) as client:
            reader.client = client
            subscription = client.subscribe(
                channel, on_publication=lambda publication: heard(publication.data), limit=100_000
            )
            async with subscription:
                yield reader
                reader.gaps = subscription.gaps
        return
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    read = {"sse": _events, "jsonp": _scripts}[technique]
    task = asyncio.create_task(read(reader, url, channel, heard, ready))
    try:
        await ready
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _events(reader: Reader, url: str, channel: str, heard: Heard, ready: "asyncio.Future[None]") -> None:
    """As EventSource does: connect again with the last id."""
    last = ""
    while True:
        http = HttpClient(read_address(url), None, timeout=10)
        reader.opened += 1
        try:
            headers = [("Accept", "text/event-stream"), *([("Last-Event-ID", last)] if last else [])]
            decoder = EventStreamDecoder(max_size=EVENT_BYTES)
            async with http.stream("GET", f"/channels/{channel}", headers=headers) as stream:
                async for piece in stream:
                    for event in decoder.feed(piece):
                        last = event.id or last
                        if event.event == "position":
                            _is_ready(ready)
                        elif event.event == "reset":
                            reader.gaps += 1
                        else:
                            heard(msgspec.json.decode(event.data))
        except HttpError:
            pass
        finally:
            await http.close()
        await asyncio.sleep(_AGAIN)


async def _scripts(reader: Reader, url: str, channel: str, heard: Heard, ready: "asyncio.Future[None]") -> None:
    """As script tags do: one poll after the other, each with the cursor of the last."""
    cursor = ""
    http = HttpClient(read_address(url), None, timeout=HOLD + 10)
    try:
        while True:
            reader.opened += 1
            where = f"wait={HOLD}s&cursor={cursor}" if cursor else "limit=1"
            try:
                answer = await http.request("GET", f"/channels/{channel}?callback=f&{where}", headers=())
            except HttpError:
                await asyncio.sleep(_AGAIN)
                continue
            if answer.status != 200:
                await asyncio.sleep(_AGAIN)
                continue
            page = msgspec.json.decode(answer.body.strip().removeprefix(_PREFIX).removesuffix(_SUFFIX))
            if cursor:
                reader.gaps += page.get("recovered") is False
                for publication in page["publications"]:
                    heard(publication["data"])
            cursor = page["cursor"]
            _is_ready(ready)
    finally:
        await http.close()


def _is_ready(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
