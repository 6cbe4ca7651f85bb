"""Whether the long matrices are wanted: `WIREHOP_FULL=1`. What is always run is the short form of the same tests."""

import os
from collections.abc import Sequence
from typing import TypeVar

FULL = bool(os.environ.get("WIREHOP_FULL"))
T = TypeVar("T")


def cases(short: Sequence[T], full: Sequence[T]) -> Sequence[T]:
    """What to parametrise with."""
    return full if FULL else short
