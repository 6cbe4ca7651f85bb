"""The Protobuf codec against the Protobuf runtime, on every message and field, and against what is no message."""

from collections.abc import Callable
from typing import Any

import pytest
from centrifuge.protocol import client_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from schema_file import TABLES, load, name_of

from wirehop.codecs import protobuf
from wirehop.codecs.protobuf import PONG, Protobuf
from wirehop.codecs.protobuf_wire import BYTES, VARINT, Field, Message, delimited, key, write_varint
from wirehop.core.errors import BadMessage
from wirehop.core.messages import (
    PING,
    ClientInfo,
    Command,
    HistoryRequest,
    PayloadKind,
    Publication,
    PublishRequest,
    PublishResult,
    PublishWhResult,
    Push,
    Reply,
    RpcResult,
)
from wirehop.core.messages import (
    Message as MessagePush,
)

RUNTIME = load()
CODEC = Protobuf()
TEXT = st.text(max_size=20)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "uint32": st.integers(0, 2**32 - 1),
    "uint64": st.integers(0, 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "string": TEXT,
    "bytes": st.binary(min_size=1, max_size=200),  # none at all is left out
    "PayloadKind": st.sampled_from(list(PayloadKind)),
}
Pair = tuple[Any, Any]
RESULTS = sorted(field.name for field in TABLES["Reply"].fields if field.name not in ("id", "push", "wh"))


def one(field: Field) -> st.SearchStrategy[Pair]:
    """A value as the struct has it, and as the runtime takes it."""
    if isinstance(field.type, Message):
        return pairs(name_of(field.type.struct))
    values = SCALARS[field.type.name]
    if field.type.name == "bytes" and field.type.read is Raw:
        return values.map(lambda value: (Raw(value), value))
    return values.map(lambda value: (value, value))


def several(field: Field) -> st.SearchStrategy[Pair]:
    if field.keyed:
        return st.dictionaries(TEXT, one(field), min_size=1, max_size=2).map(
            lambda items: ({name: pair[0] for name, pair in items.items()}, {n: pair[1] for n, pair in items.items()})
        )
    if field.is_repeated:
        return st.lists(one(field), max_size=2).map(
            lambda items: (tuple(pair[0] for pair in items), [pair[1] for pair in items])
        )
    return one(field)


def pairs(name: str, *, among: tuple[str, ...] = ()) -> st.SearchStrategy[Pair]:
    """A struct, and the runtime's message that says the same; where `among` is given, with those fields at most."""
    message = TABLES[name]
    demanded = len(message.struct.__struct_fields__) - len(message.struct.__struct_defaults__)
    required = set(message.struct.__struct_fields__[:demanded])
    fields = {field.name: several(field) for field in message.fields if not among or field.name in among}
    drawn = st.fixed_dictionaries(
        {each: strategy for each, strategy in fields.items() if each in required},
        optional={each: strategy for each, strategy in fields.items() if each not in required},
    )

    def build(values: dict[str, Pair]) -> Pair:
        theirs = RUNTIME[name]()
        for each, (_, value) in values.items():
            if isinstance(value, dict):
                for entry, mapped in value.items():
                    if isinstance(mapped, str | int):
                        getattr(theirs, each)[entry] = mapped
                    else:
                        getattr(theirs, each)[entry].CopyFrom(mapped)
            elif isinstance(value, list):
                getattr(theirs, each).extend(value)
            elif hasattr(value, "CopyFrom"):
                getattr(theirs, each).CopyFrom(value)
            else:
                setattr(theirs, each, value)
        return message.struct(**{each: value for each, (value, _) in values.items()}), theirs

    return drawn.map(build)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_runtime_reads_what_the_codec_writes_and_the_other_way_round(name: str) -> None:
    message = TABLES[name]

    @settings(max_examples=60)
    @given(pairs(name))
    def run(pair: Pair) -> None:
        ours, theirs = pair
        assert RUNTIME[name].FromString(message.write(ours)) == theirs
        assert message.read(theirs.SerializeToString()) == ours
        assert message.read(message.write(ours)) == ours

    run()


# ---- messages behind their lengths -----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(pairs("Command"), max_size=3))
def test_several_commands_in_one_message(commands: list[Pair]) -> None:
    data = b"".join(delimited(theirs.SerializeToString()) for _, theirs in commands)
    assert CODEC.decode_commands(data) == [ours for ours, _ in commands]
    assert b"".join(map(protobuf.encode_command, (ours for ours, _ in commands))) == b"".join(
        delimited(TABLES["Command"].write(ours)) for ours, _ in commands
    )


@settings(max_examples=30)
@given(st.lists(st.sampled_from(RESULTS).flatmap(lambda name: pairs("Reply", among=("id", name))), max_size=3))
def test_several_replies_in_one_message(replies: list[Pair]) -> None:
    data = CODEC.encode_replies([ours for ours, _ in replies])
    assert protobuf.decode_replies(data) == [ours for ours, _ in replies]
    assert protobuf.decode_replies(b"".join(delimited(theirs.SerializeToString()) for _, theirs in replies)) == [
        ours for ours, _ in replies
    ]


