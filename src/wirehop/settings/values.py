"""From what somebody wrote to the value of an option, back to text, and from values to the tree.

It knows one option and one value at a time, and the ranges. It does not know sources, nor what contradicts
what.
"""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Final

import msgspec
from msgspec import Struct

from wirehop.core.errors import SettingsError
from wirehop.settings.options import DEFAULT_NAME, NAMESPACES, Option, Value, unspelled
from wirehop.settings.tree import Settings
from wirehop.settings.units import format_duration, format_size, parse_duration, parse_size

_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


class Given(Struct, frozen=True):
    """What somebody wrote for one option, and where."""

    value: object
    origin: str


def read(option: Option, given: object, origin: str) -> Value:
    """The value that `given` (text of a flag or the environment, or a TOML value) is for this option."""
    try:
        value = _READERS[option.kind](option, given)
        _demand_range(option, value)
    except ValueError as error:
        shown = "the value" if option.is_secret else repr(given)
        raise SettingsError(
            f"{option.key} (from {origin}): {shown} {error}; allowed: {allowed(option)}",
            key=option.key,
            origin=origin,
        ) from None
    return value


def show(option: Option, value: Value) -> str:
    """The value as people write it; empty for none. A secret shows only where it is the default."""
    if option.is_secret and value != option.default:
        return "(secret)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(value)
    if option.kind == "seconds" and isinstance(value, float | int):
        return format_duration(float(value))
    if option.kind == "bytes" and isinstance(value, int):
        return format_size(value)
    return str(value)


def allowed(option: Option) -> str:
    """What the option takes, in words."""
    if option.kind == "choice":
        return ", ".join(option.choices)
    if option.kind in ("count", "seconds", "bytes"):
        noun = {"count": "a whole number", "seconds": "a duration", "bytes": "a size"}[option.kind]
        low = _bound(option, option.low)
        return f"{noun} from {low} to {_bound(option, option.high)}" if option.high else f"{noun}, at least {low}"
    return {"switch": "true or false", "list": "a list of strings"}.get(option.kind, "text")


def build(values: Mapping[str, Value], *, namespaces: Iterable[str] = ()) -> Settings:
    """The tree with these values, by dotted key as sources spell them, and defaults elsewhere.

    `namespaces` exist even where none of their options is among the values; the default one always does.
    """
    root: dict[str, object] = {}
    sections: dict[str, dict[str, Value]] = {}
    children: dict[str, dict[str, Value]] = {unspelled(name): {} for name in (DEFAULT_NAME, *namespaces)}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        if not section:
            root[name] = value
        elif section.startswith(f"{NAMESPACES}."):
            children.setdefault(unspelled(section.partition(".")[2]), {})[name] = value
        else:
            sections.setdefault(section, {})[name] = value
    return msgspec.convert({**root, **sections, NAMESPACES: children}, Settings)


def _bound(option: Option, bound: float | None) -> str:
    bound = bound or 0
    return format_duration(float(bound)) if option.kind == "seconds" else show(option, int(bound))


def _demand_range(option: Option, value: Value) -> None:
    if isinstance(value, str | tuple):
        return
    if not isfinite(value):
        raise ValueError("is not a finite number")
    if option.low is not None and value < option.low:
        raise ValueError("is too small")
    if option.high is not None and value > option.high:
        raise ValueError("is too big")


def _text(_option: Option, given: object) -> Value:
    if not isinstance(given, str):
        raise ValueError("is not text")
    if any(character < " " for character in given):
        raise ValueError("contains a control character")
    return given


def _choice(option: Option, given: object) -> Value:
    if given not in option.choices:
        raise ValueError("is none of the choices")
    return str(given)


def _switch(_option: Option, given: object) -> Value:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.strip().lower() in _YES | _NO:
        return given.strip().lower() in _YES
    raise ValueError("is neither true nor false")


def _count(_option: Option, given: object) -> Value:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, str) and given.strip().isdecimal() and given.isascii() and len(given) <= 20:
        return int(given)
    raise ValueError("is not a whole number")


def _duration(_option: Option, given: object) -> Value:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    if not isinstance(given, str):
        raise ValueError("is not a duration")
    return parse_duration(given)


def _size(_option: Option, given: object) -> Value:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if not isinstance(given, str):
        raise ValueError("is not a size")
    return parse_size(given)


def _list(_option: Option, given: object) -> Value:
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    if isinstance(given, list | tuple) and all(isinstance(part, str) for part in given):
        return tuple(given)
    raise ValueError("is not a list of strings")


_READERS: Final[Mapping[str, Callable[[Option, object], Value]]] = {
    "text": _text,
    "choice": _choice,
    "switch": _switch,
    "count": _count,
    "seconds": _duration,
    "bytes": _size,
    "list": _list,
}
