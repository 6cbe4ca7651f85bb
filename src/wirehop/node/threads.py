"""From other threads to the node's loop: sync views, thread pools, plain threads.

It knows one loop and one coroutine at a time; it does not know what the coroutine does.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from wirehop.core.errors import LocalProtocolError

T = TypeVar("T")


def run_on(loop: asyncio.AbstractEventLoop | None, work: Coroutine[Any, Any, T], *, timeout: float) -> T:
    """Run `work` on `loop` from another thread and wait for its result.

    Raises `LocalProtocolError`, and doesn't begin, where there is no loop that runs or this thread is the loop's own;
    `TimeoutError` after `timeout` seconds: the work is cancelled then. What the work raises is raised here.
    """
    state = ""
    if loop is None or not loop.is_running():
        state = "not started"
    elif _running_loop() is loop:
        state = "on this very thread (await it there)"
    if loop is None or state:
        work.close()
        raise LocalProtocolError("the node's loop", state, "run_threadsafe")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(timeout)
    except TimeoutError:
        if future.cancel():
            raise TimeoutError(f"the node's loop did not finish it in {timeout:g} s") from None
        raise


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
