"""Cursors: the positions of one or several channels as one opaque string, safe in a URL, a header and an event id.

One channel: `epoch:offset`. Several: URL-safe base64 of the JSON object {channel: [epoch, offset]}. A cursor grants
nothing; what is malformed reads as no position at all, so that recovery answers `false` and never fails.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec

from wirehop.core.messages import Position

MAX_CURSOR = 8_192
"""Longer strings are not read: about 16 channels with names of 255 bytes fit."""

_MANY = msgspec.json.Decoder(dict[str, tuple[str, int]])


def encode_position(position: Position) -> str:
    """The cursor of one channel."""
    return f"{position.epoch}:{position.offset}"


def decode_position(cursor: str) -> Position | None:
    """The position, or None for what is not one."""
    epoch, colon, offset = cursor.rpartition(":")
    if len(cursor) > MAX_CURSOR or not colon or not offset.isascii() or not offset.isdigit() or len(offset) > 18:
        return None
    return Position(epoch, int(offset))


def encode_positions(positions: Mapping[str, Position]) -> str:
    """The cursor of several channels."""
    value = {channel: (position.epoch, position.offset) for channel, position in positions.items()}
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def decode_positions(cursor: str) -> dict[str, Position]:
    """The positions it holds; empty for what is not a cursor."""
    if len(cursor) > MAX_CURSOR:
        return {}
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        value = _MANY.decode(urlsafe_b64decode(padded))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return {channel: Position(epoch, offset) for channel, (epoch, offset) in value.items() if offset >= 0}
