"""An answer under way: a generator's tokens, gathered into forty publications a second at most.

It needs no reader: who leaves misses nothing, who comes joins in. `stop` reaches the generator at once, and what it has
made and nobody has seen yet is not published any more.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from msgspec import structs

from wirehop.pages.demos.ai.conversation import Changed, Conversation, Message, More, Piece, State
from wirehop.pages.demos.ai.generator import AiFailed, Token

log = logging.getLogger("wirehop.demos")
BETWEEN: Final = 0.025
"""Seconds between two publications."""
MOST_CHARACTERS: Final = 32_000
MOST_SECONDS: Final = 600.0


class Answer:
    """One answer. `cancel_seconds` is how long the generator took to end when it was stopped."""

    def __init__(self, conversation: Conversation, message: Message, *, seed: str) -> None:
        self.conversation = conversation
        self.message = message
        self.seed = seed
        self.asked_at = time.monotonic()
        self.over = asyncio.Event()
        self.cancel_seconds = 0.0
        self._reading: asyncio.Task[State] | None = None
        self._is_stopped = False
        self._something = asyncio.Event()
        self._pieces: list[Piece] = []  # not published yet: MOST_CHARACTERS at most
        self._lengths: list[int] = []  # of the parts
        self._last = ("", "")  # kind and name of the part that goes on
        self._tokens = self._characters = 0
        self._waited = self._began_at = self._first = 0.0

    async def write(self, tokens: AsyncGenerator[Token, None]) -> None:
        """Let it be made, and publish it until it is over."""
        if self._is_stopped:
            return
        self._began_at = time.monotonic()
        self._waited = self._began_at - self.asked_at
        self._reading = asyncio.create_task(self._read(tokens))
        self._reading.add_done_callback(lambda _: self._something.set())
        try:
            await self._tell("streaming")
            while not self._reading.done() or self._pieces:
                await self._something.wait()
                self._something.clear()
                await self._publish()
                if not self._reading.done():
                    await asyncio.sleep(BETWEEN)
            await self._tell("stopped" if self._is_stopped else self._reading.result())
        finally:
            self._reading.cancel()
            self.over.set()

    async def stop(self) -> None:
        """End it now; when this returns the generator has ended, and everybody is told."""
        self._is_stopped = True
        began = time.monotonic()
        if self._reading is None:  # it has not begun: it stands in the queue
            await self._tell("stopped")
            self.over.set()
            return
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self.cancel_seconds = time.monotonic() - began
        await self.over.wait()

    async def queued(self, place: int) -> None:
        """Say how many are before it, and itself."""
        await self._tell("queued", place)

    # ---- inside

    async def _publish(self) -> None:
        if self._is_stopped:
            self._pieces.clear()
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            await self.conversation.tell(More(self.message.id, pieces, self._tokens))

    async def _tell(self, state: State, place: int = 0) -> None:
        seconds = time.monotonic() - self._began_at if self._began_at else 0.0
        figures = (round(each, 3) for each in (self._waited, self._first, seconds))
        # what was made and not published does not count
        tokens = self.message.tokens if self._is_stopped else self._tokens
        await self.conversation.tell(Changed(self.message.id, state, place, tokens, *figures))

    async def _read(self, tokens: AsyncGenerator[Token, None]) -> State:
        try:
            async with asyncio.timeout(MOST_SECONDS), aclosing(tokens):
                async for token in tokens:
                    self._take(token)
        except AiFailed as error:
            return self._fail(error.code, error.reason)
        except TimeoutError:
            return self._fail("too-long", f"an answer takes {MOST_SECONDS:g} s at most")
        except Exception:
            log.exception("a generator failed")
            return self._fail("internal", "the generator failed; the server's log says why")
        return "done"

    def _fail(self, code: str, reason: str) -> State:
        self._add(Token(reason, "error", code, begins=True))
        return "failed"

    def _take(self, token: Token) -> None:
        if not self._tokens:
            self._first = time.monotonic() - self._began_at
        self._tokens += 1
        room = MOST_CHARACTERS - self._characters
        self._characters += len(token.text)
        if len(token.text) > room:
            self._add(structs.replace(token, text=token.text[:room]))
            raise AiFailed("too-long", f"an answer has {MOST_CHARACTERS} characters at most")
        self._add(token)

    def _add(self, token: Token) -> None:
        kind, name = self._last
        if token.begins or token.kind != kind or token.name not in ("", name):
            self._last = (token.kind, token.name)
            self._lengths.append(0)
        number = len(self._lengths) - 1
        if self._pieces and self._pieces[-1].part == number:
            self._pieces[-1].text += token.text
        else:
            self._pieces.append(Piece(number, token.kind, token.text, self._lengths[number], token.name))
        self._lengths[number] += len(token.text)
        self._something.set()
