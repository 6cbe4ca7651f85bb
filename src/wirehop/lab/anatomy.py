"""The anatomy of a message: what each byte that carried it is for.

Pure. The bytes are those that a link recorded, from the beginning of an answer, a chunk or a frame on. What is not
understood is `other`, and never guessed.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct, structs

from wirehop.checker.traffic import Recorded, Recording

Kind = Literal["http", "frame", "envelope", "payload", "other"]
SHOWN: Final = 128
"""Bytes of other messages that are shown; what lies in the middle of more is left out."""
MOST_PARTS: Final = 1_000
PUSH: Final = b'{"push"'
NEAR: Final = 3
"""Pieces of the same direction that are joined before and behind the one that has the message."""


class Part(Struct, frozen=True):
    """`size` bytes that follow the part before. `http`: head of a request or answer; `frame`: head of a frame, a chunk
    or an event; `envelope`: what the protocol says about the message; `payload`: what was published. `skipped` bytes in
    its middle are not shown."""

    kind: Kind
    size: int
    what: str
    skipped: int = 0


class Anatomy(Struct, frozen=True):
    """`data` in hex: `bytes` of them, but for what is skipped. `opening` is the head that the connection's answers
    began with, `request` the one of what was asked last."""

    number: int
    wire: str
    data: str
    parts: list[Part]
    opening: str
    request: str
    bytes: int


def find(recording: Recording, wire: str, number: int) -> Anatomy | None:
    """The message of that number; None where it is not kept any more."""
    needle = b'{"n":%d,' % number
    pieces = [piece for piece in recording.pieces if piece.direction == "down"]
    index = next((i for i, piece in enumerate(pieces) if needle in piece.data), -1)
    if index < 0:
        return None
    found = pieces[index]
    data = found.data
    if not _is_whole(data):  # its beginning came in the piece before, its end in the one behind
        data = _joined(pieces, index)
    opening = recording.openings.get((found.link, "down"), b"").partition(b"\r\n\r\n")[0]
    parts, shown = shortened(data, dissect(data, needle))
    return Anatomy(
        number,
        wire,
        shown.hex(),
        parts,
        opening.decode("latin-1"),
        _request_before(recording, found),
        len(data),
    )


def shortened(data: bytes, parts: Iterable[Part]) -> tuple[list[Part], bytes]:
    """The parts and the bytes to show: of what is other only the ends; what is beyond `MOST_PARTS` is one part."""
    kept: list[Part] = []
    shown = bytearray()
    position = 0
    for part in parts:
        if len(kept) == MOST_PARTS:
            part = Part("other", len(data) - position, "the rest of it")
        skipped = max(0, part.size - SHOWN) if part.kind == "other" else 0
        half = (part.size - skipped) // 2 if skipped else part.size
        shown += data[position : position + half]
        shown += data[position + half + skipped : position + part.size]
        kept.append(structs.replace(part, skipped=skipped))
        position += part.size
        if position >= len(data):
            break
    return kept, bytes(shown)


def _is_whole(data: bytes) -> bool:
    """Whether it begins where something begins: an answer, a chunk, or a frame of a WebSocket."""
    return data.startswith(b"HTTP/1.") or data[0] in (0x81, 0x82) or _chunk_head(data, 0) is not None


def _joined(pieces: list[Recorded], index: int) -> bytes:
    link = pieces[index].link
    same = [piece for piece in pieces[max(0, index - NEAR) : index + NEAR + 1] if piece.link == link]
    place = next(i for i, piece in enumerate(same) if piece is pieces[index])
    while place > 0 and not _is_whole(same[place].data):
        place -= 1
    return b"".join(piece.data for piece in same[place:])


def _request_before(recording: Recording, found: Recorded) -> str:
    """The head of the request that was answered, as far as it is kept."""
    asked = b""
    for piece in recording.pieces:
        if piece.at > found.at:
            break
        if piece.link == found.link and piece.direction == "up" and b" HTTP/1." in piece.data:
            asked = piece.data
    asked = asked or recording.openings.get((found.link, "up"), b"")
    head = asked.partition(b"\r\n\r\n")[0]
    return head[:2_048].decode("latin-1")


def dissect(data: bytes, needle: bytes) -> Iterator[Part]:
    """What the bytes are for. `needle` is how the payload begins."""
    position = 0
    is_chunked = not data.startswith(b"HTTP/1.")
    if not is_chunked:
        end = data.find(b"\r\n\r\n")
        size = len(data) if end < 0 else end + 4
        yield Part("http", size, "head of the answer")
        is_chunked = b"transfer-encoding: chunked" in data[:size].lower()
        position = size
    elif data and data[0] in (0x81, 0x82):
        yield from _frames(data, needle)
        return
    if not is_chunked:
        yield from _content(data[position:], needle)
        return
    while position < len(data):
        head = _chunk_head(data, position)
        if head is None:
            yield from _content(data[position:], needle)
            return
        start, size = head
        yield Part("frame", start - position, f"size of a chunk: {size:,} bytes follow")
        yield from _content(data[start : start + size], needle)
        rest = len(data[start + size : start + size + 2])
        if rest:
            yield Part("frame", rest, "end of the chunk")
        position = start + size + 2


def _chunk_head(data: bytes, position: int) -> tuple[int, int] | None:
    """Where the chunk's content begins, and its size (RFC 9112 section 7.1)."""
    end = data.find(b"\r\n", position, position + 12)
    if end <= position:
        return None
    try:
        return end + 2, int(data[position:end], 16)
    except ValueError:
        return None


