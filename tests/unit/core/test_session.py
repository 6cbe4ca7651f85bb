"""One client's conversation. Positions and slots have their own tests; here: the envelope, the order, the bounds, the
end."""

import pytest
from driven import (
    HEARTBEAT,
    LIMITS,
    NOW,
    TOP,
    Driven,
    closes,
    connected,
    errors,
    numbered,
    ping,
    publish,
    replies,
    unsubscribe,
)
from msgspec import Raw
from msgspec.structs import replace

from wirehop.core import codes
from wirehop.core.codes import TABLE, Code, Kind
from wirehop.core.effects import (
    Admitted,
    Attach,
    Authenticate,
    Authorize,
    Call,
    Close,
    Count,
    Detach,
    Enter,
    Failure,
    Grant,
    Invoke,
    Invoked,
    Leave,
    PageRead,
    Publish,
    ReadPage,
    Received,
    Send,
    SendMissed,
    SendTail,
)
from wirehop.core.messages import (
    PING,
    Command,
    ConnectRequest,
    HistoryRequest,
    PingRequest,
    Position,
    Publication,
    PublishRequest,
    Push,
    RpcRequest,
    SendRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from wirehop.core.recovery import HistoryPage
from wirehop.core.resumable import Gone
from wirehop.core.states import SessionState
from wirehop.core.terms import Heartbeat

# ---- connect
# -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [ping(1), publish(1), Command(), Command(0, connect=ConnectRequest())], ids=str)
def test_the_first_command_must_be_connect_with_an_id(command: Command) -> None:
    driven = Driven()
    assert closes(driven.receive(command)) == [3501]
    assert driven.session.state is SessionState.CLOSED


def test_a_wire_without_a_connect_command_in_time_is_stale() -> None:
    driven = Driven()
    assert driven.session.deadline() == NOW + 10
    driven.session.tick(NOW + 9.9)
    assert driven.run() == []
    driven.session.tick(NOW + 10)
    assert closes(driven.run()) == [3502]


def test_a_connect_that_came_in_time_is_not_stale_however_long_the_answer_takes() -> None:
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest()))
    assert driven.session.deadline() is None
    driven.session.tick(NOW + 1000)
    assert driven.run() == []


def test_the_connect_result_names_client_version_and_what_the_application_gave() -> None:
    result = replies(Driven().connect(admitted=Admitted("ann", Raw(b"1"), Raw(b"[2]"))))[0].connect
    assert result is not None
    assert (result.client, result.version, result.data, result.ping, result.pong) == ("me", "v1", Raw(b"[2]"), 0, False)
    assert result.wh is None


def test_session_and_node_are_named_only_where_commands_travel_apart() -> None:
    result = replies(Driven(secret="s").connect())[0].connect
    assert result is not None
    assert (result.session, result.node) == ("s", "n1")
    result = replies(Driven().connect())[0].connect
    assert result is not None
    assert (result.session, result.node) == ("", "")


def test_a_client_that_numbers_is_told_the_next_number_and_the_limit() -> None:
    result = replies(Driven().connect(wh=True))[0].connect
    assert result is not None
    assert result.wh is not None
    assert (result.wh.next, result.wh.limit) == (1, 4)


def test_a_connect_that_is_refused_with_an_error_is_answered_and_closed() -> None:
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest()))
    out = driven.answer(Authenticate, Failure(codes.TOKEN_EXPIRED))
    assert errors(out) == [(1, 109)]
    assert closes(out) == [3000]
    assert isinstance(out[0], Send)


def test_a_connect_that_is_refused_with_a_disconnect_code_is_closed_with_it() -> None:
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest()))
    out = driven.answer(Authenticate, Failure(codes.INVALID_TOKEN))
    assert replies(out) == []
    assert closes(out) == [3500]


def test_commands_behind_a_pending_connect_are_held_and_run_in_order() -> None:
    driven = Driven()
    assert len(driven.receive(Command(1, connect=ConnectRequest()), ping(2), ping(3))) == 1
    assert [reply.id for reply in replies(driven.answer(Authenticate, Admitted()))] == [1, 2, 3]


