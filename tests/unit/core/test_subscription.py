"""One channel of one session."""

import pytest
from msgspec import Raw

from wirehop.core.effects import Grant
from wirehop.core.errors import LocalProtocolError
from wirehop.core.messages import Position, Publication, SubscribeRequest
from wirehop.core.slot import Started
from wirehop.core.subscription import FLAG_ERROR_ON_UNRECOVERABLE, Subscription, SubscriptionState

AT_THE_TOP = Started(recovered=False, publications=(), position=Position("e", 5))


def opening(request: SubscribeRequest, grant: Grant | None = None) -> Subscription:
    subscription = Subscription(request, 7)
    subscription.granted(grant or Grant())
    return subscription


def test_the_slot_has_the_class_that_was_granted() -> None:
    assert Subscription(SubscribeRequest("c"), 7).granted(Grant("latest")).delivery == "latest"


@pytest.mark.parametrize(("recover", "since"), [(True, Position("e", 3)), (False, None)])
def test_the_slot_recovers_only_where_the_client_asked_for_it(recover: bool, since: Position | None) -> None:
    request = SubscribeRequest("c", recover=recover, epoch="e", offset=3)
    assert Subscription(request, 7).granted(Grant()).since == since


def test_the_result_says_where_it_starts_and_what_was_missed() -> None:
    publications = (Publication(b"1", offset=4),)
    subscription = opening(SubscribeRequest("c", recover=True, epoch="e", offset=3))
    result = subscription.started(Started(True, publications, Position("e", 4)))
    assert result is not None
    assert (result.epoch, result.offset, result.publications) == ("e", 4, publications)
    assert result.recovered
    assert result.was_recovering
    assert result.recoverable
    assert result.positioned


def test_a_client_that_did_not_ask_to_recover_is_not_told_that_it_was_recovering() -> None:
    result = opening(SubscribeRequest("c")).started(AT_THE_TOP)
    assert result is not None
    assert not result.was_recovering


def test_a_signal_channel_has_no_positions() -> None:
    result = opening(SubscribeRequest("c"), Grant("signal")).started(Started(False, (), Position("", 0)))
    assert result is not None
    assert not result.recoverable
    assert not result.positioned
    assert result.epoch == ""


@pytest.mark.parametrize(
    ("recover", "flag", "recovered", "is_error"),
    [
        (True, FLAG_ERROR_ON_UNRECOVERABLE, False, True),
        (True, FLAG_ERROR_ON_UNRECOVERABLE | 1, False, True),
        (True, FLAG_ERROR_ON_UNRECOVERABLE, True, False),
        (True, 1, False, False),
        (False, FLAG_ERROR_ON_UNRECOVERABLE, False, False),
    ],
)
def test_the_flag_asks_for_an_error_where_recovery_is_impossible(
    recover: bool, flag: int, recovered: bool, is_error: bool
) -> None:
    subscription = opening(SubscribeRequest("c", recover=recover, epoch="e", flag=flag))
    result = subscription.started(Started(recovered, (), Position("e", 5)))
    assert (result is None) is is_error


def test_data_of_the_grant_goes_into_the_result_once_and_is_not_kept() -> None:
    subscription = opening(SubscribeRequest("c"), Grant("log", presence=True, info=Raw(b"1"), data=Raw(b"[2]")))
    result = subscription.started(AT_THE_TOP)
    assert result is not None
    assert result.data == Raw(b"[2]")
    assert subscription.grant == Grant("log", presence=True, info=Raw(b"1"))


@pytest.mark.parametrize(("granted", "asked"), [(True, True), (True, False), (False, True)])
def test_joins_are_told_where_they_are_granted_and_asked_for(granted: bool, asked: bool) -> None:
    subscription = opening(SubscribeRequest("c", join_leave=asked), Grant(join_leave=granted))
    assert subscription.watches is (granted and asked)


def test_before_the_grant_nothing_is_told() -> None:
    assert not Subscription(SubscribeRequest("c", join_leave=True), 7).watches


def test_ending_stops_the_slot_and_may_come_twice() -> None:
    subscription = opening(SubscribeRequest("c"))
    subscription.end()
    subscription.end()
    assert subscription.state is SubscriptionState.ENDED
    assert subscription.slot is not None
    assert subscription.slot.state.name == "CLOSED"


def test_it_is_granted_once_and_started_once() -> None:
    subscription = opening(SubscribeRequest("c"))
    with pytest.raises(LocalProtocolError):
        subscription.granted(Grant())
    subscription.started(AT_THE_TOP)
    with pytest.raises(LocalProtocolError):
        subscription.started(AT_THE_TOP)
    assert subscription.state is SubscriptionState.OPEN
