"""The JSON codec: commands from lines, replies to lines, payloads spliced in byte for byte."""

import json

import msgspec
import pytest
from msgspec import UNSET, Raw

from wirehop.client.messages import decode_replies
from wirehop.codecs.json_lines import (
    JsonLines,
    encode_command,
    encode_publication,
    encode_publication_push,
    encode_push,
    encode_reply,
    quoted,
)
from wirehop.core.errors import BadMessage
from wirehop.core.messages import (
    PING,
    ClientInfo,
    Command,
    ConnectRequest,
    ConnectResult,
    Disconnect,
    Error,
    HistoryResult,
    Join,
    Leave,
    Message,
    PayloadKind,
    PingRequest,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    PublishRequest,
    PublishResult,
    PublishWhResult,
    Push,
    Reply,
    ReplyWh,
    RpcResult,
    SubscribeRequest,
    SubscribeResult,
    Unsubscribe,
    UnsubscribeResult,
    Wh,
)

CODEC = JsonLines()
ODD = b'{"b": 1.10,  "a":[ 1e3 ],"\\u00e9":"\\/"}'
"""JSON that every encoder would write differently."""


# ---- commands
# ------------------------------------------------------------------------------------------------------------


def test_one_command_and_several_on_lines() -> None:
    ping = Command(1, ping=PingRequest())
    assert CODEC.decode_commands(b'{"id":1,"ping":{}}') == [ping]
    assert CODEC.decode_commands(b'{"id":1,"ping":{}}\n\n{"id":1,"ping":{}}\n') == [ping, ping]
    assert CODEC.decode_commands(b'{"id":1,"ping":{}}\r\n{}') == [ping, Command()]
    assert CODEC.decode_commands(b"\n") == []


def test_payloads_of_commands_stay_the_bytes_they_were() -> None:
    line = b'{"id":1,"publish":{"channel":"c","data":%b}}' % ODD
    assert CODEC.decode_commands(line) == [Command(1, publish=PublishRequest("c", Raw(ODD)))]


def test_the_fields_of_a_connect() -> None:
    line = b'{"id":1,"connect":{"token":"t","subs":{"a":{"recover":true,"epoch":"e","offset":3}},"wh":{"acked":[2,4]}}}'
    (command,) = CODEC.decode_commands(line)
    subs = {"a": SubscribeRequest(recover=True, epoch="e", offset=3)}
    assert command.connect == ConnectRequest(token="t", subs=subs, wh=Wh((2, 4)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b"null",
        b'{"id":"1"}',
        b'{"id":1.5}',
        b'{"id":1}x',
        b'{"id":1,"ping":1}',
        b'{"id":1,"subscribe":{"channel":1}}',
        b'{"id":1,"ping":{}}\n{',
        b'{"id":1,"x":' + b"[" * 100_000,
        b'{"id":1,"x":"\\ud800"}'[:-1],
    ],
    ids=lambda data: repr(data[:30]),
)
def test_what_is_not_a_command_is_a_bad_message_with_3501(data: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        CODEC.decode_commands(data)
    assert caught.value.code.number == 3501


def test_commands_in_an_array() -> None:
    assert CODEC.decode_array(b'[ {"id":1,"ping":{}}, {} ]') == [Command(1, ping=PingRequest()), Command()]
    assert CODEC.decode_array(Raw(b"[]")) == []


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b"[", b"[" * 100_000, b"[{}] x"], ids=lambda data: repr(data[:10])
)
def test_what_is_not_an_array_of_commands_is_a_bad_message(data: bytes) -> None:
    with pytest.raises(BadMessage):
        CODEC.decode_array(data)


def test_a_command_is_written_as_one_line() -> None:
    assert encode_command(Command()) == b"{}"
    assert encode_command(Command(2, publish=PublishRequest("a\nb", Raw(ODD)))) == (
        b'{"id":2,"publish":{"channel":"a\\nb","data":%b}}' % ODD
    )


# ---- replies
# ---------------------------------------------------------------------------------------------------------------

