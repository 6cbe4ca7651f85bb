"""The fast lane does what the machine would: the same datagrams through both, with and without Linux's calls."""

import socket
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turn_live import PEER, SECRET, SERVER, drained, running
from turn_world import code_of

from wirehop.rtc.pure.rates import Meter
from wirehop.rtc.turn.datagrams import DatagramSender
from wirehop.rtc.turn.lanes import ClientSocket, Lane, Relayed, RelaySocket
from wirehop.rtc.turn.mailbox import BATCH, Mailbox
from wirehop.rtc.turn.ports import NoPortError, RelayPorts
from wirehop.settings.tree import Rtc

OPEN = Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{PEER}/32",), bandwidth=0)
NARROW = Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{PEER}/32",), bandwidth=1)  # 64 KiB, and then no more

# what is sent: by whom (0-2 the client, 3-5 a peer), the channel, the payload's size, by how much the length is wrong,
# and whether the server gets a turn afterwards
Step = tuple[int, int, int, int, bool]
steps = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from((0x4000, 0x4000, 0x4000, 0x4001, 0x4002)),
        st.sampled_from((0, 1, 4, 100, 100, 100, 101, 1400)),
        st.sampled_from((0, 0, 0, 0, 0, 1, -1)),
        st.sampled_from((False, False, False, False, True)),
    ),
    max_size=100,
)
Seen = tuple[list[bytes], list[bytes], list[bytes], dict[str, int], tuple[int, int]]


def conversation(script: list[Step], rtc: Rtc, **variant: bool) -> Seen:
    """What two peers and the client got, in order, and what was counted."""
    with running(rtc, **variant) as live:
        client = live.client()
        bound, other, forbidden = live.socket(PEER), live.socket(PEER), live.socket(SERVER)
        relayed = client.allocate()
        assert code_of(client.bind(0x4000, bound.getsockname())) == 0
        assert code_of(client.bind(0x4001, other.getsockname())) == 0
        for number, (who, channel, size, error, gets_turn) in enumerate(script):
            payload = (number.to_bytes(2, "big") * 700)[:size]
            if who >= 3:
                (bound, other, forbidden)[who - 3].sendto(payload, relayed)
            else:
                head = channel.to_bytes(2, "big") + max(0, size + error).to_bytes(2, "big")
                client.world.sock.send(head + payload)  # type: ignore[attr-defined]
            if gets_turn:
                live.turn()
        live.turn()
        counters = {
            rule: count
            for rule, count in live.service.machine.counters.items()
            if rule.startswith(("data.", "message.", "rate.", "send."))
        }
        relayed_count = live.service.relayed
        to_client = client.world.inbox[client.path]
        numbers = relayed_count.packets_out, relayed_count.packets_in
        return drained(bound), drained(other), to_client, counters, numbers


@settings(max_examples=60, deadline=None)
@given(steps)
def test_the_fast_lane_and_the_machine_do_the_same(script: list[Step]) -> None:
    machine = conversation(script, OPEN, has_lanes=False)
    assert conversation(script, OPEN) == machine
    assert conversation(script, OPEN, is_plain=True) == machine


@settings(max_examples=15, deadline=None)
@given(steps.filter(lambda script: len(script) > 30))
def test_they_do_the_same_when_the_bandwidth_ends(script: list[Step]) -> None:
    big = [(who, 0x4000, 1400, 0, True) for who, *_ in script]
    machine = conversation(big, NARROW, has_lanes=False)
    assert conversation(big, NARROW) == machine
    assert conversation(big, NARROW, is_plain=True) == machine


def test_the_fast_lane_is_what_was_compared() -> None:
    with running(OPEN) as live:
        asked: Counter[str] = Counter()
        machine = live.service.machine
        received, from_peer = machine.received, machine.from_peer
        client, peer = live.client(), live.socket(PEER)
        relayed = client.allocate()
        client.bind(0x4000, peer.getsockname())

        def count(name: str, function: object) -> object:
            def counted(*arguments: object) -> None:
                asked[name] += 1
                function(*arguments)  # type: ignore[operator]

            return counted

        machine.received = count("received", received)  # type: ignore[assignment]
        machine.from_peer = count("from_peer", from_peer)  # type: ignore[assignment]
        for number in range(100):
            client.channel(0x4000, b"%d" % number)
        for number in range(100):
            peer.sendto(b"%d" % number, relayed)
        assert [data for _, data in client.got()] == drained(peer) == [b"%d" % number for number in range(100)]
        assert not asked
        client.channel(0x4001, b"not bound")
        assert asked == {"received": 1}


