"""All that a TURN server holds: allocations by their client, by relayed address and by relay; and reservations.

It counts who has how many, and says no when that is too many. It knows numbers and names; it does not know messages.
"""

from collections import Counter
from typing import Final

from msgspec import Struct

from wirehop.rtc.pure.allocation import Allocation, Relayed
from wirehop.rtc.pure.authentication import Denied
from wirehop.rtc.pure.options import TurnOptions
from wirehop.rtc.pure.outputs import Path
from wirehop.rtc.pure.stun import Address

RESERVATION_SECONDS: Final = 30.0


class Reservation(Struct, frozen=True, gc=False):
    """A relayed address that waits for the Allocate that takes it (RFC 8656 section 7.2)."""

    relay: Relayed
    user: str
    until: float


class Registry:
    """What there is at the moment."""

    __slots__ = (
        "_numbers",
        "_options",
        "by_address",
        "by_path",
        "by_relay",
        "opening",
        "reservations",
        "users",
    )

    def __init__(self, options: TurnOptions) -> None:
        self._options = options
        self._numbers = 0
        self.by_path: dict[Path, Allocation] = {}
        self.by_relay: dict[int, Allocation] = {}
        self.by_address: dict[Address, Allocation] = {}
        self.opening: dict[int, Allocation] = {}
        self.reservations: dict[bytes, Reservation] = {}  # by token, in the order of their ends
        self.users: Counter[str] = Counter()  # allocations and reservations

    @property
    def count(self) -> int:
        """Allocations and reservations."""
        return len(self.by_path) + len(self.reservations)

    def number(self) -> int:
        """The next relay's."""
        self._numbers += 1
        return self._numbers

    def demand_room(self, user: str, wanted: int) -> None:
        """486 or 508 where so many more would be too many. Raises `Denied`."""
        if self.users[user] + wanted > self._options.allocations_per_user:
            raise Denied(486, "quota.user", f"{user!r} has {self.users[user]} allocations")
        if self.count + wanted > self._options.allocations:
            raise Denied(508, "quota.total", f"there are {self.count} allocations")

    def add(self, allocation: Allocation) -> None:
        """One more, whose relays are still asked for."""
        self.by_path[allocation.path] = allocation
        self.users[allocation.identity.user] += 1

    def relay_opened(self, allocation: Allocation, relay: Relayed) -> None:
        """It has a relayed address."""
        self.by_relay[relay.number] = allocation
        self.by_address[relay.address] = allocation

    def relay_closed(self, relay: Relayed) -> None:
        """It has no more."""
        del self.by_relay[relay.number]
        del self.by_address[relay.address]

    def remove(self, allocation: Allocation) -> list[int]:
        """Forget it; the numbers of its relays."""
        del self.by_path[allocation.path]
        self._leave(allocation.identity.user)
        for number in allocation.opening:
            del self.opening[number]
        for relay in allocation.relays.values():
            self.relay_closed(relay)
        return [relay.number for relay in allocation.relays.values()]

    def reserve(self, token: bytes, relay: Relayed, user: str, now: float) -> None:
        """Keep a relayed address for whoever brings the token."""
        self.reservations[token] = Reservation(relay, user, now + RESERVATION_SECONDS)
        self.users[user] += 1

    def take_reservation(self, token: bytes, user: str, now: float) -> Relayed | None:
        """The relayed address of that token, once, if it is this user's."""
        found = self.reservations.get(token)
        if found is None or found.user != user or found.until <= now:
            return None
        del self.reservations[token]
        self._leave(user)
        return found.relay

    def reservations_ended(self, now: float) -> list[int]:
        """Forget those that nobody took; the numbers of their relays."""
        ended = [token for token, each in self.reservations.items() if each.until <= now]
        relays = []
        for token in ended:
            reservation = self.reservations.pop(token)
            self._leave(reservation.user)
            relays.append(reservation.relay.number)
        return relays

    def reservation_deadline(self) -> float | None:
        """When the next one ends."""
        return next((each.until for each in self.reservations.values()), None)

    def _leave(self, user: str) -> None:
        self.users[user] -= 1
        if not self.users[user]:
            del self.users[user]
