"""How long a client waits before it tries again: full jitter, drawn per attempt, half a second to half a minute."""

from collections.abc import Callable

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
STABLE_SECONDS = 3.0
"""A connection that lived this long, over however many wires, resets the backoff."""
ATTEMPTS_AFTER_A_BLINK = 2
"""A connection that lived shorter leaves at most so many attempts counted: where the network blinks again and again,
waits must not grow from one blink to the next, but a server that takes clients in and falls over is not overrun."""


class Backoff:
    """`jitter()` gives a number in [0, 1) for each attempt."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._attempt = 0

    def next(self) -> float:
        """One more attempt: seconds until it begins."""
        most = min(LONGEST_DELAY, 2.0 * FIRST_DELAY * 2.0**self._attempt)
        self._attempt = min(self._attempt + 1, 16)
        return FIRST_DELAY + self._jitter() * (most - FIRST_DELAY)

    def lasted(self, seconds: float) -> None:
        """A connection has lived so long."""
        self._attempt = 0 if seconds >= STABLE_SECONDS else min(self._attempt, ATTEMPTS_AFTER_A_BLINK)
