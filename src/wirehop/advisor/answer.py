"""What the advisor answers."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from wirehop.advisor.cost import Cost
from wirehop.advisor.facts import Facts
from wirehop.advisor.rules import Fired
from wirehop.advisor.scores import Part

Confidence = Literal["high", "medium", "low", "none"]
"""`high`: first also when all weights move by 30 % in the worst direction at once, with half of them measured, or the
only one that is left; `medium`: when any one of them does; `low`: not even then, or nothing of the first was measured;
`none`: nothing is left."""


Answered = bool | int | float | str | tuple[str, ...]
"""An answer to any of the questions."""


class Ranked(Struct, frozen=True):
    """A technique that is left. `parts` are points from figures, `favour` those of rules."""

    name: str
    title: str
    score: float
    favour: float
    parts: tuple[Part, ...]
    p99: float | None
    bytes_per_minute: float | None
    in_wirehop: bool
    not_measured: tuple[str, ...] = ()


class Dropped(Struct, frozen=True):
    """A technique that is out, and the rules that say so."""

    name: str
    title: str
    rules: tuple[str, ...]


class Flip(Struct, frozen=True):
    """A change of one answer that changes the advice: `input` becomes `value`. `before` and `after` are in words."""

    input: str
    value: Answered
    before: str
    after: str
    main: str
    topology: str
    says: str


class Advice(Struct, frozen=True):
    """The answer. `main` is "" where nothing is left; `sentence` then says why. `p99` is in ms.

    `meanwhile` is what to take where wirehop does not have `main` yet. `side` is for the messages beside live media.
    """

    main: str
    title: str
    sentence: str
    topology: str
    fallbacks: tuple[str, ...]
    upstream: str
    signaling: str
    side: str
    meanwhile: str
    confidence: Confidence
    rules: tuple[Fired, ...]
    ranked: tuple[Ranked, ...]
    dropped: tuple[Dropped, ...]
    flips: tuple[Flip, ...]
    bytes_per_minute: float | None
    p99: float | None
    cost: Cost | None
    facts: Facts
    assumed: tuple[str, ...]
    notes: tuple[str, ...] = ()
    settings: str = ""
    server: str = ""
    page: str = ""
    costs: Mapping[str, Cost] = field(default_factory=dict)
