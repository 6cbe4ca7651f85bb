"""What the requests of a TURN client ask for, each judged and done (RFC 8656 sections 7 to 12).

    400  a part is missing, malformed, or contradicts another     443  a peer of another family
    403  the peer may not be relayed to (`peers`)                 486  too many of this user
    440  no such address family here                              508  too many of all, or no port
    442  not UDP

It changes what is held (`registry`, `allocation`) and asks the driver for relays. Whoever calls has made sure who asks,
and answers.
"""

from collections.abc import Callable
from typing import Final

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.allocation import CHANNELS, PERMISSIONS, Allocation, Relayed
from wirehop.rtc.pure.authentication import Denied, Identity
from wirehop.rtc.pure.options import TurnOptions
from wirehop.rtc.pure.outputs import CloseRelay, OpenRelay, Output, Path
from wirehop.rtc.pure.peers import PeerRules
from wirehop.rtc.pure.rates import Meter
from wirehop.rtc.pure.registry import Registry
from wirehop.rtc.pure.stun import TRANSACTION_BYTES, Address, Attribute, Family, Message

DEFAULT_LIFETIME: Final = 600.0
"""Section 3.2; also the shortest that is granted."""
_UDP: Final = 17
_FIRST_CHANNEL: Final = 0x4000
_LAST_CHANNEL: Final = 0x7FFF  # RFC 5766; RFC 8656 ends at 0x4fff, but older clients, coturn's too, do not
_TOKEN_BYTES: Final = 8
_FAMILIES: Final = {1: Family.IPV4, 2: Family.IPV6}


