"""Child processes that answer lines with lines, how they run, and what a process has used.

It knows pipes, loops, cores and, on Linux, `/proc`. It does not know what the children do.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from wirehop.core.errors import WirehopError

END_SECONDS: Final = 3.0
LINE_LIMIT: Final = 1 << 20

Answer = TypeVar("Answer", bound=Struct)
Value = TypeVar("Value")


class BenchFailed(WirehopError):
    """The bench cannot go on; the text says why."""


class Child:
    """A child process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self._name = name

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    async def line(self, seconds: float) -> bytes:
        """The next line that it prints."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BenchFailed(f"the {self._name} has not answered for {seconds:.0f} s") from None
        if not line:
            raise BenchFailed(f"the {self._name} has ended")
        return line

    async def ask(self, question: Struct | None, answer: type[Answer], seconds: float) -> Answer:
        """Write a line (None: an empty one) and read the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write((b"" if question is None else msgspec.json.encode(question)) + b"\n")
        return msgspec.json.decode(await self.line(seconds), type=answer)

    async def end(self) -> None:
        """Stop it: by the end of its input, then by force."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def child(name: str, command: Sequence[str], *, cores: frozenset[int] = frozenset()) -> AsyncIterator[Child]:
    """A process on these cores (none: any); it ends with the block."""
    with on_cores(cores):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            start_new_session=True,  # Ctrl-C at the terminal is for this process, which then ends the child
        )
    started = Child(process, name)
    try:
        yield started
    finally:
        await asyncio.shield(started.end())


def run_child(work: Coroutine[Any, Any, None]) -> None:
    """What a child process does: `work`, on uvloop where it is installed, else on asyncio's own loop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where there are no sessions to keep Ctrl-C away
    run_apart(work)


def run_apart(work: Coroutine[Any, Any, Value]) -> Value:
    """Run it to its end on a loop of its own: uvloop's where it is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def cores_for_two() -> tuple[frozenset[int], frozenset[int]]:
    """A core for the server and the others for the load generator; empty sets where that cannot be said."""
    if sys.platform != "linux":
        return frozenset(), frozenset()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return frozenset(), frozenset()
    return frozenset(cores[:1]), frozenset(cores[1:])


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    if not cores or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float | None:
    """Processor time of a process; None where the system does not tell of others."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3), which Python does not have
    return None


def memory_bytes(pid: int) -> int | None:
    """What a process has taken for itself: its proportional set size without mapped files. None where the system
    does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return None
