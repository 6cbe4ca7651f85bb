"""Server-Sent Events as text: what a server writes and an incremental reader for clients.

The format is that of the HTML standard, section 9.2 (server-sent events). Fields are written as `name: value`; a value
with line breaks becomes several `data:` lines. Nothing here knows HTTP or channels.
"""

from msgspec import Struct

COMMENT = b":\n\n"
"""A heartbeat that readers ignore."""


def encode_event(data: bytes, *, event: str = "", id: str | None = None) -> bytes:  # noqa: A002 - the field's name
    """One event. `event` and `id` must hold no line break (the callers check them); `data` may."""
    parts = []
    if id is not None:
        parts.append(b"id: %b\n" % id.encode())
    if event:
        parts.append(b"event: %b\n" % event.encode())
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        parts += [b"data: %b\n" % line for line in lines]
    else:
        parts.append(b"data: %b\n" % data)
    parts.append(b"\n")
    return b"".join(parts)


def encode_retry(milliseconds: int) -> bytes:
    """A block that sets the reader's reconnection time."""
    return b"retry: %d\n\n" % milliseconds


class Event(Struct, frozen=True):
    """One event as a reader sees it. `id` is the last event id at that point, as the standard says."""

    data: str
    event: str = "message"
    id: str = ""


class EventStreamError(ValueError):
    """An event is larger than the reader allows. Attribute: `limit` in characters."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"an event has more than {limit} characters")
        self.limit = limit


class EventStreamDecoder:
    """Feed it bytes in any pieces; it gives whole events.

    `last_id` and `retry` (milliseconds, None until the server says) are public: a client that reconnects needs them.
    `comments` counts comment lines: a heartbeat is one. An event of more than `max_size` characters raises
    `EventStreamError`, and the decoder must not be used any more.
    """

    __slots__ = (
        "_data",
        "_event",
        "_id",
        "_is_start",
        "_rest",
        "_size",
        "_skip_lf",
        "comments",
        "last_id",
        "max_size",
        "retry",
    )

    def __init__(self, *, max_size: int = 1_048_576) -> None:
        self.max_size = max_size
        self.last_id = ""
        self.retry: int | None = None
        self.comments = 0
        self._data: list[str] = []
        self._event = ""
        self._id = ""
        self._size = 0
        self._rest = b""
        self._is_start = True
        self._skip_lf = False  # the last piece ended in CR: an LF that follows belongs to it

    def feed(self, piece: bytes) -> list[Event]:
        """The events that are whole now."""
        if self._skip_lf and piece:
            self._skip_lf = False
            if piece[:1] == b"\n":
                piece = piece[1:]
        buffer = self._rest + piece
        if self._is_start and len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
            self._rest = buffer
            return []
        if self._is_start:
            self._is_start = False
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
        if buffer.endswith(b"\r"):
            self._skip_lf = True
        lines = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > self.max_size * 4:
            raise EventStreamError(self.max_size)
        events: list[Event] = []
        for line in lines:
            self._line(line.decode("utf-8", "replace"), events)
        return events

    def _line(self, line: str, events: list[Event]) -> None:
        if not line:
            self.last_id = self._id
            if self._data:
                events.append(Event("\n".join(self._data), self._event or "message", self.last_id))
            self._data, self._event, self._size = [], "", 0
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments += 1
        elif name == "data":
            self._size += len(value) + (1 if self._data else 0)
            if self._size > self.max_size:
                raise EventStreamError(self.max_size)
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= 10:
            self.retry = int(value)