class Requests:
    """The requests of one server."""

    __slots__ = ("_options", "_out", "_registry", "_rules", "_tokens", "_transactions")

    def __init__(
        self,
        options: TurnOptions,
        rules: PeerRules,
        registry: Registry,
        tokens: Callable[[], bytes],
        out: list[Output],
    ) -> None:
        self._options = options
        self._rules = rules
        self._registry = registry
        self._tokens = tokens
        self._out = out
        self._transactions = 0

    def transaction(self) -> bytes:
        """The id of an indication. Nothing answers those, so that it can be guessed does no harm."""
        self._transactions += 1
        return self._transactions.to_bytes(TRANSACTION_BYTES, "big")

    # ---- Allocate --------------------------------------------------------------------------------------------------

    def allocate(self, path: Path, message: Message, identity: Identity, now: float) -> Allocation:
        """A new allocation. Its relays are asked for; one that was reserved is there at once. Raises `Denied`."""
        transport = message.value(Attribute.REQUESTED_TRANSPORT)
        if transport is None or len(transport) != 4:
            raise _bad("REQUESTED-TRANSPORT is missing")
        if transport[0] != _UDP:
            raise Denied(442, "transport.unsupported", f"protocol {transport[0]}")
        even = message.value(Attribute.EVEN_PORT)
        token = message.value(Attribute.RESERVATION_TOKEN)
        families = self._families(message, even, token)
        lifetime = self._lifetime(message) or DEFAULT_LIFETIME
        is_pair = even is not None and bool(even[0] & 0x80)
        reserved = None
        if token is not None:
            reserved = self._registry.take_reservation(token, identity.user, now)
            if reserved is None:
                raise Denied(508, "reservation.unknown", "no such reservation, or no more")
        try:
            self._registry.demand_room(identity.user, 2 if is_pair else 1)
        except Denied:
            if reserved is not None:
                self._out.append(CloseRelay(reserved.number))
            raise
        allocation = Allocation(path, identity, message, Meter(self._options.bandwidth, now), lifetime)
        self._registry.add(allocation)
        if reserved is not None:
            self._hold(allocation, stun.family_of(reserved.address[0]), reserved)
            return allocation
        for family in families:
            number = self._registry.number()
            if is_pair:
                allocation.reserving = self._registry.number()
            allocation.opening[number] = family
            self._registry.opening[number] = allocation
            self._out.append(OpenRelay(number, family, even is not None, allocation.reserving))
        return allocation

    def opened(self, allocation: Allocation, number: int, address: Address, now: float, pair: Address | None) -> None:
        """The driver has opened a relay that was asked for."""
        family = allocation.opening.pop(number)
        del self._registry.opening[number]
        self._hold(allocation, family, Relayed(number, address))
        if pair is not None and allocation.reserving:
            token = self._tokens()
            self._registry.reserve(token, Relayed(allocation.reserving, pair), allocation.identity.user, now)
            allocation.token = token

    def failed(self, allocation: Allocation, number: int, now: float) -> None:
        """The driver cannot. An additional family that is not to be had is said in the answer; else it fails as one."""
        del allocation.opening[number]
        del self._registry.opening[number]

    def granted(self, allocation: Allocation) -> list[tuple[int, bytes]]:
        """What the answer to Allocate says (section 7.3)."""
        message = allocation.asked
        found = [
            (int(Attribute.XOR_RELAYED_ADDRESS), stun.write_address(relay.address, message.transaction))
            for relay in allocation.relays.values()
        ]
        if message.value(Attribute.ADDITIONAL_ADDRESS_FAMILY) is not None and Family.IPV6 not in allocation.relays:
            value = bytes((Family.IPV6, 0, 4, 40)) + stun.REASONS[440].encode()
            found.append((int(Attribute.ADDRESS_ERROR_CODE), value))
        if allocation.token:
            found.append((int(Attribute.RESERVATION_TOKEN), allocation.token))
        found.append((int(Attribute.LIFETIME), int(allocation.lifetime).to_bytes(4, "big")))
        mapped = stun.write_address(allocation.path.source, message.transaction)
        found.append((int(Attribute.XOR_MAPPED_ADDRESS), mapped))
        return found

    def _hold(self, allocation: Allocation, family: Family, relay: Relayed) -> None:
        allocation.relays[family] = relay
        self._registry.relay_opened(allocation, relay)

    def _families(self, message: Message, even: bytes | None, token: bytes | None) -> list[Family]:
        """Of the relays that are asked for, as sections 7.2 (3 to 8) want it."""
        asked = message.value(Attribute.REQUESTED_ADDRESS_FAMILY)
        additional = message.value(Attribute.ADDITIONAL_ADDRESS_FAMILY)
        if token is not None and (even is not None or asked is not None or additional is not None):
            raise _bad("RESERVATION-TOKEN stands alone")
        if even is not None and len(even) != 1:
            raise _bad("EVEN-PORT is one byte")
        if token is not None and len(token) != _TOKEN_BYTES:
            raise _bad("RESERVATION-TOKEN is eight bytes")
        if additional is not None:
            if asked is not None or (even is not None and even[0] & 0x80) or additional[:1] != b"\x02":
                raise _bad("ADDITIONAL-ADDRESS-FAMILY contradicts another attribute, or is not IPv6")
            wanted = [Family.IPV4, Family.IPV6]
            return [family for family in wanted if family in self._options.families] or self._unsupported("IPv4")
        family = _FAMILIES.get(asked[0]) if asked else Family.IPV4
        if family is None or family not in self._options.families:
            self._unsupported("IPv6" if family == Family.IPV6 else "IPv4" if family else "unknown")
        assert family is not None
        return [family]

    @staticmethod
    def _unsupported(name: str) -> list[Family]:
        raise Denied(440, "family.unsupported", name)

    def _lifetime(self, message: Message) -> float | None:
        """What is granted of what is asked for; None: nothing was asked for."""
        value = message.value(Attribute.LIFETIME)
        if value is None:
            return None
        if len(value) != 4:
            raise _bad("LIFETIME is four bytes")
        asked = int.from_bytes(value, "big")
        return min(max(float(asked), DEFAULT_LIFETIME), self._options.lifetime) if asked else 0.0

    # ---- Refresh, CreatePermission, ChannelBind --------------------------------------------------------------------

    def refresh(
        self, allocation: Allocation, message: Message, now: float
    ) -> tuple[list[tuple[int, bytes]], list[int]]:
        """Longer, or the end: of everything, or of one family (section 8.2). What the answer says, and the relays that
        are to be closed. Raises `Denied`. An allocation whose last relay is gone is for the caller to end."""
        asked = message.value(Attribute.REQUESTED_ADDRESS_FAMILY)
        family = _FAMILIES.get(asked[0]) if asked else None
        if asked is not None and (family is None or family not in allocation.relays):
            raise Denied(443, "family.mismatch", "the allocation has no such family")
        lifetime = self._lifetime(message)
        if lifetime is None:
            lifetime = DEFAULT_LIFETIME
        closed = []
        if lifetime:
            allocation.lifetime = lifetime
            allocation.expires = now + lifetime
        else:
            for each in [family] if family is not None else list(allocation.relays):
                relay = allocation.relays.pop(each)
                self._registry.relay_closed(relay)
                self._drop_channels(allocation, each)
                closed.append(relay.number)
        return [(int(Attribute.LIFETIME), int(lifetime).to_bytes(4, "big"))], closed

    def create_permission(self, allocation: Allocation, message: Message, now: float) -> None:
        """All of its peers, or none (section 10.2). Raises `Denied`."""
        values = message.values(Attribute.XOR_PEER_ADDRESS)
        peers = [stun.read_address(value, message.transaction) for value in values]
        if not peers:
            raise _bad("XOR-PEER-ADDRESS is missing")
        hosts = []
        for peer in peers:
            if peer is None:
                raise _bad("an XOR-PEER-ADDRESS is malformed")
            self._judge(allocation, peer)
            hosts.append(peer[0])
        new = {host for host in hosts if host not in allocation.permissions}
        if len(allocation.permissions) + len(new) > PERMISSIONS:
            raise Denied(508, "capacity.permissions", f"an allocation has at most {PERMISSIONS}")
        for host in hosts:
            allocation.permit(host, now)

    def bind_channel(self, allocation: Allocation, message: Message, now: float) -> None:
        """A channel to one peer, and no other between the two (section 12.2). Raises `Denied`."""
        number = message.value(Attribute.CHANNEL_NUMBER)
        peer = message.address(Attribute.XOR_PEER_ADDRESS)
        if number is None or len(number) != 4 or peer is None:
            raise _bad("CHANNEL-NUMBER or XOR-PEER-ADDRESS is missing or malformed")
        channel = number[0] << 8 | number[1]
        if not _FIRST_CHANNEL <= channel <= _LAST_CHANNEL:
            raise _bad(f"channel {channel:#06x} is not from 0x4000 to 0x7fff")
        if allocation.channels.get(channel, peer) != peer:
            raise _bad(f"channel {channel:#06x} is bound to another peer", "channel.other_peer")
        if allocation.numbers.get(peer, channel) != channel:
            raise _bad("the peer is bound to another channel", "channel.other_channel")
        self._judge(allocation, peer)
        if channel not in allocation.channels and len(allocation.channels) >= CHANNELS:
            raise Denied(508, "capacity.channels", f"an allocation has at most {CHANNELS}")
        if peer[0] not in allocation.permissions and len(allocation.permissions) >= PERMISSIONS:
            raise Denied(508, "capacity.permissions", f"an allocation has at most {PERMISSIONS}")
        allocation.bind(channel, peer, now)

    def _judge(self, allocation: Allocation, peer: Address) -> None:
        """403 and 443. Raises `Denied`."""
        if stun.family_of(peer[0]) not in allocation.relays:
            raise Denied(443, "family.mismatch", f"{peer[0]} is of another family than the relayed address")
        rule = self._rules.refusal(peer[0])
        if rule:
            raise Denied(403, f"peer.{rule}", f"{peer[0]} may not be relayed to")

    def _drop_channels(self, allocation: Allocation, family: Family) -> None:
        """One family of two has gone. Its lanes are closed by who arranges them."""
        for channel, peer in list(allocation.channels.items()):
            if stun.family_of(peer[0]) == family:
                del allocation.channels[channel], allocation.channels_until[channel], allocation.numbers[peer]
        for host in list(allocation.permissions):
            if stun.family_of(host) == family:
                del allocation.permissions[host]


def _bad(text: str, rule: str = "request.malformed") -> Denied:
    return Denied(400, rule, text)
