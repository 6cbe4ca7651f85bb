"""Patterns for channels' names: `*` and `**` (anything), `?`, `[abc]`, `[!a-z]` and `{one,two}`.

Matching takes time in proportion to the pattern times the name: alternatives are spelled out, at most `MOST` of them,
and Python's `fnmatch` leaves no way back into a `*`.
"""

import re
from fnmatch import translate

from wirehop.core import codes
from wirehop.core.errors import Refused

MOST = 64
LONGEST = 255
_BRACES = re.compile(r"\{([^{}]*)\}")


class Glob:
    """One pattern. Raises `Refused` (107) for what is not one."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST:
            raise Refused(codes.BAD_REQUEST, f"a pattern has at most {LONGEST} characters")
        if "\\" in pattern:
            raise Refused(codes.BAD_REQUEST, "a pattern has no backslashes: put the character in brackets, as [*]")
        spelled = [pattern]
        while any(_BRACES.search(each) for each in spelled):
            spelled = [other for each in spelled for other in _first_spelled(each)]
            if len(spelled) > MOST:
                raise Refused(codes.BAD_REQUEST, f"a pattern has at most {MOST} alternatives")
        self._patterns = [re.compile(translate(each)) for each in spelled]

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
        return any(pattern.match(name) for pattern in self._patterns)


def _first_spelled(pattern: str) -> list[str]:
    """The pattern once for each alternative in its first braces."""
    braces = _BRACES.search(pattern)
    if braces is None:
        return [pattern]
    return [pattern[: braces.start()] + choice + pattern[braces.end() :] for choice in braces[1].split(",")]
