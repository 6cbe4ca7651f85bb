"""The conversations of this process, in memory: so many of so many characters; the one used longest ago goes first."""

import re
from collections import OrderedDict
from typing import Final

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node import Node
from wirehop.pages.demos.ai.conversation import Conversation, Message

MOST_CONVERSATIONS: Final = 1_000
MOST_CHARACTERS: Final = 32_000_000
MOST_OPEN: Final = 8
"""Answers of one conversation that are not there yet."""


class Shelf:
    """Conversations by id. `forgotten` counts those that had to go."""

    def __init__(self, node: Node) -> None:
        self.forgotten = 0
        self._node = node
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()

    def has(self, id: str, message: str) -> bool:  # noqa: A002 - the field's name, here and below
        """Whether this question of this conversation has been taken."""
        return id in self._conversations and message in self._conversations[id].taken

    def find(self, id: str) -> Conversation:  # noqa: A002
        """The conversation. Raises `Refused` where there is none."""
        conversation = self._conversations.get(id)
        if conversation is None:
            raise Refused(codes.UNKNOWN_CHANNEL, "there is no such conversation; it may have been forgotten")
        self._conversations.move_to_end(id)
        return conversation

    def message(self, id: str, message: str | None) -> tuple[Conversation, Message]:  # noqa: A002
        """A message and its conversation. Raises `Refused`."""
        conversation = self.find(id)
        found = conversation.messages.get(message or "")
        if found is None:
            raise Refused(codes.BAD_REQUEST, "there is no such message")
        return conversation, found

    def with_room(self, id: str, answers: int, parent: str, text: str = "") -> Conversation:  # noqa: A002
        """The conversation, or a new one that begins with `text`. Raises `Refused` where so many answers more are too
        many, or the message to go on from is not there."""
        conversation = self._conversations.get(id) or Conversation(self._node, id, _title(text))
        if parent and parent not in conversation.messages:
            raise Refused(codes.BAD_REQUEST, "there is no such message to go on from")
        if sum(1 for _ in conversation.open) + answers > MOST_OPEN:
            raise Refused(codes.LIMIT_EXCEEDED, f"{MOST_OPEN} answers at once are the most of one conversation")
        conversation.need_room(1 + answers)
        return conversation

    def keep(self, conversation: Conversation) -> None:
        """It is used now; others may have to go, but none with an answer that is still made."""
        self._conversations[conversation.id] = conversation
        self._conversations.move_to_end(conversation.id)
        size = sum(each.size for each in self._conversations.values())
        for each in list(self._conversations.values())[:-1]:
            if len(self._conversations) <= MOST_CONVERSATIONS and size <= MOST_CHARACTERS:
                break
            if not any(each.open):
                del self._conversations[each.id]
                size -= each.size
                self.forgotten += 1


def _title(text: str) -> str:
    words = re.sub(r"\s+", " ", text).strip()
    return words if len(words) <= 60 else f"{words[:59].rstrip()}…"
