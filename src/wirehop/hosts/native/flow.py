"""One spell of a full write buffer: tells a listener `paused`, and `resumed` if it had been told.

asyncio pauses a protocol from inside `write`. A listener is never called from inside its own call, so it is
told in the next turn of the loop, and not at all if the buffer drained before. The object lives as long as
the spell.
"""

import asyncio

from wirehop.abc import Listener


class Congestion:
    """From `pause_writing` to `resume_writing`."""

    __slots__ = ("_is_over", "_is_told", "_listener")

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> None:
        self._listener = listener
        self._is_told = False
        self._is_over = False
        loop.call_soon(self._tell)

    def _tell(self) -> None:
        if not self._is_over:
            self._is_told = True
            self._listener.paused()

    def end(self) -> None:
        """The buffer drained."""
        self._is_over = True
        if self._is_told:
            self._listener.resumed()

    def cancel(self) -> None:
        """The wire is gone: tell nothing more."""
        self._is_over = True


class Void:
    """Takes bytes and forgets them: the `out` of what is closed, and of an answer without a body."""

    __slots__ = ()

    def write(self, data: bytes) -> None:
        """Forget `data`."""


VOID = Void()
