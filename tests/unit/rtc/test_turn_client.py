"""The client's side of TURN, against the server's machine over a network that chance makes bad."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turn_world import SECRET, WALL, World

from wirehop.core.errors import LocalProtocolError
from wirehop.rtc.pure import stun
from wirehop.rtc.pure.credentials import credential
from wirehop.rtc.pure.outputs import Path
from wirehop.rtc.pure.stun import Address, Attribute, Kind, Method
from wirehop.rtc.pure.turn_client import PENDING, Answered, Arrived, Output, Refused, Transmit, TurnClient, Unanswered

PATH = Path("udp", "203.0.113.77", 40_000, 1)
UDP = ((int(Attribute.REQUESTED_TRANSPORT), b"\x11\0\0\0"),)
ENDS = (Answered, Refused, Unanswered)


def made(*, password: str = "", age: float = 3600.0, **options: bool) -> TurnClient:
    numbers = count(1)
    who = credential(SECRET, "anna", now=WALL, age=age)
    return TurnClient(
        lambda: next(numbers).to_bytes(12, "big"),
        username=who.username,
        password=password or who.password,
        **options,  # type: ignore[arg-type]
    )


class Network:
    """Between one client and a server; `fates` says of each message whether it is lost, comes, or comes twice."""

    def __init__(self, client: TurnClient, world: World, fates: list[int] | None = None) -> None:
        self.client = client
        self.world = world
        self.found: list[Output] = []
        self.sent: list[bytes] = []
        self._fates = iter(fates or ())

    def run(self, seconds: float) -> None:
        """Until nothing is being asked, or so long."""
        end = self.world.now + seconds
        self._settle()
        while (due := self.client.deadline()) is not None and due <= end:
            self.world.wait(due - self.world.now)
            self.client.tick(self.world.now)
            self._settle()
        self.world.wait(end - self.world.now)

    def _settle(self) -> None:
        while outputs := self.client.take():
            for output in outputs:
                if not isinstance(output, Transmit):
                    self.found.append(output)
                    continue
                self.sent.append(output.data)
                for _ in range(next(self._fates, 1)):
                    for answer in self.world.received(PATH, output.data):
                        for _ in range(next(self._fates, 1)):
                            self.client.received(answer, self.world.now)


def asked(client: TurnClient, *, world: World | None = None, seconds: float = 10.0) -> list[Output]:
    world = world or World()
    network = Network(client, world)
    client.ask(Method.ALLOCATE, UDP, world.now)
    network.run(seconds)
    return network.found


def relayed(outputs: list[Output]) -> Address:
    (answered,) = outputs
    assert isinstance(answered, Answered)
    address = answered.message.address(Attribute.XOR_RELAYED_ADDRESS)
    assert address is not None
    return address


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 2), max_size=80),
    st.lists(st.sampled_from([Method.BINDING, Method.ALLOCATE, Method.REFRESH]), min_size=1, max_size=6),
)
def test_every_question_ends_once_whatever_the_network_does(fates: list[int], methods: list[Method]) -> None:
    world = World()
    client = made()
    network = Network(client, world, fates)
    numbers = [client.ask(method, UDP if method == Method.ALLOCATE else (), world.now) for method in methods]
    network.run(60.0)
    ends = [output.number for output in network.found if isinstance(output, ENDS)]
    assert sorted(ends) == numbers
    assert client.deadline() is None
    for output in network.found:
        if isinstance(output, Answered) and output.message.method == Method.ALLOCATE:
            assert output.message.address(Attribute.XOR_RELAYED_ADDRESS) in world.relays.values()


@given(st.lists(st.binary(max_size=80), max_size=5), st.integers(0, 3), st.booleans())
def test_anything_may_come_and_nothing_is_raised(pieces: list[bytes], kind: int, is_ours: bool) -> None:
    client = made()
    number = client.ask(Method.ALLOCATE, UDP, 0.0)
    for piece in pieces:
        client.received(piece, 0.1)
        transaction = (1).to_bytes(12, "big") if is_ours else b"x" * 12
        client.received(stun.encode(Method.ALLOCATE, Kind(kind), transaction, [(0x0009, piece), (0x7FFF, piece)]), 0.2)
    client.tick(100.0)
    ends = [output for output in client.take() if isinstance(output, ENDS)]
    assert [end.number for end in ends] == [number]


def test_an_allocation_and_data_both_ways() -> None:
    world = World()
    client = made()
    network = Network(client, world)
    client.ask(Method.ALLOCATE, UDP, world.now)
    network.run(10.0)
    relay = relayed(network.found)
    peer = ("203.0.113.5", 4000)
    client.ask(Method.CREATE_PERMISSION, ((Attribute.XOR_PEER_ADDRESS, peer),), world.now)
    client.send(peer, b"there")
    network.run(10.0)
    assert [(each.peer, each.data) for each in world.to_peers] == [(peer, b"there")]
    world.peer_sends(relay, peer, b"back")
    for data in world.inbox.pop(PATH):
        client.received(data, world.now)
    assert client.take() == [Arrived(peer, b"back")]


def test_a_wrong_password_is_said_to_be_one_and_not_tried_for_ever() -> None:
    (found,) = asked(made(password="of another secret"))
    assert isinstance(found, Refused)
    assert (found.code, found.is_signed) == (401, True)


def test_without_a_password_the_greeting_is_the_answer() -> None:
    (found,) = asked(TurnClient(lambda: bytes(12)))
    assert isinstance(found, Refused)
    assert (found.code, found.is_signed) == (401, False)


def test_a_nonce_that_is_old_by_now_is_taken_anew() -> None:
    world = World(lifetime=86_400.0)
    client = made(age=86_400.0)
    network = Network(client, world)
    client.ask(Method.ALLOCATE, ((*UDP[0],), (Attribute.LIFETIME, (20_000).to_bytes(4, "big"))), world.now)
    network.run(4000.0)
    client.ask(Method.REFRESH, (), world.now)
    network.run(10.0)
    assert [type(each) for each in network.found] == [Answered, Answered]
    codes = [stun.decode(data).method for data in network.sent]
    assert codes == [Method.ALLOCATE, Method.ALLOCATE, Method.REFRESH, Method.REFRESH]


def test_over_udp_it_asks_again_and_over_a_connection_only_once() -> None:
    for is_reliable, times in ((False, [0.0, 0.5, 1.5, 3.5]), (True, [0.0])):
        client = made(is_reliable=is_reliable)
        client.ask(Method.BINDING, (), 0.0)
        now, sent = 0.0, []
        while True:
            sent += [now for output in client.take() if isinstance(output, Transmit)]
            due = client.deadline()
            assert due is not None
            now = due
            client.tick(now)
            if client.deadline() is None:
                break
        assert sent == times
        assert client.take() == [Unanswered(1)]
        assert now == 5.0


def test_a_success_that_is_not_signed_or_wrongly_is_not_believed() -> None:
    world = World()
    client = made()
    network = Network(client, world)
    client.ask(Method.ALLOCATE, UDP, world.now)
    network.run(1.0)
    client.ask(Method.REFRESH, (), world.now)
    (output,) = client.take()
    assert isinstance(output, Transmit)
    transaction = stun.decode(output.data).transaction
    for key in (None, b"another key"):
        client.received(stun.encode(Method.REFRESH, Kind.SUCCESS, transaction, key=key), world.now)
    assert client.counters["forged"] == 2
    assert client.take() == []
    for answer in world.received(PATH, output.data):
        client.received(answer, world.now)
    (answered,) = client.take()
    assert isinstance(answered, Answered)


def test_so_many_questions_at_a_time_and_no_more() -> None:
    client = made()
    for _ in range(PENDING):
        client.ask(Method.BINDING, (), 0.0)
    with pytest.raises(LocalProtocolError):
        client.ask(Method.BINDING, (), 0.0)
    assert len(client.take()) == PENDING
