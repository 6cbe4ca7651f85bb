"""Handlers are given so much time, by one timer for all."""

import asyncio

import pytest

from wirehop.node.clock import SecretIds
from wirehop.node.patience import Patience

pytestmark = pytest.mark.asyncio


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_is_done_in_time_gives_its_result() -> None:
    patience = Patience(5.0)

    async def quick() -> int:
        await asyncio.sleep(0)
        return 7

    assert await patience.limited(quick()) == 7
    assert not patience._running


async def test_what_takes_longer_is_cancelled_and_says_so_and_its_task_goes_on() -> None:
    patience = Patience(0.02)
    cancelled = []

    async def slow() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def caller() -> str:
        with pytest.raises(TimeoutError):
            await patience.limited(slow())
        await asyncio.sleep(0)
        return "went on"

    started = asyncio.get_running_loop().time()
    assert await asyncio.gather(caller(), caller()) == ["went on", "went on"]
    assert cancelled == [True, True]
    assert asyncio.get_running_loop().time() - started >= 0.02
    assert not patience._running


async def test_a_cancellation_from_outside_is_one() -> None:
    patience = Patience(5.0)
    task = asyncio.create_task(patience.limited(forever()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not patience._running


async def test_one_timer_serves_all_and_none_is_left() -> None:
    patience = Patience(0.02)
    tasks = [asyncio.create_task(patience.limited(forever())) for _ in range(50)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(each) for each in results} == {TimeoutError}
    assert patience._timer is None


async def test_identifiers_differ_and_are_long_and_safe_in_urls() -> None:
    ids = SecretIds()
    made = [ids.new() for _ in range(500)]
    assert len(set(made)) == 500
    assert {len(each) for each in made} == {22}
    assert set("".join(made)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


async def test_a_forked_process_hands_out_other_identifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = SecretIds()
    ids.new()
    held = list(ids._pool)
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert ids.new() not in held
