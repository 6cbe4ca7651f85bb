"""What would change the advice: each answer is really changed, by itself, and the rules run again."""

from collections.abc import Iterator
from itertools import combinations
from math import log10
from typing import Any, Final

import msgspec

from wirehop.advisor.answer import Flip
from wirehop.advisor.case import Case
from wirehop.advisor.choice import Choice, choose
from wirehop.advisor.facts import QUESTIONS, InputError, Inputs, Question, complete
from wirehop.advisor.techniques import title
from wirehop.measured.profile import Profile

MOST: Final = 12
STEPS: Final = (1.3, 2.0, 4.0, 10.0, 40.0, 200.0)
"""Factors that a number is multiplied with and divided by, until the answer is another."""

FREE: Final = frozenset({"users", "fanout", "without"})
"""They are for cost and settings, or not for anybody to change."""

FAR: Final = {"kind": 1.2, "hosting": 1.0, "other_origin": 2.0, "media": 3.0}
"""How far away another choice is; a number ten times as large is at 1."""

FROM_ZERO: Final = {"up": (0.1, 1.0, 10.0, 60.0), "down": (0.01, 1.0), "peers": (2, 4), "viewers": (10, 200)}


def flips_of(inputs: Inputs, profile: Profile, choice: Choice) -> tuple[Flip, ...]:
    """The nearest changes, of each question at most one per other answer; the nearest first."""
    found: dict[tuple[str, str, str], tuple[float, Flip]] = {}
    for name, question in QUESTIONS.items():
        if name in FREE:
            continue
        before = getattr(choice.case.facts, name)
        for distance, value in _alternatives(question, before):
            other = _other(inputs, profile, choice, name, value)
            if other is None or (other.main, other.topology) == (choice.main, choice.topology):
                continue
            key = (name, other.main, other.topology)
            if key not in found or distance < found[key][0]:
                found[key] = distance, _flip(question, before, value, other)
    nearest = sorted(found.values(), key=lambda each: each[0])
    return tuple(flip for _, flip in _varied(nearest)[:MOST])


def _varied(nearest: list[tuple[float, Flip]]) -> list[tuple[float, Flip]]:
    """The nearest of each question before a second one of any."""
    turns: dict[str, int] = {}
    ordered = []
    for distance, flip in nearest:
        turns[flip.input] = turns.get(flip.input, 0) + 1
        ordered.append((turns[flip.input], distance, flip))
    return [(distance, flip) for _, distance, flip in sorted(ordered, key=lambda each: each[:2])]


def _other(inputs: Inputs, profile: Profile, choice: Choice, name: str, value: Any) -> Choice | None:
    """The choice with that answer changed, and everything else as it was taken to be."""
    try:
        changed = msgspec.structs.replace(inputs, **{name: value})
        facts, _ = complete(changed)
    except InputError:
        return None
    return choose(Case(facts, profile))


def _alternatives(question: Question, before: Any) -> Iterator[tuple[float, Any]]:
    """Other answers, with how far away they are."""
    if question.type == "yes-no":
        yield 0.5, not before
    elif question.type == "choice":
        distance = FAR.get(question.name, 0.5)
        yield from ((distance, choice) for choice in question.choices if choice != before)
    elif question.type == "several":
        yield from _sets(question, before)
    elif question.name == "browsers":
        yield from (
            (abs(year - before) / 10, year) for year in (2008, 2012, 2016, 2019, 2020, 2022, 2026) if year != before
        )
    elif not before:
        yield from ((0.4 + 0.1 * at, value) for at, value in enumerate(FROM_ZERO.get(question.name, ())))
    else:
        yield from _numbers(question, before)


def _sets(question: Question, before: tuple[str, ...]) -> Iterator[tuple[float, tuple[str, ...]]]:
    for count in range(len(question.choices) + 1):
        for values in combinations(question.choices, count):
            changed = len(set(values) ^ set(before))
            if changed == 1:
                yield 0.5, values


def _numbers(question: Question, before: float) -> Iterator[tuple[float, float]]:
    for factor in STEPS:
        for value in (before * factor, before / factor):
            rounded = round(value) if question.type == "whole" else float(f"{value:.3g}")
            within = (question.low is None or rounded >= question.low) and (
                question.high is None or rounded <= question.high
            )
            if within and rounded != before:
                yield log10(factor), rounded


def _flip(question: Question, before: Any, after: Any, other: Choice) -> Flip:
    said_before, said_after = shown(question, before), shown(question, after)
    to = title(other.main) if other.main else "nothing"
    via = {
        "": "",
        "mesh": " from one to the other",
        "sfu": " through an SFU",
        "sfu-tree": " through SFUs in a tree, or LL-HLS",
    }
    says = f"{question.name} {said_after} instead of {said_before}: {to}{via[other.topology]}"
    return Flip(question.name, after, said_before, said_after, other.main, other.topology, says)


def shown(question: Question, value: Any) -> str:
    """An answer as people write it."""
    if question.type == "yes-no":
        return "yes" if value else "no"
    if question.type == "several":
        return " + ".join(value) or "none"
    if question.type == "choice":
        return str(value)
    unit = {"/s": "/s", "year": "", "bytes": " bytes"}.get(question.unit, f" {question.unit}" if question.unit else "")
    return f"{value:g}{unit}" if question.name != "browsers" else f"{value}"