def test_more_bytes_than_may_be_held_behind_a_connect_close_with_3501() -> None:
    driven = Driven()
    driven.receive(Command(1, connect=ConnectRequest()))
    assert driven.receive(ping(2), size=100) == []
    assert closes(driven.receive(ping(3), size=1)) == [3501]


def test_a_second_connect_closes_with_3501() -> None:
    assert closes(connected().receive(Command(2, connect=ConnectRequest()))) == [3501]


# ---- commands
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [Command(2), Command(0, ping=PingRequest()), publish(0)], ids=str)
def test_a_command_of_no_known_kind_or_without_an_id_closes_with_3501(command: Command) -> None:
    assert closes(connected().receive(command)) == [3501]


def test_an_empty_command_is_a_pong_and_has_no_answer() -> None:
    assert connected().receive(Command()) == []


def test_a_ping_is_answered_and_tells_a_numbering_client_the_next_number() -> None:
    assert replies(connected().receive(ping(2)))[0].wh is None
    driven = numbered()
    reply = replies(driven.receive(ping(1)))[0]
    assert reply.wh is not None
    assert reply.wh.next == 2


def test_send_is_passed_on_and_not_answered() -> None:
    assert connected().receive(Command(0, send=SendRequest(Raw(b"1")))) == [Received(Raw(b"1"))]


@pytest.mark.parametrize("channel", ["", "x" * 11, "é" * 6, "a\nb", "a\x00", "a\u2028"])
@pytest.mark.parametrize("kind", ["subscribe", "publish", "history", "unsubscribe"])
def test_a_name_that_is_none_is_a_bad_request(channel: str, kind: str) -> None:
    requests = {
        "subscribe": SubscribeRequest(channel),
        "publish": PublishRequest(channel, Raw(b"1")),
        "history": HistoryRequest(channel),
        "unsubscribe": UnsubscribeRequest(channel),
    }
    driven = connected()
    assert errors(driven.receive(Command(2, **{kind: requests[kind]}))) == [(2, 107)]  # type: ignore[arg-type]
    assert driven.session.state is SessionState.CONNECTED


def test_a_name_of_just_the_longest_length_in_bytes_is_taken() -> None:
    assert errors(connected().receive(publish(2, "é" * 5))) == []


def test_answers_come_with_the_number_of_their_command_in_any_order_over_channels() -> None:
    driven = connected()
    driven.receive(publish(2, "a"), publish(3, "b"))
    first, second = driven.calls
    driven.session.answer(second, Position("e", 1), NOW)
    driven.session.answer(first, Position("e", 1), NOW)
    assert [reply.id for reply in replies(driven.run())] == [3, 2]


def test_an_answer_whose_number_is_not_open_is_ignored() -> None:
    driven = connected()
    driven.receive(publish(2))
    number = next(iter(driven.calls))
    driven.session.answer(number, Position("e", 1), NOW)
    assert len(driven.run()) == 1
    for stale in (number, 999, 0, -1):
        driven.session.answer(stale, Position("e", 1), NOW)
        assert driven.run() == []


def test_commands_on_one_channel_run_one_after_the_other() -> None:
    driven = connected()
    out = driven.receive(publish(2), publish(3, "b"), publish(4))
    assert [output.request for output in out if isinstance(output, Call)] == [
        Publish(PublishRequest("a", Raw(b"1"))),
        Publish(PublishRequest("b", Raw(b"1"))),
    ]
    out = driven.answer(Publish, Failure(codes.INTERNAL))
    assert errors(out) == [(2, 100)]
    assert any(isinstance(output, Call) for output in out), "the next one runs also after a failure"


def test_unanswered_commands_are_bounded_over_all_channels() -> None:
    driven = connected()
    out = driven.receive(publish(2, "a"), publish(3, "b"), publish(4, "a"), publish(5, "a"), publish(6, "b"), ping(7))
    assert errors(out) == [(6, 111), (7, 111)]
    driven.answer(Publish, Position("e", 1))
    assert errors(driven.receive(publish(8, "b"))) == []


