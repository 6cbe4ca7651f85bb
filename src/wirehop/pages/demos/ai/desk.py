"""The demo of AI answers: where pages ask, ask again and stop. Each conversation is a channel, `ai:{id}`.

rpc ai.about  {}                                                what makes the answers, and how busy it is
rpc ai.open   {"conversation", "number"}                        the conversation as it is, from a message on
rpc ai.ask    {"conversation", "message", "parent", "text", …}  say something, and have it answered
rpc ai.again  {"conversation", "message"}                       another answer to the same: a branch
rpc ai.stop   {"conversation", "message"}                       end an answer, in the queue or in the middle of a word
"""

import secrets
import time
from typing import Final

from msgspec import structs

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node import Client, Node
from wirehop.pages.demos.ai.answer import Answer
from wirehop.pages.demos.ai.asked import About, Question, Where
from wirehop.pages.demos.ai.conversation import Added, Conversation, Message, Page, Part
from wirehop.pages.demos.ai.generator import Generator, Turn
from wirehop.pages.demos.ai.shelf import Shelf
from wirehop.pages.demos.ai.turns import Figures, Turns

FIGURES: Final = "ai-desk:figures"


class Desk:
    """Its public methods are those of the protocol."""

    def __init__(self, node: Node, generator: Generator) -> None:
        self.turns = Turns(node.spawn, self._make, self._tell)
        self.shelf = Shelf(node)
        self._node = node
        self._generator = generator

    async def about(self, _client: Client, _data: object) -> About:
        return About(self._generator.name, self._generator.is_toy, self._with_forgotten(self.turns.figures))

    async def open(self, _client: Client, where: Where) -> Page:
        return self.shelf.find(where.conversation).page(where.number)

    async def ask(self, client: Client, question: Question) -> Where:
        if not self.shelf.has(question.conversation, question.message):
            parent = question.parent or ""
            conversation = self.shelf.with_room(question.conversation, question.answers, parent, question.text)
            self.turns.need_room(question.answers)
            self.shelf.keep(conversation)
            conversation.taken.add(question.message)
            said = Message(question.message, parent, "user", author=client.user, at=_now())
            said.parts = [Part("text", question.text)]
            await conversation.tell(Added(said))
            await self._answer(conversation, said, question.answers, question.seed)
        return Where(question.conversation, question.message)

    async def again(self, _client: Client, where: Where) -> Where:
        conversation, message = self.shelf.message(where.conversation, where.message)
        said = conversation.messages.get(message.parent)
        if message.role != "assistant" or said is None:
            raise Refused(codes.BAD_REQUEST, "this is no answer")
        self.shelf.with_room(conversation.id, 1, said.id)
        self.turns.need_room(1)
        return Where(conversation.id, await self._answer(conversation, said, 1, ""))

    async def stop(self, _client: Client, where: Where) -> dict[str, float]:
        """When this is answered, the generator has ended. `seconds`: how long it took to do so."""
        _, message = self.shelf.message(where.conversation, where.message)
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
            self.turns.enter(Answer(conversation, message, seed=f"{seed}/{number}" if seed else message.id))
        return message.id

    async def _make(self, answer: Answer) -> None:
        path = answer.conversation.path(answer.message.parent)
        turns = [Turn(each.role, "".join(part.text for part in each.parts if part.kind == "text")) for each in path]
        await answer.write(self._generator.answer(turns, answer.seed))

    async def _tell(self, figures: Figures) -> None:
        await self._node.publish(FIGURES, self._with_forgotten(figures))

    def _with_forgotten(self, figures: Figures) -> Figures:
        return structs.replace(figures, forgotten=self.shelf.forgotten)


def _now() -> int:
    return round(time.time() * 1000)
