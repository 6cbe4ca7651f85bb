"""A generator without a model: it puts sentences of its own text together, and needs no download. It is a toy.

It looks up which sentences have words of the question (its tool), says them, adds code or a table where those are
asked for, and dreams one sentence up: a Markov chain over the text. `count to 1000` counts, one number a token, `fail`
fails in the middle. The same question with the same seed has the same answer.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import islice, pairwise
from random import Random
from typing import Final

import msgspec

from wirehop.pages.demos.ai.corpus import CODE, SENTENCES, TABLE
from wirehop.pages.demos.ai.generator import AiFailed, Token, Turn

TOKENS_PER_SECOND: Final = 60.0
COUNTED_PER_SECOND: Final = 100.0
LOOKUP_SECONDS: Final = 0.25
MOST_COUNTED: Final = 5_000
FOUND: Final = 4
DREAM_WORDS: Final = 28
_COUNT: Final = re.compile(r"\bcount to (\d{1,6})\b", re.IGNORECASE)
_FAIL: Final = re.compile(r"\bfail\b", re.IGNORECASE)
_CODE: Final = re.compile(r"\b(code|example|program|python|javascript|curl)\b", re.IGNORECASE)
_TABLE: Final = re.compile(r"\b(table|compare|comparison|versus|vs)\b", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-zà-öø-ÿ]{3,}")
_TOKEN: Final = re.compile(r"\S{1,12}\s*|\s+")
_COMMON: Final = frozenset(
    (
        "the",
        "and",
        "that",
        "what",
        "how",
        "why",
        "who",
        "for",
        "with",
        "are",
        "does",
        "you",
        "can",
        "not",
        "this",
        "from",
    )
)


class Toy:
    """Implements `Generator`."""

    name = "toy"
    is_toy = True

    def __init__(self) -> None:
        self._chain: defaultdict[str, list[str]] = defaultdict(list)
        for sentence in SENTENCES:
            words = sentence.split()
            for word, following in pairwise(words):
                self._chain[word].append(following)

    async def answer(self, turns: Sequence[Turn], seed: str) -> AsyncGenerator[Token, None]:
        question = turns[-1].content if turns else ""
        random = Random(f"{seed}\n{question}")  # noqa: S311 - play
        counted = _COUNT.search(question)
        script = _count(int(counted[1])) if counted else self._script(question, len(turns), random)
        pace = 1 / (COUNTED_PER_SECOND if counted else TOKENS_PER_SECOND)
        clock = asyncio.get_running_loop().time
        due = clock()
        for token in script:
            due = max(due, clock() - 1.0)  # after a halt of the machine it hurries, but not for ever
            due += LOOKUP_SECONDS if token.kind == "result" and token.begins else pace * random.uniform(0.4, 1.6)
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            yield token
        if not counted and _FAIL.search(question):
            raise AiFailed("broken", "this toy was asked to fail in the middle, and does")

    # ---- what it says

    def _script(self, question: str, turns: int, random: Random) -> Iterator[Token]:
        words = sorted(set(_WORD.findall(question.lower())) - _COMMON)
        about = ", ".join(words) or "nothing that I know"
        yield from _spoken(f"The question is about {about}. I look that up in my text, which has ", "thinking")
        yield from _spoken(f"{len(SENTENCES)} sentences, and say what I find. ", "thinking")
        if turns > 1:
            yield from _spoken(f"This conversation has {turns} turns; I only look at the last one.", "thinking")
        found = _look_up(words, random)
        yield from _spoken(msgspec.json.encode({"words": words}).decode(), "tool", "look_up")
        yield from _result("\n".join(f"{score} × {sentence}" for score, sentence in found))
        last = 2 if _FAIL.search(question) else None  # in the middle
        for paragraph in islice(self._paragraphs(question, found, random), last):
            yield from _spoken(paragraph + "\n\n")

    def _paragraphs(self, question: str, found: Sequence[tuple[int, str]], random: Random) -> Iterator[str]:
        first, *others = (sentence for _, sentence in found)
        yield f"## {random.choice(('In short', 'What the text says', 'What I found'))}"
        yield f"**{first}**"
        if others:
            opening = random.choice(("There is more to it:", "Besides:", "It also says:"))
            yield f"{opening}\n\n" + "\n".join(f"- {sentence}" for sentence in others)
        if _TABLE.search(question):
            yield f"### Side by side\n\n{TABLE}"
        if _CODE.search(question):
            wanted = [each for each in CODE if each[0] in question.lower()] or [random.choice(CODE)]
            for language, text in wanted:
                yield f"In `{language}` it looks like this:\n\n```{language}\n{text}```"
        yield f"> {self._dream(random)}"
        yield "*A toy has said this. Its sentences are from a text that it carries; the one in the quote is dreamt.*"

    def _dream(self, random: Random) -> str:
        word = random.choice(SENTENCES).split()[0]
        said = [word]
        while word in self._chain and len(said) < DREAM_WORDS:
            word = random.choice(self._chain[word])
            said.append(word)
            if word.endswith("."):
                break
        return " ".join(said).rstrip(".,:;") + "."


def _count(last: int) -> Iterator[Token]:
    return (Token(f"{number} ") for number in range(1, min(last, MOST_COUNTED) + 1))


def _look_up(words: Sequence[str], random: Random) -> list[tuple[int, str]]:
    """Sentences with the most of these words, with how many; any, where none has one."""
    stems = [word[:5] for word in words]
    scored = [(sum(stem in sentence.lower() for stem in stems), random.random(), sentence) for sentence in SENTENCES]
    best = sorted(scored, reverse=True)[:FOUND]
    return [(score, sentence) for score, _, sentence in best if score] or [(0, best[0][2])]


def _spoken(text: str, kind: str = "text", name: str = "") -> Iterator[Token]:
    for number, token in enumerate(_TOKEN.findall(text)):
        yield msgspec.convert(
            {"text": token, "kind": kind, "name": name, "begins": kind == "tool" and not number}, Token
        )


def _result(text: str) -> Iterator[Token]:
    """All at once: a tool does not hesitate."""
    yield Token(text, "result", "look_up", begins=True)
