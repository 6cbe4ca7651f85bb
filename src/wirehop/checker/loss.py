"""What loss does to a TCP connection, seen from outside: a stall of one retransmission, and then a burst.

Pure: time and chance are arguments. The model, for one direction of a connection over a link whose round trip is R:

- Bytes travel in segments of `SEGMENT` bytes; each is lost with the link's probability.
- A lost segment is sent again when three that were sent after it have arrived and their acknowledgements are back
  (fast retransmit, RFC 5681 section 3.2): it is out one round trip after the third of them was sent.
- Where fewer follow, the sender's timer does it: the retransmission timeout is R + 200 ms, the minimum of the usual
  systems (RFC 6298 would have 1 s). What is lost again waits twice as long each time.
- Nothing that was sent after it is delivered before it: head-of-line blocking.

Acknowledgements are cumulative, so that losing one costs nothing; congestion control (a smaller window after a loss) is
left out: at the rates of messages the window is not what holds them up.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

SEGMENT: Final = 1448
"""Bytes: Ethernet's 1,500 less the heads of IPv4 and TCP with timestamps."""
LEAST_TIMEOUT: Final = 0.2
SYN_TIMEOUT: Final = 1.0
FOLLOWERS: Final = 3
MOST_TRIES: Final = 8
"""Of one segment; then it is through."""


def segments(size: int) -> int:
    """In how many segments so many bytes travel."""
    return max(1, math.ceil(size / SEGMENT))


class Stall:
    """One lost segment: when it is sent again."""

    __slots__ = ("_followers", "again")

    def __init__(self, sent: float, round_trip: float, losses: int) -> None:
        timeout = round_trip + LEAST_TIMEOUT
        self.again = sent + timeout * (2**losses - 1)
        self._followers = 0 if losses == 1 else FOLLOWERS  # a retransmission that is lost waits for the timer

    def followed(self, sent: float, round_trip: float, count: int) -> None:
        """So many more segments were sent."""
        if self._followers < FOLLOWERS:
            self._followers += count
            if self._followers >= FOLLOWERS:
                self.again = min(self.again, sent + round_trip)


class LossySender:
    """One direction of a connection. `send` says when bytes that are sent now would leave the sender for good; what was
    asked earlier may become earlier still, so the time of a piece is a value with a question: `when(piece)`."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._stalls: deque[Stall] = deque(maxlen=64)  # more at a time: the oldest waits for its timer

    def send(self, now: float, size: int, *, share: float, round_trip: float) -> tuple[Stall | None, int]:
        """The stall that these bytes are in (none: nothing was lost), and how many segments were lost."""
        count = segments(size)
        lost = sum(self._chance() < share for _ in range(count))
        for stall in self._stalls:
            stall.followed(now, round_trip, count)
        while self._stalls and self._stalls[0].again <= now:
            self._stalls.popleft()
        if not lost:
            return None, 0
        losses = 1
        while losses < MOST_TRIES and self._chance() < share:
            losses += 1
        stall = Stall(now, round_trip, losses)
        stall.followed(now, round_trip, count - lost)  # of a long piece the rest follows at once
        self._stalls.append(stall)
        return stall, lost