@given(channel=TEXT, pair=pairs("Publication"))
def test_a_spliced_push_says_what_the_table_would(channel: str, pair: Pair) -> None:
    data = protobuf.encode_publication_push(channel, pair[0])
    assert protobuf.decode_replies(data) == [Reply(push=Push(channel=channel, pub=pair[0]))]
    assert RUNTIME["Reply"].FromString(data[len(data) - len_of(data) :]).push.pub == pair[1]


@settings(max_examples=200)
@given(
    st.integers(0, 2**33),
    st.binary(max_size=200),
    st.binary(max_size=300),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 255)), max_size=2),
)
def test_a_publish_in_its_common_form_is_read_as_the_table_reads_it(
    number: int, channel: bytes, data: bytes, damages: list[tuple[int, int]]
) -> None:
    publish = key(1, BYTES) + delimited(channel) + key(2, BYTES) + delimited(data)
    message = bytearray(key(1, VARINT) + write_varint(number) + key(7, BYTES) + delimited(publish))
    for place, byte in damages:
        message[place : place + 1] = bytes((byte,))
    assert outcome(lambda: CODEC.decode_commands(delimited(bytes(message)))[0]) == outcome(
        lambda: TABLES["Command"].read(bytes(message))
    )


def outcome(read: Callable[[], Any]) -> Any:
    """What is read, or that it cannot be."""
    try:
        return read()
    except (BadMessage, IndexError, UnicodeDecodeError):
        return None


