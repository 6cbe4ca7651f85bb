"""The generator without a model: what it says, and that it says the same again."""

import pytest

from wirehop.pages.demos.ai import toy as toys
from wirehop.pages.demos.ai.corpus import SENTENCES
from wirehop.pages.demos.ai.generator import AiFailed, Token, Turn
from wirehop.pages.demos.ai.toy import Toy

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKENS_PER_SECOND", "COUNTED_PER_SECOND"):
        monkeypatch.setattr(toys, name, 1e6)
    monkeypatch.setattr(toys, "LOOKUP_SECONDS", 0.0)


async def said(question: str, *, seed: str = "1") -> list[Token]:
    return [token async for token in Toy().answer([Turn("user", question)], seed)]


def text_of(tokens: list[Token], kind: str = "text") -> str:
    return "".join(token.text for token in tokens if token.kind == kind)


async def test_the_same_seed_says_the_same() -> None:
    first = await said("Why do answers stall?", seed="7")
    assert await said("Why do answers stall?", seed="7") == first
    assert await said("Why do answers stall?", seed="8") != first


async def test_it_thinks_looks_up_and_says_what_it_has_found() -> None:
    tokens = await said("What does a proxy that buffers do? Compare in a table, with code in Python")
    kinds = [token.kind for number, token in enumerate(tokens) if not number or tokens[number - 1].kind != token.kind]
    assert kinds == ["thinking", "tool", "result", "text"]
    assert "buffers" in text_of(tokens, "tool")
    text = text_of(tokens)
    assert next(sentence for sentence in SENTENCES if "buffers" in sentence) in text
    assert text.count("```") == 2
    assert "```python\n" in text
    assert "| Wire |" in text


@pytest.mark.parametrize(("question", "last"), [("Please count to 7", 7), ("COUNT TO 999999", toys.MOST_COUNTED)])
async def test_it_counts_one_number_a_token(question: str, last: int) -> None:
    assert [token.text for token in await said(question)] == [f"{number} " for number in range(1, last + 1)]


async def test_it_fails_where_it_is_told_to() -> None:
    tokens: list[Token] = []
    with pytest.raises(AiFailed, match="broken"):
        async for token in Toy().answer([Turn("user", "fail in the middle")], ""):
            tokens.append(token)  # noqa: PERF401 - those before the failure are wanted
    assert text_of(tokens)


@pytest.mark.parametrize("question", ["", "?", "…", "\x00", "a" * 8000])
async def test_it_has_an_answer_to_anything(question: str) -> None:
    assert text_of(await said(question))
