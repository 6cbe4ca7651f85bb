"""`wirehop doctor --webrtc` over a network of its own: each thing that can be wrong with calls is made wrong, and has
its name, its reason and what to change."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from wirehop.doctor import turn_advice as advice
from wirehop.doctor.findings import Finding

from ..e2e.servers import free_port, until
from .coturn import PORT as COTURN_PORT
from .coturn import TLS_PORT as COTURN_TLS_PORT
from .coturn import coturn
from .netns import Namespace
from .sites import serving
from .turnservers import listens

SERVER, CLIENT, INNER = "203.0.113.10", "203.0.113.20", "10.9.0.1"
SECRET = "north-north-north"
DOCTOR_SECONDS = 60.0
ROOM = ("--namespace", "room.subscribe=anyone", "--namespace", "room.presence=true", "--namespace", "room.rtc=true")
EMBEDDED = ("--host", SERVER, "--rtc-turn", "embedded", "--rtc-secret", SECRET, *ROOM)
MADE_HERE = ("--rtc-secret", SECRET)

Pair = tuple[Namespace, Namespace]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A server's namespace and a client's, with one cable between them."""
    with Namespace("server") as server, Namespace("client") as client:
        server.ip(f"link add cable type veth peer name cable netns {client.name}")
        for each, address in ((server, SERVER), (client, CLIENT)):
            each.ip(f"addr add {address}/24 dev cable", "link set cable up")
        server.ip(f"addr add {INNER}/32 dev lo")
        client.ip(f"route add default via {SERVER} dev cable")
        yield server, client


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


