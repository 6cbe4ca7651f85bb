"""Writes a job's lines to its channel: in batches, several of them on their way at a time, and with a bound behind
which the job has to wait.

Nothing is left out. Each batch has an idempotency key and is given to `publish` again where it failed for the moment,
so it is there once. What the server refuses for good is counted, and so is everything after it.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from wirehop.client.errors import RequestFailed
from wirehop.jobs.process import Exit
from wirehop.jobs.records import Begun, Ended, Line, Lines

log = logging.getLogger("wirehop.jobs")
BATCH_SECONDS: Final = 0.05
"""So long the first line of a batch waits for others."""

BATCH_BYTES: Final = 24_576
"""Of JSON, in one publication."""

HELD_BYTES: Final = 1_048_576
"""Of JSON that waits; with more the writer is full, until half of it is gone."""

AT_ONCE: Final = 8
"""Publications on their way."""

AGAIN_SECONDS: Final = 0.5
Publish = Callable[[object, str], Awaitable[Any]]
"""`await publish(record, idempotency key)`: the position that it got."""


class LogWriter:
    """The log of one run. `changed(is_full)` is called when it becomes full, and when there is room again."""

    def __init__(self, publish: Publish, run: str, changed: Callable[[bool], None]) -> None:
        self.lines = 0
        self.published = 0
        self.failure: Exception | None = None
        self.is_full = False
        self._publish = publish
        self._run = run
        self._changed = changed
        self._waiting: deque[tuple[int, int, str, int, int]] = deque()  # time, stream, text, goes on, size
        self._size = 0
        self._taken = 0  # lines that have left the queue
        self._is_closing = False
        self._news = asyncio.Event()
        self._enough = asyncio.Event()  # for a whole batch, or nothing more comes
        self._window = asyncio.Semaphore(AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._pump = asyncio.create_task(self._run_pump())

    async def begin(self, name: str) -> Any:
        """Say that it begins; the position of that. Raises what `publish` raises: nothing runs yet."""
        return await self._publish(Begun(self._run, name, _now()), f"{self._run}:begin")

    def add(self, stream: int, found: list[tuple[str, bool]]) -> None:
        """These came just now."""
        now = _now()
        for text, goes_on in found:
            size = len(msgspec.json.encode(text)) + 12
            self._waiting.append((now, stream, text, int(goes_on), size))
            self._size += size
        self.lines += len(found)
        if self.failure is not None:
            self._drop()
        elif found:
            self._news.set()
            if self._size >= BATCH_BYTES:
                self._enough.set()
            if self._size > HELD_BYTES and not self.is_full:
                self.is_full = True
                self._changed(True)

    async def end(self, exit_: Exit, *, cancelled: bool) -> Ended:
        """Everything is said; returns when it has been published, and the end as well."""
        self._is_closing = True
        self._news.set()
        self._enough.set()
        await self._pump
        await asyncio.gather(*self._sending)
        ended = self.ended(exit_, cancelled=cancelled)
        await self._send(ended, f"{self._run}:end")
        return ended

    def ended(self, exit_: Exit, *, cancelled: bool) -> Ended:
        """How it ended, with what is published by now."""
        unpublished = self.lines - self.published
        return Ended(self._run, _now(), self.lines, exit_.code, exit_.signal, cancelled, unpublished)

    async def close(self) -> None:
        """Leave it as it is."""
        tasks = [self._pump, *self._sending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- inside ------------------------------------------------------------------------------------------------------

    async def _run_pump(self) -> None:
        while True:
            await self._news.wait()
            if not self._waiting:
                if self._is_closing:
                    return
                self._news.clear()
                continue
            if not self._enough.is_set():
                try:
                    async with asyncio.timeout(BATCH_SECONDS):
                        await self._enough.wait()
                except TimeoutError:
                    pass
            await self._window.acquire()
            batch = self._take()
            if batch is None:
                self._window.release()
                continue
            task = asyncio.create_task(self._send_batch(batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _take(self) -> Lines | None:
        """The next batch: one line at least, if there is any."""
        if not self._waiting:
            return None
        at, size = self._waiting[0][0], 0
        lines: list[Line] = []
        while self._waiting and (not lines or size + self._waiting[0][4] <= BATCH_BYTES):
            time_, stream, text, goes_on, own = self._waiting.popleft()
            lines.append(Line(time_ - at, stream, text, goes_on))
            size += own
        self._size -= size
        first = self._taken + 1
        self._taken += len(lines)
        if self._size < BATCH_BYTES and not self._is_closing:
            self._enough.clear()
        self._make_room()
        return Lines(self._run, first, at, tuple(lines))

    def _make_room(self) -> None:
        if self.is_full and self._size <= HELD_BYTES // 2:
            self.is_full = False
            self._changed(False)

    async def _send_batch(self, batch: Lines) -> None:
        try:
            if await self._send(batch, f"{self._run}:{batch.first}"):
                self.published += len(batch.lines)
        finally:
            self._window.release()

    async def _send(self, record: object, key: str) -> bool:
        while self.failure is None:
            try:
                await self._publish(record, key)
                return True
            except RequestFailed as error:
                if error.is_temporary:
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    self._fail(error)
            except Exception as error:
                self._fail(error)
        return False

    def _fail(self, error: Exception) -> None:
        """Refused for good: nothing more is published, the command goes on."""
        if self.failure is None:
            self.failure = error
            log.warning("run %s: its log is published no more: %s", self._run, error)
        self._drop()

    def _drop(self) -> None:
        self._taken += len(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._make_room()


def _now() -> int:
    return int(time.time() * 1000)
