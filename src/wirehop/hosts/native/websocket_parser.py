"""Frames of a client to messages (RFC 6455 section 5), without I/O.

`add` takes bytes in any chunking and `next` gives one by one what they complete, so that whoever takes no more for a
while leaves the rest as it came, compressed where it was; any chunking gives the same events. It
never raises for what a peer sent: a violation is one last `Failed` with the code to close with, after which
the parser is deaf. Every check that needs the header only is made before the payload is stored, so what it
keeps is at most one message of `max_message` bytes, one control frame and what was added and not taken. Where
permessage-deflate was agreed (RFC 7692), a compressed message counts as what it inflates to, and is inflated no
further than its limit.

    event       when
    Message     a whole text or binary message; text is valid UTF-8
    Pinged      a ping frame
    Ponged      a pong frame
    Closed      a valid close frame; nothing follows
    Failed      a violation; nothing follows
"""

import codecs
from typing import NamedTuple

from wirehop.hosts.native.deflate import BadDeflate, Inflater, TooLarge
from wirehop.hosts.native.masking import apply_mask

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset((_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG))
_RSV1 = 0x40

PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
_NO_CODE = 1005


class Message(NamedTuple):
    """One whole message."""

    data: bytes
    is_binary: bool


class Pinged(NamedTuple):
    """A ping with its payload, to be sent back in a pong."""

    data: bytes


class Ponged(NamedTuple):
    """A pong; nobody here looks at its payload."""

    data: bytes


class Closed(NamedTuple):
    """The peer's close frame; 1005 where it gave no code."""

    code: int
    reason: str


class Failed(NamedTuple):
    """The peer broke a rule: the code and reason to close with, and what it counts as."""

    code: int
    reason: str
    name: str = "websocket.protocol_error"


Event = Message | Pinged | Ponged | Closed | Failed


