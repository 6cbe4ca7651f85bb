"""Answers of an API in the shape of OpenAI's: `POST {url}/chat/completions`, `"stream": true`, an event stream back.

It repeats nothing and follows no redirect. Whatever goes wrong is an `AiFailed` with a code; what the endpoint says of
the key stays in the log.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Struct, field

from wirehop.client.address import read_address
from wirehop.client.errors import AddressError, HttpError
from wirehop.client.http import HttpClient, Stream
from wirehop.codecs.event_stream import EventStreamDecoder, EventStreamError
from wirehop.core.errors import SettingsError
from wirehop.pages.demos.ai.generator import AiFailed, Token, Turn

log = logging.getLogger("wirehop.demos")
EVENT_CHARACTERS: Final = 262_144
REASON_CHARACTERS: Final = 300
END: Final = "[DONE]"


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Struct):
    function: _Function = field(default_factory=_Function)
    index: int = 0


class _Delta(Struct):
    """`reasoning_content` and `reasoning` are what those who show their model's thinking call it."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(Struct):
    delta: _Delta = field(default_factory=_Delta)
    finish_reason: str | None = None


class _Error(Struct):
    message: str = ""


class _Chunk(Struct):
    choices: list[_Choice] = field(default_factory=list)
    error: _Error | None = None


class _Refusal(Struct):
    error: _Error = field(default_factory=_Error)


class Endpoint:
    """Implements `Generator`. `silence`: seconds after which an answer that has stopped coming has failed."""

    is_toy = False

    def __init__(self, url: str, *, key: str = "", model: str = "", silence: float = 60.0) -> None:
        try:
            address = read_address(url)
        except AddressError as error:
            raise SettingsError(str(error), key="demos.ai_url") from None
        self.name = model or address.host
        self._model = model
        self._silence = silence
        self._http = HttpClient(address, timeout=silence, token=key)

    async def answer(self, turns: Sequence[Turn], seed: str) -> AsyncGenerator[Token, None]:
        """Tokens are the pieces in which they come."""
        del seed  # its answers differ
        body = {"messages": turns, "stream": True, **({"model": self._model} if self._model else {})}
        headers = [("Content-Type", "application/json"), ("Accept", "text/event-stream")]
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._silence) as patience,
                self._http.stream(
                    "POST", "/chat/completions", headers=headers, body=msgspec.json.encode(body)
                ) as stream,
            ):
                if stream.status != 200:
                    raise await _refused(stream)
                async with aclosing(_chunks(stream)) as chunks:
                    async for chunk in chunks:
                        patience.reschedule(loop.time() + self._silence)
                        for token in _tokens(chunk):
                            yield token
        except TimeoutError:
            raise AiFailed("too-slow", f"nothing came for {self._silence:g} s") from None
        except HttpError as error:
            raise AiFailed("unreachable", error.reason) from None


async def _chunks(stream: Stream) -> AsyncGenerator[_Chunk, None]:
    """The chunks of a stream that ends as it should."""
    decoder = EventStreamDecoder(max_size=EVENT_CHARACTERS)
    is_finished = False
    try:
        async for piece in stream:
            for event in decoder.feed(piece):
                if event.data == END:
                    return
                chunk = msgspec.json.decode(event.data, type=_Chunk)
                if chunk.error is not None:
                    raise AiFailed("refused", chunk.error.message[:REASON_CHARACTERS])
                is_finished = is_finished or any(choice.finish_reason for choice in chunk.choices)
                yield chunk
    except HttpError as error:
        raise AiFailed("broken", f"the answer broke off: {error.reason}") from None
    except (msgspec.DecodeError, EventStreamError) as error:
        raise AiFailed("broken", f"the endpoint sent what is no chunk of an answer: {error}") from None
    if not is_finished:
        raise AiFailed("broken", "the answer broke off: its stream ended in the middle")


def _tokens(chunk: _Chunk) -> Iterator[Token]:
    for choice in chunk.choices[:1]:
        delta = choice.delta
        if thought := delta.reasoning_content or delta.reasoning:
            yield Token(thought, "thinking")
        if delta.content:
            yield Token(delta.content)
        for call in delta.tool_calls or ():
            if call.function.name or call.function.arguments:
                yield Token(
                    call.function.arguments or "", "tool", call.function.name or "", begins=bool(call.function.name)
                )


async def _refused(stream: Stream) -> AiFailed:
    """Why it gives no answer."""
    status = stream.status
    try:
        said = msgspec.json.decode(await stream.body(), type=_Refusal).error.message[:REASON_CHARACTERS]
    except (msgspec.DecodeError, HttpError):
        said = ""
    log.warning("the AI endpoint answered %d: %s", status, said)
    if status in (401, 403):
        return AiFailed("unauthorized", f"the endpoint does not take the key (HTTP {status})")
    if status == 429:
        after = stream.headers.get("retry-after", "")
        wait = f"; try again in {after} s" if after.isdecimal() else ""
        return AiFailed("too-many", f"the endpoint has too much to do (HTTP 429){wait}")
    if status >= 500:
        return AiFailed("unavailable", f"the endpoint is in trouble (HTTP {status})")
    return AiFailed("refused", f"the endpoint refuses (HTTP {status}){': ' if said else ''}{said}")
