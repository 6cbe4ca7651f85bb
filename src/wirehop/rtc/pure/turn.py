"""A STUN and TURN server (RFC 8489, RFC 8656) as a machine: messages and time in, what is to be done out.

    server.received(path, data, now)        from a client         server.opened(number, address, now)   a relay is there
    server.from_peer(relay, peer, data, now)                      server.failed(number, reason, now)    or cannot be
    server.gone(path, now)                  a connection ended    server.tick(now), server.deadline()
    server.take()                           what is to be done: `outputs`

What a client may hold, and what ends it:

    allocation      Allocate                    Refresh with 0, its lifetime, the end of its connection
    permission      CreatePermission, ChannelBind     300 s after the last of either
    channel         ChannelBind                 600 s after the last
    reservation     Allocate with EVEN-PORT     30 s, or the Allocate that takes it

Data between two allocations of this server is handed over inside, whatever address is announced: so it works behind a
NAT that does not turn packets around, and nothing else at that address can be reached. Data in channels to other peers
may take the fast lane (`OpenLane`): the driver relays it without asking here. It must do just what `received` and
`from_peer` would.

It knows who may do what. It does not know sockets, nor how requests are judged (`requests`).
"""

import heapq
from collections import Counter
from collections.abc import Callable
from typing import Final

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.allocation import Allocation
from wirehop.rtc.pure.authentication import Authentication, Denied, Identity
from wirehop.rtc.pure.nonces import Nonces
from wirehop.rtc.pure.options import TurnOptions
from wirehop.rtc.pure.outputs import CloseLane, CloseRelay, OpenLane, Output, Path, Refused, Relay, Send
from wirehop.rtc.pure.peers import PeerRules
from wirehop.rtc.pure.rates import Strangers
from wirehop.rtc.pure.registry import Registry
from wirehop.rtc.pure.requests import Requests
from wirehop.rtc.pure.stun import Address, Attribute, BadMessage, Kind, Message, Method

_HEADER_BYTES: Final = 4  # of ChannelData
_TURN_METHODS: Final = frozenset((Method.ALLOCATE, Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND))


