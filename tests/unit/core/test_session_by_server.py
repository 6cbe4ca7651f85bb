"""What the server does to a session unasked: subscriptions it opens and ends, and the time it gives."""

import pytest
from driven import LIMITS, NOW, TOP, Driven, closes, connected, errors, ping, publish, replies
from msgspec import Raw
from msgspec.structs import replace

from wirehop.core import codes
from wirehop.core.effects import (
    Admitted,
    Attach,
    Authenticate,
    Authorize,
    Call,
    Count,
    Detach,
    Enter,
    Failure,
    Grant,
    Leave,
    PageRead,
    ReadPage,
    Refresh,
    Refreshed,
    Send,
    SendMissed,
    SendTail,
    SubRefresh,
)
from wirehop.core.limits import Limits
from wirehop.core.messages import (
    Command,
    ConnectRequest,
    Position,
    Publication,
    RefreshRequest,
    SubRefreshRequest,
    SubscribeRequest,
)
from wirehop.core.recovery import HistoryPage
from wirehop.core.slot import SlotState
from wirehop.core.states import SessionState

GRACE = LIMITS.expiry_grace_seconds
PUBLICATIONS = (Publication(b"4", offset=4), Publication(b"5", offset=5))


def opening(*channels: str, subs: dict[str, SubscribeRequest] | None = None, grant: Grant | None = None) -> Driven:
    """Admitted, with these channels; their history is not read yet."""
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest(subs=subs or {})))
    driven.answer(Authenticate, Admitted("ann", subs=dict.fromkeys(channels, grant or Grant())))
    return driven


# ---- subscriptions that the session begins with


def test_a_tail_that_is_not_at_hand_any_more_is_read_from_history() -> None:
    driven = opening("a", "b")
    slot = driven.session.subscriptions["a"].slot
    assert slot is not None
    driven.answer(ReadPage, PageRead(TOP, 6))
    driven.session.published(slot, 6, 9, "e", NOW)
    out = driven.answer(ReadPage, PageRead(TOP, 0))
    assert SendTail(slot, 6, 9) in out
    driven.session.behind(slot, 5, NOW)
    (call,) = driven.run()
    assert isinstance(call, Call)
    assert isinstance(call.request, ReadPage)
    assert call.request.since == Position("e", 5)


def test_nothing_is_said_before_every_channel_has_its_history() -> None:
    driven = opening("a", "b")
    assert driven.session.state is SessionState.CONNECTING
    assert driven.answer(ReadPage, PageRead(TOP, 0)) == []
    assert driven.slot("a").state is SlotState.CATCHING_UP, "a push could overtake the connect result"
    connect = replies(driven.answer(ReadPage, PageRead(TOP, 0)))[0].connect
    assert connect is not None
    assert {channel: (result.epoch, result.offset) for channel, result in connect.subs.items()} == {
        "a": ("e", 5),
        "b": ("e", 5),
    }
    assert [driven.slot(channel).state for channel in "ab"] == [SlotState.LIVE] * 2


def test_what_came_meanwhile_follows_the_connect_result() -> None:
    driven = opening("a", "b")
    driven.answer(ReadPage, PageRead(TOP, 0))
    driven.session.published(driven.slot("a"), 6, 7, "e", NOW)
    out = driven.answer(ReadPage, PageRead(TOP, 6))
    kinds = [type(output) for output in out if isinstance(output, Send | SendTail)]
    assert kinds == [Send, SendTail]
    assert [(output.first, output.last) for output in out if isinstance(output, SendTail)] == [(6, 7)]


def test_positions_of_the_connect_command_recover() -> None:
    driven = opening("a", subs={"a": SubscribeRequest(recover=True, epoch="e", offset=3)})
    asked = next(request for request in driven.calls.values() if isinstance(request, ReadPage))
    assert asked.since == Position("e", 3)
    connect = replies(driven.answer(ReadPage, PageRead(HistoryPage(PUBLICATIONS, Position("e", 5)), 0)))[0].connect
    assert connect is not None
    assert connect.subs["a"].recovered
    assert connect.subs["a"].publications == PUBLICATIONS


def test_a_signal_channel_has_nothing_to_wait_for() -> None:
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest()))
    out = driven.answer(Authenticate, Admitted("ann", subs={"a": Grant("signal")}))
    connect = replies(out)[0].connect
    assert connect is not None
    assert set(connect.subs) == {"a"}
    assert driven.slot("a").state is SlotState.LIVE


def test_one_whose_log_has_just_been_lost_follows_by_a_push() -> None:
    driven = opening("a", "b")
    driven.session.published(driven.slot("a"), 1, 1, "new", NOW)  # foreign to the page below
    driven.answer(ReadPage, PageRead(TOP, 0))
    out = driven.answer(ReadPage, PageRead(TOP, 0))
    connect = replies(out)[0].connect
    assert connect is not None
    assert set(connect.subs) == {"b"}
    page = PageRead(HistoryPage((), Position("new", 1)), 0)
    push = replies(driven.answer(ReadPage, page))[0].push
    assert push is not None
    assert push.subscribe is not None
    assert (push.channel, push.subscribe.epoch, push.subscribe.offset) == ("a", "new", 1)


