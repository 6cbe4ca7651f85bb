"""What `wirehop doctor --webrtc` says of servers in this process, and of this machine as a TURN server.

Over networks of their own: tests/rtc/test_doctor.py.
"""

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

from wirehop.client.errors import AddressError
from wirehop.doctor import turn_advice as advice
from wirehop.doctor.calls import examine_calls
from wirehop.doctor.findings import Finding
from wirehop.doctor.ice import Sought, read_ice_url
from wirehop.doctor.machine_rtc import examine_rtc
from wirehop.doctor.mdns import answer, question
from wirehop.doctor.relays import examine_address
from wirehop.rtc.turn import TurnService, service
from wirehop.settings.tree import Rtc, Server, Settings

SECRET = "north-north-north"
LOOPBACK = "127.0.0.1"


async def examined(rtc: Rtc, secret: str = SECRET) -> dict[str, Finding]:
    """By name."""
    turn = TurnService(rtc, host=LOOPBACK)
    await turn.start(0)
    try:
        sought = Sought(url=f"turn:{LOOPBACK}:{turn.port}", rtc=Rtc(secret=secret))
        return {each.name: each for each in await examine_calls(sought)}
    finally:
        turn.close()


def test_a_server_whose_clock_is_ahead_is_no_server_with_another_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = SimpleNamespace(time=lambda: time.time() + 7200, monotonic=time.monotonic)
    monkeypatch.setattr(service, "time", ahead)
    findings = asyncio.run(examined(Rtc(turn="embedded", secret=SECRET)))
    assert findings["turn-credentials"].verdict == "bad"
    assert "clock is ahead" in findings["turn-credentials"].seen
    assert findings["turn-credentials"].change == advice.CLOCK_AHEAD


def test_another_secret_is_no_clock() -> None:
    findings = asyncio.run(examined(Rtc(turn="embedded", secret=SECRET), "south-south-south"))
    assert findings["turn-credentials"].change == advice.OTHER_KEY
    assert findings["turn-udp"].change == "see turn-credentials"
    assert findings["stun-udp"].verdict == "ok"


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("stun:a.example", ("udp", "a.example", 3478, False)),
        ("turn:a.example:81?transport=tcp", ("tcp", "a.example", 81, True)),
        ("turns:[2001:db8::1]", ("tls", "2001:db8::1", 5349, True)),
        ("turns:a.example?transport=udp", None),
        ("turn:a.example:0", None),
        ("turn:a.example:99999", None),
        ("turn://a.example", None),
        ("http://a.example", None),
    ],
)
def test_ice_urls(url: str, way: tuple[str, str, int, bool] | None) -> None:
    found = read_ice_url(url)
    assert way == (None if found is None else (found.wire, found.host, found.port, found.is_turn))


@pytest.mark.parametrize("url", ["ftp://a.example", "coturn://", "turn:", "stun:a b"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(AddressError):
        asyncio.run(examine_calls(Sought(url=url)))


@pytest.mark.parametrize(
    ("relay", "server", "verdict"),
    [
        ("203.0.113.1", "203.0.113.1", "ok"),
        ("10.0.0.1", "203.0.113.1", "bad"),
        ("127.0.0.1", "10.0.0.1", "bad"),
        ("10.0.0.1", "192.168.0.1", "ok"),
        ("fd00::1", "2600::1", "bad"),
    ],
)
def test_addresses_that_are_announced(relay: str, server: str, verdict: str) -> None:
    found = examine_address((relay, 50_000), server)
    assert found.verdict == verdict
    assert found.change == (advice.ADDRESS if verdict == "bad" else "")


def test_a_question_and_an_answer_of_multicast_dns() -> None:
    assert question("ab.local") == bytes.fromhex("000000000001000000000000 026162 056c6f63616c 00 0001 0001")
    assert answer("ab.local", "10.0.0.1") == bytes.fromhex(
        "000084000000000100000000 026162 056c6f63616c 00 0001 0001 0000000a 0004 0a000001"
    )


# ---- this machine


def here(rtc: Rtc, host: str = LOOPBACK, port: int = 0) -> dict[str, Finding]:
    return {each.name: each for each in examine_rtc(Settings(server=Server(host=host, port=port), rtc=rtc))}


def test_a_machine_without_a_turn_server() -> None:
    assert list(here(Rtc())) == ["rtc-turn"]
    assert "coturn at a.example:3478" in here(Rtc(turn="coturn://a.example:3478", secret=SECRET))["rtc-turn"].seen


def test_a_machine_that_is_a_turn_server() -> None:
    findings = here(Rtc(turn="embedded", secret=SECRET))
    assert {each.verdict for each in findings.values()} == {"ok"}, findings
    assert set(findings) == {"rtc-turn", "rtc-port", "rtc-secret", "rtc-address", "rtc-relay-ports"}


def test_a_udp_port_that_is_held_a_secret_that_is_missing_and_few_ports() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((LOOPBACK, 0))
        port = holder.getsockname()[1]
        findings = here(Rtc(turn="embedded", port=port, relay_ports="50000-50009"))
    assert findings["rtc-port"].verdict == "bad"
    assert f"UDP port {port}" in findings["rtc-port"].seen
    assert advice.UDP_HELD in findings["rtc-port"].change
    assert (findings["rtc-secret"].verdict, findings["rtc-secret"].change) == ("warn", advice.NEW_KEY)
    assert (findings["rtc-relay-ports"].verdict, findings["rtc-relay-ports"].change) == (
        "warn",
        advice.PORTS_FEW.format(need=2000, count=10),
    )


def test_relay_ports_that_are_all_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((LOOPBACK, 0))
        port = holder.getsockname()[1]
        findings = here(Rtc(turn="embedded", secret=SECRET, relay_ports=f"{port}-{port}"))
    found = findings["rtc-relay-ports"]
    assert (found.verdict, found.change) == ("bad", advice.CAPACITY)


def test_an_address_that_no_other_network_reaches() -> None:
    findings = here(Rtc(turn="embedded", secret=SECRET, address="10.200.200.200"), host="")
    assert "10.200.200.200 (private)" in findings["rtc-address"].seen