class TurnServer:
    """The machine. `key` and `tokens` are its randomness: 32 bytes once, and 8 bytes each time."""

    def __init__(self, options: TurnOptions, rules: PeerRules, *, key: bytes, tokens: Callable[[], bytes]) -> None:
        self.counters: Counter[str] = Counter()
        """Of what was refused or dropped, by the rule's name; and of requests that succeeded, by method."""
        self.registry = Registry(options)
        self.wall_ahead = 0.0
        """Seconds since 1970 minus the machine's time. The driver keeps it right."""
        self._options = options
        self._rules = rules
        self._authentication = Authentication(options.secret, options.realm, Nonces(key))
        self._strangers = Strangers(options.unauthenticated_rate)
        self._out: list[Output] = []
        self._requests = Requests(options, rules, self.registry, tokens, self._out)
        self._wakes: list[tuple[float, int, Allocation]] = []  # a heap, one entry of each allocation counts
        self._entries = 0

    # ---- from outside ----------------------------------------------------------------------------------------------

    def take(self) -> list[Output]:
        """What is to be done, in this order."""
        out = self._out[:]
        self._out.clear()
        return out

    def received(self, path: Path, data: bytes, now: float) -> None:
        """One message of a client: a datagram, or what `framing` has cut out of a connection."""
        if not data:
            return
        if data[0] & 0xC0 == 0x40:
            self._channel_data(path, data, now)
            return
        try:
            message = stun.decode(data)
        except BadMessage:
            self.counters["message.malformed"] += 1
            return
        if message.kind == Kind.REQUEST:
            self._request(path, message, now)
        elif message.kind == Kind.INDICATION:
            self._indication(path, message, now)
        else:
            self.counters["message.unexpected"] += 1

    def from_peer(self, number: int, peer: Address, data: bytes, now: float) -> None:
        """A datagram that came to a relayed address."""
        allocation = self.registry.by_relay.get(number)
        if allocation is None:
            self.counters["data.no_allocation"] += 1
        else:
            self._to_client(allocation, peer, data, now)

    def opened(self, number: int, address: Address, now: float, pair: Address | None = None) -> None:
        """A relayed address is there: what peers see, and the same of its pair."""
        allocation = self.registry.opening.get(number)
        if allocation is None:
            self._out.append(CloseRelay(number))
            return
        self._requests.opened(allocation, number, address, now, pair)
        self._settle(allocation, now)

    def failed(self, number: int, reason: str, now: float) -> None:
        """There is no such relayed address to be had."""
        allocation = self.registry.opening.get(number)
        if allocation is not None:
            self._requests.failed(allocation, number, now)
            self._settle(allocation, now, reason)

    def gone(self, path: Path, now: float) -> None:
        """The connection has ended, and what its client held with it (RFC 8656 section 3.1)."""
        allocation = self.registry.by_path.get(path)
        if allocation is not None:
            self._end(allocation)

    def tick(self, now: float) -> None:
        """End what is over."""
        while self._wakes and self._wakes[0][0] <= now:
            at, _, allocation = heapq.heappop(self._wakes)
            if at != allocation.wakes or self.registry.by_path.get(allocation.path) is not allocation:
                continue
            if allocation.expires <= now:
                self.counters["allocation.expired"] += 1
                self._end(allocation)
            else:
                allocation.forget_ended(now)
                self._arrange(allocation, now)
        for relay in self.registry.reservations_ended(now):
            self._out.append(CloseRelay(relay))

    def deadline(self) -> float | None:
        """When `tick` has something to do; None: not before something comes in."""
        times = [self._wakes[0][0]] if self._wakes else []
        reserved = self.registry.reservation_deadline()
        return min([*times, *([] if reserved is None else [reserved])], default=None)

    # ---- requests --------------------------------------------------------------------------------------------------

    def _request(self, path: Path, message: Message, now: float) -> None:
        identity: Identity | None = None
        try:
            if message.method == Method.BINDING:
                self._bind(path, message, now)
                return
            if message.method not in _TURN_METHODS:
                raise Denied(400, "method.unknown", f"method {message.method:#05x}", is_stranger=True)
            allocation = self.registry.by_path.get(path)
            # An expired credential goes on with what it has; it gets nothing new.
            holder = "" if allocation is None or message.method == Method.ALLOCATE else allocation.identity.username
            identity = self._authentication.identify(
                message, path.source, now=now, wall=now + self.wall_ahead, holder=holder
            )
            _demand_known(message, is_stranger=False)
            if message.method == Method.ALLOCATE:
                self._allocate(path, message, identity, now)
            else:
                self._change(allocation, path, message, identity, now)
        except Denied as denied:
            self._deny(path, message, identity, denied, now)

    def _bind(self, path: Path, message: Message, now: float) -> None:
        """Binding (RFC 8489 section 5): where the request came from. Anybody may ask."""
        _demand_known(message, is_stranger=True)
        if not self._strangers.may_answer(path.host, now):
            self.counters["rate.unauthenticated"] += 1
            return
        self.counters["binding"] += 1
        mapped = (int(Attribute.XOR_MAPPED_ADDRESS), stun.write_address(path.source, message.transaction))
        self._answer(path, message, [mapped], None, is_fingerprinted=True)

    def _allocate(self, path: Path, message: Message, identity: Identity, now: float) -> None:
        known = self.registry.by_path.get(path)
        if known is None:
            allocation = self._requests.allocate(path, message, identity, now)
            self._settle(allocation, now)
        elif known.asked.transaction != message.transaction:
            raise Denied(437, "allocation.exists", "this address and port has an allocation already")
        elif known.answer:  # the same request again: its answer was lost (RFC 8656 section 7.2)
            self._out.append(Send(path, known.answer))

    def _change(
        self, allocation: Allocation | None, path: Path, message: Message, identity: Identity, now: float
    ) -> None:
        if allocation is None or allocation.is_opening:
            raise Denied(437, "allocation.none", "this address and port has no allocation")
        if allocation.identity.username != identity.username:
            raise Denied(441, "credentials.other", "the allocation is another username's")
        attributes: list[tuple[int, bytes]] = []
        if message.method == Method.REFRESH:
            attributes, closed = self._requests.refresh(allocation, message, now)
            self._arrange(allocation, now)  # closes lanes before what they lead to
            self._out.extend(map(CloseRelay, closed))
            if not allocation.relays:
                self._end(allocation)
        elif message.method == Method.CREATE_PERMISSION:
            self._requests.create_permission(allocation, message, now)
        else:
            self._requests.bind_channel(allocation, message, now)
        if allocation.relays:
            self._arrange(allocation, now)
        self.counters[Method(message.method).name.lower()] += 1
        self._answer(path, message, attributes, identity)

    def _settle(self, allocation: Allocation, now: float, reason: str = "") -> None:
        """Answer the Allocate once all its relays are there, or not to be had."""
        if allocation.is_opening:
            return
        message, identity, path = allocation.asked, allocation.identity, allocation.path
        if not allocation.relays:
            self._end(allocation)
            denied = Denied(508, "capacity.ports", reason or "no relayed address could be opened")
            self._deny(path, message, identity, denied, now)
            return
        allocation.expires = now + allocation.lifetime
        self._arrange(allocation, now)
        self.counters["allocate"] += 1
        self._answer(path, message, self._requests.granted(allocation), identity)
        sent = self._out[-1]
        if isinstance(sent, Send):
            allocation.answer = sent.data

    def _answer(
        self,
        path: Path,
        message: Message,
        attributes: list[tuple[int, bytes]],
        identity: Identity | None,
        *,
        kind: Kind = Kind.SUCCESS,
        is_fingerprinted: bool = False,
    ) -> None:
        software = (int(Attribute.SOFTWARE), self._options.software)
        data = stun.encode(
            message.method,
            kind,
            message.transaction,
            [*attributes, software],
            key=identity.key if identity else None,
            sha256=identity is not None and identity.sha256,
            fingerprint=is_fingerprinted,
        )
        self._out.append(Send(path, data))

    def _deny(self, path: Path, message: Message, identity: Identity | None, denied: Denied, now: float) -> None:
        self.counters[denied.rule] += 1
        if denied.is_stranger and not self._strangers.may_answer(path.host, now):
            self.counters["rate.unauthenticated"] += 1
            return
        if denied.rule != "credentials.missing":  # with that every honest conversation begins
            username = message.text(Attribute.USERNAME) or ""
            self._out.append(Refused(denied.rule, denied.code, path, username, denied.text))
        error = (int(Attribute.ERROR_CODE), stun.write_error(denied.code))
        self._answer(path, message, [error, *denied.attributes], identity, kind=Kind.ERROR)

    # ---- data ------------------------------------------------------------------------------------------------------

    def _indication(self, path: Path, message: Message, now: float) -> None:
        """Send, and Binding to keep a NAT's memory fresh. Nothing is ever answered (RFC 8656 section 11.2)."""
        if message.method == Method.BINDING:
            return
        allocation = self.registry.by_path.get(path)
        peer, data = message.address(Attribute.XOR_PEER_ADDRESS), message.value(Attribute.DATA)
        if message.method != Method.SEND or peer is None or data is None or message.unknown():
            self.counters["message.unexpected"] += 1
        elif allocation is None or allocation.is_opening:
            self.counters["data.no_allocation"] += 1
        else:
            self._to_peer(allocation, peer, data, now, message.value(Attribute.DONT_FRAGMENT) is not None)

    def _channel_data(self, path: Path, data: bytes, now: float) -> None:
        allocation = self.registry.by_path.get(path)
        length = data[2] << 8 | data[3] if len(data) >= _HEADER_BYTES else len(data)
        if len(data) < _HEADER_BYTES + length:
            self.counters["message.malformed"] += 1
        elif allocation is None:
            self.counters["data.no_allocation"] += 1
        elif (peer := allocation.channels.get(data[0] << 8 | data[1])) is None:
            self.counters["data.no_channel"] += 1
        else:
            self._to_peer(allocation, peer, data[_HEADER_BYTES : _HEADER_BYTES + length], now)

    def _to_peer(
        self, allocation: Allocation, peer: Address, data: bytes, now: float, dont_fragment: bool = False
    ) -> None:
        relay = allocation.relay_for(stun.family_of(peer[0]))
        if relay is None or not allocation.may_send(peer, now):
            self.counters["data.no_permission"] += 1
        elif not peer[1]:
            self.counters["data.no_port"] += 1
        elif not allocation.meter.may_take(len(data), now):
            self.counters["rate.bandwidth"] += 1
        elif peer[0] in self._rules.relays and (other := self.registry.by_address.get(peer)) is not None:
            self.counters["data.inside"] += 1
            self._to_client(other, relay.address, data, now)
        elif peer[0] in self._rules.relays and not self._rules.is_allowed_explicitly(peer[0]):
            self.counters["peer.own"] += 1
        else:
            self._out.append(Relay(relay.number, peer, data, dont_fragment))

    def _to_client(self, allocation: Allocation, peer: Address, data: bytes, now: float) -> None:
        if not allocation.may_send(peer, now):
            self.counters["data.no_permission"] += 1
            return
        if not allocation.meter.may_take(len(data), now):
            self.counters["rate.bandwidth"] += 1
            return
        channel = allocation.channel_of(peer)
        path = allocation.path
        if channel:
            padding = bytes(-len(data) % 4) if path.wire != "udp" else b""
            head = channel.to_bytes(2, "big") + len(data).to_bytes(2, "big")
            self._out.append(Send(path, head + data + padding))
            return
        transaction = self._requests.transaction()
        attributes = [
            (int(Attribute.XOR_PEER_ADDRESS), stun.write_address(peer, transaction)),
            (int(Attribute.DATA), data),
        ]
        self._out.append(Send(path, stun.encode(Method.DATA, Kind.INDICATION, transaction, attributes)))

    # ---- what is held ----------------------------------------------------------------------------------------------

    def _arrange(self, allocation: Allocation, now: float) -> None:
        """Put into the fast lane what may be there, take out what may not, and look again when something ends."""
        path = allocation.path
        for channel in tuple(allocation.lanes):
            peer = allocation.channels.get(channel)
            if peer is None or not allocation.may_send(peer, now):
                self._close_lane(allocation, channel)
        for channel, peer in allocation.channels.items():
            relay = allocation.relay_for(stun.family_of(peer[0]))
            if channel in allocation.lanes or relay is None or not allocation.may_send(peer, now):
                continue
            if peer[0] not in self._rules.relays:  # else the data may be for another allocation
                allocation.lanes[channel] = relay.number, peer
                self._out.append(OpenLane(path, channel, relay.number, peer, allocation.meter))
        due = allocation.deadline()
        if not now < allocation.wakes <= due:
            allocation.wakes = due
            self._entries += 1
            heapq.heappush(self._wakes, (due, self._entries, allocation))

    def _close_lane(self, allocation: Allocation, channel: int) -> None:
        relay, peer = allocation.lanes.pop(channel)
        self._out.append(CloseLane(allocation.path, channel, relay, peer))

    def _end(self, allocation: Allocation) -> None:
        """Everything that the client held."""
        for channel in tuple(allocation.lanes):
            self._close_lane(allocation, channel)
        for number in self.registry.remove(allocation):
            self._out.append(CloseRelay(number))


def _demand_known(message: Message, *, is_stranger: bool) -> None:
    """RFC 8489 section 6.3.1: 420 names what was not understood."""
    unknown = message.unknown()
    if unknown:
        attributes = ((int(Attribute.UNKNOWN_ATTRIBUTES), stun.write_types(unknown)),)
        raise Denied(420, "attribute.unknown", str(unknown), attributes=attributes, is_stranger=is_stranger)
