"""`wirehop serve` as a process: how it starts, what it says, and above all how it stops."""

import asyncio
import contextlib
import errno
import json
import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from wirehop.client import Client, ClientState, RequestFailed
from wirehop.client.address import Address
from wirehop.client.errors import HttpError
from wirehop.client.events import ChannelEvents, StreamChanged
from wirehop.client.http import HttpClient
from wirehop.client.outputs import StateChanged

WIREHOP = str(Path(sys.executable).with_name("wirehop"))
SECONDS = 20.0
OPEN = ("--namespace", "default.subscribe=anyone", "--namespace", "default.publish=anyone")
LOOPS = ("asyncio", "uvloop")


class Served:
    """A `wirehop serve` that runs. `stdout` and `stderr` are whole once it has ended."""

    def __init__(self, *arguments: str, directory: Path) -> None:
        self._directory = directory
        with (directory / "stdout").open("wb") as stdout, (directory / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [WIREHOP, "serve", "--port", "0", *arguments],
                cwd=directory,
                env={name: value for name, value in os.environ.items() if not name.startswith("WIREHOP_")},
                stdout=stdout,
                stderr=stderr,
            )
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(r"serving on (https?)://[^ ]*:(\d+)\n", self.stdout)):
            assert self.process.poll() is None, self.stderr
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.01)
        self.port = int(found[2])
        self.url = f"{found[1]}://127.0.0.1:{self.port}"

    @property
    def stdout(self) -> str:
        return (self._directory / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self._directory / "stderr").read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.splitlines()]

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = SECONDS) -> int:
        """Its exit code; nothing on stderr may look like an accident."""
        code = self.process.wait(seconds)
        assert "Traceback" not in self.stderr
        assert "never" not in self.stderr
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    """`serve(*arguments)` starts one; each has a directory of its own."""
    running: list[Served] = []

    def start(*arguments: str) -> Served:
        directory = tmp_path / str(len(running))
        directory.mkdir(exist_ok=True)
        running.append(Served(*arguments, directory=directory))
        return running[-1]

    yield start
    for each in running:
        each.close()


def failing(*arguments: str, directory: Path, timeout: float = SECONDS) -> tuple[int, str]:
    """Exit code and stderr of a `wirehop serve` that does not start."""
    done = subprocess.run(
        [WIREHOP, "serve", *arguments], cwd=directory, capture_output=True, text=True, timeout=timeout, check=False
    )
    return done.returncode, done.stderr


@contextlib.asynccontextmanager
async def http_to(served: Served) -> AsyncIterator[HttpClient]:
    http = HttpClient(Address("127.0.0.1", served.port), timeout=5.0)
    try:
        yield http
    finally:
        await http.close()


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for something that nothing signals."""
    async with asyncio.timeout(SECONDS):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def refused(served: Served) -> None:
    """Wait until no new connection is accepted."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            except ConnectionError:  # refused; or reset, where it was queued when the port was closed
                return
            writer.transport.abort()
            await asyncio.sleep(0.005)


# ---- starting --------------------------------------------------------------------------------------------------------


