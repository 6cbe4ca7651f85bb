"""One test for each attack on the TURN server, named after it, over real sockets.

Where it would not be clear otherwise the honest version is let through first, so that no test passes because nothing
works.
"""

import logging
import os
import socket
import struct
from collections.abc import Iterator

import pytest
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st
from turn_live import PEER, SECRET, SERVER, Live, drained, running
from turn_world import UDP, Client, code_of

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.credentials import password_of
from wirehop.rtc.pure.peers import PeerRules
from wirehop.rtc.pure.stun import Attribute, Kind, Method
from wirehop.settings.tree import Rtc


def settings(**changed: object) -> Rtc:
    return Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{PEER}/32",), bandwidth=0, **changed)  # type: ignore[arg-type]


@pytest.fixture
def live() -> Iterator[Live]:
    with running(settings()) as live:
        yield live


def refused(client: Client, *, rule: str, code: int = 401) -> None:
    """The client gets no allocation, by that rule, and one that did nothing wrong gets one."""
    counters = client.world._live.service.machine.counters  # type: ignore[attr-defined]
    before = counters[rule]
    assert code_of(client.ask(Method.ALLOCATE, UDP)) == code
    assert counters[rule] == before + 1
    client.world._live.client("honest").allocate()  # type: ignore[attr-defined]


# ---- credentials ---------------------------------------------------------------------------------------------------


def test_expired_credentials(live: Live) -> None:
    refused(live.client(age=-1), rule="credentials.expired")


def test_forged_credentials(live: Live) -> None:
    client = live.client()
    client.password = password_of("another secret than ours", client.credential.username)
    refused(client, rule="credentials.forged")


@pytest.mark.parametrize(
    "username", ["anna", "9999999999", "9999999999:", ":anna", "99999999999999999999:anna", "１:a"]
)
def test_a_username_without_an_end(live: Live, username: str) -> None:
    client = live.client()
    client.credential = type(client.credential)(username, "", 0)
    client.password = password_of(SECRET, username)  # even if somebody could sign it
    refused(client, rule="credentials.malformed")


def test_an_expiry_moved_into_the_future(live: Live) -> None:
    client = live.client(age=-1)
    client.credential = type(client.credential)("9999999999:anna", client.password, 0)
    refused(client, rule="credentials.forged")


def test_another_realm(live: Live) -> None:
    client = live.client()
    client.learn()
    client.realm = "elsewhere"
    refused(client, rule="credentials.malformed")


def test_a_nonce_that_somebody_else_was_given(live: Live) -> None:
    other, client = live.client(), live.client()
    other.learn()
    client.realm, client.nonce = other.realm, other.nonce
    refused(client, rule="nonce.stale", code=438)


def test_a_nonce_made_up(live: Live) -> None:
    client = live.client()
    client.learn()
    for nonce in (b"", b"x", b"0" * 24, client.nonce[:-1], client.nonce + b"0", b"\xff" * 24):
        client.nonce = nonce or b" "
        refused(client, rule="nonce.stale", code=438)


def test_a_captured_request_from_another_address(live: Live) -> None:
    client, thief = live.client(), live.client("thief")
    client.learn()
    request = client.request(Method.ALLOCATE, UDP)
    assert code_of(client.exchange(request)) == 0
    assert code_of(thief.exchange(request)) == 438


def test_a_signature_cut_off_or_cut_short(live: Live) -> None:
    client = live.client()
    client.learn()
    signs = [
        (int(Attribute.USERNAME), client.credential.username.encode()),
        (int(Attribute.REALM), client.realm.encode()),
        (int(Attribute.NONCE), client.nonce),
    ]
    for more in (
        [],
        [(int(Attribute.MESSAGE_INTEGRITY_SHA256), b"")],
        [(int(Attribute.MESSAGE_INTEGRITY_SHA256), b"1234")],
    ):
        request = stun.encode(Method.ALLOCATE, Kind.REQUEST, client.transaction(), [UDP, *signs, *more])
        assert code_of(client.exchange(request)) == 401
    assert live.service.machine.registry.count == 0
    client.allocate()


def test_another_user_at_somebodys_allocation(live: Live) -> None:
    client, other = live.client(), live.client("berta")
    client.allocate()
    client.credential, client.password = other.credential, other.password
    assert code_of(client.refresh(0)) == 441
    assert live.service.machine.registry.count == 1


# ---- floods --------------------------------------------------------------------------------------------------------


def test_unauthenticated_floods_hold_no_memory_and_get_few_answers() -> None:
    with running(settings(unauthenticated_rate=20)) as live:
        answers = 0
        for number in range(50):
            sock = live.socket()
            for _ in range(10):
                kind = Method.ALLOCATE if number % 2 else Method.BINDING
                sock.sendto(
                    stun.encode(kind, Kind.REQUEST, os.urandom(12), [UDP] if number % 2 else []),
                    (SERVER, live.service.port),
                )
            live.turn()
            answers += len(drained(sock))
        machine = live.service.machine
        assert machine.counters["rate.unauthenticated"] >= 500 - answers > 0
        assert 20 <= answers <= 20 * 31, "twenty in a second"
        assert machine.registry.count == 0
        assert machine.deadline() is None, "nothing is remembered that would have to end"


