"""The board's server side: which pipelines run, in which order, how often, and what is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from wirehop.core.errors import Refused
from wirehop.core.messages import Position
from wirehop.jobs import Lines
from wirehop.pages.demos.board import runs
from wirehop.pages.demos.board.pipelines import JobPlan, Pipeline
from wirehop.pages.demos.board.runs import KEPT, MOST_RUNNING, Board
from wirehop.pages.demos.board.states import RunState, State

pytestmark = pytest.mark.asyncio


class Shell(JobPlan, frozen=True):
    """A job that is a line of shell."""

    def command(self, seed: int, attempt: int) -> list[str]:
        return ["sh", "-c", f"seed={seed}; attempt={attempt}; {self.work[0]}"]


def shell(name: str, line: str, *needs: str) -> Shell:
    return Shell(name, (line,), needs, 1.0)


PLANS = (
    Pipeline("quick", "Quick", "", (shell("a", "echo one; exit 0"),)),
    Pipeline("endless", "Endless", "", (shell("a", "sleep 600"), shell("b", "echo never", "a"))),
    Pipeline(
        "tree",
        "Tree",
        "",
        (
            shell("root", "echo root"),
            shell("left", "test $attempt -gt 1", "root"),
            shell("right", "echo $seed", "root"),
            shell("top", "echo top", "left", "right"),
        ),
    ),
)


class Stage:
    """A board, and what it has published."""

    def __init__(self) -> None:
        self.board = Board(self.publish)
        self.states: list[tuple[str, dict[str, State]]] = []
        self.lines: dict[str, list[str]] = {}

    async def publish(self, channel: str, data: object, key: str) -> Position:
        if isinstance(data, RunState):
            assert (channel, key) == ("board:pipelines", data.key)
            self.states.append((data.state, {job.name: job.state for job in data.jobs}))
        elif isinstance(data, Lines):
            self.lines.setdefault(channel, []).extend(line.text for line in data.lines)
        return Position("e", 1)

    async def until(self, ask: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not ask():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(runs, "PIPELINES", {plan.name: plan for plan in PLANS})
    stage = Stage()
    yield stage
    await stage.board.close()


async def over(stage: Stage, state: RunState) -> dict[str, State]:
    """Its jobs' states at the end."""
    await stage.until(lambda: stage.board.runs[state.key].is_over)
    return {job.name: job.state for job in state.jobs}


async def test_jobs_run_after_what_they_need_and_again_when_it_failed(stage: Stage) -> None:
    state = await stage.board.start("tree", "Ada", 42)
    assert await over(stage, state) == {"root": "passed", "left": "failed", "right": "passed", "top": "skipped"}
    assert state.state == "failed"
    for _, jobs in stage.states:
        assert jobs["root"] == "passed" or jobs["left"] == jobs["right"] == "waiting", "it began before what it needs"
    assert stage.lines["board-log:tree.1.right"] == ["42"]

    await stage.board.rerun(state.run, "")
    assert await over(stage, state) == dict.fromkeys(("root", "left", "right", "top"), "passed")
    assert [job.attempt for job in state.jobs] == [1, 2, 1, 1], "what has passed is not run again"
    assert state.state == "passed"

    await stage.board.rerun(state.run, "right")
    await over(stage, state)
    assert [job.attempt for job in state.jobs] == [1, 2, 2, 2], "what needs it is run again as well"


async def test_a_cancelled_pipeline_begins_nothing_more(stage: Stage) -> None:
    state = await stage.board.start("endless", "Ada", 1)
    await stage.until(lambda: state.jobs[0].state == "running" and state.jobs[0].attempt)
    await stage.board.cancel(state.run, "")
    assert await over(stage, state) == {"a": "cancelled", "b": "cancelled"}
    assert state.jobs[1].attempt == 0
    assert (state.state, state.jobs[0].signal) == ("cancelled", "SIGTERM")


async def test_what_is_not_known_and_what_is_too_much_is_refused(stage: Stage) -> None:
    board = stage.board
    for work in (board.start("nothing", "Ada", 1), board.cancel("nobody's", ""), board.rerun("nobody's", "")):
        with pytest.raises(Refused) as refused:
            await work
        assert refused.value.code.number == 107
    first = await board.start("endless", "Ada", 1)
    with pytest.raises(Refused, match="has not ended"):
        await board.rerun(first.run, "")
    for _ in range(KEPT - 1):
        await board.start("endless", "Ada", 1)
    with pytest.raises(Refused) as refused:
        await board.start("endless", "Ada", 1)  # the oldest of a kind is not pushed out while it runs
    assert refused.value.code.number == 111
    await board.start("tree", "Ada", 1)
    assert sum(not run.is_over for run in board.runs.values()) == MOST_RUNNING
    with pytest.raises(Refused):
        await board.start("quick", "Ada", 1)


async def test_a_later_run_takes_the_place_of_the_oldest_of_its_kind(stage: Stage) -> None:
    for _ in range(KEPT + 2):
        await over(stage, await stage.board.start("quick", "Ada", 1))
    assert sorted(run.state.number for run in stage.board.runs.values()) == [3, 4, 5]
    state = stage.board.runs["quick.2"].state
    with pytest.raises(Refused, match="no job"):
        await stage.board.rerun(state.run, "other")
    assert state.jobs[0].expected < 1.0, "it is known by now how long it takes"
