"""The chained handlers of SIGTERM and SIGINT."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from wirehop.hosts.asgi import StopSignals

pytestmark = pytest.mark.asyncio


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """What the server's own handlers heard, in place of the test run's."""
    numbers: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, lambda number, _frame: numbers.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


async def until(is_true: object) -> None:
    for _ in range(200):
        if is_true():  # type: ignore[operator]
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come true")


async def test_the_server_hears_the_signal_when_the_drain_is_over(heard: list[int]) -> None:
    began, done = asyncio.Event(), asyncio.Event()

    async def drain() -> None:
        began.set()
        await done.wait()

    signals = StopSignals(drain)
    signals.install()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(began.wait(), 5)
    assert heard == []
    done.set()
    await until(lambda: heard == [signal.SIGTERM])
    signals.restore()


async def test_a_second_signal_goes_straight_to_the_server(heard: list[int]) -> None:
    began = asyncio.Event()

    async def drain() -> None:
        began.set()
        await asyncio.Event().wait()

    signals = StopSignals(drain)
    signals.install()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(began.wait(), 5)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: heard == [signal.SIGTERM])
    signals.restore()


async def test_a_drain_that_fails_holds_nothing_up(heard: list[int], caplog: pytest.LogCaptureFixture) -> None:
    async def drain() -> None:
        raise RuntimeError("of the drain")

    signals = StopSignals(drain)
    signals.install()
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: heard == [signal.SIGTERM])
    assert "draining failed" in caplog.text
    signals.restore()


async def test_what_is_ignored_stays_ignored_and_what_was_chained_is_given_back(heard: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    signals = StopSignals(lambda: asyncio.sleep(0))
    signals.install()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is not before
    signals.restore()
    assert signal.getsignal(signal.SIGTERM) is before
    signals.install()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # somebody else's now
    signals.restore()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_two_applications_drain_one_after_the_other(heard: list[int]) -> None:
    order: list[str] = []

    def draining(name: str) -> StopSignals:
        async def drain() -> None:
            order.append(name)

        signals = StopSignals(drain)
        signals.install()
        return signals

    first, second = draining("first"), draining("second")
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: heard == [signal.SIGTERM])
    assert order == ["second", "first"]
    second.restore()
    first.restore()


async def test_outside_the_main_thread_signals_are_left_alone(heard: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    signals = StopSignals(lambda: asyncio.sleep(0))
    thread = threading.Thread(target=lambda: (signals.install(), signals.restore()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