class WebSocketParser:
    """The receiving half of one WebSocket, server side. `inflates`: permessage-deflate was agreed."""

    __slots__ = (
        "_buffer",
        "_decoder",
        "_event",
        "_inflater",
        "_inflates",
        "_is_over",
        "_max_message",
        "_parts",
        "_parts_opcode",
    )

    def __init__(self, max_message: int, *, inflates: bool = False) -> None:
        self._max_message = max_message
        self._inflates = inflates
        self._buffer = bytearray()
        self._event: Event | None = None  # what the frame that is being read comes to
        self._parts: bytearray | None = None  # payload of an unfinished fragmented message
        self._parts_opcode = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._inflater: Inflater | None = None  # while a compressed message is received
        self._is_over = False

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is half received, so that a fresh parser would go on the same."""
        return not self._buffer and self._parts is None and not self._is_over

    @property
    def has_more(self) -> bool:
        """Whether there are bytes that `next` has not looked at, or that are no whole frame yet."""
        return bool(self._buffer)

    def add(self, data: bytes) -> None:
        """Bytes of the peer."""
        if not self._is_over:
            self._buffer += data

    def next(self) -> Event | None:
        """What the bytes that were added come to next; None while that is not whole."""
        buffer = self._buffer
        while not self._is_over:
            end = self._frame(buffer)
            if end == 0:
                return None
            if self._is_over:
                buffer.clear()
                self._parts = None
            else:
                del buffer[:end]
            if self._event is not None:
                event, self._event = self._event, None
                return event
        return None

    def feed(self, data: bytes) -> list[Event]:
        """All that `data` completes, in order."""
        self.add(data)
        return list(iter(self.next, None))

    def _frame(self, buffer: bytearray) -> int:
        """Read one frame; returns its length, or 0 while it is not whole."""
        available = len(buffer)
        if available < 2:
            return 0
        first, second = buffer[0], buffer[1]
        violation = self._violation(first, second)
        if violation:
            return self._fail(PROTOCOL_ERROR, violation)
        size, header = second & 0x7F, 2
        if size >= 126:
            header = 4 if size == 126 else 10
            if available < header:
                return 0
            size = int.from_bytes(buffer[2:header], "big")
            if size >> 63:  # section 5.2: the most significant bit MUST be 0
                return self._fail(PROTOCOL_ERROR, "a frame length has its top bit set")
        opcode = first & 0x0F
        if opcode < _CLOSE and size > self._room(first):
            return self._fail_too_big()
        payload = header + 4
        end = payload + size
        if available < end:
            return 0
        data = apply_mask(bytes(buffer[payload:end]), bytes(buffer[payload - 4 : payload]))
        if opcode >= _CLOSE:
            self._control(opcode, data)
        else:
            self._data(opcode, data, is_final=first >= 0x80, is_compressed=first & _RSV1 != 0)
        return end

    def _room(self, first: int) -> int:
        """Bytes that the data frame may have: what is left of the message, or, compressed, what the whole message takes
        at worst, since none of that is kept."""
        if self._inflater is not None or first & _RSV1:
            return self._max_message + (self._max_message >> 3) + 64
        return self._max_message - (len(self._parts) if self._parts else 0)

    def _violation(self, first: int, second: int) -> str:
        """What the first two bytes break, or ""."""
        opcode = first & 0x0F
        if first & 0x70:  # section 5.2: reserved bits are 0 unless an extension was negotiated
            if first & 0x30 or not self._inflates:
                return "a reserved bit is set"
            if opcode not in (_TEXT, _BINARY):  # RFC 7692 section 6.1: only on the first frame of a message
                return "a frame that begins no message is marked as compressed"
        if opcode not in _OPCODES:
            return f"opcode {opcode} is reserved"
        if not second & 0x80:  # section 5.1: a server MUST close upon an unmasked frame
            return "a client's frame is not masked"
        if opcode >= _CLOSE:  # section 5.5
            if second & 0x7F > 125:
                return "a control frame is longer than 125 bytes"
            if not first & 0x80:
                return "a control frame is fragmented"
        elif opcode == _CONTINUATION:  # section 5.4
            if self._parts is None:
                return "a continuation without a beginning"
        elif self._parts is not None:
            return "a new message before the last one's end"
        return ""

    def _data(self, opcode: int, data: bytes, *, is_final: bool, is_compressed: bool) -> None:
        if opcode != _CONTINUATION and is_final and not is_compressed:
            if opcode == _TEXT and not is_text(data):
                self._fail_invalid_text()
            else:
                self._event = Message(data, opcode == _BINARY)
            return
        if self._parts is None:
            self._parts = bytearray()
            self._parts_opcode = opcode
            self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode == _TEXT else None
            self._inflater = Inflater(self._max_message) if is_compressed else None
        if self._inflater is not None:
            try:
                data = self._inflater.feed(data, is_last=is_final)
            except TooLarge:
                self._fail_too_big()
                return
            except BadDeflate:
                self._fail(INVALID_DATA, "a message is no deflate data", "websocket.bad_deflate")
                return
        if self._decoder is not None:  # section 8.1: text is checked across fragments, and fails early
            try:
                self._decoder.decode(data, is_final)
            except UnicodeDecodeError:
                self._fail_invalid_text()
                return
        self._parts += data
        if is_final:
            self._event = Message(bytes(self._parts), self._parts_opcode == _BINARY)
            self._parts = self._decoder = self._inflater = None

    def _control(self, opcode: int, data: bytes) -> None:
        if opcode == _PING:
            self._event = Pinged(data)
        elif opcode == _PONG:
            self._event = Ponged(data)
        else:
            self._close(data)

    def _close(self, data: bytes) -> None:
        """Section 5.5.1 and 7.4."""
        self._is_over = True
        if not data:
            self._event = Closed(_NO_CODE, "")
            return
        if len(data) == 1:
            self._fail(PROTOCOL_ERROR, "a close frame with half a code")
            return
        code = int.from_bytes(data[:2], "big")
        if not is_close_code(code):
            self._fail(PROTOCOL_ERROR, f"close code {code} must not be sent")
            return
        try:
            self._event = Closed(code, data[2:].decode())
        except UnicodeDecodeError:
            self._fail(INVALID_DATA, "a close reason is not UTF-8", "websocket.invalid_text")

    def _fail(self, code: int, reason: str, name: str = "websocket.protocol_error") -> int:
        self._is_over = True
        self._inflater = None
        self._event = Failed(code, reason, name)
        return -1

    def _fail_too_big(self) -> int:
        return self._fail(TOO_BIG, f"a message is larger than {self._max_message} bytes", "websocket.too_big")

    def _fail_invalid_text(self) -> int:
        return self._fail(INVALID_DATA, "a text message is not UTF-8", "websocket.invalid_text")


def is_close_code(code: int) -> bool:
    """Whether an endpoint may send it (RFC 6455 section 7.4 and IANA's registry: 1012 to 1014 came later)."""
    return 3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in (1004, 1005, 1006))


def is_text(data: bytes) -> bool:
    """Whether `data` is valid UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
