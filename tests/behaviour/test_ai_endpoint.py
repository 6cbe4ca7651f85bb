"""Answers of an API in the shape of OpenAI's: tokens as they come, and every way in which there is none by its name."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from wirehop.core.errors import SettingsError
from wirehop.pages.demos.ai.endpoint import Endpoint
from wirehop.pages.demos.ai.generator import AiFailed, Token, Turn
from wirehop.settings.check import check
from wirehop.settings.tree import Demos, Settings

from .speaking import Speaking, chunk, speaking

pytestmark = pytest.mark.asyncio
TURNS = [Turn("user", "why?"), Turn("assistant", "so"), Turn("user", "really?")]
KEY = "sk-of-nobody"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Speaking]:
    async with speaking() as each:
        yield each


def endpoint(api: Speaking, *, silence: float = 20.0) -> Endpoint:
    return Endpoint(api.url, key=KEY, model="small", silence=silence)


async def failure(api: Speaking, *, silence: float = 20.0) -> tuple[list[Token], AiFailed]:
    """The tokens before it, and it."""
    tokens: list[Token] = []
    with pytest.raises(AiFailed) as caught:
        async for token in endpoint(api, silence=silence).answer(TURNS, ""):
            tokens.append(token)  # noqa: PERF401 - those before the failure are wanted
    return tokens, caught.value


async def test_tokens_come_as_they_are_said(api: Speaking) -> None:
    api.says = (
        chunk(role="assistant"),
        chunk(reasoning_content="Hm. "),
        chunk(tool_calls=[{"index": 0, "function": {"name": "clock", "arguments": ""}}]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"zone":1}'}}]),
        chunk(content="Yes"),
        chunk(content=", “ja”."),
        chunk("stop"),
        {"choices": [], "usage": {"total_tokens": 3}},
        "[DONE]",
    )
    tokens = [token async for token in endpoint(api).answer(TURNS, "")]
    assert tokens == [
        Token("Hm. ", "thinking"),
        Token("", "tool", "clock", begins=True),
        Token('{"zone":1}', "tool"),
        Token("Yes"),
        Token(", “ja”."),
    ]
    ((line, headers, body),) = api.requests
    assert line == "POST /v1/chat/completions HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "small",
        "stream": True,
        "messages": [
            {"role": "user", "content": "why?"},
            {"role": "assistant", "content": "so"},
            {"role": "user", "content": "really?"},
        ],
    }


async def test_an_answer_that_says_that_it_has_finished_needs_no_end(api: Speaking) -> None:
    api.says = (chunk(content="Yes."), chunk("stop"))
    assert [token async for token in endpoint(api).answer(TURNS, "")] == [Token("Yes.")]


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (401, "unauthorized", "key"),
        (429, "too-many", "try again in 7 s"),
        (503, "unavailable", "HTTP 503"),
        (400, "refused", "there is no model"),
    ],
)
async def test_a_refusal_has_its_name_and_does_not_tell_the_key(
    api: Speaking, status: int, code: str, says: str
) -> None:
    message = f"wrong key: {KEY}" if status == 401 else "there is no model"
    api.status, api.says, api.headers = status, ({"error": {"message": message}},), {"Retry-After": "7"}
    tokens, error = await failure(api)
    assert (tokens, error.code) == ([], code)
    assert says in error.reason
    assert KEY not in error.reason


@pytest.mark.parametrize(
    ("last", "code"),
    [((), "broken"), (("no JSON",), "broken"), (({"error": {"message": "overloaded"}},), "refused")],
    ids=["ends", "garbage", "error"],
)
async def test_an_answer_that_breaks_off_keeps_what_it_has_said(
    api: Speaking, last: tuple[object, ...], code: str
) -> None:
    api.says = (chunk(content="Well, "), *last)
    tokens, error = await failure(api)
    assert (tokens, error.code) == ([Token("Well, ")], code)


@pytest.mark.parametrize("said", [(), (chunk(content="Well, "),)], ids=["at first", "in the middle"])
async def test_silence_has_an_end(api: Speaking, said: tuple[object, ...]) -> None:
    api.says, api.ends = said, False
    tokens, error = await failure(api, silence=0.5)
    assert (len(tokens), error.code) == (len(said), "too-slow")


async def test_an_endpoint_that_is_not_there_is_unreachable(api: Speaking) -> None:
    gone = Endpoint("http://127.0.0.1:1/v1")
    with pytest.raises(AiFailed, match="unreachable: cannot connect"):
        async for _ in gone.answer(TURNS, ""):
            pass
    assert gone.name == "127.0.0.1"


async def test_who_gives_up_hangs_up(api: Speaking) -> None:
    api.says, api.every = [chunk(content="on ")] * 1000, 0.01
    async with asyncio.timeout(20):
        tokens = endpoint(api).answer(TURNS, "")
        reading = asyncio.create_task(_read(tokens))
        while api.said < 3:  # noqa: ASYNC110 - a count of the server's, no event
            await asyncio.sleep(0.01)
        at = time.monotonic()
        reading.cancel()
        await asyncio.wait([reading])
        while not api.left_at:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
    assert api.left_at - at < 0.3


async def _read(tokens: AsyncIterator[Token]) -> None:
    async for _ in tokens:
        pass


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org/v1", "http://me:secret@example.org"])
async def test_what_is_no_address_is_an_error_of_the_settings(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check(Settings(demos=Demos(ai_url=url)))
    assert caught.value.key == "demos.ai_url"
