"""One schema in three places: the structs, the codec's tables and the file; the numbers are those that others use."""

import types
import typing
from typing import Any

import pytest
from centrifuge.protocol import client_pb2
from google.protobuf.descriptor import FieldDescriptor
from msgspec import Struct
from schema_file import TABLES, load, name_of

from wirehop.codecs.protobuf_schema import EXTRA, WH
from wirehop.codecs.protobuf_wire import Message
from wirehop.core.messages import Command, PayloadKind, Reply

OURS = load()
NOT_SPOKEN = {  # of the Centrifuge protocol
    "Connect": "the server connects nobody",
    "FilterNode": "filters by tags",
    "Push.id": "numeric channel ids",
    "Push.connect": "the server connects nobody",
    "Publication.delta": "deltas",
    "Publication.channel": "wildcard subscriptions",
    "ConnectRequest.flag": "numeric channel ids",
    "ConnectResult.time": "clock",
    "SubscribeRequest.delta": "deltas",
    "SubscribeRequest.tf": "filters by tags: read as bytes, and refused",
    "SubscribeResult.delta": "deltas",
    "SubscribeResult.id": "numeric channel ids",
}
TYPES = {value: name[5:].lower() for name, value in vars(FieldDescriptor).items() if name.startswith("TYPE_")}


def described(field: Any) -> tuple[str, str]:
    """Type and how many of it: as a string or as the name of a message."""
    of = field.message_type
    if of is not None and of.GetOptions().map_entry:
        return described(of.fields_by_name["value"])[0], "map"
    name = of.name if of is not None else "enum" if field.enum_type is not None else TYPES[field.type]
    return name, "list" if field.is_repeated else "one"


def tabled(field: Any) -> tuple[str, str]:
    if isinstance(field.type, Message):
        name = name_of(field.type.struct)
    else:
        name = "enum" if field.type.name == "PayloadKind" else field.type.name
    return name, "map" if field.keyed else "list" if field.is_repeated else "one"


def structs(struct: Any, found: set[type]) -> set[type]:
    """All structs that a struct is made of."""
    if struct not in found:
        found.add(struct)
        for hint in typing.get_type_hints(struct).values():
            for part in parts(hint):
                if isinstance(part, type) and issubclass(part, Struct):
                    structs(part, found)
    return found


def parts(hint: Any) -> list[Any]:
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or arguments:
        return [part for argument in arguments for part in parts(argument)]
    return [hint]


def test_the_tables_and_the_file_are_one() -> None:
    in_file = {
        name: {field.name: (field.number, *described(field)) for field in message.DESCRIPTOR.fields}
        for name, message in OURS.items()
    }
    in_tables = {
        name: {field.name: (field.number, *tabled(field)) for field in message.fields}
        for name, message in TABLES.items()
    }
    assert in_tables == in_file


def test_the_tables_have_every_field_that_commands_and_replies_are_made_of() -> None:
    for struct in structs(Command, set()) | structs(Reply, set()):
        fields = set(struct.__struct_fields__) - ({"kind"} if struct.__name__ == "Publication" else set())
        assert {field.name for field in TABLES[name_of(struct)].fields} == fields


def test_names_numbers_and_types_are_those_of_the_centrifuge_protocol() -> None:
    theirs = client_pb2.DESCRIPTOR.message_types_by_name
    for name, message in theirs.items():
        if name in NOT_SPOKEN:
            continue
        ours = OURS[name].DESCRIPTOR.fields_by_name
        for field in message.fields:
            if f"{name}.{field.name}" not in NOT_SPOKEN:
                assert (ours[field.name].number, described(ours[field.name])) == (field.number, described(field)), name
    added = {
        f"{name}.{field.name}": field.number
        for name, message in OURS.items()
        if name in theirs
        for field in message.DESCRIPTOR.fields
        if field.name not in theirs[name].fields_by_name
    }
    assert added == {
        "Command.wh": WH,
        "Push.wh": WH,
        "ConnectRequest.wh": WH,
        "ConnectResult.wh": WH,
        "PublishRequest.wh": WH,
        "PublishResult.wh": WH,
        "Reply.wh": WH,
        "PresenceResult.rev": EXTRA,
        "Join.rev": EXTRA,
        "Leave.rev": EXTRA,
        "Publication.key": EXTRA,
    }


def test_the_kinds_of_payload_have_their_numbers() -> None:
    kinds = OURS["PublishWh"].DESCRIPTOR.fields_by_name["kind"].enum_type.values
    assert [(value.name, value.number) for value in kinds] == [("AS_IT_LOOKS", 0), ("TEXT", 1), ("BINARY", 2)]
    assert [kind.value for kind in PayloadKind] == [0, 1, 2]


@pytest.mark.parametrize("name", sorted(set(OURS)))
def test_every_message_of_the_file_is_read_and_written(name: str) -> None:
    assert name in TABLES
