"""The load generator and the floor server, against each other for a fraction of a second.

They are programs of their own, so they are tested as such: built by the compiler at hand, run, and judged by
what they print. Figures of speed are not judged, only that they are there.
"""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCES = {"load": ROOT / "bench" / "load", "floor": ROOT / "src" / "wirehop" / "bench" / "floor"}

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) to build the tools with"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tools use epoll and /proc"),
]


def _build(name: str, into: Path) -> Path:
    program = into / name
    sources = sorted(SOURCES[name].glob("*.c"))
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, *sources], check=True, timeout=60)
    return program


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("load", tmp_path_factory.mktemp("load"))


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Port and process id of a floor server: with port 0 the system chooses, and the floor says which."""
    program = _build("floor", tmp_path_factory.mktemp("floor"))
    with subprocess.Popen([program, "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


def _run(load: Path, floor: tuple[int, int], *arguments: object, status: int = 0) -> dict[str, Any]:
    port, pid = floor
    fixed = [
        "--port",
        port,
        "--server-pid",
        pid,
        "--warmup",
        0.05,
        "--settle",
        0.05,
        "--duration",
        0.2,
        "--drain",
        1,
    ]
    command = [str(part) for part in (load, *fixed, *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == status, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    result: dict[str, Any] = json.loads(lines[0])
    return result


LANES = {
    "WebSocket, published by POST": ("--mode", "ws", "--publish-post", "/x"),
    "WebSocket, published by a subscriber's frame": ("--mode", "ws", "--publish-frame", "{payload}"),
    "WebSocket, published on a connection of its own": (
        "--mode", "ws", "--publish-frame", "{payload}", "--publisher-path", "/publish",
    ),
    "event stream, published by POST": ("--mode", "sse", "--publish-post", "/x"),
    "event stream, published by a frame": (
        "--mode", "sse", "--publish-frame", "{payload}", "--publisher-path", "/publish",
    ),
    "four publications in flight": ("--mode", "ws", "--publish-post", "/x", "--in-flight", 4),
    "open loop": ("--mode", "ws", "--publish-post", "/x", "--rate", 200),
    "payloads with a long frame head": ("--mode", "ws", "--publish-post", "/x", "--size", 60_000),
}  # fmt: skip


@pytest.mark.parametrize("lane", LANES)
def test_everything_published_is_delivered_once(load: Path, floor: tuple[int, int], lane: str) -> None:
    result = _run(load, floor, "--connections", 30, *LANES[lane])

    deliveries = result["deliveries"]
    assert result["first_error"] == ""
    assert result["connections"]["ready"] == 30
    assert deliveries["count"] == 30 * result["publications"]["sent"] > 0
    assert (deliveries["missing"], deliveries["duplicates"], deliveries["stalls"]) == (0, 0, 0)


def test_latencies_are_ordered_and_costs_are_there(load: Path, floor: tuple[int, int]) -> None:
    result = _run(load, floor, "--connections", 30, "--publish-post", "/x")

    latency = result["latency_ms"]
    assert latency["count"] == result["deliveries"]["count"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"] <= latency["max"]
    assert result["server"]["processes"] == 1
    assert result["server"]["cpu_us_per_delivery"] > 0
    # no order between them: thirty connections weigh less than what other processes take over of shared pages
    assert result["server"]["pss_connected"] > 0
    assert result["server"]["pss_before"] > 0


def test_a_payload_has_the_size_asked_for(load: Path, floor: tuple[int, int]) -> None:
    result = _run(load, floor, "--connections", 10, "--publish-frame", "{payload}", "--publisher-path", "/publish")

    assert result["deliveries"]["bytes_each"] == 128 + 4  # a server's frame head at that length


def test_echoes_come_back(load: Path, floor: tuple[int, int]) -> None:
    result = _run(load, floor, "--connections", 10, "--path", "/echo", "--echo", "{payload}")

    assert result["deliveries"]["count"] > 10


def test_stalled_readers_do_not_stop_the_others(load: Path, floor: tuple[int, int]) -> None:
    result = _run(load, floor, "--connections", 20, "--stalled", 5, "--publish-post", "/x", "--size", 30_000)

    deliveries = result["deliveries"]
    assert deliveries["count"] == 15 * result["publications"]["sent"] > 0
    assert (deliveries["missing"], deliveries["stalls"]) == (0, 0)


def test_it_ends_by_itself_when_nothing_arrives(load: Path, floor: tuple[int, int]) -> None:
    """Who connects to /publish receives nothing: all is missing, and the run is over in time all the same."""
    result = _run(
        load,
        floor,
        "--connections",
        5,
        "--path",
        "/publish",
        "--publish-post",
        "/x",
        "--patience",
        0.1,
        "--drain",
        0.1,
    )

    assert result["deliveries"]["count"] == 0
    assert result["deliveries"]["stalls"] > 0
    assert result["deliveries"]["missing"] >= 5


def test_a_connection_that_is_never_ready_is_reported(load: Path, floor: tuple[int, int]) -> None:
    result = _run(load, floor, "--connections", 2, "--ready-on", "never said", "--connect-limit", 0.2, status=1)

    assert result["connections"]["ready"] == 0
    assert result["connections"]["failed"] == 2
    assert "not ready in time" in result["first_error"]


def test_a_hello_is_sent_and_expanded(load: Path, floor: tuple[int, int]) -> None:
    """The floor echoes it, so the third connection becomes ready by its own number, and the others do not."""
    result = _run(
        load, floor, "--connections", 3, "--path", "/echo", "--hello", "I am {i}.", "--ready-on", "I am 2.",
        "--connect-limit", 0.2, "--duration", 0, status=1,
    )  # fmt: skip

    assert result["connections"]["ready"] == 1


def test_the_floor_ends_with_the_pipe_that_is_its_input(tmp_path: Path) -> None:
    program = _build("floor", tmp_path)
    with subprocess.Popen([program, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(5) == 0


def test_publications_go_round_the_channels_and_each_subscriber_owes_its_own(
    load: Path, floor: tuple[int, int]
) -> None:
    """The floor has one channel that everybody hears: right where all subscribe to all, doubled where they do not."""
    all_of_all = _run(load, floor, "--connections", 6, "--publish-post", "/{c}", "--channels", 3, "--each", 3)
    one_of_three = _run(load, floor, "--connections", 6, "--publish-post", "/{c}", "--channels", 3, "--each", 1)

    assert all_of_all["deliveries"]["count"] == 6 * all_of_all["publications"]["sent"] > 0
    assert (all_of_all["deliveries"]["missing"], all_of_all["deliveries"]["duplicates"]) == (0, 0)
    assert one_of_three["deliveries"]["missing"] == 0
    assert one_of_three["deliveries"]["duplicates"] >= 3 * one_of_three["publications"]["sent"]


def test_a_hello_to_each_channel_names_it(load: Path, floor: tuple[int, int]) -> None:
    """Connection 1 of 2 with 2 of 4 channels has channels 2 and 3; the floor echoes what it said."""
    result = _run(
        load, floor, "--connections", 2, "--path", "/echo", "--channels", 4, "--each", 2, "--hello-each", "{k}:c{c}",
        "--ready-on", "1:c2\n2:c3", "--connect-limit", 0.2, "--duration", 0, status=1,
    )  # fmt: skip

    assert result["connections"]["ready"] == 1


def test_channels_that_cannot_be_dealt_out_evenly_are_refused(load: Path) -> None:
    command = [load, "--connections", "10", "--channels", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)

    assert done.returncode == 2
    assert "--channels" in done.stderr


def test_hellos_in_steps_wait_for_a_message_each(load: Path) -> None:
    """As Socket.IO asks: the server speaks first, then the client, then the server again."""
    heard = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            while lines.readline() != b"\r\n":
                pass
            accept = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: eMIRncKRvTQEHwecHFGjLEZDDKQ=\r\n\r\n"
            connection.sendall(accept + b"\x81\x02{}")
            head = lines.read(6)
            heard.append(bytes(byte ^ head[2 + place % 4] for place, byte in enumerate(lines.read(head[1] & 0x7F))))
            connection.sendall(b"\x81\x05ready")
            lines.read(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        result = _run(
            load, (listener.getsockname()[1], 0), "--connections", 1, "--hello-steps", "--hello", "40", "--ready-on",
            "ready", "--duration", 0, "--answer", "2=3",
        )  # fmt: skip
        server.join(5)

    assert heard == [b"40"]
    assert result["connections"]["ready"] == 1


class _Polled(BaseHTTPRequestHandler):
    """A long poll as nchan has it: the last message is named by `Last-Modified` and `ETag`."""

    protocol_version = "HTTP/1.1"
    messages: ClassVar[list[bytes]] = []
    is_over: ClassVar[bool] = False
    news = threading.Condition()

    def do_GET(self) -> None:
        seen = int(self.headers.get("If-None-Match", len(self.messages)))
        with self.news:
            self.news.wait_for(lambda: self.is_over or len(self.messages) > seen, timeout=5)
        if len(self.messages) <= seen:
            self.close_connection = True
            return
        body = self.messages[seen]
        self.send_response(200)
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
        self.send_header("ETag", str(seen + 1))
        self._end(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.news:
            self.messages.append(body)
            self.news.notify_all()
        self.send_response(201)
        self._end(b"")

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_long_poll_goes_on_by_last_modified_and_etag(load: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Polled) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            result = _run(
                load, (server.server_port, 0), "--mode", "poll", "--validators", "--connections", 4, "--publish-post",
                "/x", "--reset",
            )  # fmt: skip
        finally:
            with _Polled.news:
                _Polled.is_over = True
                _Polled.news.notify_all()
            server.shutdown()
            thread.join(5)

    assert result["deliveries"]["count"] == 4 * result["publications"]["sent"] > 0
    assert (result["deliveries"]["missing"], result["deliveries"]["duplicates"]) == (0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--unknown", "1"),
        ("--mode", "carrier-pigeon"),
        ("--size", "3"),
        ("--port",),
        ("--connections", "many"),
    ],
)
def test_a_wrong_option_is_named(load: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([load, *arguments], capture_output=True, text=True, timeout=5, check=False)

    assert done.returncode == 2
    assert arguments[0].lstrip("-") in done.stderr or arguments[-1] in done.stderr
