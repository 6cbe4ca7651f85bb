"""Hostile and broken WebSocket clients: each is closed with its code, and nothing of it stays."""

import importlib.util
import random
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PLACE = Path(__file__).parents[1] / "unit" / "hosts" / "native" / "native_harness.py"
if "native_harness" not in sys.modules:  # tests are no package: load the harness of the native host by its place
    _spec = importlib.util.spec_from_file_location("native_harness", _PLACE)
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["native_harness"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["native_harness"])

from native_harness import (  # noqa: E402
    LOOPS,
    App,
    Host,
    Recorder,
    client_frame,
    close_code,
    open_websocket,
    read_all,
    running,
    server_frame,
)

from wirehop.hosts.native import HostOptions  # noqa: E402


@pytest.fixture(params=LOOPS)
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def host(app: App, loop_name: str) -> Iterator[Host]:
    options = HostOptions(close_seconds=0.3, linger_seconds=0.3, write_high_water=20_000, write_low_water=5000)
    with running(app, loop_name, options) as host:
        yield host


def opened(app: App, host: Host) -> Recorder:
    host.wait_until(lambda: bool(app.wires) and app.wires[-1].wire is not None)
    return app.wires[-1]


VIOLATIONS = {
    "an unmasked frame": (client_frame(b"a", mask=None), 1002),
    "the first reserved bit": (client_frame(b"a", rsv=4), 1002),
    "the second reserved bit": (client_frame(b"a", rsv=2), 1002),
    "the third reserved bit": (client_frame(b"a", rsv=1), 1002),
    "a reserved data opcode": (client_frame(b"a", 3), 1002),
    "a reserved control opcode": (client_frame(b"a", 11), 1002),
    "a fragmented ping": (client_frame(b"a", 9, fin=False), 1002),
    "a long ping": (client_frame(b"a" * 126, 9), 1002),
    "a continuation of nothing": (client_frame(b"a", 0), 1002),
    "a message within a message": (client_frame(b"a", fin=False) + client_frame(b"b"), 1002),
    "a negative length": (b"\x82\xff" + b"\xff" * 8, 1002),
    "half a close code": (client_frame(b"\x03", 8), 1002),
    "a close code of no wire": (client_frame((1006).to_bytes(2, "big"), 8), 1002),
    "text that is not UTF-8": (client_frame(b"\xc3\x28"), 1007),
    "fragmented text that is not UTF-8": (client_frame(b"\xe2\x82", fin=False) + client_frame(b"\x28", 0), 1007),
    "a close reason that is not UTF-8": (client_frame(b"\x03\xe8\xff", 8), 1007),
    "an oversized frame": (client_frame(b"x" * 65_537), 1009),
    "an oversized frame that is only announced": (b"\x82\xff" + (1 << 62).to_bytes(8, "big"), 1009),
    "an oversized message in fragments": (
        client_frame(b"x" * 40_000, fin=False) + client_frame(b"x" * 40_000, 0), 1009,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", VIOLATIONS)
def test_a_violation_is_closed_with_its_code(app: App, host: Host, case: str) -> None:
    data, code = VIOLATIONS[case]
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.sendall(client_frame(b"before") + data + client_frame(b"after"))
        said, reason = close_code(sock)
        assert said == code
        assert reason
        assert read_all(sock) == b""
        assert recorder.wait("closed") == ("closed", code, reason)
        assert recorder.heard[0] == ("received", b"before", False)
        assert len(recorder.heard) == 2
    host.wait_empty()
    assert len(recorder.closes()) == 1
    assert sum(count for name, count in host.server.counters.items() if name.startswith("websocket.")) == 1


def test_the_reason_arrives_though_the_client_goes_on_sending(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        sock.sendall(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"x" * 300_000)
        assert close_code(sock)[0] == 1009


def test_who_does_not_go_after_a_violation_is_dropped(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        sock.sendall(client_frame(b"a", mask=None))
        host.wait_empty()  # though this side never closes


def test_a_half_open_websocket_ends(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.shutdown(socket.SHUT_WR)
        assert recorder.wait("closed") == ("closed", 1006, "")
        host.wait_empty()


def test_a_half_open_websocket_with_unsent_data_ends(app: App, host: Host) -> None:
    with open_websocket(host, receive_buffer=4096) as sock:
        recorder = opened(app, host)
        host.call(lambda: recorder.wire.send(b"x" * 10_000_000))
        sock.shutdown(socket.SHUT_WR)
        assert recorder.wait("closed")[1] == 1006
        host.wait_empty()


def test_who_closes_and_never_reads_is_dropped(app: App, host: Host) -> None:
    with open_websocket(host, receive_buffer=4096) as sock:
        recorder = opened(app, host)
        host.call(lambda: recorder.wire.send(b"x" * 10_000_000))
        sock.sendall(client_frame(b"\x03\xe8", 8))
        assert recorder.wait("closed")[1] == 1000
        host.wait_empty()


def test_a_flood_of_pings_from_who_never_reads_is_bounded(app: App, host: Host) -> None:
    with open_websocket(host, receive_buffer=4096) as sock:
        recorder = opened(app, host)
        host.call(lambda: recorder.wire.send(b"x" * 5_000_000))
        recorder.wait("paused")
        before = host.call(lambda: recorder.wire._transport.get_write_buffer_size())
        for number in range(5000):
            sock.sendall(client_frame(b"%d" % number, 9))
        sock.sendall(client_frame(b"the last"))
        recorder.wait("received")
        assert host.call(lambda: recorder.wire._transport.get_write_buffer_size()) <= before
        pongs = []
        while not pongs or pongs[-1] != b"4999":
            opcode, payload = server_frame(sock)
            if opcode == 10:
                pongs.append(payload)
        assert len(pongs) <= 1


def test_many_empty_fragments_cost_nothing(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.sendall(client_frame(b"a", fin=False) + client_frame(b"", 0, fin=False) * 50_000)
        sock.sendall(client_frame(b"b", 0))
        assert recorder.wait("received") == ("received", b"ab", False)


def test_a_message_in_single_bytes(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        recorder = opened(app, host)
        for byte in client_frame("€uro".encode(), fin=False) + client_frame(b"p", 9) + client_frame(b"!", 0):
            sock.sendall(bytes([byte]))
        assert recorder.wait("received") == ("received", "€uro!".encode(), False)
        assert server_frame(sock) == (10, b"p")


def test_random_bytes_end_in_a_close_and_never_in_an_error(
    app: App, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(7)
    for _ in range(50):
        with open_websocket(host) as sock:
            sock.sendall(chance.randbytes(chance.randrange(2, 2000)))
            sock.shutdown(socket.SHUT_WR)
            read_all(sock)
    host.wait_empty()
    assert all(len(recorder.closes()) == 1 for recorder in app.wires)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_crowd_that_vanishes_leaves_nothing(app: App, host: Host) -> None:
    crowd = [open_websocket(host) for _ in range(300)]
    host.wait_until(lambda: host.server.connections == 300)
    for sock in crowd:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close resets
        sock.close()
    host.wait_empty()
    assert [recorder.closes() for recorder in app.wires] == [[("closed", 1006, "")]] * 300


def test_writes_after_the_loss_never_raise(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        host.call(lambda: (recorder.wire.out.write(b"\x81\x01a"), recorder.wire.send(b"x"), recorder.wire.ping()))
    assert len(recorder.closes()) == 1