class Report:
    """What it has found."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.findings = {each["name"]: Finding(**each) for each in map(json.loads, text.splitlines())}
        self.verdicts = {name: each.verdict for name, each in self.findings.items()}

    def bad(self) -> set[str]:
        return {name for name, verdict in self.verdicts.items() if verdict == "bad"}

    def demand(self, name: str, verdict: str, seen: str, change: str) -> None:
        """The finding of that name is just this."""
        assert name in self.findings, self.findings
        found = self.findings[name]
        assert (found.verdict, found.change) == (verdict, change), found
        assert seen in found.seen


def doctor(client: Namespace, *arguments: str) -> Report:
    command = client.command(sys.executable, "-m", "wirehop", "doctor", "--webrtc", "--json", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DOCTOR_SECONDS)
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    return Report(done.returncode, done.stdout)


def rule(namespace: Namespace, *words: str) -> None:
    """One more rule of the firewall."""
    namespace.run("iptables", "-A", *words)


def pem(directory: Path, authority: trustme.CA, *names: str, days: int = 90) -> tuple[str, ...]:
    """Flags of a server with a certificate."""
    until = datetime.now(UTC) + timedelta(days=days)
    leaf = authority.issue_cert(*names, not_before=until - timedelta(days=100), not_after=until)
    chain, key = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(key))
    return "--server-certificate", str(chain), "--server-private-key", str(key)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    """And the file that says whom to trust."""
    made, file = trustme.CA(), tmp_path / "ca.pem"
    made.cert_pem.write_to_path(str(file))
    return made, str(file)


# ---- what is good


def test_a_room_of_a_server_with_a_certificate_is_well(
    pair: Pair, authority: tuple[trustme.CA, str], tmp_path: Path, log: Path
) -> None:
    server, client = pair
    tls = pem(tmp_path, authority[0], SERVER)
    with serving(server, free_port(), *EMBEDDED, *tls, log=log) as site:
        report = doctor(client, f"https://{SERVER}:{site.port}", "--ca", authority[1])
    assert set(report.verdicts.values()) == {"ok"}, report.findings
    names = {"ice-servers", "stun-udp", "turn-udp", "turn-tls", "turn-certificate", "turn-credentials",
             "turn-address", "turn-permission", "turn-hairpin", "turn-outside", "mdns"}  # fmt: skip
    assert names <= set(report.findings)
    assert report.code == 0
    assert f"from {CLIENT}" in report.findings["turn-outside"].seen


def test_coturn_with_the_same_secret_is_well(pair: Pair, authority: tuple[trustme.CA, str], tmp_path: Path) -> None:
    server, client = pair
    chain, key = map(Path, pem(tmp_path, authority[0], SERVER)[1::2])
    with coturn(server, SERVER, tmp_path, certificate=(chain, key), secret=SECRET):
        report = doctor(client, f"coturn://{SERVER}:{COTURN_PORT}", *MADE_HERE, "--ca", authority[1])
        tls = doctor(client, f"turns:{SERVER}:{COTURN_TLS_PORT}", *MADE_HERE, "--ca", authority[1])
        wrong = doctor(client, f"turn:{SERVER}:{COTURN_PORT}", "--rtc-secret", "south-south-south")
        settings = doctor(client, "--rtc-turn", f"coturn://{SERVER}:{COTURN_PORT}", *MADE_HERE, "--ca", authority[1])
    for each in (report, tls, settings):
        assert not each.bad(), each.findings
        assert each.code == 0
    assert {"turn-udp", "turn-tcp", "turn-tls", "turn-outside", "turn-hairpin"} <= set(report.findings)
    assert tls.verdicts["turn-tls"] == "ok"
    wrong.demand("turn-credentials", "bad", "another secret", advice.OTHER_KEY)
    assert wrong.code == 1


# ---- networks


def test_udp_that_is_blocked(pair: Pair, log: Path) -> None:
    server, client = pair
    rule(server, "INPUT", "-p", "udp", "-j", "DROP")
    with serving(server, free_port(), *EMBEDDED, log=log) as site:
        report = doctor(client, f"http://{SERVER}:{site.port}")
    change = advice.UDP_BLOCKED.format(port=site.port)
    report.demand("stun-udp", "bad", "does not answer: UDP is blocked", change)
    report.demand("turn-udp", "bad", "no answer", change)
    assert {report.verdicts[name] for name in ("turn-tcp", "turn-credentials", "turn-hairpin")} == {"ok"}
    assert "turn-outside" not in report.findings


def test_nobody_on_the_port(pair: Pair) -> None:
    _, client = pair
    report = doctor(client, f"turn:{SERVER}:3478", *MADE_HERE)
    report.demand("turn-udp", "bad", "refused", advice.UDP_CLOSED.format(port=3478))
    report.demand("stun-udp", "bad", "nobody listens", advice.UDP_CLOSED.format(port=3478))
    report = doctor(client, f"turn:{SERVER}:3478?transport=tcp", *MADE_HERE)
    report.demand("turn-tcp", "bad", "refused", advice.TCP_CLOSED.format(port=3478))
    report = doctor(client, f"turns:{SERVER}:5349", *MADE_HERE)
    report.demand("turn-tls", "bad", "refused", advice.TLS_CLOSED.format(port=5349))


def test_the_ports_of_the_relay_are_closed(pair: Pair, log: Path) -> None:
    server, client = pair
    rule(server, "INPUT", "-i", "cable", "-p", "udp", "--dport", "49152:65535", "-j", "DROP")
    with serving(server, free_port(), *EMBEDDED, log=log) as site:
        report = doctor(client, f"http://{SERVER}:{site.port}")
    report.demand("turn-outside", "bad", "does not arrive", advice.RELAY_PORTS)
    assert report.bad() == {"turn-outside"}


def test_what_the_relay_sends_is_blocked(pair: Pair, log: Path) -> None:
    server, client = pair
    rule(server, "OUTPUT", "-o", "cable", "-p", "udp", "--sport", "49152:65535", "-j", "DROP")
    with serving(server, free_port(), *EMBEDDED, log=log) as site:
        report = doctor(client, f"http://{SERVER}:{site.port}")
    report.demand("turn-outside", "bad", f"what the relay sends to {CLIENT}", advice.RELAY_OUT)


def test_a_private_address_is_announced(pair: Pair, log: Path) -> None:
    server, client = pair
    with serving(server, free_port(), *EMBEDDED, "--rtc-address", INNER, log=log) as site:
        sent = doctor(client, f"http://{SERVER}:{site.port}")
        report = doctor(client, f"turn:{SERVER}:{site.port}", *MADE_HERE)
    sent.demand("ice-address", "bad", f"sent to {INNER} (private)", advice.ADDRESS)
    report.demand("turn-address", "bad", f"announced as {INNER} (private)", advice.ADDRESS)


def test_multicast_that_is_dropped(pair: Pair) -> None:
    _, client = pair
    rule(client, "INPUT", "-p", "udp", "--dport", "5353", "-j", "DROP")
    report = doctor(client, f"stun:{SERVER}:3478")
    report.demand("mdns", "warn", "does not come back", advice.MDNS)


# ---- servers


@pytest.mark.parametrize(
    ("flags", "name", "seen", "change"),
    [
        (("--rtc-relay-ports", "50000-50000"), "turn-hairpin", "508", advice.CAPACITY),
        (("--rtc-allocations-per-user", "1"), "turn-hairpin", "486", advice.QUOTA),
        (("--no-rtc-tcp",), "turn-tcp", "HTTP", advice.TCP_OTHER),
    ],
)
def test_a_server_that_is_too_small_or_has_no_tcp(
    pair: Pair, log: Path, flags: tuple[str, ...], name: str, seen: str, change: str
) -> None:
    server, client = pair
    with serving(server, free_port(), *EMBEDDED, *flags, log=log) as site:
        report = doctor(client, f"coturn://{SERVER}:{site.port}", *MADE_HERE)
    report.demand(name, "bad", seen, change)
    report.demand("turn-tls", "bad", "no TLS is spoken there", advice.TLS_CLOSED.format(port=site.port))


def test_a_peer_that_may_not_be_relayed_to(pair: Pair, log: Path) -> None:
    server, client = pair
    with serving(server, free_port(), *EMBEDDED, "--rtc-deny-peers", f"{CLIENT}/32", log=log) as site:
        report = doctor(client, f"http://{SERVER}:{site.port}")
    assert report.verdicts["turn-outside"] == "warn"
    assert "403" in report.findings["turn-outside"].seen
    assert "rtc.deny_peers" in report.findings["turn-outside"].change


def test_coturn_that_denies_its_own_address_and_has_no_tls(pair: Pair, tmp_path: Path) -> None:
    server, client = pair
    with plain_coturn(server, tmp_path, f"--denied-peer-ip={SERVER}"):
        report = doctor(client, f"coturn://{SERVER}:{COTURN_PORT}", *MADE_HERE)
    report.demand("turn-permission", "bad", "403", advice.PERMISSION)
    report.demand("turn-tls", "bad", "no answer", advice.TLS_CLOSED.format(port=COTURN_PORT))
    assert report.verdicts["turn-udp"] == report.verdicts["turn-tcp"] == "ok"


@contextlib.contextmanager
def plain_coturn(server: Namespace, directory: Path, *flags: str) -> Iterator[None]:
    """Without a certificate."""
    command = [
        "turnserver", "-n", "--log-file=stdout", "--no-cli", "--no-tls", "--no-dtls", f"--listening-ip={SERVER}",
        f"--relay-ip={SERVER}", "--realm=rig", "--use-auth-secret", f"--static-auth-secret={SECRET}",
        f"--userdb={directory / 'users'}", f"--pidfile={directory / 'pid'}", *flags,
    ]  # fmt: skip
    process = server.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(server, SERVER, COTURN_PORT), seconds=20.0, what="coturn")
        yield
    finally:
        process.kill()
        process.wait()


def test_a_server_that_names_none(pair: Pair, log: Path) -> None:
    server, client = pair
    with serving(server, free_port(), "--host", SERVER, *ROOM, log=log) as site:
        url = f"http://{SERVER}:{site.port}"
        report = doctor(client, url)
        report.demand("ice-servers", "bad", "names no STUN or TURN server", advice.NO_ICE)
        report = doctor(client, url, "--channel", "elsewhere")
        report.demand("ice-servers", "bad", "elsewhere", advice.ROOM)
    assert report.code == 1


# ---- certificates and credentials


@pytest.mark.parametrize(
    ("days", "name", "is_trusted", "seen", "change"),
    [
        (-1, SERVER, True, "expired", advice.RENEW),
        (90, "turn.example", True, "mismatch", advice.NAME),
        (90, SERVER, False, "issuer", advice.CHAIN),
    ],
)
def test_certificates_that_browsers_refuse(
    pair: Pair, authority: tuple[trustme.CA, str], tmp_path: Path, log: Path,
    days: int, name: str, is_trusted: bool, seen: str, change: str,
) -> None:  # fmt: skip
    server, client = pair
    tls = pem(tmp_path, authority[0], name, days=days)
    trust = ("--ca", authority[1]) if is_trusted else ()
    with serving(server, free_port(), *EMBEDDED, *tls, log=log) as site:
        report = doctor(client, f"turns:{SERVER}:{site.port}", *MADE_HERE, *trust)
    report.demand("turn-certificate", "bad", seen, change)
    assert report.verdicts["turn-tls"] == "ok"  # what else is wrong is looked at all the same
    assert report.code == 1


def test_credentials_that_have_ended_and_none_at_all(pair: Pair, log: Path) -> None:
    server, client = pair
    with serving(server, free_port(), *EMBEDDED, log=log) as site:
        url = f"turn:{SERVER}:{site.port}"
        report = doctor(client, url, "--username", "1000000000:anna", "--password", "what it was")
        report.demand("turn-credentials", "bad", "s ago by this machine's clock", advice.CLOCK_HERE)
        report = doctor(client, url)
        report.demand("turn-credentials", "bad", "there are none", advice.NO_CREDENTIALS)
