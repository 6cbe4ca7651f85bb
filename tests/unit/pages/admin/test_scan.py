"""One page of a long list: equal to sorting and cutting it all, and never a long turn of the loop."""

import asyncio
import random
from itertools import pairwise

import pytest

from wirehop.pages.admin.scan import REACH, SLICE, scan

ENTRIES = random.Random(7).choices(range(5_000), k=4_500)
CUTS = [(0, 50), (50, 50), (REACH - 50, 50), (REACH, 50), (4_490, 50), (9_000, 50), (0, 0)]


@pytest.mark.asyncio
@pytest.mark.parametrize(("offset", "limit"), CUTS)
async def test_the_lists_own_order_is_paged_to_its_end(offset: int, limit: int) -> None:
    found = await scan(ENTRIES, offset=offset, limit=limit)
    assert found.rows == ENTRIES[offset : offset + limit]
    assert (found.matched, found.reachable) == (4_500, 4_500)


@pytest.mark.asyncio
@pytest.mark.parametrize(("offset", "limit"), CUTS)
async def test_a_filter_keeps_the_order(offset: int, limit: int) -> None:
    found = await scan(ENTRIES, offset=offset, limit=limit, matches=lambda each: each % 2 == 0)
    even = [each for each in ENTRIES if each % 2 == 0]
    assert found.rows == even[offset : offset + limit]
    assert found.matched == found.reachable == len(even)


@pytest.mark.asyncio
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("offset", "limit"), CUTS)
async def test_sorting_is_stable_and_reaches_so_far(offset: int, limit: int, descending: bool) -> None:
    entries = list(enumerate(ENTRIES))

    def key(entry: tuple[int, int]) -> int:
        return entry[1] % 100

    found = await scan(entries, offset=offset, limit=limit, key=key, descending=descending)
    assert found.rows == sorted(entries, key=key, reverse=descending)[offset : min(offset + limit, REACH)]
    assert (found.matched, found.reachable) == (4_500, REACH)


@pytest.mark.asyncio
async def test_others_have_their_turn_between_slices() -> None:
    seen = 0
    turns: list[int] = []

    def matches(_: int) -> bool:
        nonlocal seen
        seen += 1
        return True

    async def other() -> None:
        while True:
            turns.append(seen)
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    await scan(ENTRIES, offset=0, limit=50, matches=matches, key=lambda each: each)
    task.cancel()
    steps = [after - before for before, after in pairwise(turns)]
    assert len(steps) >= len(ENTRIES) // SLICE
    assert max(steps) == SLICE
