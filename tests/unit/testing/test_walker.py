"""The walker on worlds small enough to count by hand."""

from collections.abc import Sequence

import pytest

from wirehop.testing.walker import Fault, replay, walk


class Coins:
    """Each step takes a left or a right coin; there are two of each."""

    def __init__(self, *, wrong: str = "", wrong_at_rest: str = "") -> None:
        self.taken = ""
        self.is_settled = False
        self.wrong = wrong
        self.wrong_at_rest = wrong_at_rest

    def choices(self) -> Sequence[str]:
        return [side for side in "lr" if self.taken.count(side) < 2]

    def do(self, choice: str) -> None:
        self.taken += choice

    def check(self) -> None:
        assert not self.wrong or self.taken != self.wrong, f"{self.taken} is wrong"

    def settle(self) -> None:
        self.is_settled = True

    def check_at_rest(self) -> None:
        assert self.is_settled
        assert not self.wrong_at_rest or self.taken != self.wrong_at_rest, f"{self.taken} is wrong at rest"


def test_every_order_is_walked_once() -> None:
    ends: list[str] = []

    class Noting(Coins):
        def check_at_rest(self) -> None:
            ends.append(self.taken)

    walked = walk(Noting, depth=10)
    assert sorted(ends) == ["llrr", "lrlr", "lrrl", "rllr", "rlrl", "rrll"]
    assert (walked.paths, walked.steps) == (6, 24)


@pytest.mark.parametrize(("depth", "paths"), [(0, 1), (1, 2), (2, 4), (3, 6)])
def test_the_depth_bounds_the_paths(depth: int, paths: int) -> None:
    assert walk(Coins, depth=depth).paths == paths


@pytest.mark.parametrize("wrong", ["l", "lr", "rrll", "rll"])
def test_a_fault_names_the_choices_that_lead_to_it(wrong: str) -> None:
    with pytest.raises(Fault) as caught:
        walk(lambda: Coins(wrong=wrong), depth=10)
    assert "".join(caught.value.path) == wrong
    assert f"{wrong} is wrong" in caught.value.problem
    assert " · ".join(wrong) in str(caught.value)
    assert replay(Coins, caught.value.path).taken == wrong


def test_a_fault_at_rest_says_so() -> None:
    with pytest.raises(Fault) as caught:
        walk(lambda: Coins(wrong_at_rest="rlrl"), depth=10)
    assert caught.value.path == ("r", "l", "r", "l", "at rest")


def test_a_world_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller"):
        walk(Coins, depth=10, most_paths=5)
    assert walk(Coins, depth=10, most_paths=6).paths == 6
