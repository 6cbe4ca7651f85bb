"""How much: answers to strangers by address, and bytes by allocation. Both without a timer, and of bounded size."""

from ipaddress import ip_address
from typing import Final

_ADDRESSES: Final = 10_000
UNLIMITED: Final = 1 << 62
"""More bytes than anybody relays."""
_BURST_SECONDS: Final = 0.5
_LEAST_BURST: Final = 65_536


class Strangers:
    """Answers in the present second, by address (by /64 of IPv6). A source address of UDP is easily forged, so this is
    what an answer may be made to be worth to whoever wants to flood somebody with them. Beyond ten thousand addresses
    in a second all others share what one of them has."""

    __slots__ = ("_counts", "_limit", "_second")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._second = 0
        self._counts: dict[str, int] = {}

    def may_answer(self, host: str, now: float) -> bool:
        """Count one more answer to `host`, unless it had them all."""
        if int(now) != self._second:
            self._second = int(now)
            self._counts.clear()
        who = host if ":" not in host else ip_address(host).packed[:8].hex()
        if who not in self._counts and len(self._counts) >= _ADDRESSES:
            who = ""
        count = self._counts.get(who, 0)
        if count >= self._limit:
            return False
        self._counts[who] = count + 1
        return True

    @property
    def remembered(self) -> int:
        """How many addresses it knows now."""
        return len(self._counts)


class Meter:
    """What one allocation may still relay. The fast lane takes from `left` by itself as long as there is enough, and
    comes here only when there is not. `bandwidth` is bytes a second; 0: no limit."""

    __slots__ = ("_bandwidth", "_burst", "_filled_at", "left")

    def __init__(self, bandwidth: int, now: float) -> None:
        self._bandwidth = bandwidth
        self._burst = max(_LEAST_BURST, int(bandwidth * _BURST_SECONDS)) if bandwidth else UNLIMITED
        self._filled_at = now
        self.left = self._burst

    def may_take(self, size: int, now: float) -> bool:
        """Take `size` bytes, if there are so many."""
        if self.left < size:
            if self._bandwidth and now > self._filled_at:
                self.left = min(self._burst, self.left + int((now - self._filled_at) * self._bandwidth))
            elif not self._bandwidth:
                self.left = self._burst
            self._filled_at = now
            if self.left < size:
                return False
        self.left -= size
        return True