def test_floods_of_forged_credentials_get_few_answers() -> None:
    with running(settings(unauthenticated_rate=20)) as live:
        client = live.client()
        client.learn()
        client.password = "wrong"
        answers = sum(len(client.world.received(client.path, client.request(Method.ALLOCATE, UDP))) for _ in range(300))
        assert answers <= 20 * 31
        counters = live.service.machine.counters
        assert counters["credentials.forged"] == 300
        assert counters["rate.unauthenticated"] == 300 - answers


def test_answers_to_a_forged_sender_are_little_larger_than_what_asked(live: Live) -> None:
    """Nobody is worth using as an amplifier: an answer without credentials is less than six times the question."""
    client = live.client()
    for question in (
        stun.encode(Method.BINDING, Kind.REQUEST, client.transaction()),
        stun.encode(Method.ALLOCATE, Kind.REQUEST, client.transaction()),
        stun.encode(Method.BINDING, Kind.REQUEST, client.transaction(), [(0x7F00 + n, b"") for n in range(60)]),
    ):
        (answer,) = client.world.received(client.path, question)
        assert len(answer) < 6 * len(question)


def test_the_log_of_a_flood_stays_short(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    client = live.client()
    client.allocate()
    with caplog.at_level(logging.INFO, "wirehop.turn"):
        for _ in range(100):
            assert code_of(client.permit(("10.0.0.1", 1))) == 403
    assert 1 <= len(caplog.records) <= 60
    assert "peer.private" in caplog.records[0].getMessage()


# ---- peers ---------------------------------------------------------------------------------------------------------

FORBIDDEN = {
    "127.0.0.1": "",  # the relay's own address: permitted, but nothing but relays is reached there
    "127.0.0.9": "loopback",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "shared",
    "169.254.169.254": "link_local",
    "0.0.0.0": "unspecified",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "255.255.255.255": "reserved",
    "240.0.0.1": "reserved",
}


@pytest.mark.parametrize("host", [host for host, rule in FORBIDDEN.items() if rule])
def test_private_and_loopback_peers(live: Live, host: str, caplog: pytest.LogCaptureFixture) -> None:
    client = live.client()
    client.allocate()
    with caplog.at_level(logging.INFO, "wirehop.turn"):
        assert code_of(client.permit((host, 80))) == 403
        assert code_of(client.bind(0x4000, (host, 80))) == 403
    rule = f"peer.{FORBIDDEN[host]}"
    assert live.service.machine.counters[rule] == 2
    assert rule in caplog.text
    assert host in caplog.text
    assert code_of(client.permit((PEER, 80))) == 0


@pytest.mark.parametrize(
    ("host", "rule"),
    [
        ("::1", "loopback"),
        ("::", "unspecified"),
        ("::ffff:127.0.0.1", "translated"),
        ("::ffff:10.0.0.1", "translated"),
        ("64:ff9b::7f00:1", "translated"),
        ("2002:7f00:1::", "translated"),
        ("2001:0:7f00:1::", "translated"),
        ("::127.0.0.1", "reserved"),
        ("fe80::1", "link_local"),
        ("fd00::1", "private"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("4000::1", "reserved"),
        ("2600::9", "own"),
        ("2600::7", "denied"),
        ("2600::1", ""),
    ],
)
def test_loopback_dressed_up_as_ipv6(host: str, rule: str) -> None:
    rules = PeerRules(own=["2600::9"], deny=["2600::7/128"])
    assert rules.refusal(host) == rule


def test_the_servers_own_address(live: Live) -> None:
    """A program of the same machine, at the address that relays announce."""
    client = live.client()
    client.allocate()
    target = live.socket(SERVER)
    assert code_of(client.permit(target.getsockname())) == 0
    client.send(target.getsockname(), b"hello")
    assert code_of(client.bind(0x4000, target.getsockname())) == 0
    client.channel(0x4000, b"hello")
    live.turn()
    assert drained(target) == []
    assert live.service.machine.counters["peer.own"] == 2
    honest = live.socket(PEER)
    client.permit(honest.getsockname())
    client.send(honest.getsockname(), b"hello")
    assert drained(honest) == [b"hello"]


def test_permission_skipped(live: Live) -> None:
    client = live.client()
    relayed = client.allocate()
    target, other = live.socket(PEER), live.socket(PEER)
    client.send(target.getsockname(), b"no permission")
    client.channel(0x4000, b"no channel")
    target.sendto(b"from a stranger", relayed)
    live.turn()
    assert drained(target) == []
    assert client.got() == []
    client.bind(0x4000, other.getsockname())
    client.channel(0x4000, b"yes")
    assert drained(other) == [b"yes"]
    assert drained(target) == []


def test_data_without_an_allocation(live: Live) -> None:
    target = live.socket(PEER)
    honest = live.client()
    honest.allocate()
    honest.bind(0x4000, target.getsockname())
    thief = live.client("thief")
    thief.channel(0x4000, b"over somebody's channel")
    thief.send(target.getsockname(), b"and without one")
    assert drained(target) == []
    assert live.service.machine.counters["data.no_allocation"] == 2


def test_port_zero(live: Live) -> None:
    client = live.client()
    client.allocate()
    client.permit((PEER, 0))
    client.send((PEER, 0), b"nowhere")
    assert live.service.machine.counters["data.no_port"] == 1


# ---- quotas --------------------------------------------------------------------------------------------------------


def test_more_allocations_than_a_user_may_have() -> None:
    with running(settings(allocations_per_user=3)) as live:
        clients = [live.client() for _ in range(4)]
        for client in clients[:3]:
            client.allocate()
        assert code_of(clients[3].ask(Method.ALLOCATE, UDP)) == 486
        assert live.service.machine.counters["quota.user"] == 1
        later = live.client(age=7200)  # the same user by another credential
        assert code_of(later.ask(Method.ALLOCATE, UDP)) == 486
        live.client("berta").allocate()
        clients[0].refresh(0)
        clients[3].allocate()


def test_reservations_count_too() -> None:
    with running(settings(allocations_per_user=3)) as live:
        pair = (int(Attribute.EVEN_PORT), b"\x80")
        live.client().allocate(pair)
        assert code_of(live.client().ask(Method.ALLOCATE, UDP, pair)) == 486
        live.client().allocate()


def test_more_allocations_than_the_server_has() -> None:
    with running(settings(allocations=3)) as live:
        clients = [live.client(f"user{number}") for number in range(4)]
        for client in clients[:3]:
            client.allocate()
        assert code_of(clients[3].ask(Method.ALLOCATE, UDP)) == 508
        clients[0].refresh(0)
        clients[3].allocate()


def test_more_bandwidth_than_an_allocation_has() -> None:
    rtc = Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{PEER}/32",), bandwidth=1)
    with running(rtc) as live:
        client, target = live.client(), live.socket(PEER)
        client.allocate()
        client.bind(0x4000, target.getsockname())
        for _ in range(200):
            client.channel(0x4000, bytes(1000))
        assert 60 <= len(drained(target)) <= 70
        assert live.service.machine.counters["rate.bandwidth"] >= 130


# ---- malformed -----------------------------------------------------------------------------------------------------

_values = st.binary(max_size=24)
_attributes = st.lists(st.tuples(st.sampled_from(Attribute) | st.integers(0, 0xFFFF), _values), max_size=8)


@pytest.fixture(scope="module")
def long_lived() -> Iterator[tuple[Live, Client]]:
    with running(settings(unauthenticated_rate=1_000_000_000)) as live:
        client = live.client()
        client.learn()
        yield live, client


@examples(300)
@given(method=st.sampled_from(Method) | st.integers(0, 0xFF), attributes=_attributes)
def test_malformed_attributes_behind_a_right_signature(
    long_lived: tuple[Live, Client], method: int, attributes: list[tuple[int, bytes]]
) -> None:
    """Whatever a participant with good credentials makes up: an answer, and the server goes on."""
    live, client = long_lived
    if attributes and attributes[0][0] % 2:
        attributes = [UDP, *attributes]
    answers = client.world.received(client.path, client.request(method, *attributes))  # type: ignore[arg-type]
    assert len(answers) <= 1
    for answer in answers:
        stun.decode(answer)
    alive(live)


@examples(300)
@given(
    kind=st.sampled_from(Kind),
    method=st.sampled_from(Method),
    attributes=_attributes,
    cut=st.integers(0, 8),
    flip=st.integers(0, 4000),
)
def test_malformed_messages_without_any(
    long_lived: tuple[Live, Client],
    kind: Kind,
    method: Method,
    attributes: list[tuple[int, bytes]],
    cut: int,
    flip: int,
) -> None:
    live, client = long_lived
    data = bytearray(stun.encode(method, kind, b"x" * 12, attributes))
    data[flip // 8 % len(data)] ^= 1 << flip % 8
    client.world.received(client.path, bytes(data[: len(data) - cut]))
    alive(live)


@examples(200)
@given(data=st.binary(max_size=64))
def test_noise(long_lived: tuple[Live, Client], data: bytes) -> None:
    live, client = long_lived
    client.world.received(client.path, data)
    alive(live)


def test_a_datagram_as_large_as_there_are(live: Live) -> None:
    client, target = live.client(), live.socket(PEER)
    relayed = client.allocate()
    client.bind(0x4000, target.getsockname())
    sock: socket.socket = client.world.sock  # type: ignore[attr-defined]
    sock.send(b"\x40\0" + struct.pack("!H", 65_503) + bytes(65_503))
    live.turn()
    assert [len(data) for data in drained(target)] == [65_503]
    target.sendto(bytes(65_507), relayed)  # with a header it is larger than a datagram can be
    assert client.got() == []
    assert live.service.machine.counters["send.too_big"] == 1
    alive(live)


def alive(live: Live) -> None:
    """A Binding is still answered."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.bind((SERVER, 0))
        sock.setblocking(False)
        sock.sendto(stun.encode(Method.BINDING, Kind.REQUEST, b"y" * 12), (SERVER, live.service.port))
        live.turn()
        assert len(drained(sock)) == 1