def test_bursts_of_one_size_arrive_whole_and_in_order() -> None:
    with running(OPEN) as live:
        client, peer = live.client(), live.socket(PEER)
        relayed = client.allocate()
        client.bind(0x4000, peer.getsockname())
        sent = [number.to_bytes(4, "big") * 300 for number in range(3 * BATCH)]
        for data in sent:
            client.world.sock.send(b"\x40\0" + len(data).to_bytes(2, "big") + data)  # type: ignore[attr-defined]
            peer.sendto(data, relayed)
        live.turn()
        assert drained(peer) == sent
        assert client.got() == [(0x4000, data) for data in sent]


def test_what_a_device_cannot_segment_is_sent_one_by_one() -> None:
    to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    to.bind((SERVER, 0))
    to.setblocking(False)
    counters: Counter[str] = Counter()
    sender = DatagramSender(counters)
    with to, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        data = [memoryview(bytes((number,)) * 20_000) for number in range(3)]
        sender.send_all(sock, data, 20_000, to.getsockname())
        big = [memoryview(bytes((number,)) * 40_000) for number in range(3)]  # more than one call may carry
        sender.send_all(sock, big, 40_000, to.getsockname())
        assert drained(to) == [bytes(each) for each in (*data, *big)]
        sender.send(sock, bytes(70_000), to.getsockname())
        assert counters == {"send.too_big": 1}


@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("is_relay", [False, True])
def test_a_mailbox_holds_what_came_and_from_whom(host: str, is_relay: bool, is_plain: bool) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    box = Mailbox(family, is_relay=is_relay, is_plain=is_plain)
    try:
        to = socket.socket(family, socket.SOCK_DGRAM)
        to.bind((host, 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with to, socket.socket(family, socket.SOCK_DGRAM) as sock:
        to.setblocking(False)
        sock.bind((host, 0))
        assert box.fill(to) == 0
        for size in (0, 5, 1400, 9000):
            sock.sendto(bytes(size), to.getsockname())
        assert box.fill(to) == 4
        assert [len(box.data(index)) for index in range(4)] == [0, 5, 1400, 9000]
        name = sock.getsockname()[:2]
        assert {box.source(index) for index in range(4)} == {name}
        assert box.address(box.packed(name)) == name
        assert bytes(box.memory[: box.sender]) == box.packed(name), "what the kernel writes is the key of a lane"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_ways_of_a_lane_over_both_families(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(4)]
    try:
        for sock in sockets:
            sock.bind((host, 0))
            sock.setblocking(False)
    except OSError:
        pytest.skip("this machine has no IPv6")
    client, server, relay, peer = sockets
    at_client, at_server, at_relay, at_peer = (sock.getsockname()[:2] for sock in sockets)
    counters: Counter[str] = Counter()
    sender, count = DatagramSender(counters), Relayed()
    slow: list[object] = []
    to_peer = ClientSocket(
        0, server, Mailbox(family, is_relay=False), sender, count, lambda path, data: slow.append((path.source, data))
    )
    to_client = RelaySocket(
        1, relay, Mailbox(family, is_relay=True), sender, count, lambda _, source, data: slow.append((source, data))
    )
    meter = Meter(0, 0.0)
    to_peer.lanes[to_peer.key(at_client, 0x4000)] = Lane(relay, at_peer, meter)
    to_client.lanes[to_client.key(at_peer)] = Lane(server, at_client, meter, b"\x40\0")
    client.sendto(b"\x40\0\0\3one+padding", at_server)
    client.sendto(b"\x40\1\0\3two", at_server)
    peer.sendto(b"three", at_relay)
    client.sendto(b"four", at_relay)
    assert (to_peer.readable(), to_client.readable()) == (2, 2)
    assert drained(peer) == [b"one"]
    assert drained(client) == [b"\x40\0\0\5three"]
    assert slow == [(at_client, b"\x40\1\0\3two"), (at_client, b"four")]
    assert (count.packets_out, count.packets_in, count.bytes_out, count.bytes_in) == (1, 1, 3, 5)
    for sock in sockets:
        sock.close()


def test_relayed_ports_are_of_the_range_and_even_where_asked() -> None:
    low = free_range()
    ports = RelayPorts(low, low + 5)
    opened = [ports.open(SERVER, is_even=True)[0], *ports.open(SERVER, is_pair=True)]
    numbers = [sock.getsockname()[1] for sock in opened]
    assert all(low <= number <= low + 5 for number in numbers)
    assert numbers[0] % 2 == numbers[1] % 2 == 0
    assert numbers[2] == numbers[1] + 1
    opened += [ports.open(SERVER)[0] for _ in range(3)]
    with pytest.raises(NoPortError):
        ports.open(SERVER)
    for sock in opened:
        sock.close()


def free_range() -> int:
    """Six ports that nobody has, the first of them even."""
    for first in range(20_000, 30_000, 6):
        held = []
        try:
            for port in range(first, first + 6):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind((SERVER, port))
        except OSError:
            continue
        else:
            return first
        finally:
            for sock in held:
                sock.close()
    pytest.fail("no six free ports")
