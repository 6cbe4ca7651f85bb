"""Messages in a stream of bytes: STUN and ChannelData over TCP and TLS (RFC 8656 section 3.1 and 12.5).

Both carry their length; ChannelData is padded to four bytes there. It holds at most one message that is not whole. It
knows lengths; it does not know what is in a message.
"""

from typing import Final

from wirehop.rtc.pure.stun import HEADER_BYTES

MESSAGE_BYTES: Final = 65_535 + HEADER_BYTES
_CHANNEL_HEADER: Final = 4


class BadFrame(ValueError):
    """What came is neither a STUN message nor ChannelData: the stream cannot be read any further."""


class Framing:
    """What came over one connection, cut into messages. `waiting` is the size of what is held."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    @property
    def waiting(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now, without padding. Raises `BadFrame`; what came before it is lost too."""
        data = self._held + data if self._held else data
        found: list[bytes] = []
        at = 0
        while len(data) - at >= _CHANNEL_HEADER:
            first = data[at]
            length = data[at + 2] << 8 | data[at + 3]
            if first < 0x40:
                size = taken = length + HEADER_BYTES
                if length % 4:
                    raise BadFrame("a STUN message whose length is no multiple of four")
            elif first < 0x80:
                size = length + _CHANNEL_HEADER
                taken = size + -size % 4
            else:
                raise BadFrame(f"the first byte is {first:#04x}")
            if len(data) - at < taken:
                break
            found.append(data[at : at + size])
            at += taken
        self._held = data[at:]
        return found
