"""The demo of AI answers: where pages ask, ask again and stop. Each conversation is a channel, `ai:{id}`.

rpc ai.about  {}                                                what makes the answers, and how busy it is
rpc ai.open   {"conversation", "number"}                        the conversation as it is, from a message on
rpc ai.ask    {"conversation", "message", "parent", "text", …}  say something, and have it answered
rpc ai.again  {"conversation", "message"}                       another answer to the same: a branch
rpc ai.stop   {"conversation", "message"}                       end an answer, in the queue or in the middle of a word
"""

import re
import secrets
import time
from collections import OrderedDict
from typing import Annotated, Final

from msgspec import Meta, Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node import Client, Node
from wirehop.pages.demos.ai.answer import Answer
from wirehop.pages.demos.ai.conversation import Added, Conversation, Message, Page, Part
from wirehop.pages.demos.ai.generator import Generator, Turn
from wirehop.pages.demos.ai.turns import Figures, Turns

MOST_CONVERSATIONS: Final = 1_000
MOST_CHARACTERS: Final = 32_000_000
"""Of all conversations; the one used longest ago goes first."""
MOST_OPEN: Final = 8
"""Answers of one conversation that are not there yet."""
FIGURES: Final = "ai-desk:figures"
Id = Annotated[str, Meta(pattern="^[0-9a-f]{24,40}$")]
"""Made by the page: whoever asks twice for the same gets it once."""


class Where(Struct):
    """A conversation, and perhaps one of its messages."""

    conversation: Id
    message: Id | None = None
    number: Annotated[int, Meta(ge=0)] = 0


class Question(Struct):
    """`answers`: so many at once. With the same `seed` the toy says the same again."""

    conversation: Id
    message: Id
    text: Annotated[str, Meta(min_length=1, max_length=8_000)]
    parent: Id | None = None
    answers: Annotated[int, Meta(ge=1, le=3)] = 1
    seed: Annotated[str, Meta(max_length=40)] = ""


class About(Struct):
    """`forgotten`: conversations for which there was no room any more."""

    name: str
    is_toy: bool
    figures: Figures
    forgotten: int


class Desk:
    """The conversations of this process."""

    def __init__(self, node: Node, generator: Generator) -> None:
        self.turns = Turns(node.spawn, self._make, self._tell)
        self._node = node
        self._generator = generator
        self._conversations: OrderedDict[str, Conversation] = OrderedDict()
        self.forgotten = 0

    async def about(self, _client: Client, _data: object) -> About:
        """Who answers."""
        return About(self._generator.name, self._generator.is_toy, self.turns.figures, self.forgotten)

    async def open(self, _client: Client, where: Where) -> Page:
        """A page of its messages."""
        return self._find(where.conversation).page(where.number)

    async def ask(self, client: Client, question: Question) -> Where:
        """Say something; the first time in a conversation, that begins it."""
        conversation = self._conversations.get(question.conversation)
        if conversation is None or question.message not in conversation.messages:
            conversation = self._with_room(question.conversation, question.answers, question.parent, question.text)
            said = Message(question.message, question.parent or "", "user", author=client.user, at=_now())
            said.parts = [Part("text", question.text)]
            await conversation.tell(Added(said))
            await self._answer(conversation, said, question.answers, question.seed)
        return Where(question.conversation, question.message)

    async def again(self, _client: Client, where: Where) -> Where:
        """Answer the question of this answer once more."""
        conversation, message = self._message(where)
        said = conversation.messages.get(message.parent)
        if message.role != "assistant" or said is None:
            raise Refused(codes.BAD_REQUEST, "this is no answer")
        self._with_room(conversation.id, 1, said.id)
        return Where(conversation.id, await self._answer(conversation, said, 1, ""))

    async def stop(self, _client: Client, where: Where) -> dict[str, float]:
        """When this is answered, the generator has ended. `seconds`: how long it took to do so."""
        _, message = self._message(where)
        answer = self.turns.find(message.id)
        if answer is not None:
            await self.turns.stop(answer)
        return {"seconds": round(answer.cancel_seconds, 6) if answer else 0.0}

    # ---- inside

    async def _answer(self, conversation: Conversation, said: Message, count: int, seed: str) -> str:
        batch = secrets.token_hex(12)
        for number in range(count):
            message = Message(secrets.token_hex(12), said.id, "assistant", "queued", self._generator.name, at=_now())
            message.batch = batch
            await conversation.tell(Added(message))
            answer = Answer(conversation, message, seed=f"{seed}/{number}" if seed else message.id)
            self.turns.enter(answer)
        return message.id

    async def _make(self, answer: Answer) -> None:
        path = answer.conversation.path(answer.message.parent)
        turns = [Turn(each.role, "".join(part.text for part in each.parts if part.kind == "text")) for each in path]
        await answer.write(self._generator.answer(turns, answer.seed))

    def _find(self, id: str) -> Conversation:  # noqa: A002 - the field's name
        conversation = self._conversations.get(id)
        if conversation is None:
            raise Refused(codes.UNKNOWN_CHANNEL, "there is no such conversation; it may have been forgotten")
        self._conversations.move_to_end(id)
        return conversation

    def _message(self, where: Where) -> tuple[Conversation, Message]:
        conversation = self._find(where.conversation)
        message = conversation.messages.get(where.message or "")
        if message is None:
            raise Refused(codes.BAD_REQUEST, "there is no such message")
        return conversation, message

    def _with_room(self, id: str, answers: int, parent: str | None, text: str = "") -> Conversation:  # noqa: A002
        """The conversation, or a new one; raises `Refused` where so many answers more are too many."""
        conversation = self._conversations.get(id) or Conversation(self._node, id, _title(text))
        if parent and parent not in conversation.messages:
            raise Refused(codes.BAD_REQUEST, "there is no such message to go on from")
        if sum(1 for _ in conversation.open) + answers > MOST_OPEN:
            raise Refused(codes.LIMIT_EXCEEDED, f"{MOST_OPEN} answers at once are the most of one conversation")
        conversation.need_room(1 + answers)
        self.turns.need_room(answers)
        self._conversations[id] = conversation
        self._conversations.move_to_end(id)
        self._forget()
        return conversation

    def _forget(self) -> None:
        """The conversations used longest ago, where there is no room for all of them."""
        size = sum(each.size for each in self._conversations.values())
        for id, each in list(self._conversations.items())[:-1]:  # noqa: A001 - as above
            if len(self._conversations) <= MOST_CONVERSATIONS and size <= MOST_CHARACTERS:
                break
            if not any(each.open):
                del self._conversations[id]
                size -= each.size
                self.forgotten += 1

    async def _tell(self, figures: Figures) -> None:
        await self._node.publish(FIGURES, figures)


def _title(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:60]


def _now() -> int:
    return round(time.time() * 1000)
