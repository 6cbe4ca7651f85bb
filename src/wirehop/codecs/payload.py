"""Payloads: what may be published, checked once at every entrance, and how each kind looks on each wire.

A payload travels raw, spliced into lines of JSON and of event streams; a line break smuggled into it would forge a
push. So JSON is checked (syntax and UTF-8) and compacted where it holds CR or LF. Text becomes a JSON string on JSON
wires; other bytes become a base64 string there, with the tag `wh-encoding: base64`.
"""

import re
from base64 import b64decode, b64encode

import msgspec
from msgspec import Raw

from wirehop.core.errors import PayloadError
from wirehop.core.messages import PayloadKind, Publication

ENCODING_TAG = "wh-encoding"
EVENT_TAG = "event"
RESERVED_EVENTS = frozenset({"reset", "open", "error", "message", "position"})
_EVENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_STRING = msgspec.json.Decoder(str)
_RAW = msgspec.json.Decoder(Raw)


def _compacted(value: bytes) -> bytes:
    """The same value without white space. Formatting goes deeper into the stack than reading, so it may fail alone."""
    try:
        return msgspec.json.format(value, indent=-1)
    except RecursionError:
        raise PayloadError("the payload is nested too deeply") from None


def json_payload(data: bytes | memoryview) -> bytes:
    """One JSON value in UTF-8 without CR or LF. Raises `PayloadError` for anything else."""
    try:
        value = bytes(_RAW.decode(data))
        value.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError(f"the payload is not JSON in UTF-8: {error}") from None
    except RecursionError:
        raise PayloadError("the payload is nested too deeply") from None
    if b"\n" in value or b"\r" in value:
        return _compacted(value)
    return value


def published_payload(data: Raw, kind: PayloadKind) -> bytes:
    """The payload of a publish command, whose message was checked to be JSON in UTF-8 already.

    `kind` says what the JSON value stands for: itself, a text, or bytes in base64.
    """
    value = bytes(data)
    if not value:
        raise PayloadError("data is missing")
    if kind is PayloadKind.JSON:
        if b"\n" in value or b"\r" in value:
            return _compacted(value)
        return value
    try:
        text = _STRING.decode(value)
        return text.encode() if kind is PayloadKind.TEXT else b64decode(text, validate=True)
    except (msgspec.DecodeError, ValueError) as error:
        raise PayloadError(
            f"data is not a {'text' if kind is PayloadKind.TEXT else 'string in base64'}: {error}"
        ) from None


def published_bytes(data: bytes, kind: PayloadKind) -> tuple[bytes, PayloadKind]:
    """The payload of a publish command on a wire that carries bytes.

    `kind` TEXT and BINARY say what they are. JSON, which is also what stands there if nothing is said, means: as it
    looks, JSON where it is one JSON value in UTF-8 (compacted if it holds line breaks), else bytes.
    """
    if kind is PayloadKind.TEXT:
        return text_payload(data), kind
    if kind is PayloadKind.BINARY:
        return data, kind
    if not data:
        raise PayloadError("data is missing")
    try:
        return json_payload(data), kind
    except PayloadError:
        return data, PayloadKind.BINARY


def checked_event(name: str) -> str:
    """An event name that event streams can carry. Raises `PayloadError` for others."""
    if not _EVENT.fullmatch(name) or name in RESERVED_EVENTS:
        raise PayloadError(
            f"an event name is 1-64 characters A-Z a-z 0-9 _ . - and not one of {sorted(RESERVED_EVENTS)}"
        )
    return name


def text_payload(data: bytes) -> bytes:
    """UTF-8 text. Raises `PayloadError` for other bytes."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"the payload is not UTF-8 text: {error}") from None
    return data


def payload_of(value: object) -> tuple[bytes, PayloadKind]:
    """What an application publishes: `bytes` are binary, `msgspec.Raw` is JSON as it stands, all else becomes JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), PayloadKind.BINARY
    if isinstance(value, Raw):
        return json_payload(bytes(value)), PayloadKind.JSON
    try:
        return json_payload(msgspec.json.encode(value)), PayloadKind.JSON  # a `Raw` inside of it was not checked yet
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"cannot be written as JSON: {error}") from None


def as_json(publication: Publication) -> bytes:
    """The payload as a JSON value."""
    if publication.kind is PayloadKind.JSON:
        return publication.data
    if publication.kind is PayloadKind.TEXT:
        return msgspec.json.encode(publication.data.decode())
    return b'"' + b64encode(publication.data) + b'"'


def json_tags(publication: Publication) -> dict[str, str] | None:
    """The tags that go with `as_json`."""
    if publication.kind is PayloadKind.BINARY:
        return {**(publication.tags or {}), ENCODING_TAG: "base64"}
    return publication.tags


def as_text(publication: Publication) -> bytes:
    """The payload as text: JSON and text as they are, other bytes in base64."""
    return b64encode(publication.data) if publication.kind is PayloadKind.BINARY else publication.data
