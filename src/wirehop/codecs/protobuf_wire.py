"""The wire format of Protobuf, both ways: https://protobuf.dev/programming-guides/encoding/.

A `Message` is one message type: a struct and its numbered `Field`s. It reads bytes into the struct and writes the
struct to bytes, by tables made once. It knows numbers and types, and nothing of what the messages mean.

Reading is stricter than it must be in three things: groups (deprecated since proto2) are refused, so is a known field
with a foreign wire type, and so are unsigned numbers that do not fit their type; 64-bit ones fit below 2**63, because a
negative number that was written as unsigned lies above. Unknown fields are skipped; of a field that comes twice the
last one counts.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Generic, TypeVar

from msgspec import Raw, Struct

from wirehop.core.errors import BadMessage

T = TypeVar("T", bound=Struct)
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""
MAX_NUMBER = 2**29 - 1
_MAX_VARINT_BYTES = 10
_UINT64 = 2**64 - 1


def write_varint(value: int) -> bytes:
    """A number of 0 to 2**64 - 1 in 1 to 10 bytes."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at `position`, and where it ends. Raises `BadMessage` where it is cut off or too long."""
    value = shift = 0
    for end in range(position, min(position + _MAX_VARINT_BYTES, len(data))):
        byte = data[end]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _UINT64:
                raise BadMessage("a number has more than 64 bits")
            return value, end + 1
        shift += 7
    raise BadMessage("a number is longer than 10 bytes" if shift == 70 else "the message ends inside of a number")


def delimited(data: bytes) -> bytes:
    """The bytes behind their length."""
    size = len(data)
    return (bytes((size,)) if size < 0x80 else write_varint(size)) + data


def key(number: int, wire_type: int) -> bytes:
    """What stands before a field."""
    return write_varint(number << 3 | wire_type)


# ---- types of fields -------------------------------------------------------------------------------------------------


class Kind:
    """A scalar type: its wire type, how its value is read from a number or from bytes, and how it is written."""

    __slots__ = ("name", "read", "wire_type", "write")

    def __init__(self, name: str, wire_type: int, read: Callable[[Any], object], write: Callable[[Any], bytes]) -> None:
        self.name = name
        self.wire_type = wire_type
        self.read = read
        self.write = write


def _below(limit: int) -> Callable[[int], int]:
    def read(value: int) -> int:
        if value >= limit:
            raise BadMessage(f"the number {value} is negative or too large")
        return value

    return read


def _signed(bits: int) -> Callable[[int], int]:
    def read(value: int) -> int:
        number = value - 2**64 if value >= 2**63 else value
        if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
            raise BadMessage(f"the number {number} does not fit {bits} bits")
        return number

    return read


def _write_signed(value: int) -> bytes:
    return write_varint(value & _UINT64)


def _delimited_text(value: str) -> bytes:
    return delimited(value.encode())


UINT32 = Kind("uint32", VARINT, _below(2**32), write_varint)
UINT64 = Kind("uint64", VARINT, _below(2**63), write_varint)
INT32 = Kind("int32", VARINT, _signed(32), _write_signed)
INT64 = Kind("int64", VARINT, _signed(64), _write_signed)
BOOL = Kind("bool", VARINT, bool, write_varint)
STRING = Kind("string", BYTES, bytes.decode, _delimited_text)
RAW = Kind("bytes", BYTES, Raw, lambda value: delimited(bytes(value)))
"""Bytes as `msgspec.Raw`, the type of payloads in commands and results."""
PLAIN = Kind("bytes", BYTES, bytes, delimited)
"""Bytes as `bytes`."""


def choice(name: str, values: Mapping[int, object]) -> Kind:
    """An enumeration; a number that it lacks is refused."""

    def read(value: int) -> object:
        if value not in values:
            raise BadMessage(f"{name} has no value {value}")
        return values[value]

    return Kind(name, VARINT, read, write_varint)


class Field:
    """One field: `name` as in the struct, `number` as on the wire, and its type: a scalar kind or a message.

    `is_repeated` is a list of them (numbers packed or not). With `keyed` it is a map from strings to them.
    """

    __slots__ = ("is_repeated", "keyed", "name", "number", "type")

    def __init__(
        self,
        name: str,
        number: int,
        type: "Kind | Message[Any]",  # noqa: A002
        *,
        is_repeated: bool = False,
        keyed: bool = False,
    ) -> None:
        self.name = name
        self.number = number
        self.type = type
        self.is_repeated = is_repeated
        self.keyed = keyed

    @property
    def wire_type(self) -> int:
        """As it is written."""
        return BYTES if self.is_repeated or self.keyed else self.type.wire_type


# ---- messages --------------------------------------------------------------------------------------------------------

_SET, _APPEND, _EXTEND, _PUT = range(4)  # what becomes of a value that was read
_Reader = tuple[str, Callable[[Any], Any], int]


