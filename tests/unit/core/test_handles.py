"""Session tokens: which are good when."""

import pytest

from wirehop.core.handles import MOST, Handles, hashed


def issued(count: int) -> Handles:
    handles = Handles()
    for number in range(1, count + 1):
        assert handles.issue(f"t{number}") == number
    return handles


def test_a_token_is_good_from_its_issue_and_again() -> None:
    handles = issued(1)
    assert handles.shown("t1")
    assert handles.shown("t1")
    assert handles.proven == 1


@pytest.mark.parametrize("token", ["", "t2", "T1", "t1 "])
def test_another_token_is_not(token: str) -> None:
    assert not issued(1).shown(token)


def test_a_proof_retires_the_older_ones() -> None:
    handles = issued(3)
    assert handles.prove(2)
    assert not handles.shown("t1")
    assert not handles.prove(1)
    assert handles.shown("t3")
    assert not handles.shown("t2")


def test_a_late_proof_takes_no_newer_token_from_the_client() -> None:
    handles = issued(1)
    assert handles.shown("t1")  # the client opens its next wire with it
    handles.issue("t2")
    assert handles.prove(1)  # the confirming ping of the first wire, late
    assert handles.shown("t2")


def test_a_dropped_wire_retires_nothing() -> None:
    handles = issued(1)
    assert handles.shown("t1")
    handles.issue("t2")  # its wire is dropped before the client hears of it
    assert handles.shown("t1")


def test_only_the_proven_one_and_the_four_newest_are_known() -> None:
    handles = issued(1)
    assert handles.shown("t1")
    for number in range(2, 2 + MOST + 2):
        handles.issue(f"t{number}")
    assert not handles.prove(2)
    assert not handles.prove(3)
    assert handles.prove(1)
    assert handles.prove(4)


def test_a_token_is_not_kept_as_it_is() -> None:
    handles = issued(1)
    assert "t1" not in repr([getattr(handles, name) for name in Handles.__slots__])
    assert len(hashed("t1")) == 16
