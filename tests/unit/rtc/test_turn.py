"""The TURN server's machine, request by request, and what ends by time."""

import pytest
from turn_world import PEER, PEER_6, RELAY, SECRET, UDP, World, code_of

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.stun import Attribute, Family, Kind, Method

BOTH = (Family.IPV4, Family.IPV6)
ALSO_6 = (int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\x02\0\0\0")
ASK_6 = (int(Attribute.REQUESTED_ADDRESS_FAMILY), b"\x02\0\0\0")
ASK_4 = (int(Attribute.REQUESTED_ADDRESS_FAMILY), b"\x01\0\0\0")
EVEN = (int(Attribute.EVEN_PORT), b"\0")
EVEN_AND_NEXT = (int(Attribute.EVEN_PORT), b"\x80")


def token(value: bytes) -> tuple[int, bytes]:
    return int(Attribute.RESERVATION_TOKEN), value


def test_binding_tells_anybody_where_the_request_came_from() -> None:
    world = World()
    client = world.client()
    answer = client.exchange(stun.encode(Method.BINDING, Kind.REQUEST, client.transaction()))
    assert answer.kind == Kind.SUCCESS
    assert answer.address(Attribute.XOR_MAPPED_ADDRESS) == client.path.source


def test_a_conversation() -> None:
    world = World()
    client = world.client()
    relayed = client.allocate()
    assert relayed[0] == RELAY[Family.IPV4]
    assert code_of(client.permit(PEER)) == 0
    client.send(PEER, b"one")
    assert [(each.peer, each.data) for each in world.to_peers] == [(PEER, b"one")]
    world.peer_sends(relayed, PEER, b"two")
    world.peer_sends(relayed, (PEER[0], 9), b"another port of the same address")
    assert client.got() == [(PEER, b"two"), ((PEER[0], 9), b"another port of the same address")]
    assert code_of(client.bind(0x4000, PEER)) == 0
    client.channel(0x4000, b"three")
    world.peer_sends(relayed, PEER, b"four")
    assert world.to_peers[-1].data == b"three"
    assert client.got() == [(0x4000, b"four")]
    assert code_of(client.refresh(0)) == 0
    assert world.relays == world.lanes == {}
    assert world.server.registry.count == 0
    assert world.server.registry.users == {}


@pytest.mark.parametrize("sha256", [False, True])
def test_answers_are_signed_as_requests_are(sha256: bool) -> None:
    client = World().client()
    client.sha256 = sha256
    client.learn()
    answer = client.ask(Method.ALLOCATE, UDP)
    assert answer.kind == Kind.SUCCESS
    assert bool(answer.sha256_at) == sha256
    assert bool(answer.sha1_at) != sha256


def test_data_over_a_stream_is_padded() -> None:
    world = World()
    client = world.client(wire="tcp")
    relayed = client.allocate()
    client.bind(0x4000, PEER)
    assert world.lanes
    world.peer_sends(relayed, PEER, b"abcde")
    assert world.inbox.pop(client.path) == [b"\x40\0\0\x05abcde\0\0\0"]


def test_the_same_allocate_again_gets_the_same_answer_and_another_437() -> None:
    world = World()
    client = world.client()
    client.learn()
    request = client.request(Method.ALLOCATE, UDP)
    first, second = world.received(client.path, request), world.received(client.path, request)
    assert first == second
    assert len(world.relays) == 1
    assert code_of(client.ask(Method.ALLOCATE, UDP)) == 437


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ([], 400),
        ([(int(Attribute.REQUESTED_TRANSPORT), b"\x11")], 400),
        ([(int(Attribute.REQUESTED_TRANSPORT), b"\x06\0\0\0")], 442),
        ([UDP, (0x7F01, b"")], 420),
        ([UDP, ASK_6], 440),
        ([UDP, (int(Attribute.REQUESTED_ADDRESS_FAMILY), b"\x07\0\0\0")], 440),
        ([UDP, (int(Attribute.REQUESTED_ADDRESS_FAMILY), b"")], 0),
        ([UDP, ALSO_6, ASK_4], 400),
        ([UDP, ALSO_6, EVEN_AND_NEXT], 400),
        ([UDP, (int(Attribute.ADDITIONAL_ADDRESS_FAMILY), b"\x01\0\0\0")], 400),
        ([UDP, token(b"12345678")], 508),
        ([UDP, token(b"123")], 400),
        ([UDP, token(b"12345678"), EVEN], 400),
        ([UDP, token(b"12345678"), ASK_4], 400),
        ([UDP, (int(Attribute.EVEN_PORT), b"\0\0")], 400),
        ([UDP, (int(Attribute.LIFETIME), b"\0")], 400),
        ([UDP, (int(Attribute.DONT_FRAGMENT), b"")], 0),
        ([UDP, EVEN], 0),
    ],
)
def test_what_allocate_may_ask_for(attributes: list[tuple[int, bytes]], code: int) -> None:
    world = World()
    assert code_of(world.client().ask(Method.ALLOCATE, *attributes)) == code
    assert len(world.relays) == (code == 0)
    assert world.server.registry.count == (code == 0)
    assert [each.code for each in world.refused] == [code] * (code != 0)