def test_an_rpc_carries_its_data_there_and_back() -> None:
    driven = connected()
    out = driven.receive(Command(2, rpc=RpcRequest("m", Raw(b"[1]"))))
    assert out == [Call(2, Invoke("m", Raw(b"[1]")))]
    reply = replies(driven.answer(Invoke, Invoked(Raw(b"[2]"))))[0]
    assert reply.rpc is not None
    assert reply.rpc.data == Raw(b"[2]")


def test_a_failure_with_a_disconnect_code_ends_the_session() -> None:
    driven = connected()
    driven.receive(Command(2, rpc=RpcRequest("m", Raw(b"1"))))
    assert closes(driven.answer(Invoke, Failure(codes.FORCE_DISCONNECT))) == [3503]


# ---- numbered commands
# ---------------------------------------------------------------------------------------------------


def test_numbered_commands_run_once_and_in_order() -> None:
    driven = numbered()
    assert driven.receive(ping(2)) == []
    assert [reply.id for reply in replies(driven.receive(ping(1)))] == [1, 2]
    assert driven.receive(ping(1), ping(2)) == []


def test_a_gap_that_stays_open_closes_with_3010() -> None:
    driven = numbered()
    driven.receive(ping(2), now=NOW + 5)
    assert driven.session.deadline() == NOW + 35
    driven.session.tick(NOW + 34.9)
    assert driven.run() == []
    driven.session.tick(NOW + 35)
    assert closes(driven.run()) == [3010]


@pytest.mark.parametrize("end", ["lost", "end", "tick"])
def test_a_session_that_ended_with_an_open_gap_waits_for_nothing(end: str) -> None:
    """Its deadline stood in the past for ever, and the node's wheel called it again and again without end."""
    driven = numbered()
    driven.receive(ping(2))
    if end == "lost":
        driven.session.lost()
    elif end == "end":
        driven.session.end(codes.SHUTDOWN)
    else:
        driven.session.tick(NOW + 30)
    assert driven.session.state is SessionState.CLOSED
    assert driven.session.deadline() is None


def test_more_commands_than_may_wait_for_a_gap_close_with_3501() -> None:
    driven = numbered()
    driven.receive(*(ping(number) for number in range(2, 6)))
    assert closes(driven.receive(ping(6))) == [3501]


def test_a_repeated_subscribe_of_a_numbering_client_replaces_the_slot() -> None:
    driven = numbered()
    driven.subscribe(number=1)
    old = driven.slot()
    out = driven.subscribe(number=2)
    assert Detach(old) in out
    assert errors(out) == []
    assert driven.slot() is not old


# ---- subscriptions
# -------------------------------------------------------------------------------------------------------


def test_a_subscribe_is_authorized_then_attached_then_read_then_answered() -> None:
    driven = connected()
    out = driven.subscribe(grant=Grant(presence=True))
    kinds = [type(output.request if isinstance(output, Call) else output) for output in out]
    assert kinds == [Authorize, Attach, ReadPage, Send, Enter]
    assert out[-1] == Enter("a", replace(out[-1].info, user="ann", client="me"))  # type: ignore[union-attr]


def test_subscribing_twice_is_105() -> None:
    driven = connected()
    driven.subscribe()
    assert errors(driven.receive(Command(3, subscribe=SubscribeRequest("a")))) == [(3, 105)]


def test_one_subscription_too_many_is_106() -> None:
    driven = connected()
    for number, channel in enumerate("abc", 2):
        driven.subscribe(channel, number=number)
    assert errors(driven.receive(Command(9, subscribe=SubscribeRequest("d")))) == [(9, 106)]
    driven.receive(unsubscribe(10))
    assert errors(driven.subscribe("d", number=11)) == []


@pytest.mark.parametrize("code", [code for code in TABLE if code.kind is Kind.ERROR], ids=lambda code: code.name)
def test_a_refused_subscribe_is_answered_with_the_error_and_leaves_nothing(code: Code) -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a")))
    assert errors(driven.answer(Authorize, Failure(code))) == [(2, code.number)]
    assert driven.session.subscriptions == {}
    assert errors(driven.subscribe(number=3)) == []


