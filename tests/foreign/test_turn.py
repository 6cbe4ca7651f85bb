"""Other people's STUN and TURN clients against `wirehop serve`, and ours and theirs against coturn with the credentials
that wirehop makes: `turnutils_stunclient` and `turnutils_uclient` of coturn, and aioice."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aioice
import aioice.turn
import httpx
import pytest
import trustme

from wirehop.rtc.pure.credentials import Credential, credential

SECRET = "north-north-north-north"
REALM = "wirehop"
HOST = "127.0.0.1"
SECONDS = 30.0
WIREHOP = str(Path(sys.executable).with_name("wirehop"))

needs_coturn = pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed")


@dataclass(frozen=True)
class Turn:
    """A TURN server that runs."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"


@contextlib.contextmanager
def process(command: list[str], directory: Path) -> "Iterator[subprocess.Popen[bytes]]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WIREHOP_")}
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        running = subprocess.Popen(command, cwd=directory, env=environ, stdout=out, stderr=err)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextlib.contextmanager
def wirehop(directory: Path, *more: str) -> Iterator[Turn]:
    """`wirehop serve` with its TURN server."""
    directory.mkdir()
    given = ("--port", "0", "--rtc-turn", "embedded", "--rtc-secret", SECRET, "--rtc-realm", REALM, *more)
    with process([WIREHOP, "serve", *given], directory) as running:
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(r"serving on https?://[^ ]*:(\d+)\n", (directory / "stdout").read_text())):
            assert running.poll() is None, (directory / "stderr").read_text()
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.02)
        yield Turn("wirehop", int(found[1]), running)


@contextlib.contextmanager
def coturn(directory: Path) -> Iterator[Turn]:
    """coturn with the same secret."""
    directory.mkdir()
    for _ in range(5):  # somebody may take the port before coturn does
        with socket.create_server((HOST, 0)) as listener:
            port = int(listener.getsockname()[1])
        command = [
            *("turnserver", "-n", "--no-cli", "--log-file", "stdout", "--no-tls", "--no-dtls", "--no-multicast-peers"),
            *("--listening-ip", HOST, "--relay-ip", HOST, "--listening-port", str(port), "--allow-loopback-peers"),
            *("--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm", REALM),
            *("--pidfile", str(directory / "pid"), "--db", str(directory / "db"), "--relay-threads", "1"),
        ]
        with process(command, directory) as running:
            deadline = time.monotonic() + SECONDS
            while running.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                    yield Turn("coturn", port, running)
                    return
                time.sleep(0.05)
    pytest.fail(f"coturn does not start: {(directory / 'stdout').read_text()[-2000:]}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turn]:
    with wirehop(tmp_path_factory.mktemp("turn") / "wirehop") as server:
        yield server


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turn]:
    directory = tmp_path_factory.mktemp("turn-tls")
    certificate = trustme.CA().issue_cert(HOST)
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "chain.pem")
    files = ("--server-certificate", str(directory / "chain.pem"), "--server-private-key", str(directory / "key.pem"))
    with wirehop(directory / "wirehop", *files) as server:
        yield server


