"""One spell of a full write buffer: tells a listener `paused`, and `resumed` if it had been told.

asyncio pauses a protocol from inside `write`. A listener is never called from inside its own call, so it is
told in the next turn of the loop, and not at all if the buffer drained before. The object lives as long as
the spell.

Who answers what a peer sends leaves it unread during a spell, or the answers to one read would all go into the full
buffer. That is backpressure for a peer that is slow. One that takes nothing for `STALL_SECONDS` is `is_stalled`: it is
heard again, since its listener has been told by then and can decide what becomes of it.
"""

import asyncio
from collections.abc import Callable

from wirehop.abc import Listener

STALL_SECONDS = 1.0
"""A peer that takes nothing for so long is not slow: it does not read."""


class Congestion:
    """From `pause_writing` to `resume_writing`."""

    __slots__ = ("_is_over", "_is_told", "_listener", "_loop", "_timer", "is_stalled")

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> None:
        self._listener = listener
        self._loop = loop
        self._is_told = False
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None  # while somebody waits
        self.is_stalled = False
        loop.call_soon(self._tell)

    def _tell(self) -> None:
        if not self._is_over:
            self._is_told = True
            self._listener.paused()

    def watch(self, unsent: Callable[[], int], stalled: Callable[[], None]) -> None:
        """Call `stalled` as soon as `unsent()`, like the bytes that wait, has not become less for `STALL_SECONDS`; not
        after the spell. Once is enough."""
        if self._timer is None:
            self._timer = self._loop.call_later(STALL_SECONDS, self._look, unsent(), unsent, stalled)

    def _look(self, before: int, unsent: Callable[[], int], stalled: Callable[[], None]) -> None:
        self._timer = None
        if unsent() < before:
            self.watch(unsent, stalled)
        else:
            self.is_stalled = True
            stalled()

    def end(self) -> None:
        """The buffer drained."""
        self.cancel()
        if self._is_told:
            self._listener.resumed()

    def cancel(self) -> None:
        """The wire is gone: tell nothing more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Void:
    """Takes bytes and forgets them: the `out` of what is closed, and of an answer without a body."""

    __slots__ = ()

    def write(self, data: bytes) -> None:
        """Forget `data`."""


VOID = Void()