def test_history_that_cannot_be_read_while_it_opens_is_an_error_reply() -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a")))
    driven.answer(Authorize, Grant())
    slot = driven.slot()
    out = driven.answer(ReadPage, Failure(codes.INTERNAL))
    assert errors(out) == [(2, 100)]
    assert Detach(slot) in out


def test_history_that_cannot_be_read_later_ends_the_subscription_with_2500() -> None:
    driven = connected()
    driven.subscribe()
    driven.session.published(driven.slot(), 9, 9, "e", NOW)
    driven.run()
    out = driven.answer(ReadPage, Failure(codes.INTERNAL))
    push = replies(out)[0].push
    assert push is not None
    assert push.unsubscribe is not None
    assert push.unsubscribe.code == 2500
    assert driven.session.subscriptions == {}


def test_a_gap_that_cannot_be_closed_ends_the_subscription_with_2500() -> None:
    driven = connected()
    driven.subscribe()
    driven.session.published(driven.slot(), 9, 9, "e", NOW)
    driven.run()
    out = driven.answer(ReadPage, PageRead(HistoryPage((), Position("e", 9), is_complete=False), 0))
    push = replies(out)[0].push
    assert push is not None
    assert push.unsubscribe is not None
    assert push.unsubscribe.code == 2500


def test_a_wire_too_slow_for_its_log_ends_the_session_with_3008() -> None:
    driven = connected()
    driven.subscribe()
    driven.session.paused()
    driven.session.resumed(NOW)
    driven.run()
    assert closes(driven.answer(ReadPage, PageRead(HistoryPage((), Position("e", 50), is_complete=False), 0))) == [3008]


def test_flag_2_asks_for_112_where_recovery_is_impossible() -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a", recover=True, epoch="old", offset=1, flag=2)))
    driven.answer(Authorize, Grant(presence=True))
    slot = driven.slot()
    out = driven.answer(ReadPage, PageRead(HistoryPage((), Position("e", 5), is_complete=False), 0))
    assert errors(out) == [(2, 112)]
    assert Detach(slot) in out
    assert not any(isinstance(output, Enter | Leave) for output in out), "who never entered does not leave"


def test_nothing_of_a_channel_follows_the_error_that_refused_it() -> None:
    """Heard while history was read, sent from the tail after error 112 and the detach."""
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a", recover=True, epoch="old", offset=1, flag=2)))
    driven.answer(Authorize, Grant())
    driven.session.published(driven.slot(), 6, 7, "e", NOW)
    out = driven.answer(ReadPage, PageRead(HistoryPage((), Position("e", 5), is_complete=False), 6))
    assert errors(out) == [(2, 112)]
    assert not any(isinstance(output, SendTail | SendMissed | Call) for output in out)


def test_nothing_of_a_channel_follows_the_unsubscribe_reply() -> None:
    """subscribe and unsubscribe in one message: the unsubscribe runs as soon as the subscribe is answered."""
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a")), unsubscribe(3))
    driven.answer(Authorize, Grant())
    driven.session.published(driven.slot(), 6, 7, "e", NOW)
    out = driven.answer(ReadPage, PageRead(TOP, 6))
    assert [reply.id for reply in replies(out)] == [2, 3]
    assert not any(isinstance(output, SendTail) for output in out), "the slot is detached already"


def test_the_subscribe_reply_stands_before_the_pushes_of_its_channel() -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a")))
    driven.answer(Authorize, Grant())
    slot = driven.slot()
    driven.session.published(slot, 6, 7, "e", NOW)
    out = driven.answer(ReadPage, PageRead(TOP, 6))
    assert isinstance(out[0], Send)
    assert out[1] == SendTail(slot, 6, 7)


def test_unsubscribing_what_is_not_held_succeeds() -> None:
    reply = replies(connected().receive(unsubscribe(2)))[0]
    assert reply.id == 2
    assert reply.unsubscribe is not None


def test_unsubscribing_detaches_and_leaves() -> None:
    driven = connected()
    driven.subscribe(grant=Grant(presence=True))
    slot = driven.slot()
    out = driven.receive(unsubscribe(3))
    assert out[:2] == [Detach(slot), Leave("a", "me")]
    assert driven.session.subscriptions == {}


