"""A TURN server's machine in a world whose time is turned by hand, and clients that talk to it."""

from itertools import count

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.credentials import credential
from wirehop.rtc.pure.options import TurnOptions
from wirehop.rtc.pure.outputs import CloseLane, CloseRelay, OpenLane, OpenRelay, Output, Path, Refused, Relay, Send
from wirehop.rtc.pure.peers import PeerRules
from wirehop.rtc.pure.stun import Address, Attribute, Family, Kind, Message, Method
from wirehop.rtc.pure.turn import TurnServer

SECRET = "north-north-north"
RELAY = {Family.IPV4: "198.51.100.1", Family.IPV6: "2600::1"}
PEER = ("203.0.113.5", 4000)
PEER_6 = ("2600::5", 4000)
OWN = "198.51.100.9"
UDP = (int(Attribute.REQUESTED_TRANSPORT), b"\x11\0\0\0")
WALL = 1_800_000_000.0


class World:
    """One server. Relays are opened as soon as they are asked for, unless `opens` is false."""

    def __init__(
        self, *, families: tuple[Family, ...] = (Family.IPV4,), allow: tuple[str, ...] = (), **options: object
    ) -> None:
        self.now = 1000.0
        self.opens = True
        self.relays: dict[int, Address] = {}
        self.lanes: dict[tuple[Path, int], OpenLane] = {}
        self.refused: list[Refused] = []
        self.inbox: dict[Path, list[bytes]] = {}
        self.to_peers: list[Relay] = []
        self._ports = count(50_000, 2)
        self._transactions = count(1)
        tokens = count(1)
        rules = PeerRules(
            allow=allow, deny=["192.0.2.0/24"], own=[OWN, *RELAY.values()], relays=[RELAY[each] for each in families]
        )
        chosen = TurnOptions(secret=SECRET, families=families, **options)  # type: ignore[arg-type]
        self.server = TurnServer(chosen, rules, key=b"k" * 32, tokens=lambda: next(tokens).to_bytes(8, "big"))
        self.server.wall_ahead = WALL - self.now

    def received(self, path: Path, data: bytes) -> list[bytes]:
        """What the client gets for it."""
        self.server.received(path, data, self.now)
        self.drain()
        return self.inbox.pop(path, [])

    def peer_sends(self, relay: Address, peer: Address, data: bytes) -> None:
        number = next(number for number, address in self.relays.items() if address == relay)
        self.server.from_peer(number, peer, data, self.now)
        self.drain()

    def wait(self, seconds: float) -> None:
        """Time passes, with every tick that is due."""
        end = self.now + seconds
        while (due := self.server.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.server.tick(self.now)
            self.drain()
        self.now = end
        self.server.tick(self.now)
        self.drain()

    def drain(self) -> None:
        while outputs := self.server.take():
            for output in outputs:
                self._do(output)

    def _do(self, output: Output) -> None:
        match output:
            case Send():
                self.inbox.setdefault(output.path, []).append(output.data)
            case Relay():
                assert output.relay in self.relays, "to a closed relay"
                self.to_peers.append(output)
            case OpenRelay() if self.opens:
                port = next(self._ports)
                self.relays[output.number] = RELAY[output.family], port
                pair = (RELAY[output.family], port + 1) if output.pair else None
                if pair:
                    self.relays[output.pair] = pair
                self.server.opened(output.number, self.relays[output.number], self.now, pair)
            case OpenRelay():
                self.server.failed(output.number, "no port is free", self.now)
            case CloseRelay():
                assert not any(lane.relay == output.number for lane in self.lanes.values()), "a lane into nothing"
                del self.relays[output.number]
            case OpenLane():
                assert (output.path, output.channel) not in self.lanes
                self.lanes[output.path, output.channel] = output
            case CloseLane():
                opened = self.lanes.pop((output.path, output.channel))
                assert (opened.relay, opened.peer) == (output.relay, output.peer)
            case Refused():
                self.refused.append(output)

    def client(self, user: str = "anna", *, port: int = 40_000, wire: str = "udp", age: float = 3600.0) -> "Client":
        return Client(self, user, Path(wire, "203.0.113.77", port), age)  # type: ignore[arg-type]


class Client:
    """Somebody with credentials, on one path."""

    def __init__(self, world: World, user: str, path: Path, age: float) -> None:
        self.world = world
        self.path = path
        self.transactions = count(path.port << 32)
        self.credential = credential(SECRET, user, now=WALL + world.now - 1000, age=age)
        self.password = self.credential.password
        self.nonce = b""
        self.realm = ""
        self.sha256 = False

    def request(self, method: Method, *attributes: tuple[int, bytes], transaction: bytes = b"") -> bytes:
        """A signed request."""
        key = stun.long_term_key(self.credential.username, self.realm, self.password)
        signs = [
            (int(Attribute.USERNAME), self.credential.username.encode()),
            (int(Attribute.REALM), self.realm.encode()),
            (int(Attribute.NONCE), self.nonce),
        ]
        transaction = transaction or self.transaction()
        return stun.encode(
            method, Kind.REQUEST, transaction, [*attributes, *signs], key=key, sha256=self.sha256, fingerprint=True
        )

    def transaction(self) -> bytes:
        return next(self.transactions).to_bytes(12, "big")

    def learn(self) -> None:
        """Ask without a signature, for realm and nonce."""
        answer = self.exchange(stun.encode(Method.ALLOCATE, Kind.REQUEST, self.transaction(), [UDP]))
        assert answer.error() == (401, "Unauthenticated")
        self.realm, self.nonce = answer.text(Attribute.REALM) or "", answer.value(Attribute.NONCE) or b""

    def exchange(self, data: bytes) -> Message:
        answers = self.world.received(self.path, data)
        assert len(answers) == 1
        return stun.decode(answers[0])

    def ask(self, method: Method, *attributes: tuple[int, bytes]) -> Message:
        """The answer, whose signature is checked where there is one."""
        if not self.nonce:
            self.learn()
        answer = self.exchange(self.request(method, *attributes))
        if answer.is_signed:
            assert answer.is_signed_with(stun.long_term_key(self.credential.username, self.realm, self.password))
        return answer

    def allocate(self, *attributes: tuple[int, bytes]) -> Address:
        answer = self.ask(Method.ALLOCATE, UDP, *attributes)
        assert answer.kind == Kind.SUCCESS, answer.error()
        assert answer.address(Attribute.XOR_MAPPED_ADDRESS) == self.path.source
        relayed = answer.address(Attribute.XOR_RELAYED_ADDRESS)
        assert relayed is not None
        return relayed

    def permit(self, *peers: Address) -> Message:
        transaction = self.transaction()
        values = [(int(Attribute.XOR_PEER_ADDRESS), stun.write_address(peer, transaction)) for peer in peers]
        return self._asked(Method.CREATE_PERMISSION, transaction, values)

    def bind(self, channel: int, peer: Address) -> Message:
        transaction = self.transaction()
        values = [
            (int(Attribute.CHANNEL_NUMBER), channel.to_bytes(2, "big") + b"\0\0"),
            (int(Attribute.XOR_PEER_ADDRESS), stun.write_address(peer, transaction)),
        ]
        return self._asked(Method.CHANNEL_BIND, transaction, values)

    def refresh(self, lifetime: int | None = None, *more: tuple[int, bytes]) -> Message:
        value = [] if lifetime is None else [(int(Attribute.LIFETIME), lifetime.to_bytes(4, "big"))]
        return self.ask(Method.REFRESH, *value, *more)

    def send(self, peer: Address, data: bytes, *more: tuple[int, bytes]) -> None:
        transaction = self.transaction()
        values = [
            (int(Attribute.XOR_PEER_ADDRESS), stun.write_address(peer, transaction)),
            (int(Attribute.DATA), data),
            *more,
        ]
        assert self.world.received(self.path, stun.encode(Method.SEND, Kind.INDICATION, transaction, values)) == []

    def channel(self, number: int, data: bytes) -> None:
        head = number.to_bytes(2, "big") + len(data).to_bytes(2, "big")
        assert self.world.received(self.path, head + data) == []

    def got(self) -> list[tuple[Address | int, bytes]]:
        """What peers sent: by channel, or in indications with the peer."""
        found: list[tuple[Address | int, bytes]] = []
        for data in self.world.inbox.pop(self.path, []):
            if data[0] & 0xC0:
                size = int.from_bytes(data[2:4], "big")
                assert self.path.wire != "udp" or len(data) == size + 4
                found.append((int.from_bytes(data[:2], "big"), data[4 : 4 + size]))
            else:
                message = stun.decode(data)
                assert (message.method, message.kind) == (Method.DATA, Kind.INDICATION)
                peer = message.address(Attribute.XOR_PEER_ADDRESS)
                assert peer is not None
                found.append((peer, message.value(Attribute.DATA) or b""))
        return found

    def _asked(self, method: Method, transaction: bytes, values: list[tuple[int, bytes]]) -> Message:
        if not self.nonce:
            self.learn()
        return self.exchange(self.request(method, *values, transaction=transaction))


def code_of(answer: Message) -> int:
    """0: success."""
    error = answer.error()
    return 0 if error is None else error[0]