def test_a_taken_port_is_one_sentence_that_says_who_has_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = failing("--port", str(port), directory=tmp_path)
    assert code == 2
    assert text.startswith(f"wirehop: cannot listen on 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}")
    assert f"(process {os.getpid()})" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nothing_here:node",), "wirehop: cannot import 'nothing_here': No module named 'nothing_here'"),
        (("--dev", "--host", "0.0.0.0"), "dev opens everything and so listens on loopback only"),
        (("--config", "missing.toml"), "missing.toml"),
        (("--prot", "1"), "No such option '--prot'"),
        (("--namespace", "chat.presense=true"), "did you mean namespaces.chat.presence?"),
        (("--server-loop", "curio"), "asyncio"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence_with_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    code, text = failing(*arguments, directory=tmp_path)
    assert code == 2
    assert sentence in text
    assert "Traceback" not in text


def test_dev_says_what_it_opens_also_where_nobody_looks(serve: Any) -> None:
    served = serve("--dev")
    assert served.stdout.splitlines()[0].startswith("wirehop ")
    assert "anyone on this machine may subscribe, publish and read everything" in served.stdout


def test_on_a_terminal_there_is_a_banner(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [WIREHOP, "serve", "--dev", "--port", "0"], cwd=tmp_path, stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    shown = ""
    deadline = time.monotonic() + SECONDS
    while "╯" not in shown and time.monotonic() < deadline:
        shown += os.read(ours, 4096).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    process.wait(SECONDS)
    os.close(ours)
    assert re.search(r"http://127\.0\.0\.1:\d+", shown)
    for word in ("websocket", "demos: http", "/lab/", "development mode"):
        assert word in shown


@pytest.mark.asyncio
async def test_health_ready_and_metrics(serve: Any) -> None:
    served = serve(*OPEN)
    async with http_to(served) as http, Client(served.url) as client, client.subscribe("room"):
        await client.publish("room", 1)
        for path, body in (("/health", {"status": "ok"}), ("/ready", {"status": "ready"})):
            response = await http.request("GET", path)
            assert (response.status, json.loads(response.body)) == (200, body)
            assert response.headers["cache-control"] == "no-store"
        response = await http.request("GET", "/metrics")
        assert response.headers["content-type"].startswith("text/plain")
        samples = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(response.body.decode())
            for sample in family.samples
        }
    assert samples[("wirehop_connections", "websocket")] == 1
    assert samples[("wirehop_publications_total",)] == 1
    assert samples[("wirehop_channels",)] == 1
    assert samples[("wirehop_messages_total", "in", "websocket")] >= 3


@pytest.mark.asyncio
async def test_over_tls(serve: Any, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "chain.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    served = serve(
        "--server-certificate",
        str(tmp_path / "chain.pem"),
        "--server-private-key",
        str(tmp_path / "key.pem"),
        *OPEN,
        "--server-drain",
        "0s",
    )
    assert served.url.startswith("https://")
    async with asyncio.timeout(SECONDS):
        async with Client(served.url.replace("https", "wss"), tls=trusting) as client:
            assert (await client.publish("room", 1)).offset == 1
        async with Client(served.url, tls=trusting, wire="long-poll") as client:
            assert (await client.publish("room", 1)).offset == 2
    served.signal()
    assert served.ended() == 0


# ---- the log ---------------------------------------------------------------------------------------------------------

BROKEN_APP = """
from wirehop import Namespace, Node, User

node = Node(namespaces={"": Namespace(subscribe="anyone", publish="anyone")})

@node.on_connect
async def connect(connecting):
    if connecting.token == "break":
        raise RuntimeError("a secret detail")
    return User("Ada Lovelace")
"""


@pytest.mark.asyncio
async def test_the_log_is_json_with_session_user_wire_and_code(serve: Any) -> None:
    served = serve("--server-drain", "0s", *OPEN)
    states: list[StateChanged] = []
    async with Client(served.url, on_state=states.append) as client:
        await client.publish("room", 1)
    async with Client(served.url, wire="sse", on_state=states.append) as client:
        await client.publish("room", 1)
        served.signal()
        await until(lambda: client.state is not ClientState.CONNECTED)
    assert served.ended() == 0
    closed = [entry for entry in served.log if "closed code=" in entry["message"]]
    assert [(entry["wire"], entry["code"]) for entry in closed] == [("websocket", 3000), ("sse", 3001)]
    for entry in closed:
        assert len(entry["session"]) == 22
        assert entry["user"] == "-"
        assert entry["level"] == "info"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


@pytest.mark.asyncio
async def test_a_failing_on_connect_is_logged_once_with_the_session_and_tells_the_client_nothing(
    serve: Any, tmp_path: Path
) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "broken_app.py").write_text(BROKEN_APP)
    served = serve("broken_app:node", "--server-drain", "0s")
    states: list[StateChanged] = []
    with contextlib.suppress(Exception):
        async with Client(served.url, token="break", timeout=0.3, on_state=states.append):
            pass
    async with Client(served.url, token="ada") as client:
        await client.publish("room", 1)
    served.signal()
    assert served.process.wait(SECONDS) == 0
    failures = [entry for entry in served.log if "exception" in entry]
    assert len(failures) == 1
    assert "RuntimeError: a secret detail" in failures[0]["exception"]
    closed = [entry for entry in served.log if "closed code=" in entry["message"]]
    assert [entry["session"] for entry in closed[:1]] == [failures[0]["session"]]
    assert closed[-1]["user"] == "Ada Lovelace"
    assert [change.reason for change in states if change.state is ClientState.WAITING] == ["internal error"]


def test_logs_for_people_where_they_are_asked_for(serve: Any) -> None:
    served = serve("--server-log-format", "text")
    served.signal()
    assert served.ended() == 0
    assert re.search(r"^\d\d:\d\d:\d\d INFO +draining for 10 s; a second signal stops at once$", served.stderr, re.M)


# ---- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server_at_once_with_exit_code_0(serve: Any, loop: str, number: int) -> None:
    served = serve("--server-loop", loop)
    before = time.monotonic()
    served.signal(number)
    assert served.ended() == 0
    assert time.monotonic() - before < 3, "there is nobody to wait for"


