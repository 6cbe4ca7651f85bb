"""The load generator and the floor server, against each other for a fraction of a second.

They are programs of their own, so they are tested as such: built by the compiler at hand, run, and judged by
what they print. Figures of speed are not judged, only that they are there.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[3] / "bench"

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) to build the tools with"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tools use epoll and /proc"),
]


def _build(name: str, into: Path) -> Path:
    program = into / name
    sources = sorted((BENCH / name).glob("*.c"))
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