def test_420_names_what_was_not_understood() -> None:
    answer = World().client().ask(Method.ALLOCATE, UDP, (0x7F01, b""), (0x7F02, b""))
    assert answer.value(Attribute.UNKNOWN_ATTRIBUTES) == b"\x7f\x01\x7f\x02"


def test_methods_that_nobody_knows() -> None:
    client = World().client()
    assert code_of(client.exchange(stun.encode(0x0B, Kind.REQUEST, client.transaction()))) == 400


@pytest.mark.parametrize(
    ("asked", "granted"), [(None, 600), (1, 600), (600, 600), (1200, 1200), (3600, 3600), (2**32 - 1, 3600)]
)
def test_lifetimes_are_granted_from_ten_minutes_to_the_limit(asked: int | None, granted: int) -> None:
    world = World()
    client = world.client()
    lifetime = [] if asked is None else [(int(Attribute.LIFETIME), asked.to_bytes(4, "big"))]
    answer = client.ask(Method.ALLOCATE, UDP, *lifetime)
    assert answer.value(Attribute.LIFETIME) == granted.to_bytes(4, "big")
    world.wait(granted - 1)
    assert world.relays
    world.wait(1)
    assert not world.relays
    assert code_of(client.refresh()) == 437


def test_refreshing_keeps_it() -> None:
    world = World()
    client = world.client()
    client.allocate()
    for _ in range(20):
        world.wait(500)
        assert code_of(client.refresh(600)) in (0, 438)
        client.nonce = b""  # it grows stale meanwhile
        assert code_of(client.refresh(600)) == 0
    assert world.relays
    world.wait(600)
    assert not world.relays


def test_permissions_end_after_five_minutes_and_channels_after_ten() -> None:
    world = World()
    client = world.client()
    relayed = client.allocate((int(Attribute.LIFETIME), (3600).to_bytes(4, "big")))
    client.bind(0x4000, PEER)
    world.wait(299)
    world.peer_sends(relayed, PEER, b"in time")
    assert client.got() == [(0x4000, b"in time")]
    assert world.lanes
    world.wait(1)
    assert not world.lanes, "the fast lane does not outlive the permission"
    world.peer_sends(relayed, PEER, b"late")
    client.channel(0x4000, b"late")
    assert client.got() == []
    assert world.to_peers == []
    client.permit(PEER)
    assert world.lanes, "and is there again with it"
    client.channel(0x4000, b"again")
    assert [each.data for each in world.to_peers] == [b"again"]
    world.wait(299)
    client.permit(PEER)
    world.wait(1)
    world.peer_sends(relayed, PEER, b"no channel any more")
    assert client.got() == [(PEER, b"no channel any more")]
    assert not world.lanes
    assert code_of(client.bind(0x4001, PEER)) == 0