def test_presence_is_entered_after_the_connect_result_and_left_at_the_end() -> None:
    driven = opening("a", grant=Grant(presence=True))
    out = driven.answer(ReadPage, PageRead(TOP, 0))
    kinds = [type(output) for output in out if isinstance(output, Send | Enter)]
    assert kinds == [Send, Enter]
    driven.session.lost()
    assert Leave("a", "me") in driven.run()


def test_commands_behind_the_connect_wait_for_it() -> None:
    driven = opening("a")
    assert driven.receive(publish(2)) == []
    out = driven.answer(ReadPage, PageRead(TOP, 0))
    assert [type(output) for output in out if isinstance(output, Send | Call)] == [Send, Call]


def test_history_that_cannot_be_read_ends_the_session_with_reconnect() -> None:
    driven = opening("a")
    assert closes(driven.answer(ReadPage, Failure(codes.INTERNAL))) == [3004]


def test_more_channels_than_a_session_may_have_end_it() -> None:
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest()))
    assert closes(driven.answer(Authenticate, Admitted(subs=dict.fromkeys("abcd", Grant())))) == [3505]


def test_one_that_ends_while_the_session_opens_is_not_mentioned() -> None:
    driven = opening("a", "b")
    driven.answer(ReadPage, PageRead(TOP, 0))
    driven.session.unsubscribe("b", codes.UNSUBSCRIBED, NOW)
    out = driven.run()
    connect = replies(out)[0].connect
    assert connect is not None
    assert set(connect.subs) == {"a"}
    assert len(replies(out)) == 1
    assert any(isinstance(output, Detach) and output.slot.channel == "b" for output in out)


def test_a_wire_that_fills_up_while_the_session_opens() -> None:
    driven = opening("a")
    driven.session.paused()
    out = driven.answer(ReadPage, PageRead(TOP, 0))
    assert replies(out)[0].connect is not None
    driven.session.resumed(NOW)
    driven.run()
    push = replies(driven.answer(ReadPage, PageRead(TOP, 0)))[0].push
    assert push is not None
    assert push.subscribe is not None


# ---- subscriptions that come later


def test_a_subscription_by_the_server_is_told_by_a_push() -> None:
    driven = connected()
    driven.session.subscribe("a", Grant(data=Raw(b"1")), NOW)
    assert any(isinstance(output, Attach) for output in driven.run())
    push = replies(driven.answer(ReadPage, PageRead(TOP, 0)))[0].push
    assert push is not None
    assert push.subscribe is not None
    begin = push.subscribe
    assert (begin.epoch, begin.offset, begin.recoverable, begin.positioned) == ("e", 5, True, True)
    assert bytes(begin.data) == b"1"  # type: ignore[arg-type]


def test_one_from_a_position_is_given_what_was_missed_after_the_push() -> None:
    driven = connected()
    driven.session.subscribe("a", Grant(), NOW, since=Position("e", 3))
    driven.run()
    out = driven.answer(ReadPage, PageRead(HistoryPage(PUBLICATIONS, Position("e", 5)), 0))
    assert [type(output) for output in out] == [Send, SendMissed]
    push = replies(out)[0].push
    assert push is not None
    assert push.subscribe is not None
    assert push.subscribe.offset == 3


def test_a_channel_that_is_held_is_kept_as_it_is() -> None:
    driven = connected()
    driven.subscribe("a")
    slot = driven.slot("a")
    driven.session.subscribe("a", Grant(), NOW)
    assert driven.run() == []
    assert driven.slot("a") is slot


def test_a_client_cannot_take_over_a_subscription_of_the_server() -> None:
    driven = Driven()
    driven.connect(wh=True)
    driven.session.subscribe("a", Grant(), NOW)
    driven.run()
    assert errors(driven.receive(Command(1, subscribe=SubscribeRequest("a")))) == [(1, 105)]


def test_one_that_fails_is_counted() -> None:
    driven = connected()
    driven.session.subscribe("a", Grant(), NOW)
    driven.run()
    out = driven.answer(ReadPage, Failure(codes.INTERNAL))
    assert Count("server_subscribe_failed", 1) in out
    assert not driven.session.subscriptions
    assert replies(out) == []


@pytest.mark.parametrize(("code", "error"), [(codes.UNSUBSCRIBED, 103), (codes.INSUFFICIENT_STATE, 100)])
def test_one_that_ends_before_its_reply_is_answered_not_pushed(code: codes.Code, error: int) -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a")))
    driven.answer(Authorize, Grant())
    driven.session.unsubscribe("a", code, NOW)
    out = driven.run()
    assert errors(out) == [(2, error)]
    assert len(replies(out)) == 1
    driven.receive(publish(3))
    assert any(type(request).__name__ == "Publish" for request in driven.calls.values()), "the channel stays blocked"


# ---- time


