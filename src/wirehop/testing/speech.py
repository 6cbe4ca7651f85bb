"""How a test's client says its commands and reads what comes: in lines of JSON, or in Protobuf shown as lines of JSON.

Whoever tests a behaviour writes and reads JSON; these turn it into what the wire carries.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Raw, structs

from wirehop.codecs import json_lines, protobuf
from wirehop.codecs.payload import as_json, json_payload, published_payload
from wirehop.codecs.protobuf_wire import read_varint
from wirehop.core.errors import BadMessage, PayloadError
from wirehop.core.messages import Command, PayloadKind, Publication, Reply, RpcResult, SubscribeResult

Fields = dict[str, Any]


class Speech(Protocol):
    """One of the two. `content_type` is that of bodies."""

    content_type: str

    def commands(self, commands: Sequence[Fields]) -> bytes:
        """What a message or body with these commands is."""
        ...

    def emulated(self, session: str, node: str, commands: Sequence[Fields]) -> bytes:
        """The body of a POST to `/emulation`."""
        ...

    def lines(self, message: bytes) -> list[bytes]:
        """The replies in a message, each as a line of JSON."""
        ...

    def whole(self, buffer: bytes) -> int:
        """How many bytes at the beginning of a stream's buffer are whole replies."""
        ...


class JsonSpeech:
    """Lines of JSON."""

    content_type = "application/json"

    def commands(self, commands: Sequence[Fields]) -> bytes:
        return "\n".join(json.dumps(command) for command in commands).encode()

    def emulated(self, session: str, node: str, commands: Sequence[Fields]) -> bytes:
        return json.dumps({"session": session, "node": node, "data": self.commands(commands).decode()}).encode()

    def lines(self, message: bytes) -> list[bytes]:
        return message.removesuffix(b"\n").split(b"\n")

    def whole(self, buffer: bytes) -> int:
        return buffer.rfind(b"\n") + 1


class ProtobufSpeech:
    """Messages behind their lengths. A payload is shown as JSON, else as text, else in base64."""

    content_type = "application/octet-stream"

    def commands(self, commands: Sequence[Fields]) -> bytes:
        return b"".join([protobuf.encode_command(_command(fields)) for fields in commands])

    def emulated(self, session: str, node: str, commands: Sequence[Fields]) -> bytes:
        return protobuf.encode_emulated(protobuf.Emulated(node, session, Raw(self.commands(commands))))

    def lines(self, message: bytes) -> list[bytes]:
        return [json_lines.encode_reply(_shown(reply)) for reply in protobuf.decode_replies(message)]

    def whole(self, buffer: bytes) -> int:
        end = 0
        while end < len(buffer):
            try:
                length, start = read_varint(buffer, end)
            except BadMessage:
                break  # the rest of the number has not come yet
            if start + length > len(buffer):
                break
            end = start + length
        return end


def _command(fields: Fields) -> Command:
    command = msgspec.json.decode(json.dumps(fields).encode(), type=Command)
    publish = command.publish
    if publish is not None and publish.wh is not None and publish.wh.kind is not PayloadKind.JSON:
        data = Raw(published_payload(publish.data, publish.wh.kind))
        command = structs.replace(command, publish=structs.replace(publish, data=data))
    return command


def _shown(reply: Reply) -> Reply:
    """The reply with payloads that JSON can hold."""
    if reply.push is not None and reply.push.pub is not None:
        return structs.replace(reply, push=structs.replace(reply.push, pub=_publication(reply.push.pub)))
    if reply.history is not None:
        shown = tuple(map(_publication, reply.history.publications))
        return structs.replace(reply, history=structs.replace(reply.history, publications=shown))
    if reply.rpc is not None and isinstance(reply.rpc.data, Raw):
        return structs.replace(reply, rpc=RpcResult(Raw(as_json(_publication(Publication(bytes(reply.rpc.data)))))))
    if reply.subscribe is not None:
        return structs.replace(reply, subscribe=_result(reply.subscribe))
    if reply.connect is not None:
        subs = {channel: _result(result) for channel, result in reply.connect.subs.items()}
        return structs.replace(reply, connect=structs.replace(reply.connect, subs=subs))
    return reply


def _result(result: SubscribeResult) -> SubscribeResult:
    return structs.replace(result, publications=tuple(map(_publication, result.publications)))


def _publication(publication: Publication) -> Publication:
    try:
        json_payload(publication.data)
    except PayloadError:
        try:
            publication.data.decode()
        except UnicodeDecodeError:
            return structs.replace(publication, kind=PayloadKind.BINARY)
        return structs.replace(publication, kind=PayloadKind.TEXT)
    return publication
