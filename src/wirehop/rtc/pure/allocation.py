"""What one client holds at a TURN server: relayed addresses, permissions and channels, each with its end.

A permission is for an address without its port, a channel for one with it (RFC 8656 sections 9 and 12). Data passes a
channel only while there is a permission for its peer. It knows times and names; it does not know messages.
"""

from typing import Final

from msgspec import Struct

from wirehop.rtc.pure.authentication import Identity
from wirehop.rtc.pure.outputs import Path
from wirehop.rtc.pure.rates import Meter
from wirehop.rtc.pure.stun import Address, Family, Message

PERMISSION_SECONDS: Final = 300.0
CHANNEL_SECONDS: Final = 600.0
PERMISSIONS: Final = 256
"""Of one allocation at most; then 508."""
CHANNELS: Final = 256
"""Of one allocation at most; then 508."""


class Relayed(Struct, frozen=True, gc=False):
    """A relayed address: the driver's number for it, and what peers see."""

    number: int
    address: Address


class Allocation:
    """One client's allocation. `asked` is the request that made it, which is answered once nothing is `opening`."""

    __slots__ = (
        "answer",
        "asked",
        "channels",
        "channels_until",
        "expires",
        "identity",
        "lanes",
        "lifetime",
        "meter",
        "numbers",
        "opening",
        "path",
        "permissions",
        "relays",
        "reserving",
        "token",
        "wakes",
    )

    def __init__(self, path: Path, identity: Identity, asked: Message, meter: Meter, lifetime: float) -> None:
        self.path = path
        self.identity = identity
        self.asked = asked
        self.meter = meter
        self.lifetime = lifetime
        self.answer = b""  # to the request that made it, for when that comes again
        self.opening: dict[int, Family] = {}  # numbers of relays that the driver is asked for
        self.reserving = 0  # number of the relay that is reserved beside it
        self.token = b""  # of that reservation
        self.relays: dict[Family, Relayed] = {}
        self.permissions: dict[str, float] = {}  # until when
        self.channels: dict[int, Address] = {}
        self.channels_until: dict[int, float] = {}
        self.numbers: dict[Address, int] = {}  # channels by peer
        self.lanes: dict[int, tuple[int, Address]] = {}  # channels in the fast lane: relay and peer
        self.expires = 0.0
        self.wakes = 0.0  # when the machine looks at it next

    @property
    def is_opening(self) -> bool:
        """Whether it is not there yet."""
        return bool(self.opening)

    def may_send(self, peer: Address, now: float) -> bool:
        """Whether there is a permission for the peer."""
        return self.permissions.get(peer[0], 0.0) > now

    def permit(self, host: str, now: float) -> None:
        """Install or renew a permission."""
        self.permissions[host] = now + PERMISSION_SECONDS

    def bind(self, number: int, peer: Address, now: float) -> None:
        """Bind or renew a channel, with the permission that comes with it (RFC 8656 section 12.2)."""
        self.channels[number] = peer
        self.channels_until[number] = now + CHANNEL_SECONDS
        self.numbers[peer] = number
        self.permit(peer[0], now)

    def channel_of(self, peer: Address) -> int:
        """The channel that is bound to the peer; 0: none."""
        return self.numbers.get(peer, 0)

    def deadline(self) -> float:
        """When something of it ends."""
        return min((self.expires, *self.permissions.values(), *self.channels_until.values()))

    def forget_ended(self, now: float) -> None:
        """Drop permissions and channels that are over."""
        for host in [host for host, until in self.permissions.items() if until <= now]:
            del self.permissions[host]
        for number in [number for number, until in self.channels_until.items() if until <= now]:
            del self.channels_until[number]
            del self.numbers[self.channels.pop(number)]

    def relay_for(self, family: Family) -> Relayed | None:
        """Its relayed address of that family."""
        return self.relays.get(family)
