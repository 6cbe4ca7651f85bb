"""What the board publishes of its pipelines: one value for each run of one, in `board:pipelines`."""

from typing import Literal

from msgspec import Struct

State = Literal["waiting", "running", "passed", "failed", "cancelled", "skipped"]


class JobState(Struct):
    """`run` is the log's run; it is in `channel`, after offset `since`. `expected`: seconds it is thought to take."""

    name: str
    needs: tuple[str, ...]
    matrix: str
    expected: float
    channel: str
    state: State = "waiting"
    attempt: int = 0
    run: str = ""
    since: int = 0
    began: int = 0
    ended: int = 0
    lines: int = 0
    code: int = 0
    signal: str = ""


class RunState(Struct):
    """One run of a pipeline. `key` is its place on the board: a later run of the pipeline takes it over."""

    key: str
    run: str
    pipeline: str
    title: str
    number: int
    by: str
    began: int
    jobs: list[JobState]
    state: State = "running"
    ended: int = 0


def overall(jobs: list[JobState]) -> State:
    """The state of all of them."""
    states = {job.state for job in jobs}
    if states & {"waiting", "running"}:
        return "running"
    for state in ("failed", "cancelled"):
        if state in states:
            return state
    return "passed"
