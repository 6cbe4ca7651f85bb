"""What is sent while measuring."""

from typing import Final

from msgspec import Struct

WARM_UP: Final = 20
"""Messages that do not count: their numbers are negative."""


class Message(Struct):
    """Its number, when it was to be sent (the monotonic clock, seconds), and bytes to weigh something."""

    n: int
    at: float
    pad: str = ""
