"""What comes in over a channel URL, as the `data` of a publish command: JSON as it is, text and bytes as strings."""

from base64 import b64encode

import msgspec

from wirehop.codecs.payload import json_payload, text_payload
from wirehop.core.errors import PayloadError
from wirehop.core.messages import PayloadKind


def command_payload(data: bytes, *, is_binary: bool) -> tuple[bytes, PayloadKind]:
    """A WebSocket message: bytes are bytes; text that is JSON is JSON, other text is text."""
    if is_binary:
        return b'"' + b64encode(data) + b'"', PayloadKind.BINARY
    try:
        return json_payload(data), PayloadKind.JSON
    except PayloadError:
        return msgspec.json.encode(data.decode()), PayloadKind.TEXT


def body_payload(body: bytes, content_type: str) -> tuple[bytes, PayloadKind]:
    """The body of a POST, by its content type. Raises `PayloadError`."""
    data, kind = body_bytes(body, content_type)
    if kind is PayloadKind.TEXT:
        return msgspec.json.encode(data.decode()), kind
    return (data, kind) if kind is PayloadKind.JSON else (b'"' + b64encode(data) + b'"', kind)


def body_bytes(body: bytes, content_type: str) -> tuple[bytes, PayloadKind]:
    """The same as the payload of a publication. Raises `PayloadError`."""
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        return json_payload(body), PayloadKind.JSON
    if media.startswith("text/"):
        return text_payload(body), PayloadKind.TEXT
    return body, PayloadKind.BINARY
