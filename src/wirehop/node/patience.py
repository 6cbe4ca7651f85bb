"""How long the application's handlers may take: one timer for all that run.

The same as `asyncio.timeout`, which arms a timer of the loop for every call: since the limit is the same for everybody,
a dictionary in the order of arrival is in the order of deadlines. It is late by a quarter of the limit at most.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class _Running:
    """One handler that runs in `task`."""

    __slots__ = ("cancelling", "deadline", "is_late", "task")

    def __init__(self, task: "asyncio.Task[object]", deadline: float) -> None:
        self.task = task
        self.deadline = deadline
        self.cancelling = task.cancelling()
        self.is_late = False


class Patience:
    """Awaits what takes `seconds` at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[_Running, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def limited(self, work: Awaitable[T]) -> T:
        """What `work` returns. Raises TimeoutError where it takes longer, after it was cancelled. It must be awaited
        in a task."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        entry = _Running(task, loop.time() + self._seconds)
        self._running[entry] = None
        if self._timer is None:
            self._arm(loop)
        try:
            return await work
        except asyncio.CancelledError:
            if entry.is_late and task.uncancel() <= entry.cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._running.pop(entry, None)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._seconds / 4, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for entry in list(self._running):
            if entry.deadline > now:
                break
            del self._running[entry]
            entry.is_late = True
            entry.task.cancel()
        if self._running:
            self._arm(loop)
