"""Work that is run at once, and finished by a task only where it has to wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from wirehop.node.eager import run_eagerly

pytestmark = pytest.mark.asyncio


class Spawner:
    """Counts the tasks that were needed."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


async def test_work_that_never_waits_is_done_before_the_return_and_needs_no_task() -> None:
    done: list[int] = []
    spawn = Spawner()

    async def inner() -> int:
        return 6

    async def work() -> int:
        return await inner() * 7

    run_eagerly(work(), done.append, spawn)
    assert (done, spawn.tasks) == ([42], [])


async def test_work_that_waits_is_finished_by_one_task() -> None:
    done: list[str] = []
    spawn = Spawner()
    first, second = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def work() -> str:
        value = await first
        await asyncio.sleep(0)
        await second.wait()
        return str(value)

    run_eagerly(work(), done.append, spawn)
    assert done == []
    first.set_result("value")
    second.set()
    await asyncio.gather(*spawn.tasks)
    assert (done, len(spawn.tasks)) == (["value"], 1)


async def test_an_exception_of_what_is_awaited_reaches_the_work() -> None:
    done: list[str] = []
    spawn = Spawner()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await future
        except ValueError as error:
            await asyncio.sleep(0)
            return f"caught {error}"
        return "missed"

    run_eagerly(work(), done.append, spawn)
    future.set_exception(ValueError("it"))
    await asyncio.gather(*spawn.tasks)
    assert done == ["caught it"]


async def test_a_cancelled_task_cancels_the_work_which_may_clean_up() -> None:
    cleaned: list[str] = []
    done: list[None] = []
    spawn = Spawner()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("yes")

    run_eagerly(work(), done.append, spawn)
    await asyncio.sleep(0)
    spawn.tasks[0].cancel()
    await asyncio.gather(*spawn.tasks, return_exceptions=True)
    assert (cleaned, done, spawn.tasks[0].cancelled()) == (["yes"], [], True)


async def test_work_that_survives_its_cancellation_still_answers() -> None:
    done: list[str] = []
    spawn = Spawner()

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cancelled"
        return "never"

    run_eagerly(work(), done.append, spawn)
    await asyncio.sleep(0)
    spawn.tasks[0].cancel()
    await asyncio.gather(*spawn.tasks, return_exceptions=True)
    assert done == ["cancelled"]


async def test_an_exception_at_once_is_the_callers() -> None:
    async def work() -> None:
        raise ValueError("now")

    with pytest.raises(ValueError, match="now"):
        run_eagerly(work(), lambda _none: None, Spawner())
