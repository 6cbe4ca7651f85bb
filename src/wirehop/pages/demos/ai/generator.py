"""What makes answers: something that is given the turns of a conversation and gives tokens, one after the other."""

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from wirehop.core.errors import WirehopError
from wirehop.pages.demos.ai.conversation import Kind


class Turn(Struct, frozen=True):
    """What somebody has said."""

    role: Literal["user", "assistant"]
    content: str


class Token(Struct, frozen=True):
    """A few characters. They go on with the part before, if that is of the same kind and `begins` is not set."""

    text: str
    kind: Kind = "text"
    name: str = ""
    begins: bool = False


class AiFailed(WirehopError):
    """There is no answer, or no more of it. `code` is for programs, `reason` for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Generator(Protocol):
    """Makes answers. What is given up is closed, or cancelled where it waits."""

    name: str
    is_toy: bool

    def answer(self, turns: Sequence[Turn], seed: str) -> AsyncGenerator[Token, None]:
        """Tokens until the answer is complete. Raises `AiFailed`."""
        ...