def test_a_session_says_when_it_expires_and_ends_then() -> None:
    driven = Driven()
    out = driven.connect(admitted=Admitted("ann", ttl=60.5))
    connect = replies(out)[0].connect
    assert connect is not None
    assert (connect.expires, connect.ttl) == (True, 60)
    assert driven.session.deadline() == NOW + 60.5 + GRACE
    driven.session.tick(NOW + 60.5 + GRACE - 0.1)
    assert driven.run() == []
    driven.session.tick(NOW + 60.5 + GRACE)
    assert closes(driven.run()) == [3005]


def test_a_refresh_gives_it_time() -> None:
    driven = Driven()
    driven.connect(admitted=Admitted("ann", ttl=60))
    driven.receive(Command(2, refresh=RefreshRequest("t")))
    reply = replies(driven.answer(Refresh, Refreshed(100), now=NOW + 50))[0]
    assert reply.refresh is not None
    assert (reply.id, reply.refresh.client, reply.refresh.expires, reply.refresh.ttl) == (2, "me", True, 100)
    assert driven.session.deadline() == NOW + 150 + GRACE
    driven.receive(Command(3, refresh=RefreshRequest("t")))
    driven.answer(Refresh, Refreshed(0))
    assert driven.session.deadline() is None


def test_a_refused_refresh_leaves_the_time_as_it_was_unless_it_ends_the_session() -> None:
    driven = Driven()
    driven.connect(admitted=Admitted("ann", ttl=60))
    driven.receive(Command(2, refresh=RefreshRequest("t")))
    assert errors(driven.answer(Refresh, Failure(codes.INTERNAL))) == [(2, 100)]
    assert driven.session.deadline() == NOW + 60 + GRACE
    driven.receive(Command(3, refresh=RefreshRequest("t")))
    assert closes(driven.answer(Refresh, Failure(codes.INVALID_TOKEN))) == [3500]


def test_the_server_can_give_time_unasked() -> None:
    driven = Driven()
    driven.connect(admitted=Admitted("ann", ttl=60))
    driven.session.refresh(300, NOW)
    push = replies(driven.run())[0].push
    assert push is not None
    assert push.refresh is not None
    assert (push.refresh.expires, push.refresh.ttl) == (True, 300)
    assert driven.session.deadline() == NOW + 300 + GRACE


def test_a_subscription_says_when_it_expires_and_ends_then() -> None:
    driven = connected()
    result = replies(driven.subscribe(grant=Grant(ttl=30)))[0].subscribe
    assert result is not None
    assert (result.expires, result.ttl) == (True, 30)
    driven.subscribe("b", Grant(ttl=50), number=3)
    driven.session.tick(NOW + 30 + GRACE)
    push = replies(driven.run())[0].push
    assert push is not None
    assert push.unsubscribe is not None
    assert (push.channel, push.unsubscribe.code) == ("a", 2501)
    assert driven.session.deadline() == NOW + 50 + GRACE


def test_a_subscription_is_refreshed() -> None:
    driven = connected()
    driven.subscribe(grant=Grant(ttl=30))
    driven.receive(Command(3, sub_refresh=SubRefreshRequest("a", "t")))
    reply = replies(driven.answer(SubRefresh, Refreshed(90), now=NOW + 20))[0]
    assert reply.sub_refresh is not None
    assert (reply.id, reply.sub_refresh.expires, reply.sub_refresh.ttl) == (3, True, 90)
    assert driven.session.deadline() == NOW + 110 + GRACE


def test_a_refresh_of_what_is_not_held_is_denied() -> None:
    driven = connected()
    assert errors(driven.receive(Command(2, sub_refresh=SubRefreshRequest("a", "t")))) == [(2, 103)]


def test_a_refused_refresh_of_a_subscription_may_end_it() -> None:
    driven = connected()
    driven.subscribe(grant=Grant(ttl=30))
    driven.receive(Command(3, sub_refresh=SubRefreshRequest("a", "t")))
    out = driven.answer(SubRefresh, Failure(codes.SUBSCRIPTION_EXPIRED))
    push = replies(out)[0].push
    assert push is not None
    assert push.unsubscribe is not None
    assert push.unsubscribe.code == 2501
    assert errors(out) == [(3, 110)]


def test_a_right_that_begins_at_a_position_does_not_recover_from_before_it() -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a", recover=True, epoch="e", offset=2)))
    driven.answer(Authorize, Grant(since=Position("e", 3)))
    page = HistoryPage((), Position("e", 5), is_complete=False)
    result = replies(driven.answer(ReadPage, PageRead(page, 0)))[0].subscribe
    assert result is not None
    assert (result.was_recovering, result.recovered, result.offset) == (True, False, 5)


def test_the_heartbeat_goes_on_when_a_subscription_expires_in_the_same_tick() -> None:
    limits = replace(LIMITS, expiry_grace_seconds=0.0)
    driven = Driven(limits)
    driven.connect()
    driven.subscribe(grant=Grant(ttl=5))
    driven.session.tick(NOW + 5)
    assert driven.session.deadline() is None
    assert isinstance(limits, Limits)
    assert replies(driven.receive(ping(9)))[-1].ping is not None
