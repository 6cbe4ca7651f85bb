"""A publication as an application receives it."""

from base64 import b64decode

import msgspec

from wirehop.codecs.json_lines import WirePublication
from wirehop.codecs.payload import ENCODING_TAG, EVENT_TAG
from wirehop.core.messages import ClientInfo, Position


class Publication:
    """One item published to a channel.

    `position` is where a reader stands after it (None in `signal` channels, whose publications have no offset).
    `is_after_gap`: between the publication before and this one some were missed and could not be recovered.
    """

    __slots__ = ("_wire", "channel", "is_after_gap", "position")

    def __init__(self, channel: str, wire: WirePublication, position: Position | None, *, is_after_gap: bool) -> None:
        self.channel = channel
        self.position = position
        self.is_after_gap = is_after_gap
        self._wire = wire

    def __repr__(self) -> str:
        return f"<Publication {self.channel} offset={self.offset} data={self.raw[:64]!r}>"

    @property
    def data(self) -> object:
        """The payload: a JSON value, a text as `str`, other bytes as `bytes`."""
        value = msgspec.json.decode(self.raw)
        if (self._wire.tags or {}).get(ENCODING_TAG) == "base64" and isinstance(value, str):
            return b64decode(value)
        return value

    @property
    def raw(self) -> bytes:
        """The payload as JSON."""
        return bytes(self._wire.data)

    @property
    def offset(self) -> int:
        """Its number in the channel; 0 in `signal` channels."""
        return self._wire.offset

    @property
    def time(self) -> float:
        """When it was published, in Unix seconds; 0 if unknown."""
        return self._wire.time / 1000

    @property
    def event(self) -> str:
        """The event name, or empty."""
        return self.tags.get(EVENT_TAG, "")

    @property
    def tags(self) -> dict[str, str]:
        """What was said about the payload."""
        return self._wire.tags or {}

    @property
    def key(self) -> str:
        """The key in `latest` channels, or empty."""
        return self._wire.key

    @property
    def info(self) -> ClientInfo | None:
        """Who published it; None for the server."""
        return self._wire.info
