"""A client of TURN over TCP or TLS: a connection of the server's own port whose first byte is no HTTP.

What is relayed over it is dropped while the connection is full, as a datagram would be; answers still go out, and a
connection that takes none of them is ended. It knows its transport and the frames in it; it does not know what they
say.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from wirehop.rtc.pure.framing import BadFrame, Framing
from wirehop.rtc.pure.outputs import Path

_UNSENT_BYTES: Final = 262_144


class Streams(Protocol):
    """Whom a connection tells what happens."""

    def stream_received(self, path: Path, data: bytes) -> None:
        """A whole message came."""
        ...

    def stream_lost(self, path: Path) -> None:
        """It ended."""
        ...


class StreamClient(asyncio.Protocol):
    """One connection. `dropped` counts what was dropped, by reason."""

    __slots__ = ("_dropped", "_framing", "_is_full", "_owner", "opened_at", "path", "transport")

    def __init__(
        self,
        owner: Streams,
        path: Path,
        transport: asyncio.Transport,
        now: float,
        dropped: Callable[[str], None],
    ) -> None:
        self.path = path
        self.transport = transport
        self.opened_at = now
        self._owner = owner
        self._framing = Framing()
        self._is_full = False
        self._dropped = dropped

    def data_received(self, data: bytes) -> None:
        """Some of the stream."""
        try:
            messages = self._framing.feed(data)
        except BadFrame:
            self._dropped("stream.malformed")
            self.transport.abort()
            return
        for message in messages:
            self._owner.stream_received(self.path, message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._owner.stream_lost(self.path)

    def pause_writing(self) -> None:
        """The client does not read."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It does."""
        self._is_full = False

    def send(self, data: bytes) -> None:
        """One whole message, padded."""
        is_answer = data[0] < 0x40 and not (data[0] == 0 and data[1] == 0x17)  # Data indications are droppable too
        if not self._is_full:
            self.transport.write(data)
        elif not is_answer:
            self._dropped("stream.full")
        elif self.transport.get_write_buffer_size() > _UNSENT_BYTES:
            self._dropped("stream.stuck")
            self.transport.abort()
        else:
            self.transport.write(data)
