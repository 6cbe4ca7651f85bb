"""Answers as people type them: `20/s`, `30/min`, `300`, `64KiB`, `150ms`, `2020+`, `mobile,open`, `yes`, `?`.

It knows text and questions. What cannot be read is an `InputError` with the question's name.
"""

import re
from typing import Final

from wirehop.advisor.facts import InputError, Question
from wirehop.settings.units import parse_duration, parse_size

UNKNOWN: Final = frozenset({"", "?", "don't know", "unknown"})
_RATE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:/\s*(s|sec|min|m|h|day|d))?")
_PER: Final = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "day": 86_400, "d": 86_400}
_COUNT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(k|m)?", re.IGNORECASE)
_TIMES: Final = {"": 1, "k": 1000, "m": 1_000_000}
_YES: Final = frozenset({"yes", "y", "true", "on", "1"})
_NO: Final = frozenset({"no", "n", "false", "off", "0"})
Answer = bool | int | float | str | tuple[str, ...] | None


def read_answer(question: Question, text: str) -> Answer:
    """The answer; None for "don't know"."""
    text = text.strip()
    if text.lower() in UNKNOWN:
        return None
    if question.type == "choice":
        return _choice(question, text)
    if question.type == "several":
        parts = tuple(part.strip() for part in text.replace("+", ",").split(",") if part.strip())
        return () if parts == ("none",) else tuple(_choice(question, part) for part in parts)
    if question.type == "yes-no":
        return _yes_or_no(question, text)
    return _number(question, text)


def _choice(question: Question, text: str) -> str:
    if text not in question.choices:
        raise InputError(question.name, f"is {text!r}; one of {', '.join(question.choices)}, or ? for don't know")
    return text


def _yes_or_no(question: Question, text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise InputError(question.name, f"is {text!r}; yes, no, or ? for don't know")
    return text.lower() in _YES


def _number(question: Question, text: str) -> float | int:
    """With the unit that the question has; without one, in that unit."""
    try:
        if question.unit == "/s":
            return _rate(text)
        if question.unit == "bytes":
            return parse_size(text)
        if question.unit == "ms":
            return float(text) if _is_plain(text) else parse_duration(text) * 1000
        if question.unit == "s":
            return parse_duration(text)
        if question.unit == "year":
            return int(text.removesuffix("+"))
        return _count(text)
    except ValueError:
        examples = {"/s": "20/s, 30/min", "bytes": "300, 64KiB", "ms": "150, 2s", "s": "30s, 5m", "year": "2020+"}
        raise InputError(question.name, f"is {text!r}; such as {examples.get(question.unit, '50, 10k')}") from None


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None


def _rate(text: str) -> float:
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) / _PER[match[2] or "s"]


def _count(text: str) -> int:
    match = _COUNT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return round(float(match[1]) * _TIMES[(match[2] or "").lower()])
