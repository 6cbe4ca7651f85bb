"""A job: one command, run and published.

job = Job(["make", "test"], name="test", run="k3…", publish=publish)
ended = await job.run()
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from wirehop.jobs.process import Exit, Process, StartFailed, Take
from wirehop.jobs.records import STDERR, STDOUT, Ended
from wirehop.jobs.splitter import LineSplitter
from wirehop.jobs.writer import LogWriter, Publish


class Job:
    """`publish(record, idempotency key)` writes its log. `echo` gets the bytes as they come. `grace`: the seconds
    between being asked to end and being ended. `flush`: the seconds for what is not published yet when the command has
    ended (None: as long as it takes)."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        run: str,
        publish: Publish,
        tty: bool = False,
        env: Mapping[str, str] | None = None,
        echo: Take | None = None,
        grace: float = 10.0,
        flush: float | None = None,
    ) -> None:
        self.process: Process | None = None
        self.begun = asyncio.Event()
        self.position: Any = None
        """What `publish` gave for the beginning of its log."""
        self.is_cancelled = False
        self.failure: Exception | None = None
        """Why its log is not published any more."""
        self._command = command
        self._name = name
        self._run = run
        self._publish = publish
        self._tty = tty
        self._env = env
        self._echo = echo
        self._grace = grace
        self._flush = flush
        self._splitters = {STDOUT: LineSplitter(), STDERR: LineSplitter()}
        self._writer: LogWriter | None = None
        self._flushing: asyncio.Timeout | None = None
        self._interrupts = 0

    @property
    def lines(self) -> int:
        """How many it has said."""
        return 0 if self._writer is None else self._writer.lines

    async def run(self) -> Ended:
        """Run it to its end, and publish. Raises `StartFailed`, and what `publish` raises before it has begun; where
        it is cancelled, the command is ended."""
        writer = self._writer = LogWriter(self._publish, self._run, self._held_back)
        try:
            self.position = await writer.begin(self._name)
            self.begun.set()
            exit_ = await self._played()
            return await self._told(exit_)
        finally:
            self.failure = writer.failure
            await writer.close()

    def cancel(self) -> None:
        """Ask the command to end; it is ended after the grace."""
        self.is_cancelled = True
        if self.process is not None:
            self.process.stop(self._grace)

    def kill(self) -> None:
        """End the command."""
        self.is_cancelled = True
        if self.process is not None:
            self.process.kill()

    def interrupt(self) -> None:
        """What Ctrl-C does: the command gets SIGINT, the second time it is asked to end, the third time it is ended.
        When it has ended, what is not published is given up."""
        self._interrupts += 1
        if self._flushing is not None:
            self._flushing.reschedule(0)
        elif self._interrupts == 1:
            self.is_cancelled = True
            if self.process is not None:
                self.process.send(signal.SIGINT)
        elif self._interrupts == 2:
            self.cancel()
        else:
            self.kill()

    # ---- inside ------------------------------------------------------------------------------------------------------

    async def _played(self) -> Exit:
        if self.is_cancelled:  # before it was there
            return Exit(143, "SIGTERM")
        try:
            process = self.process = await Process.start(self._command, self._heard, tty=self._tty, env=self._env)
        except StartFailed as error:
            self._heard(STDERR, f"{error}\n".encode())
            return Exit(error.exit_code)
        if self._writer is not None and self._writer.is_full:  # meanwhile
            process.pause()
        if self.is_cancelled:
            process.stop(self._grace)
        try:
            exit_ = await asyncio.shield(process.ended)
        except asyncio.CancelledError:
            process.kill()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                async with asyncio.timeout(self._grace):
                    await asyncio.shield(process.ended)
            raise
        for stream, splitter in self._splitters.items():
            self._add(stream, splitter.close())
        return exit_

    async def _told(self, exit_: Exit) -> Ended:
        writer = self._writer
        assert writer is not None
        cancelled = self.is_cancelled
        try:
            async with asyncio.timeout(self._flush) as self._flushing:
                return await writer.end(exit_, cancelled=cancelled)
        except TimeoutError:
            return writer.ended(exit_, cancelled=cancelled)

    def _heard(self, stream: int, data: bytes) -> None:
        if self._echo is not None:
            self._echo(stream, data)
        self._add(stream, self._splitters[stream].feed(data))

    def _add(self, stream: int, found: list[tuple[str, bool]]) -> None:
        if self._writer is not None:
            self._writer.add(stream, found)

    def _held_back(self, is_full: bool) -> None:
        process = self.process
        if process is not None:
            (process.pause if is_full else process.resume)()
