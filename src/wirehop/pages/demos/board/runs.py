"""Runs of pipelines: which job may start, what became of it, and what it says of itself meanwhile."""

import asyncio
import logging
import secrets
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import Position
from wirehop.jobs import Ended, Job
from wirehop.jobs.records import state_of
from wirehop.pages.demos.board.pipelines import PIPELINES, JobPlan, Pipeline
from wirehop.pages.demos.board.states import JobState, RunState, overall

log = logging.getLogger("wirehop.demos")
NOT_RUN: Final = 125
"""The code of a job that could not be run."""

KEPT: Final = 3
"""Runs of each pipeline that the board has at a time; the next one takes the place of the oldest."""

MOST_RUNNING: Final = 4
"""Pipelines at a time."""

PROCESSES: Final = 3
"""Jobs at a time."""

TELL_SECONDS: Final = 1.0
"""Between two words about a job that runs."""

GRACE_SECONDS: Final = 2.0
REMEMBERED: Final = 5
"""Durations of which the median is what a job is thought to take."""

Publish = Callable[[str, object, str], Awaitable[Position]]
"""`await publish(channel, data, key)`; the key is that of a channel with the newest values."""


class PipelineRun:
    """One run of a pipeline, again if it is wanted."""

    def __init__(self, board: "Board", plan: Pipeline, state: RunState, seed: int) -> None:
        self.state = state
        self._board = board
        self._plan = plan
        self._seed = seed
        self._playing: dict[str, Job] = {}
        self.task = asyncio.create_task(self._play())

    @property
    def is_over(self) -> bool:
        """Nothing of it runs or waits."""
        return self.task.done()

    def cancel(self, name: str = "") -> None:
        """Ask that job to end, or all of them; what waits does not begin."""
        for job in self.state.jobs:
            if name in ("", job.name):
                if job.state == "waiting":
                    job.state = "cancelled"
                if job.name in self._playing:
                    self._playing[job.name].cancel()

    def rerun(self, name: str = "") -> None:
        """Run again: that job and what needs it, or what has not passed, or all of them."""
        wanted = {job.name for job in self.state.jobs if name == job.name or (not name and job.state != "passed")}
        wanted = wanted or {job.name for job in self.state.jobs if not name}
        for job in self.state.jobs:  # in an order in which what is needed comes first
            if wanted.intersection(job.needs):
                wanted.add(job.name)
            if job.name in wanted:
                job.state, job.began, job.ended, job.lines, job.code, job.signal = "waiting", 0, 0, 0, 0, ""
        self.state.state, self.state.began, self.state.ended = "running", _now(), 0
        self.task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        tasks = [
            asyncio.create_task(self._job(plan, job))
            for plan, job in zip(self._plan.jobs, self.state.jobs, strict=True)
            if job.state == "waiting"
        ]
        telling = asyncio.create_task(self._tell_again())
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in (*tasks, telling):
                if not task.cancelling():  # once: each waits until its process is gone
                    task.cancel()
            await asyncio.gather(*tasks, telling, return_exceptions=True)
        self.state.state, self.state.ended = overall(self.state.jobs), _now()
        await self._board.tell(self.state)

    async def _job(self, plan: JobPlan, job: JobState) -> None:
        """Wait for what it needs, then run it."""
        needs = [each for each in self.state.jobs if each.name in plan.needs]
        while any(each.state in ("waiting", "running") for each in needs):
            await self._board.changed()
        if job.state == "waiting" and any(each.state != "passed" for each in needs):
            job.state = "skipped"
        if job.state == "waiting":
            async with self._board.processes:
                if job.state == "waiting":  # not cancelled meanwhile
                    await self._run(plan, job)
        await self._board.tell(self.state)

    async def _run(self, plan: JobPlan, job: JobState) -> None:
        job.attempt += 1
        job.run, job.state, job.began = secrets.token_hex(6), "running", _now()
        playing = self._playing[job.name] = Job(
            plan.command(self._seed, job.attempt),
            name=job.name,
            run=job.run,
            publish=lambda record, _key: self._board.publish(job.channel, record, ""),
            grace=GRACE_SECONDS,
        )
        begun = asyncio.create_task(self._begun(playing, job))
        try:
            self._ended(job, await playing.run())
        except Exception:
            log.exception("job %s of %s", job.name, self.state.key)
            job.state, job.ended, job.code = "failed", _now(), NOT_RUN
        finally:
            begun.cancel()
            del self._playing[job.name]

    async def _begun(self, playing: Job, job: JobState) -> None:
        await playing.begun.wait()
        job.since = playing.position.offset - 1
        await self._board.tell(self.state)

    def _ended(self, job: JobState, ended: Ended) -> None:
        job.state = "cancelled" if ended.cancelled else "passed" if state_of(ended) == "passed" else "failed"
        job.ended, job.lines, job.code, job.signal = ended.at, ended.lines, ended.code, ended.signal
        if job.state == "passed":
            job.expected = self._board.took(f"{self._plan.name}.{job.name}", (job.ended - job.began) / 1000)

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            for job in self.state.jobs:
                if job.name in self._playing:
                    job.lines = self._playing[job.name].lines
            await self._board.tell(self.state)


