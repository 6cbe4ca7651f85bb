"""What the TURN service of a process opens, says, counts and leaves behind."""

import asyncio
import logging
import socket

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from turn_live import PEER, SECRET, SERVER, drained, running
from turn_world import UDP, code_of

from wirehop.rtc.pure.stun import Attribute, Family, Method
from wirehop.rtc.turn import TurnService
from wirehop.rtc.turn import addresses as found
from wirehop.settings.tree import Rtc


def test_without_a_secret_each_start_has_its_own() -> None:
    first, second = (TurnService(Rtc(turn="embedded"), host=SERVER) for _ in range(2))
    assert len(first.secret) >= 32
    assert first.secret != second.secret
    assert TurnService(Rtc(turn="embedded", secret=SECRET), host=SERVER).secret == SECRET


def test_metrics_name_what_was_granted_refused_and_relayed() -> None:
    with running() as live:
        client, peer = live.client(), live.socket(PEER)
        relayed = client.allocate()
        client.bind(0x4000, peer.getsockname())
        client.channel(0x4000, b"12345")
        peer.sendto(b"123", relayed)
        assert client.got() == [(0x4000, b"123")]
        client.permit(("10.0.0.1", 1))
        registry = CollectorRegistry()
        registry.register(live.service)
        text = generate_latest(registry).decode()
        for line in (
            "wirehop_turn_allocations 1.0",
            'wirehop_turn_relayed_packets_total{to="peer"} 1.0',
            'wirehop_turn_relayed_bytes_total{to="peer"} 5.0',
            'wirehop_turn_relayed_bytes_total{to="client"} 3.0',
            'wirehop_turn_events_total{rule="allocate"} 1.0',
            'wirehop_turn_events_total{rule="peer.private"} 1.0',
        ):
            assert line in text


def test_a_socket_of_an_allocation_is_closed_with_it() -> None:
    with running() as live:
        client = live.client()
        host, port = client.allocate()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            with pytest.raises(OSError, match="in use"):
                sock.bind((host, port))
            client.refresh(0)
            sock.bind((host, port))


def test_an_announced_address_that_is_not_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a NAT: relays are bound to the address that has the route, peers are told the public one, and two
    participants still reach each other, though no packet could turn around at that NAT."""
    rtc = Rtc(turn="embedded", secret=SECRET, address="198.51.100.44")
    monkeypatch.setattr(found, "routed_address", lambda family: SERVER if family == Family.IPV4 else "")
    with running(rtc) as live:
        relay = live.service.relays[Family.IPV4]
        assert (relay.announced, relay.bound) == ("198.51.100.44", SERVER)
        anna, berta = live.client(), live.client("berta")
        at_anna, at_berta = anna.allocate(), berta.allocate()
        assert at_anna[0] == at_berta[0] == "198.51.100.44"
        assert code_of(anna.permit(at_berta)) == code_of(berta.permit(at_anna)) == 0
        anna.send(at_berta, b"inside")
        assert berta.got() == [(at_anna, b"inside")]


def test_dont_fragment_is_the_datagrams_own() -> None:
    with running() as live:
        client, peer = live.client(), live.socket(PEER)
        client.allocate()
        client.permit(peer.getsockname())
        whole = (int(Attribute.DONT_FRAGMENT), b"")
        client.send(peer.getsockname(), b"small", whole)
        client.send(peer.getsockname(), bytes(40_000))
        assert [len(data) for data in drained(peer)] == [5, 40_000]


def test_no_port_of_the_range_is_free() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((SERVER, 0))
        port = sock.getsockname()[1]
        with running(Rtc(turn="embedded", secret=SECRET, relay_ports=f"{port}-{port}")) as live:
            assert code_of(live.client().ask(Method.ALLOCATE, UDP)) == 508
            assert live.service.machine.counters["capacity.ports"] == 1


def test_a_relay_that_peers_cannot_reach_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(found, "routed_address", lambda family: SERVER if family == Family.IPV4 else "")

    async def start(address: str) -> None:
        service = TurnService(Rtc(turn="embedded", address=address), host="0.0.0.0")
        monkeypatch.setattr("wirehop.rtc.turn.service.listening_addresses", lambda _: [SERVER])
        await service.start(0)
        service.close()

    with caplog.at_level(logging.INFO, "wirehop.turn"):
        asyncio.run(start("198.51.100.44"))
        assert "rtc.address" not in caplog.text
        asyncio.run(start("10.1.2.3"))
        assert "10.1.2.3, which is private: set rtc.address" in caplog.text


def test_a_host_that_is_none_has_no_relays_and_whoever_listens_says_so() -> None:
    assert found.relay_addresses("nowhere.invalid", ()) == {}
    service = TurnService(Rtc(turn="embedded"), host="nowhere.invalid")
    with pytest.raises(OSError, match=r"."):
        asyncio.run(service.start(0))
    service.close()


def test_the_addresses_of_this_machine_are_known() -> None:
    own = found.own_addresses()
    assert "127.0.0.1" in own
    assert found.listening_addresses("127.0.0.1") == ["127.0.0.1"]
    assert "127.0.0.1" in found.listening_addresses("0.0.0.0")
    relays = found.relay_addresses("0.0.0.0", ())
    assert relays[Family.IPV4].announced == relays[Family.IPV4].bound
    assert relays[Family.IPV4].announced in own
    assert found.routed_address(Family.IPV4) in ("", relays[Family.IPV4].announced)
    assert found.relay_addresses("127.0.0.1", ())[Family.IPV4].bound == "127.0.0.1"