PUBLICATION = Publication(ODD, offset=7, info=ClientInfo("u", "c", Raw(b"[ 1]")), tags={"a": "b"}, time=9, key="k")
WIRE_PUBLICATION = (
    b'{"data":%b,"offset":7,"info":{"user":"u","client":"c","conn_info":[ 1]},"tags":{"a":"b"},"time":9,"key":"k"}'
    % ODD
)


def test_a_publication_holds_its_payload_byte_for_byte_and_only_what_it_has() -> None:
    assert encode_publication(PUBLICATION) == WIRE_PUBLICATION
    assert encode_publication(Publication(ODD)) == b'{"data":%b}' % ODD


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (PING, b"{}"),
        (
            Reply(id=1, error=Error(100, "no", temporary=True)),
            b'{"id":1,"error":{"code":100,"message":"no","temporary":true}}',
        ),
        (Reply(id=1, connect=ConnectResult("c", data=Raw(ODD))), b'{"id":1,"connect":{"client":"c","data":%b}}' % ODD),
        (
            Reply(id=1, subscribe=SubscribeResult(epoch="e", offset=7, recovered=True, publications=(PUBLICATION,))),
            b'{"id":1,"subscribe":{"epoch":"e","offset":7,"recovered":true,"publications":[%b]}}' % WIRE_PUBLICATION,
        ),
        (Reply(id=1, subscribe=SubscribeResult(data=Raw(ODD))), b'{"id":1,"subscribe":{"data":%b}}' % ODD),
        (
            Reply(id=1, history=HistoryResult((PUBLICATION,), "e", 7)),
            b'{"id":1,"history":{"publications":[%b],"epoch":"e","offset":7}}' % WIRE_PUBLICATION,
        ),
        (
            Reply(id=1, history=HistoryResult((), "e", 7)),
            b'{"id":1,"history":{"publications":[],"epoch":"e","offset":7}}',
        ),
        (Reply(id=1, rpc=RpcResult(Raw(ODD))), b'{"id":1,"rpc":{"data":%b}}' % ODD),
        (Reply(id=1, rpc=RpcResult(UNSET)), b'{"id":1,"rpc":{}}'),
        (Reply(id=1, unsubscribe=UnsubscribeResult()), b'{"id":1,"unsubscribe":{}}'),
        (
            Reply(id=1, publish=PublishResult(PublishWhResult(3, "e"))),
            b'{"id":1,"publish":{"wh":{"offset":3,"epoch":"e"}}}',
        ),
        (
            Reply(id=1, presence=PresenceResult({"c": ClientInfo("u")}, 2)),
            b'{"id":1,"presence":{"presence":{"c":{"user":"u","client":""}},"rev":2}}',
        ),
        (
            Reply(id=1, presence_stats=PresenceStatsResult(0, 0)),
            b'{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}',
        ),
        (Reply(id=1, wh=ReplyWh(4)), b'{"id":1,"wh":{"next":4}}'),
        (Reply(push=Push("c", pub=PUBLICATION)), b'{"push":{"channel":"c","pub":%b}}' % WIRE_PUBLICATION),
        (
            Reply(push=Push("c", join=Join(ClientInfo("u"), 3))),
            b'{"push":{"channel":"c","join":{"info":{"user":"u","client":""},"rev":3}}}',
        ),
        (
            Reply(push=Push("c", leave=Leave(ClientInfo("u"), 4))),
            b'{"push":{"channel":"c","leave":{"info":{"user":"u","client":""},"rev":4}}}',
        ),
        (
            Reply(push=Push("c", unsubscribe=Unsubscribe(2500, "x"))),
            b'{"push":{"channel":"c","unsubscribe":{"code":2500,"reason":"x"}}}',
        ),
        (Reply(push=Push(message=Message(Raw(ODD)))), b'{"push":{"message":{"data":%b}}}' % ODD),
        (
            Reply(push=Push(disconnect=Disconnect(3001, "x", True))),
            b'{"push":{"disconnect":{"code":3001,"reason":"x","reconnect":true}}}',
        ),
    ],
    ids=lambda value: value[:50].decode() if isinstance(value, bytes) else "",
)
def test_each_reply_as_its_line_and_read_back_by_a_client(reply: Reply, line: bytes) -> None:
    assert encode_reply(reply) == line
    (read,) = decode_replies(line)
    assert read.id == reply.id
    assert json.loads(line) == json.loads(msgspec.json.encode(json.loads(line)))