def len_of(data: bytes) -> int:
    """The length in front."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value


@pytest.mark.parametrize(
    "reply",
    [
        Reply(7, publish=PublishResult()),
        Reply(300, publish=PublishResult(PublishWhResult(5, "e"))),
        Reply(2**32 - 1, rpc=RpcResult(Raw(b"\0\xff"))),
        Reply(7, rpc=RpcResult()),
        Reply(push=Push(channel="é", pub=Publication(b"x" * 300, offset=2**40, time=1_700_000_000_000))),
        Reply(push=Push(pub=Publication(b"", PayloadKind.JSON, time=-1, info=ClientInfo("u"), tags={"a": ""}))),
    ],
)
def test_spliced_replies_say_what_the_table_would(reply: Reply) -> None:
    assert protobuf.decode_replies(protobuf.encode_reply(reply)) == [reply]
    assert TABLES["Reply"].read(TABLES["Reply"].write(reply)) == reply


def test_a_ping_and_its_answer_are_a_length_of_nothing() -> None:
    assert CODEC.encode_replies([PING]) == b"\0"
    assert CODEC.decode_commands(b"\0\0") == [PONG, PONG]
    assert protobuf.decode_replies(b"\0") == [PING]
    assert CODEC.decode_commands(b"") == []


def test_payloads_of_every_kind_go_out_as_their_bytes() -> None:
    for kind, data in (
        (PayloadKind.JSON, b'{"a":1}'),
        (PayloadKind.TEXT, "é".encode()),
        (PayloadKind.BINARY, b"\0\xff"),
    ):
        push = protobuf.encode_publication_push("c", Publication(data, kind))
        (reply,) = protobuf.decode_replies(push)
        assert reply.push is not None
        assert reply.push.pub is not None
        assert reply.push.pub.data == data


def test_a_message_push_with_nothing_in_it() -> None:
    reply = Reply(push=Push(message=MessagePush(Raw())))
    assert protobuf.decode_replies(protobuf.encode_reply(reply)) == [reply]


def test_a_limit_of_minus_one_is_ten_bytes_as_in_every_int32() -> None:
    command = Command(1, history=HistoryRequest("c", -1))
    assert CODEC.decode_commands(protobuf.encode_command(command)) == [command]
    assert key(7, VARINT) + b"\xff" * 9 + b"\x01" in protobuf.encode_command(command)


# ---- what others may send and we do not know -------------------------------------------------------------------------


@given(
    st.integers(16, 2**29 - 1).filter(lambda number: number != 1000), st.integers(0, 2**64 - 1), st.binary(max_size=9)
)
def test_unknown_fields_are_skipped(number: int, value: int, data: bytes) -> None:
    unknown = b"".join(
        (
            key(number, VARINT) + write_varint(value),
            key(number, BYTES) + delimited(data),
            key(number, 1) + bytes(8),
            key(number, 5) + bytes(4),
        )
    )
    assert CODEC.decode_commands(delimited(unknown + key(1, VARINT) + b"\x05" + unknown)) == [Command(5)]


def test_repeated_numbers_are_read_packed_and_not() -> None:
    packed = key(1000, BYTES) + delimited(key(1, BYTES) + delimited(b"\x01\xac\x02"))
    apart = key(1000, BYTES) + delimited(b"\x08\x01\x08\xac\x02")
    for wh in (packed, apart):
        (command,) = CODEC.decode_commands(delimited(key(4, BYTES) + delimited(wh)))
        assert command.connect is not None
        assert command.connect.wh is not None
        assert command.connect.wh.acked == (1, 300)


def test_of_a_field_that_comes_twice_the_last_one_counts() -> None:
    assert CODEC.decode_commands(delimited(b"\x08\x01\x08\x02")) == [Command(2)]


# ---- what is not the protocol ----------------------------------------------------------------------------------------

PUBLISH = key(7, BYTES)


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",  # a length, and nothing
        b"\x05\x08\x01",  # cut off
        b"\x80",  # a length cut off
        b"\x80" * 10 + b"\x01",  # a length of 11 bytes
        b"\xff" * 9 + b"\x02",  # more than 64 bits
        b"\xff\xff\xff\xff\x0f",  # 4 GiB are announced
        delimited(b"\x08"),  # a key and nothing
        delimited(b"\x08\x80"),  # a number cut off
        delimited(b"\x08" + b"\xff" * 9 + b"\x01"),  # id -1
        delimited(b"\x08" + write_varint(2**32)),
        delimited(key(1, VARINT) + b"\x80" * 10 + b"\x00"),
        delimited(key(1, BYTES) + b"\x01a"),  # the id as bytes
        delimited(key(7, VARINT) + b"\x01"),  # publish as a number
        delimited(key(7, 5) + bytes(4)),
        delimited(PUBLISH + b"\x7f"),  # longer than what it is in
        delimited(PUBLISH + delimited(key(1, BYTES) + delimited(b"\xff\xfe"))),  # a channel that is not UTF-8
        delimited(PUBLISH + delimited(key(1, BYTES) + delimited(b"\xed\xa0\x80"))),  # a surrogate
        delimited(PUBLISH + delimited(key(1000, BYTES) + delimited(key(3, VARINT) + b"\x03"))),  # no such kind
        delimited(b"\x00\x01"),  # field 0
        delimited(write_varint(2**29 << 3) + b"\x01"),  # field 2**29
        delimited(key(20, 3) + key(20, 4)),  # a group
        delimited(key(20, 7) + b"\x01"),
        delimited(key(20, 1) + bytes(7)),
        delimited(key(20, 5) + bytes(3)),
        delimited(key(20, BYTES) + b"\x05abc"),
        delimited(key(10, BYTES) + delimited(key(8, BYTES) + delimited(key(1, VARINT) + write_varint(2**63)))),
        delimited(key(10, BYTES) + delimited(key(7, VARINT) + write_varint(2**31))),  # limit over 31 bits
        b'{"id":1,"connect":{}}',
    ],
)
def test_what_is_not_the_protocol_is_a_bad_message(data: bytes) -> None:
    with pytest.raises(BadMessage):
        CODEC.decode_commands(data)


def test_an_offset_in_subscribe_that_is_negative_is_a_bad_message() -> None:
    data = delimited(key(5, BYTES) + delimited(key(7, VARINT) + b"\xff" * 9 + b"\x01"))
    with pytest.raises(BadMessage):
        CODEC.decode_commands(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_commands_or_a_bad_message(data: bytes) -> None:
    for read in (CODEC.decode_commands, protobuf.decode_replies, protobuf.decode_emulated):
        try:
            read(data)
        except BadMessage:
            continue


@given(
    commands=st.lists(pairs("Command"), min_size=1, max_size=3),
    where=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3), st.integers(0, 4)), max_size=4),
)
def test_damaged_commands_are_commands_or_a_bad_message(
    commands: list[Pair], where: list[tuple[float, bytes, int]]
) -> None:
    data = b"".join(protobuf.encode_command(ours) for ours, _ in commands)
    for place, replacement, length in where:
        at = int(place * len(data))
        data = data[:at] + replacement + data[at + length :]
    try:
        decoded = CODEC.decode_commands(data)
    except BadMessage:
        return
    assert CODEC.decode_commands(b"".join(map(protobuf.encode_command, decoded))) == decoded


def test_every_prefix_of_a_command_is_a_bad_message() -> None:
    publish = PublishRequest("news", Raw(b'{"a":1}'))
    data = protobuf.encode_command(Command(5, publish=publish))
    for end in range(1, len(data)):
        with pytest.raises(BadMessage):
            CODEC.decode_commands(data[:end])


def test_a_demanded_field_that_is_left_out_is_zero() -> None:
    (reply,) = protobuf.decode_replies(delimited(key(2, BYTES) + b"\0"))
    assert reply.error is not None
    assert (reply.error.code, reply.error.message) == (0, "")


def test_a_message_without_fields_is_nothing() -> None:
    assert TABLES["PingRequest"].write(TABLES["PingRequest"].struct()) == b""


def test_a_filter_by_tags_as_others_write_it_is_seen() -> None:
    theirs = client_pb2.Command(id=1)
    theirs.subscribe.channel = "a"
    without = CODEC.decode_commands(delimited(theirs.SerializeToString()))
    theirs.subscribe.tf.key, theirs.subscribe.tf.cmp, theirs.subscribe.tf.val = "colour", "eq", "red"
    with_filter = CODEC.decode_commands(delimited(theirs.SerializeToString()))
    seen = [each.subscribe.has_filter for each in (*without, *with_filter) if each.subscribe is not None]
    assert seen == [False, True]
