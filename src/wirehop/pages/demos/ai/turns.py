"""Who may be answered now: so many answers are made at once, the others wait in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.pages.demos.ai.answer import Answer

AT_ONCE: Final = 4
MOST_WAITING: Final = 64


class Figures(Struct):
    """How busy it is. `refused` for want of a place in the queue; `answered` counts answers that are over, `forgotten`
    conversations for which there was no room any more."""

    running: int
    waiting: int
    answered: int
    refused: int
    forgotten: int = 0
    at_once: int = AT_ONCE


Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Turns:
    """The queue. `make` makes an answer, `tell` hears of each change; both are tasks that `spawn` starts."""

    def __init__(
        self,
        spawn: Spawn,
        make: Callable[[Answer], Coroutine[Any, Any, None]],
        tell: Callable[[Figures], Coroutine[Any, Any, None]],
    ) -> None:
        self._spawn = spawn
        self._make = make
        self._tell = tell
        self._waiting: deque[Answer] = deque()
        self._running: set[Answer] = set()
        self._telling: asyncio.Task[None] | None = None
        self._answered = self._refused = 0

    @property
    def figures(self) -> Figures:
        """How busy it is now."""
        return Figures(len(self._running), len(self._waiting), self._answered, self._refused)

    def need_room(self, count: int) -> None:
        """Raises `Refused` where so many more cannot wait."""
        if len(self._waiting) + count > MOST_WAITING:
            self._refused += count
            self._spawn(self._tell(self.figures))
            raise Refused(codes.LIMIT_EXCEEDED, f"{len(self._waiting)} answers are waiting: try again in a minute")

    def enter(self, answer: Answer) -> None:
        """Let it be made as soon as it may."""
        self._waiting.append(answer)
        self._advance()

    def find(self, message: str) -> Answer | None:
        """The answer that is made or waits, by its message."""
        return next((each for each in (*self._running, *self._waiting) if each.message.id == message), None)

    async def stop(self, answer: Answer) -> None:
        """End it, wherever it is."""
        if answer in self._waiting:
            self._waiting.remove(answer)
            self._answered += 1
        await answer.stop()
        self._advance()

    # ---- inside

    def _advance(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            answer = self._waiting.popleft()
            self._running.add(answer)
            self._spawn(self._run(answer))
        if self._waiting and (self._telling is None or self._telling.done()):
            self._telling = self._spawn(self._tell_places())
        self._spawn(self._tell(self.figures))

    async def _run(self, answer: Answer) -> None:
        try:
            await self._make(answer)
        finally:
            self._running.remove(answer)
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # the node goes: nothing begins any more
                self._answered += 1
                self._advance()

    async def _tell_places(self) -> None:
        """To each the place that it has when it is told; those that have moved since are told again."""
        is_told = False
        while not is_told:
            is_told = True
            for answer in tuple(self._waiting):
                place = self._waiting.index(answer) + 1 if answer in self._waiting else 0
                if place and place != answer.message.place:
                    is_told = False
                    await answer.queued(place)
