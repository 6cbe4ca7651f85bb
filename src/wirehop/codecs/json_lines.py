"""The JSON codec of the session protocol: one object a line, several lines may share a message.

Publications are spliced: their payload is already JSON, so nothing in it is decoded or encoded here.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, structs

from wirehop.codecs.payload import as_json, json_tags
from wirehop.core.errors import BadMessage
from wirehop.core.messages import (
    ClientInfo,
    Command,
    ConnectResult,
    HistoryResult,
    Publication,
    Push,
    Reply,
    SubscribeResult,
)

_COMMAND = msgspec.json.Decoder(Command)
_COMMANDS = msgspec.json.Decoder(list[Command])
_ENCODER = msgspec.json.Encoder()
_encode = _ENCODER.encode


def quoted(text: str) -> bytes:
    """A JSON string."""
    return _encode(text)


class JsonLines:
    """Commands from lines, replies to lines."""

    name = "json"
    carries_bytes = False

    def decode_commands(self, data: bytes) -> list[Command]:
        """All commands in a message. `data` must be valid UTF-8 (the WebSocket or body reader has checked it)."""
        try:
            if b"\n" not in data:
                return [_COMMAND.decode(data)]
            return [_COMMAND.decode(line) for line in data.split(b"\n") if line.strip()]
        except msgspec.DecodeError as error:
            raise BadMessage(f"not a command: {error}") from None
        except RecursionError:
            raise BadMessage("not a command: nested too deeply") from None

    def decode_array(self, data: bytes | Raw) -> list[Command]:
        """Commands that stand in a JSON array."""
        try:
            return _COMMANDS.decode(data)
        except msgspec.DecodeError as error:
            raise BadMessage(f"not an array of commands: {error}") from None
        except RecursionError:
            raise BadMessage("not an array of commands: nested too deeply") from None

    def encode_replies(self, replies: Sequence[Reply]) -> bytes:
        """One message that holds them all, in order."""
        if len(replies) == 1:
            return encode_reply(replies[0])
        return b"\n".join([encode_reply(reply) for reply in replies])


def encode_publication(publication: Publication) -> bytes:
    """A publication as it stands in pushes and results."""
    parts = [b'{"data":', as_json(publication)]
    if publication.offset:
        parts.append(b',"offset":%d' % publication.offset)
    if publication.info is not None:
        parts += [b',"info":', _encode(publication.info)]
    tags = json_tags(publication)
    if tags:
        parts += [b',"tags":', _encode(tags)]
    if publication.time:
        parts.append(b',"time":%d' % publication.time)
    if publication.key:
        parts += [b',"key":', _encode(publication.key)]
    parts.append(b"}")
    return b"".join(parts)


def encode_publication_push(channel: str, publication: Publication) -> bytes:
    """The reply line that carries one publication."""
    return b'{"push":{"channel":%b,"pub":%b}}' % (_encode(channel), encode_publication(publication))


class _WireSubscribeResult(Struct, omit_defaults=True):
    recoverable: bool = False
    positioned: bool = False
    epoch: str = ""
    offset: int = 0
    recovered: bool = False
    was_recovering: bool = False
    publications: list[Raw] = []
    data: Raw | UnsetType = UNSET
    expires: bool = False
    ttl: int = 0


class _WireHistoryResult(Struct):
    publications: list[Raw]
    epoch: str
    offset: int


class _WireReply(Struct, omit_defaults=True):
    id: int
    subscribe: _WireSubscribeResult | None = None
    history: _WireHistoryResult | None = None


def encode_reply(reply: Reply) -> bytes:
    """One reply as one line, without the line break."""
    if reply.subscribe is not None and reply.subscribe.publications:
        return _encode(_WireReply(reply.id, subscribe=_wire_subscribe_result(reply.subscribe)))
    connect = reply.connect
    if connect is not None and (connect.subs or (connect.wh is not None and connect.wh.subs)):
        return _encode(structs.replace(reply, connect=_wire_connect_result(connect)))
    if reply.history is not None:
        return _encode(_WireReply(reply.id, history=_wire_history_result(reply.history)))
    push = reply.push
    if push is not None and push.pub is not None:
        return encode_publication_push(push.channel, push.pub)
    return _encode(reply)


def _raw_publications(publications: tuple[Publication, ...]) -> list[Raw]:
    return [Raw(encode_publication(publication)) for publication in publications]


def _wire_subscribe_result(result: SubscribeResult) -> _WireSubscribeResult:
    return _WireSubscribeResult(
        recoverable=result.recoverable,
        positioned=result.positioned,
        epoch=result.epoch,
        offset=result.offset,
        recovered=result.recovered,
        was_recovering=result.was_recovering,
        publications=_raw_publications(result.publications),
        data=result.data,
        expires=result.expires,
        ttl=result.ttl,
    )


def _wire_connect_result(result: ConnectResult) -> ConnectResult:
    def wire(results: dict[str, SubscribeResult]) -> Any:
        return {channel: _wire_subscribe_result(each) for channel, each in results.items()}

    wh = None if result.wh is None else structs.replace(result.wh, subs=wire(result.wh.subs))
    return structs.replace(result, subs=wire(result.subs), wh=wh)


def _wire_history_result(result: HistoryResult) -> _WireHistoryResult:
    return _WireHistoryResult(_raw_publications(result.publications), result.epoch, result.offset)


# ---- the client's side: what the Python client and the tests read --------------------------------------------------


class WirePublication(Struct, frozen=True, omit_defaults=True):
    """A publication as a client receives it; `data` is a JSON value."""

    data: Raw
    offset: int = 0
    info: ClientInfo | None = None
    tags: dict[str, str] | None = None
    time: int = 0
    key: str = ""


def encode_push(push: Push) -> bytes:
    """A push as one line."""
    return encode_reply(Reply(push=push))


def encode_command(command: Command) -> bytes:
    """One command as one line, without the line break."""
    return _encode(command)
