"""Durations and sizes as people write them: `500ms`, `30s`, `5m`, `1h`, `2d`; `64KiB`, `1MiB`, `10kB`.

A plain number is seconds, or bytes. Formatting gives the shortest text that parses to the same value.

It knows text and numbers, not settings. What cannot be read raises `ValueError` with what is
wrong about it ("is not a duration …"), for the caller to put into a sentence.
"""

import re
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Final

_DURATIONS: Final = {
    "d": Fraction(86_400),
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
}
_SIZES: Final = {
    "TiB": 1024**4,
    "GiB": 1024**3,
    "MiB": 1024**2,
    "KiB": 1024,
    "TB": 1000**4,
    "GB": 1000**3,
    "MB": 1000**2,
    "kB": 1000,
    "B": 1,
}
_SIZE_BY_LOWER_CASE: Final = {name.lower(): size for name, size in _SIZES.items()}
_NUMBER_AND_UNIT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_LONGEST: Final = 32  # characters; nothing sensible is longer


def parse_duration(text: str) -> float:
    """Seconds in `text`."""
    number, unit = _split(text, "a duration such as 500ms, 30s, 5m, 1h or 2d")
    factor = _DURATIONS.get(unit or "s")
    if factor is None:
        raise ValueError(f"has the unknown unit {unit!r}; durations take ms, s, m, h or d")
    return float(number * factor)


def parse_size(text: str) -> int:
    """Bytes in `text`. Units of 1024 have an `i` (KiB); upper or lower case does not matter."""
    number, unit = _split(text, "a size such as 512, 64KiB, 1MiB or 10kB")
    factor = _SIZE_BY_LOWER_CASE.get(unit.lower() or "b")
    if factor is None:
        raise ValueError(f"has the unknown unit {unit!r}; sizes take B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")
    size = number * factor
    if size.denominator != 1:
        raise ValueError("is not a whole number of bytes")
    return int(size)


def format_duration(seconds: float) -> str:
    """The shortest exact text for `seconds` (finite, not negative)."""
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f"{seconds!r} is not a duration")
    exact = Fraction(repr(seconds))
    if exact == 0:
        return "0s"
    for unit, factor in _DURATIONS.items():
        if (exact / factor).denominator == 1:
            return f"{exact / factor}{unit}"
    return f"{Decimal(repr(seconds)):f}s"


def format_size(size: int) -> str:
    """The shortest exact text for `size` bytes (not negative)."""
    if size < 0:
        raise ValueError(f"{size!r} is not a size")
    if size == 0:
        return "0"
    texts = [f"{size // factor}{unit}" for unit, factor in _SIZES.items() if factor > 1 and size % factor == 0]
    return min([*texts, str(size)], key=len)


def _split(text: str, wanted: str) -> tuple[Fraction, str]:
    match = _NUMBER_AND_UNIT.fullmatch(text.strip())
    if match is None or len(text) > _LONGEST:
        raise ValueError(f"is not {wanted}")
    return Fraction(match[1]), match[2]
