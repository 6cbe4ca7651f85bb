"""Walks every interleaving of a small world.

A world says what can happen next (`choices`), does one of them (`do`), and at the end of a path runs to rest
(`settle`). After each step it checks what must always hold (`check`), at rest what must hold then (`check_at_rest`):
completeness above all, because safety alone does not notice a forgotten buffer. A world is rebuilt and replayed for
each branch, so nothing needs to be copied.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct


class World(Protocol):
    """A small world of machines. Deterministic: the same choices give the same world."""

    def choices(self) -> Sequence[str]:
        """What can happen now, in a fixed order. Empty: nothing."""
        ...

    def do(self, choice: str) -> None:
        """Let it happen."""
        ...

    def check(self) -> None:
        """Raise AssertionError if something is wrong that must never be."""
        ...

    def settle(self) -> None:
        """Let everything in flight arrive and everything asked be answered."""
        ...

    def check_at_rest(self) -> None:
        """Raise AssertionError if something is missing now that nothing is in flight."""
        ...


class Fault(AssertionError):
    """A path on which the world is wrong. `path`: the choices that lead there; `trace`: what the world has to say."""

    def __init__(self, path: Sequence[str], problem: str) -> None:
        super().__init__(f"{problem}\n  after {' · '.join(path) or 'nothing'}")
        self.path = tuple(path)
        self.problem = problem


class Walked(Struct, frozen=True):
    """How much was walked: whole paths, and steps in all."""

    paths: int
    steps: int


def walk(make: Callable[[], World], *, depth: int, most_paths: int = 1_000_000) -> Walked:
    """Every path of at most `depth` choices. Raises `Fault` on the first that is wrong, ValueError beyond
    `most_paths`."""
    paths = steps = 0
    for world, path in _paths(make, depth):
        paths += 1
        steps += len(path)
        if paths > most_paths:
            raise ValueError(f"more than {most_paths} paths: make the world smaller")
        _rest(world, path)
    return Walked(paths, steps)


def _paths(make: Callable[[], World], depth: int) -> Iterator[tuple[World, list[str]]]:
    """Depth first; each world that comes out stands at the end of its path."""
    pending: list[list[str]] = [[]]
    while pending:
        path = pending.pop()
        world = make()
        for choice in path:
            world.do(choice)  # checked when this prefix was first walked
        if path:
            _check(world, path)
        while True:
            choices = world.choices() if len(path) < depth else ()
            if not choices:
                break
            pending += [[*path, choice] for choice in reversed(choices[1:])]
            path = [*path, choices[0]]
            world.do(choices[0])
            _check(world, path)
        yield world, path


def _check(world: World, path: Sequence[str]) -> None:
    try:
        world.check()
    except AssertionError as error:
        raise Fault(path, str(error)) from error


def _rest(world: World, path: Sequence[str]) -> None:
    try:
        world.settle()
        world.check()
        world.check_at_rest()
    except AssertionError as error:
        raise Fault([*path, "at rest"], str(error)) from error


def replay(make: Callable[[], World], path: Sequence[str]) -> World:
    """The world at the end of a path: to look at a fault again."""
    world = make()
    for choice in path:
        world.do(choice)
    return world
