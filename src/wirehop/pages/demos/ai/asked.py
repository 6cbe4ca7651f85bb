"""What pages send to the desk, and what they are told. Whatever does not fit is refused before a handler sees it."""

from typing import Annotated

from msgspec import Meta, Struct

from wirehop.pages.demos.ai.turns import Figures

Id = Annotated[str, Meta(pattern="^[0-9a-f]{24,40}$")]
"""Made by the page: whoever asks twice for the same gets it once."""


class Where(Struct):
    """A conversation, and perhaps one of its messages, by id or by number."""

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
    """Who answers."""

    name: str
    is_toy: bool
    figures: Figures