def test_the_fields_of_a_subscribe_result_with_publications_are_all_there() -> None:
    result = SubscribeResult(True, True, "e", 7, True, True, (PUBLICATION,), Raw(b"[2]"), True, 60)
    without = msgspec.structs.replace(result, publications=())
    whole = json.loads(encode_reply(Reply(id=1, subscribe=result)))["subscribe"]
    assert whole.pop("publications") == [json.loads(WIRE_PUBLICATION)]
    assert whole == json.loads(encode_reply(Reply(id=1, subscribe=without)))["subscribe"]
    assert set(whole) == {*SubscribeResult.__struct_fields__} - {"publications"}


def test_several_replies_are_lines_in_order() -> None:
    assert CODEC.encode_replies([Reply(id=1), PING, Reply(id=2)]) == b'{"id":1}\n{}\n{"id":2}'
    assert CODEC.encode_replies([Reply(id=1)]) == b'{"id":1}'


def test_a_push_alone_is_the_line_of_its_reply() -> None:
    push = Push("c", pub=PUBLICATION)
    assert encode_push(push) == encode_reply(Reply(push=push)) == encode_publication_push("c", PUBLICATION)


# ---- nothing can forge a line
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\n", "\r\n", '"', "\\", '"}}\n{"push":{}}', "\u2028", "\x00", "\x7f"])
def test_no_name_or_text_breaks_a_line_or_leaves_its_string(text: str) -> None:
    publication = Publication(
        text.encode(),
        PayloadKind.TEXT,
        offset=1,
        info=ClientInfo(text, text),
        tags={text: text},
        key=text,
    )
    lines = [
        encode_publication_push(text, publication),
        encode_reply(Reply(id=1, error=Error(107, text))),
        encode_reply(Reply(push=Push(text, unsubscribe=Unsubscribe(2000, text)))),
        encode_reply(Reply(id=1, subscribe=SubscribeResult(epoch=text, publications=(publication,)))),
        encode_command(Command(1, subscribe=SubscribeRequest(text))),
        quoted(text),
    ]
    for line in lines:
        assert b"\n" not in line
        assert b"\r" not in line
        json.loads(line)
    read = json.loads(lines[0])["push"]
    assert read["channel"] == text
    assert read["pub"] == {
        "data": text,
        "offset": 1,
        "info": {"user": text, "client": text},
        "tags": {text: text},
        "key": text,
    }


@pytest.mark.parametrize("data", [b"", b"\x00", b"\n", b"\xff" * 5])
def test_bytes_travel_in_base64_with_their_tag(data: bytes) -> None:
    from base64 import b64decode

    read = json.loads(encode_publication(Publication(data, PayloadKind.BINARY)))
    assert b64decode(read["data"]) == data
    assert read["tags"] == {"wh-encoding": "base64"}


# ---- what a client reads
# -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"x", b'{"id":1,"error":{"code":1,"message":"\xff"}}', b'{"x":' + b"[" * 100_000, b'{"id":1}\n{'],
    ids=["no JSON", "no UTF-8", "deep", "second line"],
)
def test_a_client_reads_what_is_not_the_protocol_as_a_decode_error(data: bytes) -> None:
    """`decode_replies` promises `msgspec.DecodeError`; bytes that are no UTF-8 and deep nesting raised others."""
    with pytest.raises(msgspec.DecodeError):
        decode_replies(data)


def test_a_filter_by_tags_is_seen_and_null_is_none() -> None:
    lines = (b'{"channel":"a"}', b'{"channel":"a","tf":null}', b'{"channel":"a","tf":{"key":"colour"}}')
    found = [CODEC.decode_commands(b'{"id":1,"subscribe":%b}' % line)[0].subscribe for line in lines]
    assert [each.has_filter for each in found if each is not None] == [False, False, True]
