"""The Protobuf codec of the session protocol: messages behind their length, several may share a message or body.

Payloads are bytes here. On the way in they stay as they came: `codecs.payload` decides what a published one is, and
`node.handlers` what an application sees. On the way out JSON and text go as their UTF-8 and other bytes as they are.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Raw, Struct

from wirehop.codecs.protobuf_schema import COMMAND, PUBLICATION, REPLY
from wirehop.codecs.protobuf_wire import (
    BYTES,
    RAW,
    STRING,
    VARINT,
    Field,
    Message,
    delimited,
    key,
    read_varint,
    write_varint,
)
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command, Publication, PublishRequest, Reply

T = TypeVar("T")
PONG = Command()
"""The answer to a ping: an empty command."""


class Emulated(Struct):
    """What is POSTed to `/emulation`: commands for the session of a one-way wire."""

    node: str = ""
    session: str = ""
    data: Raw = Raw()


EMULATED = Message(Emulated, Field("node", 1, STRING), Field("session", 2, STRING), Field("data", 3, RAW))


class Protobuf:
    """Commands from bytes, replies to bytes."""

    name = "protobuf"
    carries_bytes = True

    def decode_commands(self, data: bytes) -> list[Command]:
        """All commands in a message or body."""
        return _decoded(data, _read_command)

    def encode_replies(self, replies: Sequence[Reply]) -> bytes:
        """One message that holds them all, in order."""
        if len(replies) == 1:
            return encode_reply(replies[0])
        return b"".join([encode_reply(reply) for reply in replies])


_ID, _PUBLISHED, _RPC = key(1, VARINT), key(8, BYTES) + b"\0", key(13, BYTES)


def encode_reply(reply: Reply) -> bytes:
    """One reply behind its length. The two that follow most commands, and pushes of publications, are spliced."""
    if reply.publish is not None and reply.publish.wh is None and reply.wh is None:
        return delimited(_ID + write_varint(reply.id) + _PUBLISHED)
    if reply.rpc is not None and reply.rpc.data and reply.wh is None:
        return delimited(_ID + write_varint(reply.id) + _RPC + delimited(_DATA + delimited(bytes(reply.rpc.data))))
    if reply.push is not None and reply.push.pub is not None:
        return encode_publication_push(reply.push.channel, reply.push.pub)
    return delimited(REPLY.write(reply))


_DATA, _PUSH, _CHANNEL, _PUB = key(1, BYTES), key(4, BYTES), key(2, BYTES), key(4, BYTES)
_PAYLOAD, _OFFSET, _TIME = key(4, BYTES), key(6, VARINT), key(9, VARINT)


def encode_publication_push(channel: str, publication: Publication) -> bytes:
    """The reply that carries one publication, behind its length."""
    if publication.tags or publication.info or publication.key or publication.time < 0:
        body = PUBLICATION.write(publication)
    else:
        body = _PAYLOAD + delimited(publication.data)
        if publication.offset:
            body += _OFFSET + write_varint(publication.offset)
        if publication.time:
            body += _TIME + write_varint(publication.time)
    return delimited(_PUSH + delimited(_CHANNEL + delimited(channel.encode()) + _PUB + delimited(body)))


def decode_emulated(data: bytes) -> Emulated:
    """The body of a POST to `/emulation`. Raises `BadMessage`."""
    return _guarded(EMULATED.read, data)


def _read_command(data: bytes) -> Command:
    if not data:
        return PONG
    return _read_publish(data) or COMMAND.read(data)


def _read_publish(data: bytes) -> Command | None:
    """A publish in the one form in which encoders write it: id, publish {channel, data}. None for anything else, which
    the table reads; what this reads, the table would read alike."""
    if data[0] != 0x08:
        return None
    number, position = data[1], 2
    if number > 0x7F:
        number, position = read_varint(data, 1)
    if data[position : position + 1] != b"\x3a" or number > 0xFFFFFFFF:
        return None
    length, position = read_varint(data, position + 1)
    size = len(data)
    if position + length != size or length < 4 or data[position] != 0x0A:
        return None
    channel_end = position + 2 + data[position + 1]
    if data[position + 1] > 0x7F or data[channel_end : channel_end + 1] != b"\x12":
        return None
    length, start = read_varint(data, channel_end + 1)
    if start + length != size:
        return None
    return Command(id=number, publish=PublishRequest(data[position + 2 : channel_end].decode(), Raw(data[start:])))


def _decoded(data: bytes, read: Callable[[bytes], T]) -> list[T]:
    return _guarded(lambda data: _read_all(data, read), data)


def _read_all(data: bytes, read: Callable[[bytes], T]) -> list[T]:
    """The messages behind their lengths."""
    size = len(data)
    if size and data[0] == size - 1 < 0x80:  # one short message, as most are
        return [read(data[1:])]
    position, messages = 0, []
    while position < size:
        length, position = read_varint(data, position)
        end = position + length
        if end > size:
            raise BadMessage(f"a message of {length} bytes is cut off")
        messages.append(read(data[position:end]))
        position = end
    return messages


def _guarded(read: Callable[[bytes], T], data: bytes) -> T:
    try:
        return read(data)
    except IndexError:
        raise BadMessage("the message ends inside of a field") from None
    except UnicodeDecodeError as error:
        raise BadMessage(f"a string is not UTF-8: {error}") from None


# ---- the client's side: what the Python client and the tests write and read ----------------------------------------


def encode_command(command: Command) -> bytes:
    """One command behind its length."""
    return delimited(COMMAND.write(command))


def decode_replies(data: bytes) -> list[Reply]:
    """All replies in a message. Raises `BadMessage`."""
    return _decoded(data, REPLY.read)


def encode_emulated(emulated: Emulated) -> bytes:
    """The body of a POST to `/emulation`."""
    return EMULATED.write(emulated)
