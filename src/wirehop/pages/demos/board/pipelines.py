"""The pipelines that the board can start. Pages choose among them; what is run is written here and nowhere else."""

import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

WORK: Final = Path(__file__).with_name("work.py")


class JobPlan(Struct, frozen=True):
    """A job: the arguments of `work.py`, what must have passed before it, and how long it is thought to take. `cell` is
    its place in a matrix, `fails_first` what its first attempt gets as well."""

    name: str
    work: tuple[str, ...]
    needs: tuple[str, ...] = ()
    seconds: float = 2.0
    matrix: str = ""
    fails_first: tuple[str, ...] = ()

    def command(self, seed: int, attempt: int) -> list[str]:
        """What is run."""
        more = self.fails_first if attempt == 1 else ()
        return [sys.executable, "-u", str(WORK), str(seed), *self.work, *more]


class Pipeline(Struct, frozen=True):
    """Jobs, in the order in which they are shown."""

    name: str
    title: str
    about: str
    jobs: tuple[JobPlan, ...]


def _cells() -> tuple[JobPlan, ...]:
    return tuple(
        JobPlan(
            f"{method}-{size}",
            ("test", method, size),
            ("check",),
            2.0,
            "test",
            ("--fails",) if (method, size) == ("lzma", "large") else (),
        )
        for method in ("zlib", "lzma", "xor")
        for size in ("small", "large")
    )


_TESTS: Final = _cells()
PIPELINES: Final = {
    pipeline.name: pipeline
    for pipeline in (
        Pipeline(
            "build",
            "Build",
            "Check, test in a matrix, pack, release. One test fails the first time.",
            (
                JobPlan("check", ("check",), (), 3.0),
                *_TESTS,
                JobPlan("package", ("package",), tuple(test.name for test in _TESTS), 1.0),
                JobPlan("release", ("release",), ("package",), 3.0),
            ),
        ),
        Pipeline(
            "flood",
            "50,000 lines",
            "5,000 lines a second for ten seconds.",
            (JobPlan("lines", ("flood", "50000", "5000"), (), 10.5),),
        ),
        Pipeline(
            "deluge",
            "100,000 lines",
            "As fast as one can look away.",
            (JobPlan("lines", ("flood", "100000", "20000"), (), 5.5),),
        ),
        Pipeline(
            "cancel",
            "Cancel me",
            "One cleans up when it is asked to end; one has to be killed.",
            (JobPlan("tidy", ("tidy",), (), 600.0), JobPlan("stubborn", ("stubborn",), (), 600.0)),
        ),
    )
}