@pytest.mark.parametrize(
    ("channel", "peer", "code"),
    [
        (0x4000, PEER, 0),
        (0x4000, ("203.0.113.6", 1), 400),
        (0x4001, PEER, 400),
        (0x4001, (PEER[0], 4001), 0),
        (0x3FFF, ("203.0.113.6", 1), 400),
        (0x8000, ("203.0.113.6", 1), 400),
        (0x4001, PEER_6, 443),
        (0x4001, ("127.0.0.1", 1), 403),
    ],
)
def test_a_channel_is_of_one_peer_and_a_peer_of_one_channel(channel: int, peer: tuple[str, int], code: int) -> None:
    client = World().client()
    client.allocate()
    assert code_of(client.bind(0x4000, PEER)) == 0
    assert code_of(client.bind(channel, peer)) == code


def test_permissions_are_installed_all_or_none() -> None:
    world = World()
    client = world.client()
    client.allocate()
    assert code_of(client.permit(PEER, ("10.0.0.1", 5))) == 403
    client.send(PEER, b"no")
    assert world.to_peers == []
    assert world.refused[-1].rule == "peer.private"
    assert code_of(client.permit()) == 400
    assert code_of(client.permit(PEER, ("203.0.113.9", 5))) == 0
    assert code_of(client.permit(PEER_6)) == 443


def test_limits_of_one_allocation() -> None:
    client = World().client()
    client.allocate()
    for number in range(256):
        assert code_of(client.bind(0x4000 + number, (PEER[0], 1000 + number))) == 0
    assert code_of(client.bind(0x4100, (PEER[0], 1))) == 508
    assert code_of(client.bind(0x4001, (PEER[0], 1001))) == 0
    for number in range(255):
        assert code_of(client.permit((f"203.0.112.{number}", 1))) == 0
    assert code_of(client.permit(("203.0.114.1", 1))) == 508
    assert code_of(client.permit(("203.0.112.1", 1))) == 0


def test_two_families_in_one_allocation() -> None:
    world = World(families=BOTH)
    client = world.client()
    answer = client.ask(Method.ALLOCATE, UDP, ALSO_6)
    four, six = (stun.read_address(value, answer.transaction) for value in answer.values(Attribute.XOR_RELAYED_ADDRESS))
    assert four is not None
    assert six is not None
    assert (four[0], six[0]) == (RELAY[Family.IPV4], RELAY[Family.IPV6])
    assert code_of(client.permit(PEER, PEER_6)) == 0
    client.bind(0x4000, PEER_6)
    world.peer_sends(six, PEER_6, b"6")
    world.peer_sends(four, PEER, b"4")
    assert client.got() == [(0x4000, b"6"), (PEER, b"4")]
    assert code_of(client.refresh(0, ASK_6)) == 0
    assert list(world.relays.values()) == [four]
    assert not world.lanes
    assert code_of(client.permit(PEER_6)) == 443
    assert code_of(client.refresh(600, ASK_6)) == 443
    world.peer_sends(four, PEER, b"still")
    assert client.got() == [(PEER, b"still")]
    assert code_of(client.refresh(0)) == 0
    assert not world.relays


def test_an_additional_family_that_is_not_to_be_had_is_said_in_the_answer() -> None:
    answer = World().client().ask(Method.ALLOCATE, UDP, ALSO_6)
    assert answer.kind == Kind.SUCCESS
    assert len(answer.values(Attribute.XOR_RELAYED_ADDRESS)) == 1
    assert (answer.value(Attribute.ADDRESS_ERROR_CODE) or b"")[:4] == b"\x02\0\x04\x28"


def test_ipv6_alone() -> None:
    world = World(families=BOTH)
    client = world.client()
    assert client.allocate(ASK_6)[0] == RELAY[Family.IPV6]
    assert code_of(client.permit(PEER)) == 443