class Board:
    """All runs. `publish` is the node's."""

    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        self.runs: dict[str, PipelineRun] = {}
        self.processes = asyncio.Semaphore(PROCESSES)
        self._numbers: dict[str, int] = {}
        self._durations: dict[str, deque[float]] = {}
        self._waiting: list[asyncio.Future[None]] = []

    async def start(self, name: str, by: str, seed: int) -> RunState:
        """Start a pipeline. Refused are what is not known (107) and what is too much (111)."""
        plan = PIPELINES.get(name)
        if plan is None:
            raise Refused(codes.BAD_REQUEST, f"there is no pipeline {name[:40]!r}")
        number = self._numbers.get(name, 0) + 1
        key = f"{name}.{number % KEPT}"
        self._must_have_room(key)
        self._numbers[name] = number
        jobs = [
            JobState(
                each.name,
                each.needs,
                each.matrix,
                self._expected(f"{name}.{each.name}", each.seconds),
                f"board-log:{key}.{each.name}",
            )
            for each in plan.jobs
        ]
        state = RunState(key, secrets.token_hex(6), name, plan.title, number, by, _now(), jobs)
        self.runs[key] = PipelineRun(self, plan, state, seed)
        await self.tell(state)
        return state

    async def cancel(self, run: str, job: str) -> None:
        """End it, or a job of it."""
        found = self._find(run)
        found.cancel(job)
        await self.tell(found.state)

    async def rerun(self, run: str, job: str) -> None:
        """Run it again, or a job of it."""
        found = self._find(run)
        if not found.is_over:
            raise Refused(codes.BAD_REQUEST, "it has not ended yet")
        if job and job not in [each.name for each in found.state.jobs]:
            raise Refused(codes.BAD_REQUEST, f"it has no job {job[:40]!r}")
        self._must_have_room("")
        found.rerun(job)
        await self.tell(found.state)

    async def close(self) -> None:
        """End everything that runs."""
        tasks = [run.task for run in self.runs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def tell(self, state: RunState) -> None:
        """Publish it as it is now."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
        await self.publish("board:pipelines", state, state.key)

    async def changed(self) -> None:
        """Returns when something has changed."""
        each: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(each)
        await each

    def took(self, name: str, seconds: float) -> float:
        """It took so long; what it is thought to take from now on."""
        self._durations.setdefault(name, deque(maxlen=REMEMBERED)).append(seconds)
        return self._expected(name, seconds)

    def _expected(self, name: str, otherwise: float) -> float:
        return round(statistics.median(self._durations.get(name) or [otherwise]), 2)

    def _find(self, run: str) -> PipelineRun:
        for each in self.runs.values():
            if each.state.run == run:
                return each
        raise Refused(codes.BAD_REQUEST, "it is not on the board any more")

    def _must_have_room(self, key: str) -> None:
        before = self.runs.get(key)
        if sum(not run.is_over for run in self.runs.values()) >= MOST_RUNNING or (before and not before.is_over):
            raise Refused(
                codes.TOO_MANY_REQUESTS, f"at most {MOST_RUNNING} pipelines and {KEPT} of a kind run at a time"
            )


def _now() -> int:
    return int(time.time() * 1000)
