"""What is revoked stays revoked, for as long as it is remembered; and what is remembered is bounded."""

import pytest

from wirehop.auth.revocations import Revocations
from wirehop.core.errors import Refused
from wirehop.testing.clock import ManualClock

NOW = 1_700_000_000.0


def test_by_id_by_user_and_before_a_time() -> None:
    revoked = Revocations(ManualClock(), 60)
    assert not revoked.covers("ada", "t1", NOW)
    revoked.revoke_id("t1")
    assert revoked.covers("ada", "t1", NOW)
    assert not revoked.covers("ada", "t2", NOW)
    revoked.revoke_user("ada", NOW)
    assert revoked.covers("ada", "t2", NOW)
    assert revoked.covers("ada", "", 0), "a token without iat counts as the oldest"
    assert not revoked.covers("ada", "t2", NOW + 1)
    assert not revoked.covers("bob", "t2", NOW)
    revoked.revoke_before(NOW - 10)
    assert revoked.covers("bob", "", NOW - 10)
    assert not revoked.covers("bob", "", NOW - 9)


def test_an_earlier_time_takes_nothing_back() -> None:
    revoked = Revocations(ManualClock(), 60)
    revoked.revoke_user("ada", NOW)
    revoked.revoke_user("ada", NOW - 100)
    revoked.revoke_before(NOW - 50)
    revoked.revoke_before(NOW - 100)
    assert revoked.covers("ada", "", NOW)
    assert revoked.covers("bob", "", NOW - 50)


def test_somebody_anonymous_is_revoked_by_id_or_time_only() -> None:
    revoked = Revocations(ManualClock(), 60)
    revoked.revoke_user("ada", NOW)
    assert not revoked.covers("", "", 0)


def test_what_is_old_makes_room_and_what_is_not_refuses_more() -> None:
    clock = ManualClock()
    revoked = Revocations(clock, 60, most=2)
    revoked.revoke_id("a")
    clock.advance(30)
    revoked.revoke_user("ada", NOW)
    revoked.revoke_id("a")
    with pytest.raises(Refused) as refused:
        revoked.revoke_id("b")
    assert refused.value.code.number == 106
    clock.advance(61)
    revoked.revoke_id("b")
    assert len(revoked) == 1
    assert revoked.covers("", "b", 0)
