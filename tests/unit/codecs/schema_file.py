"""Reads `protocol/wirehop.proto` into message classes of the Protobuf runtime, the independent second reader.

`TABLES` are the codec's own tables, by the names of the file.
"""

import re
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from wirehop.codecs.protobuf import EMULATED
from wirehop.codecs.protobuf_schema import COMMAND, REPLY
from wirehop.codecs.protobuf_wire import Message

PATH = Path(__file__).parents[3] / "protocol" / "wirehop.proto"
PACKAGE = "wirehop"
_TYPES = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "uint32": _TYPES.TYPE_UINT32,
    "uint64": _TYPES.TYPE_UINT64,
    "int32": _TYPES.TYPE_INT32,
    "int64": _TYPES.TYPE_INT64,
    "bool": _TYPES.TYPE_BOOL,
    "string": _TYPES.TYPE_STRING,
    "bytes": _TYPES.TYPE_BYTES,
}
_BLOCK = re.compile(r"(message|enum) (\w+) \{(.*?)\}", re.DOTALL)
_FIELD = re.compile(r"\s*(repeated )?(?:map<string, (\w+)>|(\w+)) (\w+) = (\d+);")
_VALUE = re.compile(r"\s*(\w+) = (\d+);")


def _describe(text: str) -> Any:
    """The file as a descriptor. What is not understood is an error, so that nothing is overlooked."""
    text = re.sub(r"//[^\n]*", "", text)
    file = descriptor_pb2.FileDescriptorProto(name="wirehop.proto", package=PACKAGE, syntax="proto3")
    enums = {name for kind, name, _ in _BLOCK.findall(text) if kind == "enum"}
    rest = _BLOCK.sub("", text).split()
    assert rest == ["syntax", "=", '"proto3";', "package", "wirehop;"], rest
    for kind, name, body in _BLOCK.findall(text):
        assert not (_VALUE if kind == "enum" else _FIELD).sub("", body).strip(), (name, body)
        if kind == "enum":
            enum = file.enum_type.add(name=name)
            for value, number in _VALUE.findall(body):
                enum.value.add(name=value, number=int(number))
        else:
            message = file.message_type.add(name=name)
            for repeated, of_map, of, field, number in _FIELD.findall(body):
                _add(message, name, field, int(number), of_map or of, bool(repeated), bool(of_map), enums)
    return file


def _add(
    message: Any, owner: str, name: str, number: int, of: str, is_repeated: bool, is_map: bool, enums: set[str]
) -> None:
    field = message.field.add(name=name, number=number)
    field.label = _TYPES.LABEL_REPEATED if is_repeated or is_map else _TYPES.LABEL_OPTIONAL
    if is_map:
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        key = entry.field.add(name="key", number=1, label=_TYPES.LABEL_OPTIONAL)
        key.type = _TYPES.TYPE_STRING
        _type(entry.field.add(name="value", number=2, label=_TYPES.LABEL_OPTIONAL), of, enums)
        field.type, field.type_name = _TYPES.TYPE_MESSAGE, f".{PACKAGE}.{owner}.{entry_name}"
    else:
        _type(field, of, enums)


def _type(field: Any, of: str, enums: set[str]) -> None:
    if of in _SCALARS:
        field.type = _SCALARS[of]
    else:
        field.type = _TYPES.TYPE_ENUM if of in enums else _TYPES.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{of}"


def load() -> dict[str, Any]:
    """The message classes by name."""
    pool = descriptor_pool.DescriptorPool()
    file = _describe(PATH.read_text())
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{message.name}"))
        for message in file.message_type
    }


NAMES = {  # where the file keeps the Centrifuge protocol's own name
    "Position": "StreamPosition",
    "RpcRequest": "RPCRequest",
    "RpcResult": "RPCResult",
    "Emulated": "EmulationRequest",
}


def name_of(struct: type) -> str:
    return NAMES.get(struct.__name__, struct.__name__)


def tables(message: Message[Any], found: dict[str, Message[Any]] | None = None) -> dict[str, Message[Any]]:
    """All messages under one, by their names in the file."""
    found = {} if found is None else found
    found[name_of(message.struct)] = message
    for field in message.fields:
        if isinstance(field.type, Message):
            tables(field.type, found)
    return found


TABLES = {**tables(COMMAND), **tables(REPLY), **tables(EMULATED)}