@pytest.fixture(params=["wirehop", pytest.param("coturn", marks=needs_coturn)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turn]:
    with wirehop(tmp_path / "wirehop") if request.param == "wirehop" else coturn(tmp_path / "coturn") as server:
        yield server


def fresh(user: str = "anna") -> Credential:
    return credential(SECRET, user, now=time.time(), age=600)


def run(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=4 * SECONDS, check=False
    )
    return done.stdout + done.stderr


@needs_coturn
def test_turnutils_stunclient_learns_its_address(server: Turn) -> None:
    assert f"UDP reflexive addr: {HOST}:" in run("turnutils_stunclient", "-p", server.port, HOST)


@needs_coturn
@pytest.mark.parametrize(
    ("wire", "options"),
    [
        ("udp", ["-s"]),  # Send and Data indications
        ("udp", []),  # channels, and ports reserved for RTCP
        ("udp", ["-c", "-g"]),  # without RTCP, with DONT-FRAGMENT
        ("tcp", ["-c", "-t"]),
        ("tls", ["-c", "-t", "-S"]),
    ],
    ids=["send", "channels", "unfragmented", "tcp", "tls"],
)
def test_turnutils_uclient_loses_nothing(request: pytest.FixtureRequest, wire: str, options: list[str]) -> None:
    """Time-limited credentials are made by the tool itself, of the secret (`-W`)."""
    server = request.getfixturevalue("tls_server" if wire == "tls" else "server")
    said = run(
        *("turnutils_uclient", *options, "-y", "-n", 5, "-m", 2, "-l", 170, "-p", server.port),
        *("-W", SECRET, "-u", "anna", HOST),
    )
    assert "Total lost packets 0 (0.000000%)" in said, said
    sent, received = map(int, re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", said)[-1])
    assert sent == received >= 10


@needs_coturn
def test_turnutils_uclient_with_another_secret_gets_nothing(server: Turn) -> None:
    said = run("turnutils_uclient", "-y", "-n", 1, "-p", server.port, "-W", "south", "-u", "anna", HOST)
    assert "cannot complete allocation" in said.lower()
    assert "tot_recv_msgs" not in said
    metrics = httpx.get(f"http://{HOST}:{server.port}/metrics").text
    assert 'wirehop_turn_events_total{rule="credentials.forged"}' in metrics


class Peer(asyncio.DatagramProtocol):
    """Collects what comes over a relayed address."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.put_nowait((data, addr))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_aioice_relays_between_two_allocations(either: Turn, transport: str) -> None:
    async def talk() -> None:
        ends = []
        for user in ("anna", "berta"):
            made = fresh(user)
            ends.append(
                await aioice.turn.create_turn_endpoint(
                    Peer,
                    server_addr=(HOST, either.port),
                    username=made.username,
                    password=made.password,
                    transport=transport,
                )
            )
        (to_anna, anna), (to_berta, berta) = ends
        at_anna, at_berta = to_anna.get_extra_info("sockname"), to_berta.get_extra_info("sockname")
        assert at_anna[0] == at_berta[0] == HOST
        while anna.got.empty() or berta.got.empty():  # without a permission it is dropped
            to_anna.sendto(b"who is there?", at_berta)  # binds a channel, which permits the way back
            to_berta.sendto(b"berta", at_anna)
            await asyncio.sleep(0.05)
        for number in range(50):
            to_anna.sendto(b"%d" % number, at_berta)
        expected = {b"%d" % number for number in range(50)}
        while expected:
            data, source = await berta.got.get()
            assert source == at_anna
            expected.discard(data)
        while (await anna.got.get())[0] != b"berta":
            pass
        to_anna.close()
        to_berta.close()

    asyncio.run(asyncio.wait_for(talk(), SECONDS))


def test_aioice_with_an_expired_credential_is_refused(either: Turn) -> None:
    async def try_it() -> None:
        made = credential(SECRET, "anna", now=time.time() - 3600, age=600)
        with pytest.raises((aioice.stun.TransactionFailed, aioice.stun.TransactionError)) as caught:
            await aioice.turn.create_turn_endpoint(
                Peer, server_addr=(HOST, either.port), username=made.username, password=made.password
            )
        assert "401" in str(caught.value)

    asyncio.run(asyncio.wait_for(try_it(), SECONDS))


def test_ice_of_aioice_connects_through_the_relay_alone(either: Turn) -> None:
    async def connect() -> None:
        ends = []
        for is_controlling in (True, False):
            made = fresh(f"user {is_controlling}")
            ends.append(
                aioice.Connection(
                    ice_controlling=is_controlling,
                    turn_server=(HOST, either.port),
                    turn_username=made.username,
                    turn_password=made.password,
                    transport_policy=aioice.TransportPolicy.RELAY,
                )
            )
        for end in ends:
            await end.gather_candidates()
            assert [candidate.type for candidate in end.local_candidates] == ["relay"]
        for end, other in (ends, ends[::-1]):
            for candidate in other.local_candidates:
                await end.add_remote_candidate(candidate)
            await end.add_remote_candidate(None)
            end.remote_username, end.remote_password = other.local_username, other.local_password
        await asyncio.gather(*(end.connect() for end in ends))
        await ends[0].sendto(b"through the relay", 1)
        assert await ends[1].recvfrom() == (b"through the relay", 1)
        await asyncio.gather(*(end.close() for end in ends))

    asyncio.run(asyncio.wait_for(connect(), SECONDS))
