"""Hear SIGTERM and SIGINT before the server does, so that what never ends by itself is ended first.

A server that stops waits for open responses, and tells the application (`lifespan.shutdown`) only afterwards: an event
stream would hold it for ever. ASGI has no word for "soon", so the handler that is installed is chained: ours begins the
drain, and when that is over the previous handler is called. A second signal goes straight to it. Where the server
listens on the loop (`loop.add_signal_handler`), it hears the signal as well, and both happen at once.

Public `signal` and `asyncio` only. It knows signals; it does not know what is drained.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

log = logging.getLogger("wirehop.asgi")
_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_Handler = Callable[[int, FrameType | None], Any]


class StopSignals:
    """`drain` runs on the loop at the first signal. Nothing is chained where a signal is ignored (a background job's
    SIGINT), or outside the main thread: only there can handlers be set."""

    def __init__(self, drain: Callable[[], Awaitable[None]]) -> None:
        self._drain = drain
        self._loop = asyncio.get_running_loop()
        self._previous: dict[int, _Handler | int] = {}
        self._handler: _Handler = self._heard
        self._task: asyncio.Task[None] | None = None
        self._is_draining = False

    def install(self) -> None:
        """Chain. Harmless where that is not possible."""
        if threading.current_thread() is not threading.main_thread():
            log.debug("not in the main thread: signals are left alone")
            return
        for number in _NUMBERS:
            previous = signal.getsignal(number)
            if previous is not None and previous is not signal.SIG_IGN:
                self._previous[number] = previous
                signal.signal(number, self._handler)

    def restore(self) -> None:
        """Give the handlers back, where nobody has chained to ours since."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if signal.getsignal(number) is self._handler:
                signal.signal(number, previous)
        self._previous.clear()

    # ---- within --------------------------------------------------------------------------------------------

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._is_draining or self._loop.is_closed() or not self._loop.is_running():
            self._pass_on(number, frame)
        else:
            self._is_draining = True
            self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        log.info("draining, then %s goes to the server", signal.Signals(number).name)
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(lambda _task: self._pass_on(number, None))

    async def _run(self) -> None:
        try:
            await self._drain()
        except Exception:
            log.exception("draining failed")

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
        elif previous is not None:
            signal.signal(number, previous)
            signal.raise_signal(number)
