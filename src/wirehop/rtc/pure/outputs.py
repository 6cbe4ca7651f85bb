"""What the TURN server's machine wants done, and the names of who is at the other end."""

from typing import Literal

from msgspec import Struct

from wirehop.rtc.pure.rates import Meter
from wirehop.rtc.pure.stun import Address, Family


class Path(Struct, frozen=True, gc=False):
    """One client's way to the server, the 5-tuple of RFC 8656: its address, the wire, and which socket of the driver
    (a connection, if it is not UDP)."""

    wire: Literal["udp", "tcp", "tls"]
    host: str
    port: int
    number: int = 0

    @property
    def source(self) -> Address:
        """The client's address."""
        return self.host, self.port


class Send(Struct, frozen=True, gc=False):
    """To a client."""

    path: Path
    data: bytes


class Relay(Struct, frozen=True, gc=False):
    """To a peer, from the relayed address `relay`."""

    relay: int
    peer: Address
    data: bytes
    dont_fragment: bool = False


class OpenRelay(Struct, frozen=True, gc=False):
    """Open a relayed address; `TurnServer.opened` or `failed` answers with the number. `pair`: also the next higher
    port, under that number, with an even port below it; 0: none. `is_even`: the port must be even."""

    number: int
    family: Family
    is_even: bool = False
    pair: int = 0


class CloseRelay(Struct, frozen=True, gc=False):
    """Close one. Nothing for it may be in the fast lane any more."""

    number: int


class OpenLane(Struct, frozen=True, gc=False):
    """From here on ChannelData of this channel may be relayed without asking the machine, both ways, as long as the
    meter has enough left: it takes the data's size from it."""

    path: Path
    channel: int
    relay: int
    peer: Address
    meter: Meter


class CloseLane(Struct, frozen=True, gc=False):
    """No more: ask the machine."""

    path: Path
    channel: int
    relay: int
    peer: Address


class Refused(Struct, frozen=True, gc=False):
    """A request was answered with an error, by the rule of that name: for the log."""

    rule: str
    code: int
    path: Path
    username: str
    text: str


Output = Send | Relay | OpenRelay | CloseRelay | OpenLane | CloseLane | Refused
