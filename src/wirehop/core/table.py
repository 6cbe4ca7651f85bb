"""Transition tables: what every machine's states and inputs are, in one place that tests enumerate and docs draw."""

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

from wirehop.core.errors import LocalProtocolError

State = TypeVar("State", bound=Enum)
Input = TypeVar("Input", bound=Enum)


class Table(Generic[State, Input]):
    """All legal (state, input) pairs of a machine and the states each may lead to.

    A pair that is missing is a mistake of the caller: `LocalProtocolError`, and nothing has changed. Where a pair may
    lead to several states, the machine's handler decides between them, and `check` holds it to them.
    """

    __slots__ = ("name", "rows")

    def __init__(self, name: str, rows: Mapping[tuple[State, Input], tuple[State, ...]]) -> None:
        self.name = name
        self.rows = dict(rows)

    def enter(self, state: State, given: Input) -> None:
        """Raise `LocalProtocolError` unless `given` may come in `state`."""
        if (state, given) not in self.rows:
            raise LocalProtocolError(self.name, state.name, given.name)

    def allows(self, state: State, given: Input, after: State) -> bool:
        """Whether `given` may lead from `state` to `after`: what the walks assert after each step."""
        return after in self.rows.get((state, given), ())

    def draw(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        for (state, given), targets in self.rows.items():
            lines += [f"    {state.name} --> {target.name}: {given.name}" for target in targets]
        return "\n".join(lines) + "\n"
