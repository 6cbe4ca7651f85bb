"""A conversation: a tree of messages, and the log of what happened to them in the channel `ai:{id}`.

Whoever comes reads the messages as they are, together with the position in the channel that they belong to, and goes on
from there. Pieces of an answer say at which character they begin, so that one that is read twice is noticed.
"""

import asyncio
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct, field

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.core.messages import Position
from wirehop.node import Node

MOST_MESSAGES: Final = 200
PAGE_CHARACTERS: Final = 40_000
"""Messages are read in pages of about so many."""

Kind = Literal["text", "thinking", "tool", "result", "error"]
State = Literal["queued", "streaming", "done", "stopped", "failed"]


class Part(Struct, omit_defaults=True):
    """What somebody says, or thinks; a call of a tool (`name`, and in `text` what it is given), its result; an error
    (`name` is its code)."""

    kind: Kind
    text: str = ""
    name: str = ""


class Message(Struct, omit_defaults=True):
    """`parent` is what it answers; the children of one parent are branches. Those of one `batch` were asked for
    together. `waited`, `first` (token) and `seconds` are durations, `at` is Unix time in milliseconds."""

    id: str
    parent: str
    role: Literal["user", "assistant"]
    state: State = "done"
    author: str = ""
    parts: list[Part] = field(default_factory=list)
    batch: str = ""
    place: int = 0
    tokens: int = 0
    waited: float = 0.0
    first: float = 0.0
    seconds: float = 0.0
    at: int = 0

    @property
    def size(self) -> int:
        """Characters."""
        return 200 + sum(len(part.text) for part in self.parts)

    @property
    def is_open(self) -> bool:
        """Whether something is still to come."""
        return self.state in ("queued", "streaming")


class Piece(Struct, omit_defaults=True):
    """What has been added to the part number `part`: `text`, from its character `start` on."""

    part: int
    kind: Kind
    text: str
    start: int = 0
    name: str = ""


class Added(Struct, tag="message", tag_field="type"):
    """There is a new message."""

    message: Message


class More(Struct, tag="more", tag_field="type"):
    """An answer goes on; it has so many tokens now."""

    id: str
    pieces: list[Piece]
    tokens: int


class Changed(Struct, tag="state", tag_field="type"):
    """An answer is in another state, or in another place of the queue."""

    id: str
    state: State
    place: int = 0
    tokens: int = 0
    waited: float = 0.0
    first: float = 0.0
    seconds: float = 0.0


Event = Added | More | Changed


class Page(Struct):
    """Messages from some number on, as they are at `position` or a little later. `more`: there are others behind."""

    title: str
    messages: list[Message]
    position: Position
    more: bool


class Conversation:
    """One conversation. Everything that happens to it is told to the channel, and then is so."""

    def __init__(self, node: Node, id: str, title: str) -> None:  # noqa: A002 - the field's name
        self.id = id
        self.title = title
        self.messages: dict[str, Message] = {}
        self.position = Position("", 0)
        self.taken: set[str] = set()  # ids of questions, also of those that are just being told
        self.size = 0  # characters
        self._node = node
        self._turn = asyncio.Lock()

    async def tell(self, event: Event) -> None:
        """One after the other, so that the messages are at every moment those of a position."""
        async with self._turn:
            self.position = await self._node.publish(f"ai:{self.id}", Raw(msgspec.json.encode(event)))
            self._apply(event)

    def page(self, number: int) -> Page:
        """Messages from this number on."""
        every = list(self.messages.values())
        page: list[Message] = []
        size = 0
        for message in every[number:]:
            size += message.size
            if page and size > PAGE_CHARACTERS:
                break
            page.append(message)
        return Page(self.title, page, self.position, number + len(page) < len(every))

    def path(self, id: str) -> list[Message]:  # noqa: A002 - as above
        """The messages that lead to this one, and itself."""
        found: list[Message] = []
        while message := self.messages.get(id):
            found.append(message)
            id = message.parent  # noqa: A001 - as above
        return found[::-1]

    def need_room(self, count: int) -> None:
        """Raises `Refused` where so many messages are too many."""
        if len(self.messages) + count > MOST_MESSAGES:
            raise Refused(codes.LIMIT_EXCEEDED, f"a conversation has {MOST_MESSAGES} messages at most: begin another")

    @property
    def open(self) -> Iterator[Message]:
        """The answers that are not there yet."""
        return (message for message in self.messages.values() if message.is_open)

    def _apply(self, event: Event) -> None:
        if isinstance(event, Added):
            self.messages[event.message.id] = event.message
            self.size += event.message.size
            return
        message = self.messages[event.id]
        message.tokens = event.tokens
        if isinstance(event, Changed):
            message.state, message.place, message.waited = event.state, event.place, event.waited
            message.first, message.seconds = event.first, event.seconds
            return
        for piece in event.pieces:
            if piece.part == len(message.parts):
                message.parts.append(Part(piece.kind, name=piece.name))
            message.parts[piece.part].text += piece.text
            self.size += len(piece.text)
