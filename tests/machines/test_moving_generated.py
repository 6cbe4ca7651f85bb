"""A client whose session moves, and a node, through anything: drawn at random, checked at every step.

A million steps; `WIREHOP_STEPS=…` walks more, or fewer.
"""

import os
from typing import Any

import pytest
from moving_pair import MovingPair

from wirehop.client.machine import ClientMachine
from wirehop.core.membership import Membership
from wirehop.core.resumable import Resumable
from wirehop.core.slot import Slot

STEPS = int(os.environ.get("WIREHOP_STEPS", "1000000"))
PARTS = 20
SEEDS = (6_000_011, 16_000_196)
"""They have shown defects: a trial whose history did not reach what was published meanwhile; a subscribe answered while
a trial was open, put by until that failed, and what was published in between."""


def _walk(seed: int) -> int:
    """How many steps it took."""
    pair = MovingPair(seed)
    try:
        for _ in range(3):
            for _ in range(150):
                pair.step()
                pair.check()
            pair.settle()
            pair.check()
            pair.check_at_rest()
            pair.forget_old_links()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, step {pair.steps}: {error}") from error
    return pair.steps


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_doubled_or_out_of_order(part: int) -> None:
    steps, seed = 0, part * 1_000_000
    while steps < STEPS / PARTS:
        steps += _walk(seed)
        seed += 1


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_found_once_stays_found(seed: int) -> None:
    _walk(seed)


def _walk_some() -> None:
    for seed in range(60):
        pair = MovingPair(seed)
        for _ in range(200):
            pair.step()
            pair.check()
        pair.settle()
        pair.check()
        pair.check_at_rest()


def test_a_server_that_forgets_who_waits_on_a_channel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resumable, "gave_up", lambda _self, _session, _channel: None)
    with pytest.raises(AssertionError):
        _walk_some()


def test_a_server_that_runs_what_is_repeated_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Membership, "_run_again", lambda self, command, now: self._session.run(command, now))
    with pytest.raises(AssertionError):
        _walk_some()


def test_a_trial_that_ends_what_it_would_have_to_read_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slot, "would_read_again", lambda _self, _page, _limits, *, tail_from: False)
    with pytest.raises(AssertionError, match="flicker"):
        _walk(6_000_011)


def test_a_client_that_takes_every_3600_for_a_duplicated_tab_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ClientMachine.lost

    def lost(self: ClientMachine, *arguments: Any) -> None:
        self._links.may_have_moved = False
        before(self, *arguments)

    monkeypatch.setattr(ClientMachine, "lost", lost)
    with pytest.raises(AssertionError):
        _walk_some()