def test_the_server_ends_a_subscription_with_a_push() -> None:
    driven = connected()
    driven.subscribe()
    driven.session.unsubscribe("a", codes.UNSUBSCRIBED, NOW)
    out = driven.run()
    push = replies(out)[0].push
    assert push is not None
    assert push.unsubscribe is not None
    assert push.unsubscribe.code == 2000
    driven.session.unsubscribe("a", codes.UNSUBSCRIBED, NOW)
    assert driven.run() == []


def test_an_answer_for_a_subscription_that_has_ended_is_ignored() -> None:
    driven = connected()
    driven.receive(Command(2, subscribe=SubscribeRequest("a")))
    driven.session.unsubscribe("a", codes.UNSUBSCRIBED, NOW)
    driven.run()
    assert driven.answer(Authorize, Grant()) == []


def test_a_slot_that_was_replaced_is_not_heard() -> None:
    driven = numbered()
    driven.subscribe(number=1)
    old = driven.slot()
    driven.subscribe(number=2)
    driven.session.published(old, 6, 6, "e", NOW)
    assert driven.run() == []


def test_a_top_that_is_not_where_a_live_slot_stands_makes_it_read() -> None:
    driven = connected()
    driven.subscribe()
    driven.session.compare(driven.slot(), Position("e", 5), NOW)
    assert driven.run() == []
    driven.session.compare(driven.slot(), Position("e", 6), NOW)
    assert [type(output) for output in driven.run()] == [Call]


def test_slots_catch_up_one_after_the_other_when_the_wire_drains() -> None:
    driven = connected()
    for number, channel in enumerate("abc", 2):
        driven.subscribe(channel, number=number)
    driven.session.paused()
    driven.session.resumed(NOW)
    for _ in "abc":
        out = driven.run()
        assert len([output for output in out if isinstance(output, Call)]) <= 1
        assert len(driven.calls) == 1
        number = next(iter(driven.calls))
        del driven.calls[number]
        driven.session.answer(number, PageRead(TOP, 0), NOW)
    assert driven.run() == []
    assert all(driven.slot(channel).next == 6 for channel in "abc")


def test_a_slot_that_catches_up_does_not_hold_the_others_back_when_it_is_unsubscribed() -> None:
    driven = connected()
    for number, channel in enumerate("abc", 2):
        driven.subscribe(channel, number=number)
    driven.session.paused()
    driven.session.resumed(NOW)
    out = driven.run()
    reading = next(output.request.channel for output in out if isinstance(output, Call))  # type: ignore[union-attr]
    out = driven.receive(unsubscribe(9, reading))
    assert len([output for output in out if isinstance(output, Call)]) == 1


def test_dropped_signals_are_counted_one_by_one() -> None:
    driven = connected()
    driven.subscribe(grant=Grant("signal"))
    driven.session.paused()
    driven.session.published(driven.slot(), 0, 0, "", NOW)
    assert driven.run() == [Count("signal_slow", 1)]


# ---- heartbeat
# -------------------------------------------------------------------------------------------------------------


def test_a_ping_goes_out_every_interval_and_its_answer_is_waited_for() -> None:
    driven = connected(heartbeat=HEARTBEAT)
    assert driven.session.deadline() == NOW + 25
    driven.session.tick(NOW + 25)
    assert driven.run() == [Send(PING)]
    assert driven.session.deadline() == NOW + 35
    driven.session.tick(NOW + 35)
    assert closes(driven.run()) == [3012]


@pytest.mark.parametrize("sign", ["pong", "command", "heard"])
def test_anything_from_the_peer_shows_that_it_is_alive(sign: str) -> None:
    driven = connected(heartbeat=HEARTBEAT)
    driven.session.tick(NOW + 25)
    if sign == "heard":
        driven.session.heard()
    else:
        driven.receive(Command() if sign == "pong" else ping(2), now=NOW + 26)
    driven.session.tick(NOW + 36)
    assert closes(driven.run()) == []
    assert driven.session.deadline() == NOW + 50


def test_a_wire_that_wants_no_pong_is_not_closed_for_silence() -> None:
    driven = connected(heartbeat=replace(HEARTBEAT, wants_pong=False))
    for beat in range(1, 5):
        driven.session.tick(NOW + 25 * beat)
    assert [type(output) for output in driven.run()] == [Send] * 4


