"""The table of a machine: what may come when, and where it may lead."""

from enum import Enum, auto

import pytest

from wirehop.core.errors import LocalProtocolError
from wirehop.core.table import Table


class Door(Enum):
    OPEN = auto()
    SHUT = auto()


class Push(Enum):
    PUSH = auto()
    PULL = auto()


TABLE: Table[Door, Push] = Table(
    "door", {(Door.SHUT, Push.PUSH): (Door.OPEN, Door.SHUT), (Door.OPEN, Push.PULL): (Door.SHUT,)}
)


def test_a_pair_that_stands_in_the_table_may_come() -> None:
    TABLE.enter(Door.SHUT, Push.PUSH)


def test_a_pair_that_is_missing_raises_and_names_what_was_called() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        TABLE.enter(Door.OPEN, Push.PUSH)
    assert (caught.value.machine, caught.value.state, caught.value.call) == ("door", "OPEN", "PUSH")


def test_only_the_states_of_the_row_are_allowed_after_it() -> None:
    assert TABLE.allows(Door.SHUT, Push.PUSH, Door.OPEN)
    assert TABLE.allows(Door.SHUT, Push.PUSH, Door.SHUT)
    assert not TABLE.allows(Door.OPEN, Push.PULL, Door.OPEN)
    assert not TABLE.allows(Door.OPEN, Push.PUSH, Door.OPEN)


def test_the_drawing_has_one_arrow_for_each_state_that_a_row_may_lead_to() -> None:
    assert TABLE.draw() == (
        "stateDiagram-v2\n    SHUT --> OPEN: PUSH\n    SHUT --> SHUT: PUSH\n    OPEN --> SHUT: PULL\n"
    )


def test_rows_given_to_a_table_can_change_afterwards_without_changing_it() -> None:
    rows = {(Door.SHUT, Push.PUSH): (Door.OPEN,)}
    table = Table("door", rows)
    rows.clear()
    table.enter(Door.SHUT, Push.PUSH)
