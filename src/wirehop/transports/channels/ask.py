"""What is asked of a channel URL, read from the request once: which channels, from where, in which form."""

import math
import re
from urllib.parse import quote

from msgspec import Struct

from wirehop.abc import Request
from wirehop.codecs.cursor import decode_position, decode_positions, encode_position, encode_positions
from wirehop.core.errors import BadMessage
from wirehop.core.messages import CONNECT_ID, Command, ConnectRequest, Position, SubscribeRequest, Wh
from wirehop.transports.door import first, parameters

MAX_CHANNELS = 16
CONNECT = CONNECT_ID
"""The id of the connect command that a channel wire feeds to its session: it numbers its commands, so that publish
results carry their position."""
FIRST_SUBSCRIBE = 1

_WAIT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)?")
_UNITS = {None: 1.0, "s": 1.0, "ms": 0.001, "m": 60.0}


class Ask(Struct, frozen=True):
    """`cursor` is the string as given ("" for none), `positions` what it says; `wait` is None where not given."""

    channels: tuple[str, ...]
    cursor: str
    positions: dict[str, Position]
    wait: float | None
    form: str
    callback: str
    limit: int
    reverse: bool
    token: str

    @property
    def is_single(self) -> bool:
        return len(self.channels) == 1

    def commands(self) -> list[Command]:
        """Connect, and subscribe to each channel, recovering where there is a cursor."""
        return [self.connect(), *(self.subscribe(number) for number in range(len(self.channels)))]

    def connect(self) -> Command:
        return Command(CONNECT, connect=ConnectRequest(token=self.token, name="channel-url", wh=Wh()))

    def subscribe(self, number: int, *, command_id: int = 0, from_top: bool = False) -> Command:
        """The subscribe command of the channel with this number."""
        channel = self.channels[number]
        position = self.positions.get(channel)
        if self.cursor and self.is_single and position is None:
            position = Position("", 0)  # a cursor that is no good: recovery must say so, not be skipped
        recover = position is not None and not from_top
        return Command(
            command_id or FIRST_SUBSCRIBE + number,
            subscribe=SubscribeRequest(
                channel=channel,
                recover=recover,
                epoch=position.epoch if position is not None and recover else "",
                offset=position.offset if position is not None and recover else 0,
            ),
        )


def read_ask(request: Request, channels: tuple[str, ...]) -> Ask:
    """Read the query and the headers. Raises `BadMessage` for what makes no sense."""
    query = parameters(request)
    if not 1 <= len(channels) <= MAX_CHANNELS:
        raise BadMessage(f"name 1 to {MAX_CHANNELS} channels")
    if len(set(channels)) != len(channels):
        raise BadMessage("a channel is named twice")
    cursor = request.headers.get("last-event-id", "") or first(query, "cursor")
    form = first(query, "format") or "raw"
    if form not in ("raw", "json"):
        raise BadMessage("format is raw or json")
    limit = first(query, "limit") or "100"
    if not limit.isascii() or not limit.isdigit() or len(limit) > 6:
        raise BadMessage("limit is a number")
    bearer = request.headers.get("authorization", "")
    return Ask(
        channels=channels,
        cursor=cursor,
        positions=read_positions(cursor, channels),
        wait=_wait(first(query, "wait")),
        form=form,
        callback=first(query, "callback"),
        limit=int(limit),
        reverse=first(query, "reverse") in ("1", "true"),
        token=bearer[7:].strip() if bearer[:7].lower() == "bearer " else "",
    )


def read_positions(cursor: str, channels: tuple[str, ...]) -> dict[str, Position]:
    """What a cursor says about these channels; a malformed one says nothing."""
    if not cursor:
        return {}
    if len(channels) == 1:
        position = decode_position(cursor)
        return {} if position is None else {channels[0]: position}
    known = decode_positions(cursor)
    return {channel: known[channel] for channel in channels if channel in known}


def write_cursor(channels: tuple[str, ...], positions: dict[str, Position]) -> str:
    """The cursor of these channels."""
    if len(channels) == 1:
        return encode_position(positions.get(channels[0], Position("", 0)))
    return encode_positions(positions)


def etag(cursor: str) -> str:
    """The cursor as an entity tag."""
    return f'"{quote(cursor, safe=":=-_")}"'


def names(header: str, tag: str) -> bool:
    """Whether an If-None-Match header names the tag: RFC 9110 section 13.1.2, the weak comparison."""
    return header.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in header.split(",")]


def _wait(text: str) -> float | None:
    if not text:
        return None
    match = _WAIT.fullmatch(text)
    if match is None:
        raise BadMessage("wait reads like 25s or 500ms")
    seconds = float(match[1]) * _UNITS[match[2]]
    return seconds if math.isfinite(seconds) else 0.0