def test_a_port_reserved_beside_an_even_one() -> None:
    world = World()
    first = world.client(port=1)
    answer = first.ask(Method.ALLOCATE, UDP, EVEN_AND_NEXT)
    relayed = answer.address(Attribute.XOR_RELAYED_ADDRESS)
    reserved = answer.value(Attribute.RESERVATION_TOKEN)
    assert relayed is not None
    assert reserved is not None
    assert world.server.registry.count == 2
    stranger = world.client("berta", port=2)
    assert code_of(stranger.ask(Method.ALLOCATE, UDP, token(reserved))) == 508
    second = world.client(port=3)
    assert second.allocate(token(reserved)) == (relayed[0], relayed[1] + 1)
    assert code_of(world.client(port=4).ask(Method.ALLOCATE, UDP, token(reserved))) == 508
    first.refresh(0)
    second.refresh(0)
    assert not world.relays
    assert world.server.registry.users == {}


def test_a_reservation_that_nobody_takes_ends_after_30_seconds() -> None:
    world = World()
    answer = world.client().ask(Method.ALLOCATE, UDP, EVEN_AND_NEXT)
    world.wait(31)
    assert len(world.relays) == 1
    late = world.client(port=2)
    assert code_of(late.ask(Method.ALLOCATE, UDP, token(answer.value(Attribute.RESERVATION_TOKEN) or b""))) == 508


def test_no_port_to_be_had() -> None:
    world = World()
    world.opens = False
    client = world.client()
    assert code_of(client.ask(Method.ALLOCATE, UDP)) == 508
    assert world.server.registry.count == 0
    assert world.server.registry.users == {}
    world.opens = True
    client.allocate()


def test_the_end_of_a_connection_ends_what_its_client_held() -> None:
    world = World()
    client = world.client(wire="tls")
    client.allocate()
    client.bind(0x4000, PEER)
    world.server.gone(client.path, world.now)
    world.drain()
    assert world.relays == world.lanes == {}


def test_two_clients_of_one_server_reach_each_other_inside_it() -> None:
    world = World()
    anna, berta = world.client(port=1), world.client("berta", port=2)
    at_anna, at_berta = anna.allocate(), berta.allocate()
    assert code_of(anna.bind(0x4000, at_berta)) == code_of(berta.permit(at_anna)) == 0
    anna.channel(0x4000, b"hello")
    assert berta.got() == [(at_anna, b"hello")]
    berta.send(at_anna, b"hi")
    assert anna.got() == [(0x4000, b"hi")]
    assert world.to_peers == []
    assert not world.lanes
    berta.refresh(0)
    anna.channel(0x4000, b"to nobody")
    assert world.to_peers == []
    assert world.server.counters["peer.own"] == 1


def test_bandwidth_is_a_bucket_that_fills_with_time() -> None:
    world = World(bandwidth=100_000)
    client = world.client()
    client.allocate()
    client.permit(PEER)
    for _ in range(200):
        client.send(PEER, b"x" * 1000)
    assert len(world.to_peers) == 65, "a burst of 64 KiB"
    assert world.server.counters["rate.bandwidth"] == 135
    world.wait(0.1)
    for _ in range(200):
        client.send(PEER, b"x" * 1000)
    assert len(world.to_peers) == 75


def test_dont_fragment_goes_along() -> None:
    world = World()
    client = world.client()
    client.allocate()
    client.permit(PEER)
    client.send(PEER, b"whole", (int(Attribute.DONT_FRAGMENT), b""))
    client.send(PEER, b"any")
    assert [each.dont_fragment for each in world.to_peers] == [True, False]


def test_time_limited_means_that_no_second_is_added_to_what_is_new() -> None:
    world = World()
    client = world.client(age=100)
    client.allocate()
    client.bind(0x4000, PEER)
    world.wait(101)
    assert code_of(client.refresh(600)) == 0, "a call does not end because its credential does"
    assert code_of(client.permit(PEER)) == 0
    assert code_of(client.bind(0x4000, PEER)) == 0
    elsewhere = world.client(port=7)
    elsewhere.credential, elsewhere.password = client.credential, client.password
    assert code_of(elsewhere.ask(Method.ALLOCATE, UDP)) == 401
    assert world.refused[-1].rule == "credentials.expired"
    assert SECRET not in world.refused[-1].text
