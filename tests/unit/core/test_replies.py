"""The envelope: from a command to what it asks for, from an answer to its reply."""

import pytest
from msgspec import UNSET, Raw

from wirehop.core import codes
from wirehop.core.codes import TABLE, Kind, Retry
from wirehop.core.effects import (
    Admitted,
    Failure,
    Invoke,
    Invoked,
    Publish,
    ReadHistory,
    ReadPresence,
    ReadPresenceStats,
    Refresh,
    SubRefresh,
)
from wirehop.core.messages import (
    ClientInfo,
    Command,
    ConnectRequest,
    Error,
    HistoryRequest,
    HistoryResult,
    PingRequest,
    PingResult,
    Position,
    PresenceRequest,
    PresenceResult,
    PresenceStatsRequest,
    PresenceStatsResult,
    Publication,
    PublishRequest,
    PublishResult,
    PublishWhResult,
    RefreshRequest,
    Reply,
    ReplyWh,
    RpcRequest,
    RpcResult,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from wirehop.core.recovery import HistoryPage
from wirehop.core.replies import channel_of, is_pong, kind_of, refusal, request_of, result_reply

COMMANDS = {
    "connect": Command(1, connect=ConnectRequest()),
    "subscribe": Command(1, subscribe=SubscribeRequest("c")),
    "unsubscribe": Command(1, unsubscribe=UnsubscribeRequest("c")),
    "publish": Command(1, publish=PublishRequest("c", Raw(b"1"))),
    "presence": Command(1, presence=PresenceRequest("c")),
    "presence_stats": Command(1, presence_stats=PresenceStatsRequest("c")),
    "history": Command(1, history=HistoryRequest("c")),
    "ping": Command(1, ping=PingRequest()),
    "send": Command(1, send=SendRequest(Raw(b"1"))),
    "rpc": Command(1, rpc=RpcRequest("m", Raw(b"1"))),
    "refresh": Command(1, refresh=RefreshRequest("t")),
    "sub_refresh": Command(1, sub_refresh=SubRefreshRequest("c", "t")),
}


def test_every_kind_of_command_is_known_here() -> None:
    assert {*COMMANDS, "id", "wh"} == set(Command.__struct_fields__)


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_kind_is_the_field_that_is_set(kind: str) -> None:
    assert kind_of(COMMANDS[kind]) == kind
    assert not is_pong(COMMANDS[kind])


def test_only_the_empty_object_is_a_pong() -> None:
    assert is_pong(Command())
    assert not is_pong(Command(1))
    assert not is_pong(Command(0, ping=PingRequest()))
    assert kind_of(Command(1)) == ""


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_channel_is_found_where_the_command_runs_on_one(kind: str) -> None:
    on_a_channel = {"publish", "subscribe", "unsubscribe", "history", "presence", "presence_stats"}
    assert channel_of(COMMANDS[kind]) == ("c" if kind in on_a_channel else None)


def test_an_empty_channel_is_not_no_channel() -> None:
    assert channel_of(Command(1, publish=PublishRequest())) == ""


@pytest.mark.parametrize(
    ("kind", "request_type"),
    [
        ("publish", Publish),
        ("rpc", Invoke),
        ("history", ReadHistory),
        ("presence", ReadPresence),
        ("presence_stats", ReadPresenceStats),
        ("refresh", Refresh),
        ("sub_refresh", SubRefresh),
        ("send", type(None)),
    ],
)
def test_what_the_world_is_asked_for(kind: str, request_type: type) -> None:
    assert isinstance(request_of(COMMANDS[kind]), request_type)


def test_the_payload_of_a_request_is_passed_on_as_it_came() -> None:
    assert request_of(COMMANDS["rpc"]) == Invoke("m", Raw(b"1"))


@pytest.mark.parametrize("code", [code for code in TABLE if code.kind is Kind.ERROR], ids=lambda code: code.name)
def test_a_refusal_carries_number_text_and_whether_it_is_temporary(code: codes.Code) -> None:
    error = Error(code.number, code.text, temporary=code.retry is Retry.TEMPORARY)
    assert refusal(7, Failure(code)) == Reply(id=7, error=error)


def test_a_message_of_its_own_replaces_the_text() -> None:
    reply = refusal(7, Failure(codes.BAD_REQUEST, "why"))
    assert reply.error is not None
    assert reply.error.message == "why"


PAGE = HistoryPage((Publication(b"1", offset=4),), Position("e", 9))


@pytest.mark.parametrize(
    ("answer", "has_wh", "reply"),
    [
        (Position("e", 3), False, Reply(id=1, publish=PublishResult())),
        (Position("e", 3), True, Reply(id=1, publish=PublishResult(PublishWhResult(3, "e")))),
        (Invoked(Raw(b"[1]")), False, Reply(id=1, rpc=RpcResult(Raw(b"[1]")))),
        (Invoked(Raw()), False, Reply(id=1, rpc=RpcResult(UNSET))),
        (PAGE, False, Reply(id=1, history=HistoryResult(PAGE.publications, "e", 9))),
        (PresenceResult({"1": ClientInfo("u", "1")}, 2), False, None),
        (PresenceStatsResult(1, 2), False, Reply(id=1, presence_stats=PresenceStatsResult(1, 2))),
        ("unsubscribed", False, Reply(id=1, unsubscribe=UnsubscribeResult())),
        (None, False, Reply(id=1, ping=PingResult())),
        (5, True, Reply(id=1, ping=PingResult(), wh=ReplyWh(5))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_becomes_the_one_result(answer: object, *, has_wh: bool, reply: Reply | None) -> None:
    if reply is None:
        assert isinstance(answer, PresenceResult)
        reply = Reply(id=1, presence=answer)
    assert result_reply(1, answer, has_wh=has_wh) == reply  # type: ignore[arg-type]


def test_what_answers_no_command_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        result_reply(1, Admitted())