def test_silence_closes_also_where_the_patience_is_longer_than_the_interval() -> None:
    """Each further ping pushed the deadline of the first one's answer away, so silence was never noticed."""
    driven = connected(heartbeat=Heartbeat(interval=5.0, patience=12.0, wants_pong=True))
    for second in range(1, 60):
        driven.session.tick(NOW + second)
    assert closes(driven.run()) == [3012]


def test_the_connect_result_says_how_often_and_whether_a_pong_is_wanted() -> None:
    result = replies(Driven(heartbeat=HEARTBEAT).connect())[0].connect
    assert result is not None
    assert (result.ping, result.pong) == (25, True)


# ---- the end
# -----------------------------------------------------------------------------------------------------------------


def busy() -> Driven:
    """A session with everything open that it can have open."""
    driven = Driven(replace(LIMITS, pending_commands=20), HEARTBEAT)
    driven.connect(wh=True)
    driven.subscribe("a", Grant(presence=True), number=1)
    driven.subscribe("b", number=2)
    driven.receive(Command(3, subscribe=SubscribeRequest("c")), publish(4, "a"), publish(5, "a"), ping(7))
    driven.session.paused()
    driven.session.tick(NOW + 25)
    driven.run()
    return driven


@pytest.mark.parametrize("how", ["end", "lost"])
def test_an_ended_session_holds_nothing_and_takes_nothing(how: str) -> None:
    driven = busy()
    slots = [driven.slot("a"), driven.slot("b")]
    if how == "end":
        driven.session.end(codes.SHUTDOWN)
    else:
        driven.session.lost()
    out = driven.run()
    assert [output for output in out if isinstance(output, Detach)] == [Detach(slot) for slot in slots]
    assert driven.session.membership is not None
    resumable = driven.session.membership.resumable
    resumable.settle(NOW)
    assert [output.leaves for output in resumable.take() if isinstance(output, Gone)] == [("a",)]
    assert closes(out) == ([3001] if how == "end" else [])
    assert driven.session.subscriptions == {}
    assert driven.session.deadline() is None
    for number in list(driven.calls):
        driven.session.answer(number, Failure(codes.INTERNAL), NOW)
    accepted = [each.request for each in driven.run() if isinstance(each, Call)]
    assert [type(each) for each in accepted] == [Publish]  # it was accepted before the end, and waited for its turn
    driven.session.published(slots[0], 6, 6, "e", NOW)
    driven.session.compare(slots[0], Position("e", 6), NOW)
    driven.session.push(Push("a"))
    driven.session.paused()
    driven.session.resumed(NOW)
    driven.session.unsubscribe("a", codes.UNSUBSCRIBED, NOW)
    driven.session.tick(NOW + 1000)
    driven.session.end(codes.SLOW)
    driven.session.lost()
    assert driven.receive(ping(6), publish(9)) == []
    assert driven.session.deadline() is None


def test_close_is_the_last_thing_said_and_its_reason_is_never_empty() -> None:
    driven = busy()
    driven.session.end(codes.SLOW)
    out = driven.run()
    assert out[-1] == Close(codes.SLOW, codes.SLOW.text)


def test_a_push_before_the_connect_result_is_not_said() -> None:
    driven = Driven()
    driven.session.push(Push("a"))
    assert driven.run() == []


def test_missed_publications_are_sent_from_history() -> None:
    driven = connected()
    driven.subscribe()
    slot = driven.slot()
    driven.session.published(slot, 7, 7, "e", NOW)
    driven.run()
    missed = (Publication(b"6", offset=6), Publication(b"7", offset=7))
    out = driven.answer(ReadPage, PageRead(HistoryPage(missed, Position("e", 7)), 7))
    assert out == [SendMissed(slot, missed)]


def test_the_same_inputs_give_the_same_outputs() -> None:
    def said(driven: Driven) -> list[object]:
        return [output if isinstance(output, Send | Call | Enter) else type(output) for output in driven.outputs]

    assert said(busy()) == said(busy())
