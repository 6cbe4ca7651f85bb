"""Every interleaving of a small scope of two negotiations: glare at each step, restarts, replays, reloads, leaving."""

from collections.abc import Callable
from typing import Any

import pytest
from negotiating_pair import NegotiatingPair

from wirehop.testing.walker import walk

SCOPES: dict[str, tuple[dict[str, Any], int]] = {
    "both need something at any time": ({"needs": 2}, 14),
    "they begin, and one needs more": ({"needs": 3}, 9),
    "a need and a restart in a connection that stands": ({"begun": True, "needs": 1, "restarts": 1}, 11),
    "two restarts in a connection that stands": ({"begun": True, "restarts": 2}, 11),
    "candidates are not listed in descriptions": ({"begun": True, "lists_candidates": False, "needs": 2}, 11),
    "a signal comes again": ({"needs": 2, "again": 1}, 9),
    "a restart and a replay": ({"begun": True, "restarts": 1, "again": 1}, 8),
    "answers are late": ({"needs": 2, "late": 1}, 10),
    "one side is loaded anew": ({"begun": True, "needs": 1, "reloads": 1}, 10),
    "both sides are loaded anew": ({"begun": True, "reloads": 2}, 10),
    "a side is loaded anew while they begin": ({"needs": 1, "reloads": 1}, 10),
    "a side leaves and comes back": ({"begun": True, "needs": 1, "leaves": 1}, 9),
    "a fixed side begins, or the other": ({"fixed": "b", "needs": 2}, 12),
    "a fixed side, restarts and needs": ({"fixed": "b", "begun": True, "needs": 1, "restarts": 1}, 10),
    "a fixed side, two restarts": ({"fixed": "b", "begun": True, "restarts": 2}, 10),
    "a fixed side is loaded anew": ({"fixed": "b", "begun": True, "needs": 1, "reloads": 1}, 9),
    "two fixed sides": ({"fixed": "ab", "needs": 2}, 12),
    "two fixed sides, restarts and needs": ({"fixed": "ab", "begun": True, "needs": 1, "restarts": 1}, 10),
}


@pytest.mark.parametrize("name", SCOPES)
def test_both_sides_agree_on_every_path(name: str, record_property: Callable[[str, object], None]) -> None:
    scope, depth = SCOPES[name]
    walked = walk(lambda: NegotiatingPair(**scope), depth=depth)
    record_property("paths", walked.paths)
    print(f"{name}: {walked.paths} paths, {walked.steps} steps")
    assert walked.paths > 300
