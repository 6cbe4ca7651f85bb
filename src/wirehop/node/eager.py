"""Run a coroutine at once, and make a Task of it only if it really has to wait.

Most effects of a memory broker never wait, and a Task costs more than they do. Code that needs a current task (a user's
handler, anything with `asyncio.timeout`) must not come this way: give it a Task from the start.
"""

from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_eagerly(
    work: Coroutine[Any, Any, T],
    done: Callable[[T], None],
    spawn: Callable[[Coroutine[Any, Any, None]], object],
) -> None:
    """Step `work` once. If it is finished, call `done` with its result now; else `spawn` a task that does so later."""
    try:
        awaited = work.send(None)
    except StopIteration as stop:
        done(stop.value)
    else:
        spawn(_finish(work, awaited, done))


async def _finish(work: Coroutine[Any, Any, T], awaited: object, done: Callable[[T], None]) -> None:
    done(await _rest(work, awaited))


@coroutine
def _rest(work: Coroutine[Any, Any, T], awaited: object) -> Generator[object, Any, T]:
    """What is left of `work`, which has just yielded `awaited`."""
    while True:
        try:
            try:
                value = yield awaited
            except BaseException as error:  # also a cancellation: the work decides what becomes of it
                awaited = work.throw(error)
            else:
                awaited = work.send(value)
        except StopIteration as stop:
            result: T = stop.value
            return result
