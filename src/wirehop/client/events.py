"""A channel's URL as an event stream, read as an `EventSource` would: nothing but HTTP, and it comes back by `Last-
Event-ID`.

It knows the event stream of protocol section 5: an event `position` first, the cursor as id, `event: reset` where
recovery was impossible, `retry:` with the time to wait. It knows no session.
"""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncGenerator, Callable
from typing import Final

from msgspec import Struct

from wirehop.client.address import channel_path, read_address
from wirehop.client.errors import ClientClosed, HttpError
from wirehop.client.http import HttpClient
from wirehop.client.wire import read_refusal
from wirehop.codecs.event_stream import Event, EventStreamDecoder, EventStreamError
from wirehop.core import codes

IDLE: Final = 60.0
"""Seconds of silence, heartbeats included, after which a stream counts as lost."""
LONGEST_PAUSE: Final = 30.0
EVENT_CHARACTERS: Final = 8_388_608


class StreamChanged(Struct, frozen=True):
    """`recovered`: the stream is open, and nothing was missed since the last one; None the first time. With `is_open`
    False it was lost for `reason`, and the next try comes after `delay` seconds."""

    is_open: bool
    recovered: bool | None = None
    reason: str = ""
    delay: float = 0.0


class ChannelEvents:
    """Iterate over it for events; it reconnects until it is told not to (a refusal is a `ClientClosed`).

    `cursor` is where to go on from, and where the reader stands after each event. `on_change` must not block.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        *,
        cursor: str = "",
        token: str = "",
        tls: ssl.SSLContext | None = None,
        timeout: float = 10.0,
        on_change: Callable[[StreamChanged], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.cursor = cursor
        self._http = HttpClient(read_address(url), tls, timeout=timeout, token=token)
        self._path = channel_path(channel)
        self._on_change = on_change
        self._jitter = jitter
        self._retry = 1.0
        self._failures = 0

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        try:
            while True:
                try:
                    async with contextlib.aclosing(self._once()) as events:
                        async for event in events:
                            yield event
                    reason = "the stream ended"
                except HttpError as error:
                    reason = error.reason
                except EventStreamError as error:
                    reason = str(error)
                delay = min(LONGEST_PAUSE, self._retry * 2**self._failures) * (0.5 + self._jitter() / 2)
                self._failures = min(self._failures + 1, 10)
                self._tell(StreamChanged(is_open=False, reason=reason, delay=delay))
                await asyncio.sleep(delay)
        finally:
            await self._http.close()

    async def _once(self) -> AsyncGenerator[Event, None]:
        """One stream, to its end."""
        decoder = EventStreamDecoder(max_size=EVENT_CHARACTERS)
        headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-cache")]
        asked = self.cursor
        if asked:
            headers.append(("Last-Event-ID", asked))
        async with self._http.stream("GET", self._path, headers=headers, idle=IDLE) as stream:
            if stream.status != 200:
                self._refuse(stream.status, await stream.body())
            self._failures = 0
            is_begun = False
            async for piece in stream:
                events = decoder.feed(piece)
                if decoder.retry is not None:
                    self._retry = decoder.retry / 1000
                if not is_begun and decoder.last_id:  # the head is one piece: the position and, perhaps, the reset
                    is_begun = True
                    if not any(event.event == "reset" for event in events):
                        self._tell(StreamChanged(is_open=True, recovered=True if asked else None))
                for event in events:
                    self.cursor = event.id or self.cursor
                    if event.event == "position":
                        continue
                    if event.event == "error":
                        raise ClientClosed(codes.FORCE_DISCONNECT.number, event.data)
                    if event.event == "reset":
                        self._tell(StreamChanged(is_open=True, recovered=False))
                    else:
                        yield event
                self.cursor = decoder.last_id or self.cursor

    def _refuse(self, status: int, body: bytes) -> None:
        """Server trouble may pass; what the server refuses it will refuse again."""
        error = read_refusal(status, body)
        if status >= 500 or status == 429:
            raise HttpError(error.message)
        raise ClientClosed(error.code, error.message)

    def _tell(self, change: StreamChanged) -> None:
        if self._on_change is not None:
            self._on_change(change)
