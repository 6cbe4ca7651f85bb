"""permessage-deflate (RFC 7692) without context takeover: what is agreed with a client, and messages inflated.

Every message is compressed by itself, both ways. So a publication is compressed once for all who agreed to it, and an
idle connection holds nothing: an inflater lives as long as the message that it reads. It knows RFC 7692; it does not
know frames.
"""

import zlib

from msgspec import Struct

from wirehop.abc import Framing
from wirehop.codecs.framing import DEFLATE_WINDOW

_NAME = "permessage-deflate"
_PARAMETERS = frozenset(
    {"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"}
)
_WINDOWS = {str(bits): bits for bits in range(8, 16)}
_LEAST_WINDOW = 9  # zlib writes no raw stream within 2**8 bytes
_MAX_OFFERS = 16
# Section 7.2.2: the empty block that the sender left out. The final block behind it ends the stream exactly where a
# message that was not cut in the middle of a block leaves it.
_END = b"\0\0\xff\xff\x01\0\0\xff\xff"
_MAX_FINAL_BLOCKS = 16
_HISTORY = 32_768


class Deflate(Struct, frozen=True):
    """What was agreed: messages to the client are compressed within 2**`window` bytes. `answer` is the value of the
    server's `Sec-WebSocket-Extensions`."""

    window: int
    answer: str

    @property
    def framing(self) -> Framing:
        """Publications are compressed once, within 2**12 bytes; who allows less gets them plain."""
        return "websocket-deflate" if self.window >= DEFLATE_WINDOW else "websocket"


def negotiate(offers: str) -> Deflate | None:
    """The first offer in a `Sec-WebSocket-Extensions` header that can be met; None where there is none.

    RFC 7692 section 7: an offer with a parameter that is unknown, repeated or has no valid value is declined, and
    so is a server window of 2**8 bytes.
    """
    for offer in offers.split(",", _MAX_OFFERS)[:_MAX_OFFERS]:
        name, *parameters = [part.strip() for part in offer.split(";")]
        agreed = _accept(parameters) if name.lower() == _NAME else None
        if agreed is not None:
            return agreed
    return None


def _accept(parameters: list[str]) -> Deflate | None:
    given: dict[str, str] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        name = name.strip().lower()
        if name not in _PARAMETERS or name in given:
            return None
        given[name] = value.strip().strip('"') if equals else ""
        takes_value = name.endswith("_bits")
        needs_value = name == "server_max_window_bits"
        if (equals and not (takes_value and given[name] in _WINDOWS)) or (needs_value and not equals):
            return None
    answer = f"{_NAME}; server_no_context_takeover; client_no_context_takeover"
    bits = given.get("server_max_window_bits")
    if bits is None:
        return Deflate(DEFLATE_WINDOW, answer)
    window = min(_WINDOWS[bits], DEFLATE_WINDOW)
    if window < _LEAST_WINDOW:
        return None
    # section 7.1.2.1: the answer names the same window or a smaller one
    return Deflate(window, f"{answer}; server_max_window_bits={window}")


class TooLarge(Exception):
    """What a message inflates to is over the limit; the rest of it was not inflated."""


class BadDeflate(Exception):
    """A message is no deflate data, or stops in the middle of it."""


class Inflater:
    """One compressed message of at most `limit` bytes inflated, fed piece by piece."""

    __slots__ = ("_final_blocks", "_inflate", "_left")

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._inflate = zlib.decompressobj(-15)
        self._final_blocks = 0

    def feed(self, data: bytes, *, is_last: bool) -> bytes:
        """What `data` inflates to. Raises `TooLarge` and `BadDeflate`, after which it is of no use."""
        piece = self._feed(data) if data else b""
        if is_last and not self._inflate.eof:
            piece += self._feed(_END)
            if not self._inflate.eof:
                raise BadDeflate
        return piece

    def _feed(self, data: bytes) -> bytes:
        pieces = b""
        while data:
            if self._inflate.eof:  # section 7.2.3.4: a final block does not end the message, others may follow
                self._final_blocks += 1
                if self._final_blocks > _MAX_FINAL_BLOCKS:
                    raise BadDeflate
                self._inflate = zlib.decompressobj(-15)
            try:
                piece = self._inflate.decompress(data, self._left + 1)
            except zlib.error:
                raise BadDeflate from None
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge
            pieces += piece
            data = self._inflate.unused_data
        return pieces
