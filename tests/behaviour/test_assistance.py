"""Who may enter a session of remote assistance: nobody is told its channel without a yes of who shares."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from wirehop.core.errors import Refused
from wirehop.pages.app import demo_node
from wirehop.pages.assist import CODE_LENGTH, MOST_ASKING, AskRequest, AssistanceDesk, OpenRequest
from wirehop.settings.dev import dev

pytestmark = pytest.mark.asyncio


class Person:
    """A session as handlers see it, with answers of its own."""

    def __init__(self, name: str, *, says: object = None) -> None:
        self.id = self.user = name
        self.says = says
        self.calls: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    async def call(self, method: str, data: object = None, *, timeout: float = 10.0) -> object:
        assert timeout > 0
        self.calls.put_nowait((method, data))
        if isinstance(self.says, asyncio.Future):
            return await self.says
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def told(self) -> tuple[str, object]:
        """The next call to it."""
        return await asyncio.wait_for(self.calls.get(), 30)


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[AssistanceDesk]:
    node = demo_node(dev())
    await node.start()
    yield AssistanceDesk(node)
    await node.stop()


async def test_who_is_approved_is_told_the_channel(desk: AssistanceDesk) -> None:
    ada, grace = Person("Ada", says={"approved": True}), Person("Grace")
    opened = await desk.open(ada, OpenRequest())
    assert len(opened.code) == CODE_LENGTH
    assert await desk.ask(grace, AskRequest(opened.code)) == {}
    method, asked = await ada.told()
    assert (method, asked.client, asked.name) == ("assist.asked", "Grace", "Grace")
    method, answer = await grace.told()
    assert (method, answer.channel) == ("assist.answer", opened.channel)


@pytest.mark.parametrize(
    "says", [{"approved": False}, {"approved": "yes"}, None, "true", Refused(), TimeoutError()], ids=repr
)
async def test_anything_but_a_yes_is_a_no(desk: AssistanceDesk, says: object) -> None:
    opened = await desk.open(Person("Ada", says=says), OpenRequest())
    grace = Person("Grace")
    await desk.ask(grace, AskRequest(opened.code))
    _, answer = await grace.told()
    assert answer.channel == ""
    assert answer.reason


async def test_a_yes_after_the_end_is_a_no(desk: AssistanceDesk) -> None:
    said: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    ada, grace = Person("Ada", says=said), Person("Grace")
    opened = await desk.open(ada, OpenRequest())
    await desk.ask(grace, AskRequest(opened.code))
    await ada.told()
    await desk.end(ada, OpenRequest(opened.code, opened.secret))
    said.set_result({"approved": True})
    _, answer = await grace.told()
    assert answer.channel == ""
    with pytest.raises(Refused, match="no session with this code"):
        await desk.ask(grace, AskRequest(opened.code))


async def test_only_who_knows_the_secret_comes_back(desk: AssistanceDesk) -> None:
    ada = Person("Ada", says={"approved": True})
    opened = await desk.open(ada, OpenRequest())
    assert (await desk.open(Person("Mallory"), OpenRequest(opened.code, "guessed"))).code != opened.code
    with pytest.raises(Refused, match="not yours"):
        await desk.end(Person("Mallory"), OpenRequest(opened.code, "guessed"))
    again = Person("Ada again", says={"approved": True})
    assert await desk.open(again, OpenRequest(opened.code, opened.secret)) == opened
    await desk.ask(Person("Grace"), AskRequest(opened.code))
    assert (await again.told())[0] == "assist.asked"
    assert ada.calls.empty()


async def test_those_who_wait_for_an_answer_are_bounded(desk: AssistanceDesk) -> None:
    said: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    opened = await desk.open(Person("Ada", says=said), OpenRequest())
    asking = [Person(f"helper {number}") for number in range(MOST_ASKING)]
    for each in asking:
        await desk.ask(each, AskRequest(opened.code))
    for one_too_many in (Person("late"), asking[0]):
        with pytest.raises(Refused, match="too many"):
            await desk.ask(one_too_many, AskRequest(opened.code))
    said.set_result({"approved": False})
    for each in asking:
        await each.told()


async def test_the_oldest_session_goes_when_there_are_too_many(
    desk: AssistanceDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wirehop.pages.assist.MOST_SESSIONS", 2)
    opened = [await desk.open(Person("Ada"), OpenRequest()) for _ in range(3)]
    with pytest.raises(Refused, match="no session"):
        await desk.ask(Person("Grace"), AskRequest(opened[0].code))
    await desk.ask(Person("Grace"), AskRequest(opened[1].code))