def _frames(data: bytes, needle: bytes) -> Iterator[Part]:
    """Frames of a server (RFC 6455 section 5.2): never masked."""
    position = 0
    while position + 2 <= len(data):
        length, head = data[position + 1] & 127, 2
        if length >= 126:
            head = 4 if length == 126 else 10
            length = int.from_bytes(data[position + 2 : position + head], "big")
        head = min(head, len(data) - position)
        yield Part("frame", head, f"head of a frame: {length:,} bytes follow")
        content = data[position + head : position + head + length]
        yield from _content(content, needle)
        position += head + length
    if position < len(data):
        yield Part("other", len(data) - position, "the beginning of another frame")


def _content(content: bytes, needle: bytes) -> Iterator[Part]:
    """An event's lines are its frame; around the payload is its envelope."""
    if not content:
        return
    start = content.find(needle)
    end = content.find(b"}", start) + 1 if start >= 0 else 0
    if start < 0 or not end:
        yield from _event(content, "other", "other messages")
        return
    first, last = _envelope(content, start, end)
    yield from _event(content[:first], "other", "other messages")
    yield from _event(content[first:start], "envelope", "what the protocol says about it")
    yield Part("payload", end - start, "what was published")
    yield from _event(content[end:last], "envelope", "what the protocol says about it")
    yield from _event(content[last:], "other", "other messages")


def _envelope(content: bytes, start: int, end: int) -> tuple[int, int]:
    """From where to where the push around a payload goes: other pushes lie before and behind it."""
    first = max(content.rfind(b"\n", 0, start) + 1, content.rfind(PUSH, 0, start), 0)
    behind = [place for place in (content.find(b"\n", end), content.find(PUSH, end)) if place >= 0]
    return first, min(behind, default=len(content))


def _event(content: bytes, kind: Kind, what: str) -> Iterator[Part]:
    """Bytes of that kind, but for what makes an event of them (`data: `, `id: …`, the empty line)."""
    words = (b"data: ", b"id: ", b"event: ", b"retry: ")
    lines = content.split(b"\n")
    if not (content.endswith(b"\n\n") or any(line.startswith(words) for line in lines)):
        if content:
            yield Part(kind, len(content), what)
        return
    for place, line in enumerate(lines):
        is_last = place == len(lines) - 1
        name, colon, value = line.partition(b": ")
        if colon and name == b"data":
            yield Part("frame", len(name) + 2, "field of an event")
            if value:
                yield Part(kind, len(value), what)
            if not is_last:
                yield Part("frame", 1, "end of the line")
        elif line.startswith(words):
            yield Part("frame", len(line) + (not is_last), "field of an event")
        else:
            if line:
                yield Part(kind, len(line), what)
            if not is_last:
                yield Part("frame", 1, "end of the line or of the event")