class Message(Generic[T]):
    """A message type. Fields that the struct demands get their zero value where the wire leaves them out."""

    __slots__ = ("_attributes", "_finishers", "_numbers", "_readers", "_writers", "fields", "struct")
    wire_type = BYTES

    def __init__(self, struct: type[T], *fields: Field) -> None:
        self.struct = struct
        self.fields = fields
        self._numbers = {field.number for field in fields}
        self._readers: dict[int, _Reader] = {}
        self._writers = [_writer(field) for field in fields]
        self._attributes = _attributes([field.name for field in fields])
        optional = dict(zip(reversed(struct.__struct_fields__), reversed(struct.__struct_defaults__), strict=False))
        self._finishers = [
            (field.name, _finisher(field)) for field in fields if field.name not in optional or field.is_repeated
        ]
        for field in fields:
            self._add_reader(field)

    def _add_reader(self, field: Field) -> None:
        read = field.type.read
        if field.keyed:
            self._readers[field.number << 3 | BYTES] = field.name, _entry_reader(field), _PUT
        elif not field.is_repeated:
            self._readers[field.number << 3 | field.type.wire_type] = field.name, read, _SET
        else:
            self._readers[field.number << 3 | field.type.wire_type] = field.name, read, _APPEND
            if field.type.wire_type == VARINT:
                self._readers[field.number << 3 | BYTES] = field.name, lambda data: _packed(data, read), _EXTEND

    def read(self, data: bytes) -> T:
        """The struct. Raises `BadMessage`; bytes cut off in the middle raise it or IndexError."""
        values: dict[str, Any] = {}
        readers = self._readers
        position, size = 0, len(data)
        while position < size:
            tag = data[position]
            position += 1
            if tag > 0x7F:
                tag, position = read_varint(data, position - 1)
            found = readers.get(tag)
            if found is None:
                position = self._skip(tag, data, position)
                continue
            value: Any = data[position]
            position += 1
            if value > 0x7F:
                value, position = read_varint(data, position - 1)
            name, read, how = found
            if tag & 7 == BYTES:
                end = position + value
                if end > size:
                    raise BadMessage(f"the message ends inside of {name}")
                value = data[position:end]
                position = end
            if not how:
                values[name] = read(value)
            elif how == _APPEND:
                values.setdefault(name, []).append(read(value))
            elif how == _EXTEND:
                values.setdefault(name, []).extend(read(value))
            else:
                entry, mapped = read(value)
                values.setdefault(name, {})[entry] = mapped
        for name, finish in self._finishers:
            values[name] = finish(values.get(name))
        return self.struct(**values)

    def write(self, value: T) -> bytes:
        """The bytes, without a length before them."""
        if self._attributes is None:
            return b""
        parts: list[bytes] = []
        for write, item in zip(self._writers, self._attributes(value), strict=False):
            if item:
                write(parts, item)
        return b"".join(parts)

    def _skip(self, tag: int, data: bytes, position: int) -> int:
        """Step over a field that nobody here knows."""
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= MAX_NUMBER:
            raise BadMessage(f"there is no field number {number}")
        if number in self._numbers:
            raise BadMessage(f"field {number} of {self.struct.__name__} has the wire type {wire_type}")
        if wire_type == VARINT:
            return read_varint(data, position)[1]
        if wire_type == BYTES:
            size, position = read_varint(data, position)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise BadMessage(f"the wire type {wire_type} is not understood")
        if position + size > len(data):
            raise BadMessage(f"the message ends inside of field {number}")
        return position + size


def _zero(field: Field) -> object:
    if field.keyed:
        return {}
    if field.is_repeated:
        return ()
    if isinstance(field.type, Message):
        return field.type.read(b"")
    return field.type.read(0 if field.type.wire_type == VARINT else b"")


def _attributes(names: list[str]) -> Callable[[Any], tuple[Any, ...]] | None:
    """Gets all of them at once; None where there are none."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return None
    get = attrgetter(names[0])
    return lambda value: (get(value),)


def _finisher(field: Field) -> Callable[[Any], Any]:
    """What a field becomes at the end: of a list the tuple, of what was left out the zero."""
    if field.is_repeated:
        return lambda found: tuple(found or ())
    return lambda found: _zero(field) if found is None else found


def _packed(data: bytes, read: Callable[[Any], Any]) -> list[Any]:
    values, position = [], 0
    while position < len(data):
        number, position = read_varint(data, position)
        values.append(read(number))
    return values


class _Entry(Struct):
    """An entry of a map whose values stay bytes or numbers until both are known."""

    key: str = ""
    value: Any = None


def _entry_reader(field: Field) -> Callable[[bytes], tuple[str, Any]]:
    entry = Message(_Entry, Field("key", 1, STRING), Field("value", 2, field.type))
    nothing = Field("value", 2, field.type)

    def read(data: bytes) -> tuple[str, Any]:
        found = entry.read(data)
        return found.key, _zero(nothing) if found.value is None else found.value

    return read


def _writer(field: Field) -> Callable[[list[bytes], Any], None]:
    """Appends the field, with what stands before it, for a value that is not its zero."""
    before = key(field.number, field.wire_type)
    write = _item_writer(field.type)
    if field.keyed:

        def write_map(parts: list[bytes], items: Mapping[str, Any]) -> None:
            for name, item in items.items():
                named = b"\x0a" + _delimited_text(name)
                parts += (before, delimited(named + entry_key + write(item)))

        entry_key = key(2, field.type.wire_type)
        return write_map
    if field.is_repeated:

        def write_list(parts: list[bytes], items: Any) -> None:
            if field.type.wire_type == VARINT:
                parts += (before, delimited(b"".join([write(item) for item in items])))
            else:
                for item in items:
                    parts += (before, write(item))

        return write_list

    def write_one(parts: list[bytes], item: Any) -> None:
        parts += (before, write(item))

    return write_one


def _item_writer(type: "Kind | Message[Any]") -> Callable[[Any], bytes]:  # noqa: A002
    if isinstance(type, Message):
        write = type.write
        return lambda item: delimited(write(item))
    return type.write
