"""AI answers: what is told to a conversation's channel, whatever happens to readers, generators and the queue."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from copy import deepcopy
from random import Random

import msgspec
import pytest
import pytest_asyncio

from wirehop.client import Client
from wirehop.core.errors import Refused
from wirehop.hosts.native import NativeServer
from wirehop.node import Node
from wirehop.pages.app import demo_settings
from wirehop.pages.demos.ai import answer as answers
from wirehop.pages.demos.ai import bot as bots
from wirehop.pages.demos.ai import shelf as shelves
from wirehop.pages.demos.ai.asked import Question, Where
from wirehop.pages.demos.ai.conversation import Changed, Conversation, Event, Message, More, Page
from wirehop.pages.demos.ai.desk import Desk
from wirehop.pages.demos.ai.generator import AiFailed, Token, Turn
from wirehop.pages.demos.ai.turns import AT_ONCE, MOST_WAITING, Figures
from wirehop.settings.dev import dev
from wirehop.site import Site

pytestmark = pytest.mark.asyncio
SECONDS = 30.0


class Person:
    def __init__(self, user: str = "Ada") -> None:
        self.id = self.user = user


class Scripted:
    """A generator whose tokens the test gives; None ends an answer, an exception is raised in it."""

    name = "scripted"
    is_toy = True

    def __init__(self) -> None:
        self.began: asyncio.Queue[tuple[Sequence[Turn], str]] = asyncio.Queue()
        self.tokens: asyncio.Queue[Token | Exception | None] = asyncio.Queue()
        self.cancelled = self.given = 0

    async def answer(self, turns: Sequence[Turn], seed: str) -> AsyncGenerator[Token, None]:
        self.began.put_nowait((turns, seed))
        try:
            while (token := await self.tokens.get()) is not None:
                if isinstance(token, Exception):
                    raise token
                self.given += 1
                yield token
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class Stage:
    def __init__(self, node: Node, generator: Scripted) -> None:
        self.node, self.generator = node, generator
        self.desk = Desk(node, generator)
        self.count = 0

    def id(self) -> str:
        self.count += 1
        return f"{self.count:024x}"

    async def ask(
        self, text: str = "why?", *, conversation: str = "", parent: str | None = None, answers: int = 1
    ) -> Where:
        question = Question(conversation or self.id(), self.id(), text, parent, answers)
        return await self.desk.ask(Person(), question)

    async def page(self, where: Where) -> Page:
        return deepcopy(await self.desk.open(Person(), where))

    async def answers(self, where: Where) -> list[Message]:
        return [each for each in (await self.page(where)).messages if each.role == "assistant"]

    async def events(self, where: Where) -> list[Event]:
        page = await self.node.history(f"ai:{where.conversation}", limit=10_000)
        return [msgspec.json.decode(each.data, type=Event) for each in page.publications]

    def say(self, *texts: str) -> None:
        for text in texts:
            self.generator.tokens.put_nowait(Token(text))

    async def over(self, where: Where, count: int = 1) -> list[Message]:
        """The answers, once so many of them are over."""

        async def closed() -> list[Message]:
            return [each for each in await self.answers(where) if not each.is_open]

        return await eventually(closed, lambda found: len(found) >= count)


async def eventually(read: Callable[[], object], is_so: Callable[[object], bool]) -> object:
    async with asyncio.timeout(SECONDS):
        while not is_so(found := await read()):  # noqa: ASYNC110 - state of the desk, no event
            await asyncio.sleep(0.005)
        return found


def text_of(message: Message) -> str:
    return "".join(part.text for part in message.parts if part.kind == "text")


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    node = Node(demo_settings(dev()))
    await node.start()
    yield Stage(node, Scripted())
    await node.stop()


async def test_an_answer_is_told_token_by_token_and_needs_no_reader(stage: Stage) -> None:
    where = await stage.ask("why?")
    turns, _ = await stage.generator.began.get()
    assert turns == [Turn("user", "why?")]
    await asyncio.sleep(0.02)
    stage.say("Because ", "of ", "that.")
    stage.generator.tokens.put_nowait(None)
    (message,) = await stage.over(where)
    assert (message.state, text_of(message), message.tokens) == ("done", "Because of that.", 3)
    assert message.seconds >= message.first > 0
    states = [each.state for each in await stage.events(where) if isinstance(each, Changed)]
    assert states == ["streaming", "done"]


async def test_many_tokens_are_few_publications(stage: Stage) -> None:
    where = await stage.ask()
    stage.say(*(f"{number} " for number in range(1000)))
    stage.generator.tokens.put_nowait(None)
    (message,) = await stage.over(where)
    more = [each for each in await stage.events(where) if isinstance(each, More)]
    assert text_of(message) == "".join(piece.text for each in more for piece in each.pieces)
    assert message.tokens == 1000
    assert len(more) <= 2 + message.seconds / answers.BETWEEN


async def test_messages_and_what_follows_their_position_are_the_whole(stage: Stage) -> None:
    """Whoever reads the messages at any moment, and the log from there on, has what everybody has."""
    where = await stage.ask()
    seen = []
    for number in range(60):
        stage.generator.tokens.put_nowait(Token(f"{number} ", ("thinking", "text", "tool")[number // 7 % 3]))
        await asyncio.sleep(0.005)
        seen.append(await stage.page(where))
    stage.generator.tokens.put_nowait(None)
    await stage.over(where)
    whole = await stage.page(where)
    assert len({page.position.offset for page in seen}) > 3
    for page in seen:
        rest = await stage.node.history(f"ai:{where.conversation}", page.position, limit=10_000)
        assert rest.is_complete
        copy = Conversation(stage.node, "copy", page.title)
        copy.messages = {message.id: message for message in page.messages}
        for publication in rest.publications:
            copy._apply(msgspec.json.decode(publication.data, type=Event))
        assert list(copy.messages.values()) == whole.messages


async def test_a_stop_reaches_the_generator_and_no_token_comes_after_it(stage: Stage) -> None:
    where = await stage.ask()
    stage.say("one ", "two ")
    (message,) = await eventually(lambda: stage.answers(where), lambda found: found[0].tokens == 2)
    stage.say("three ", "four ")  # there, and not published yet
    said = await stage.desk.stop(Person(), Where(where.conversation, message.id))
    given = stage.generator.given
    assert stage.generator.cancelled == 1
    assert said["seconds"] < 0.3
    (message,) = await stage.answers(where)
    events = await stage.events(where)
    assert (message.state, events[-1].state) == ("stopped", "stopped")
    assert message.tokens == len(text_of(message).split())
    stage.say("five ")
    await asyncio.sleep(3 * answers.BETWEEN)
    assert await stage.events(where) == events
    assert stage.generator.given == given


async def test_answers_wait_their_turn_are_told_their_place_and_can_be_stopped_there(stage: Stage) -> None:
    asked = [await stage.ask() for _ in range(AT_ONCE + 3)]
    waiting = asked[AT_ONCE:]

    async def places() -> list[int]:
        return [(await stage.answers(where))[0].place for where in waiting]

    await eventually(places, lambda found: found == [1, 2, 3])
    assert stage.generator.began.qsize() == AT_ONCE
    (second,) = await stage.answers(waiting[1])
    await stage.desk.stop(Person(), Where(waiting[1].conversation, second.id))
    await eventually(places, lambda found: found == [1, 0, 2])
    assert (await stage.answers(waiting[1]))[0].state == "stopped"
    stage.generator.tokens.put_nowait(None)  # one of those that are made is over
    await eventually(places, lambda found: found == [0, 0, 1])
    assert stage.desk.turns.figures.running == AT_ONCE
    assert stage.generator.began.qsize() == AT_ONCE + 1
    for _ in asked:
        stage.generator.tokens.put_nowait(None)
    for where in asked:
        await stage.over(where)
    figures = stage.desk.turns.figures
    assert (figures.running, figures.waiting, figures.answered) == (0, 0, len(asked))


async def test_a_full_queue_refuses_counts_and_begins_nothing(stage: Stage) -> None:
    for _ in range(AT_ONCE + MOST_WAITING):
        await stage.ask()
    where = stage.id()
    with pytest.raises(Refused, match="are waiting"):
        await stage.ask(conversation=where)
    assert stage.desk.turns.figures.refused == 1
    with pytest.raises(Refused, match="no such conversation"):
        await stage.page(Where(where))


async def test_what_is_asked_twice_is_asked_once(stage: Stage) -> None:
    question = Question(stage.id(), stage.id(), "why?")
    where, again = await asyncio.gather(stage.desk.ask(Person(), question), stage.desk.ask(Person(), question))
    assert where == again == await stage.desk.ask(Person(), question)
    assert [each.role for each in (await stage.page(where)).messages] == ["user", "assistant"]


async def test_another_answer_and_another_question_are_branches(stage: Stage) -> None:
    where = await stage.ask("first")
    stage.say("A")
    stage.generator.tokens.put_nowait(None)
    (one,) = await stage.over(where)
    await stage.desk.again(Person(), Where(where.conversation, one.id))
    stage.say("B")
    stage.generator.tokens.put_nowait(None)
    one, two = await stage.over(where, 2)
    assert (one.parent, text_of(one)) == (two.parent, "A")
    await stage.ask("second", conversation=where.conversation, parent=two.id, answers=2)
    for _ in range(4):
        turns, _seed = await stage.generator.began.get()
    assert [turn.content for turn in turns] == ["first", "B", "second"]
    both = (await stage.answers(where))[2:]
    assert both[0].batch == both[1].batch != one.batch
    with pytest.raises(Refused, match="no answer"):
        await stage.desk.again(Person(), where)
    with pytest.raises(Refused, match="no such message"):
        await stage.ask(conversation=where.conversation, parent="f" * 24)


@pytest.mark.parametrize(
    ("error", "code"), [(AiFailed("too-many", "HTTP 429"), "too-many"), (RuntimeError("boom"), "internal")]
)
async def test_an_error_is_a_part_and_what_was_said_stays(
    stage: Stage, error: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    where = await stage.ask()
    stage.say("Well, ")
    stage.generator.tokens.put_nowait(error)
    (message,) = await stage.over(where)
    assert (message.state, text_of(message)) == ("failed", "Well, ")
    assert (message.parts[-1].kind, message.parts[-1].name) == ("error", code)
    assert "boom" not in message.parts[-1].text


@pytest.mark.parametrize("token", ["x" * 1000, "\x01" * 1000, "€" * 500_000], ids=["many", "awkward", "huge"])
async def test_an_answer_without_end_is_ended(stage: Stage, token: str) -> None:
    where = await stage.ask()
    stage.say(*[token] * (answers.MOST_CHARACTERS // len(token) + 5))
    (message,) = await stage.over(where)
    assert (message.state, message.parts[-1].name) == ("failed", "too-long")
    assert len(text_of(message)) == answers.MOST_CHARACTERS


async def test_a_long_conversation_is_read_in_pages(stage: Stage) -> None:
    where = await stage.ask("x" * 8_000)
    for _ in range(9):
        stage.generator.tokens.put_nowait(None)
        await stage.over(where, 1)
        last = (await stage.answers(where))[-1]
        await eventually(lambda: stage.answers(where), lambda found: not any(each.is_open for each in found))
        await stage.ask("y" * 8_000, conversation=where.conversation, parent=last.id)
    read: list[Message] = []
    pages, more = 0, True
    while more:
        page = await stage.page(Where(where.conversation, number=len(read)))
        read += page.messages
        pages, more = pages + 1, page.more
    assert (len(read), pages) == (20, 3)
    assert len({message.id for message in read}) == 20


async def test_conversations_used_longest_ago_are_forgotten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "MOST_CONVERSATIONS", 2)
    is_open, over = await stage.ask(), await stage.ask()
    (message,) = await stage.answers(over)
    await stage.desk.stop(Person(), Where(over.conversation, message.id))
    last = await stage.ask()
    with pytest.raises(Refused, match="forgotten"):
        await stage.page(over)
    assert (await stage.page(is_open)).messages  # its answer is still made
    assert (await stage.page(last)).messages
    assert stage.desk.shelf.forgotten == 1


async def test_bots_ask_one_after_the_other_and_leave_places_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots, "PAUSES", (0.0, 0.01))
    node = Node(demo_settings(dev()))
    desk = Desk(node, Scripted())
    node.rpc("ai.ask")(desk.ask)
    server = NativeServer(Site(node).open)
    await node.start()
    await server.start("127.0.0.1", 0)
    try:
        async with Client(f"http://127.0.0.1:{server.port}") as client:
            bot = asyncio.create_task(bots.ask_now_and_then(client, 1, Random(1)))

            async def figures() -> Figures:
                return desk.turns.figures

            await eventually(figures, lambda found: found.waiting >= bots.POLITE)
            await asyncio.sleep(0.1)  # ten times as long as between two questions
            assert desk.turns.figures.waiting <= bots.POLITE + 1  # what it asked before it heard of the last one
            assert not bot.done()
            bot.cancel()
            await asyncio.wait([bot])
    finally:
        await node.stop()
        await server.close()