@pytest.mark.asyncio
@pytest.mark.parametrize("loop", LOOPS)
async def test_draining_tells_the_sessions_one_after_the_other_over_the_drain_time(serve: Any, loop: str) -> None:
    served = serve("--server-loop", loop, "--server-drain", "1200ms", *OPEN)
    told: dict[int, tuple[float, int]] = {}
    now = asyncio.get_running_loop().time

    def teller(number: int) -> Any:
        def tell(change: StateChanged) -> None:
            if change.state is ClientState.WAITING:
                told.setdefault(number, (now(), change.code))

        return tell

    async with contextlib.AsyncExitStack() as stack:
        wires: list[Any] = ["websocket", "sse", "websocket", "sse"]
        for number, wire in enumerate(wires):
            await stack.enter_async_context(Client(served.url, wire=wire, on_state=teller(number)))
        began = now()
        served.signal()
        await refused(served)
        assert len(told) < len(wires), "the port is closed while sessions go on"
        await until(lambda: len(told) == len(wires))
    assert {code for _, code in told.values()} == {3001}
    at = [told[number][0] - began for number in range(len(wires))]
    assert at == sorted(at)
    for number, seconds in enumerate(at):
        assert number * 0.3 - 0.05 <= seconds <= number * 0.3 + 1.0
    assert served.ended() == 0


@pytest.mark.asyncio
async def test_a_request_that_was_begun_before_the_signal_is_answered_and_ready_says_draining(serve: Any) -> None:
    served = serve("--server-drain", "5s", *OPEN)
    async with Client(served.url):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET /ready HTTP/1.1\r\nHost: x\r\n")
        idle_reader, idle = await asyncio.open_connection("127.0.0.1", served.port)
        idle.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await idle_reader.readuntil(b"\r\n\r\n")
        await idle_reader.readexactly(len(b'{"status":"ok"}'))
        served.signal()
        async with asyncio.timeout(SECONDS):
            await refused(served)
            assert await idle_reader.read() == b"", "an idle connection is closed"
            writer.write(b"\r\n")
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'{"status":"draining"}' in answer
        assert b"connection: close" in answer.lower()
        for each in (writer, idle):
            each.close()
            await each.wait_closed()
    assert served.ended() == 0


@pytest.mark.asyncio
async def test_a_second_signal_stops_at_once(serve: Any) -> None:
    served = serve("--server-drain", "30s", *OPEN)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(Client(served.url))
        served.signal()
        await refused(served)
        before = time.monotonic()
        served.signal()
        code = await asyncio.to_thread(served.ended)
        assert time.monotonic() - before < 3
    assert code == 0
    assert [entry["code"] for entry in served.log if "closed code=" in entry["message"]] == [3001] * 3


@pytest.mark.asyncio
async def test_draining_ends_event_streams_with_a_time_to_come_back(serve: Any) -> None:
    served = serve("--server-drain", "300ms", *OPEN)
    changes: list[StreamChanged] = []
    source = ChannelEvents(served.url, "room", on_change=changes.append, jitter=lambda: 1.0)
    events = aiter(source)
    reading = asyncio.ensure_future(anext(events))
    await until(lambda: len(changes) == 1)
    served.signal()
    await until(lambda: len(changes) == 2)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await events.aclose()
    assert changes[1].reason == "the stream ended"
    assert 1.0 <= changes[1].delay <= 10.0, "spread by the server's own `retry:`"
    assert served.ended() == 0


@pytest.mark.asyncio
async def test_draining_answers_held_polls_with_the_cursor_that_they_had(serve: Any) -> None:
    served = serve("--server-drain", "300ms", *OPEN)
    async with http_to(served) as http, asyncio.timeout(SECONDS):
        await http.request("POST", "/channels/room", headers=[("Content-Type", "text/plain")], body=b"x")
        cursor = json.loads((await http.request("GET", "/channels/room?wait=0")).body)["cursor"]
        held = asyncio.ensure_future(http.request("GET", f"/channels/room?wait=25s&cursor={cursor}"))
        async with http_to(served) as other:
            while b'transport="channel-poll"} 1' not in (await other.request("GET", "/metrics")).body:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        served.signal()
        answer = await held
    assert served.ended() == 0
    assert (answer.status, json.loads(answer.body)) == (200, {"cursor": cursor, "publications": []})


@pytest.mark.asyncio
async def test_what_was_asked_before_the_end_fails_with_a_code_not_with_silence(serve: Any) -> None:
    served = serve("--server-drain", "0s", "--dev")
    async with Client(served.url, wire="long-poll") as client:
        assert await client.rpc("echo", 1) == 1
        served.signal()
        await asyncio.to_thread(served.ended)
        await until(lambda: client.state is not ClientState.CONNECTED)
        asked = asyncio.ensure_future(client.rpc("echo", 2))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(RequestFailed) as caught:
            await asked
        assert caught.value.code == 120
    async with http_to(served) as http:
        with pytest.raises(HttpError):
            await http.request("GET", "/health")
