"""One page of a long list, without holding the loop: filtered, sorted, and looked at in slices of one turn each.

A list in its own order can be paged through to its end. A sorted one gives its first `REACH` entries: whoever wants
more narrows the search. So a request never costs more than a walk over the list and the sorting of `REACH`.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

SLICE = 1_000
"""Entries that one turn of the loop looks at."""
REACH = 2_000
"""How far into a sorted list pages go."""
MOST_ROWS = 200
"""Rows of one page."""


class Wanted(Struct, frozen=True):
    """Which page: `search` is a part of what `text` of the list gives, in lower case."""

    search: str = ""
    sort: str = ""
    descending: bool = False
    offset: int = 0
    limit: int = 50


class Found(Struct, Generic[T], frozen=True):
    """The rows of one page; `matched` entries there are in all, of which `reachable` can be paged to."""

    rows: list[T]
    matched: int
    reachable: int


async def scan(
    entries: Sequence[T],
    *,
    offset: int,
    limit: int,
    matches: Callable[[T], bool] | None = None,
    key: Callable[[T], Any] | None = None,
    descending: bool = False,
) -> Found[T]:
    """The page. Equal keys keep the order of the list."""
    if matches is None and key is None:
        return Found(list(islice(entries, offset, offset + limit)), len(entries), len(entries))
    matched = 0
    rows: list[T] = []
    best = None if key is None else _Best(key, min(offset + limit, REACH), descending=descending)
    for start in range(0, len(entries), SLICE):
        if start:
            await asyncio.sleep(0)
        part = entries[start : start + SLICE]
        found = part if matches is None else [entry for entry in part if matches(entry)]
        if best is not None:
            best.add(found)
        elif matched < offset + limit:  # the list's own order: keep what lies on the page
            rows.extend(found[max(0, offset - matched) : offset + limit - matched])
        matched += len(found)
    if best is None:
        return Found(rows, matched, matched)
    return Found(best.entries(offset), matched, min(matched, REACH))


class _Best(Generic[T]):
    """The first `count` entries by `key`. Equal ones stay in the order in which they came."""

    def __init__(self, key: Callable[[T], Any], count: int, *, descending: bool) -> None:
        self._key = key
        self._count = count
        self._descending = descending
        self._sorted: list[tuple[Any, T]] = []

    def add(self, entries: Iterable[T]) -> None:
        """Some more of them: those that are worse than all there are go at once."""
        some = [(self._key(entry), entry) for entry in entries]
        if self._count == len(self._sorted) > 0:
            worst = self._sorted[-1][0]
            some = [each for each in some if (each[0] > worst if self._descending else each[0] < worst)]
        if some:
            self._sorted.extend(some)
            self._sorted.sort(key=_first, reverse=self._descending)  # stable, and quick on what is mostly in order
            del self._sorted[self._count :]

    def entries(self, offset: int) -> list[T]:
        """Those from `offset` on."""
        return [entry for _, entry in self._sorted[offset:]]


_first = itemgetter(0)
