"""Hostile and broken HTTP clients: each is refused by name, and the others go on being served."""

import gc
import importlib.util
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

from native_harness import LOOPS, App, Client, Host, allow_open_files, read_all, resident_bytes, running  # noqa: E402

from wirehop.hosts.native import HostOptions  # noqa: E402
from wirehop.hosts.native.timeouts import Phase  # noqa: E402

GOOD = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(params=LOOPS)
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def host(app: App, loop_name: str) -> Iterator[Host]:
    with running(app, loop_name) as host:
        yield host


@pytest.fixture
def hasty(app: App, loop_name: str) -> Iterator[Host]:
    """A host whose time-outs are short."""
    options = HostOptions(header_seconds=0.15, body_seconds=0.15, linger_seconds=0.1, close_seconds=0.15)
    with running(app, loop_name, options) as host:
        yield host


def refused(host: Host, request: bytes) -> tuple[int, str]:
    """Status and counted name; the answer is plain text with a reason, and the connection is closed."""
    before = host.server.counters.copy()
    with host.connect() as sock:
        client = Client(sock).send(request)
        answer = client.answer()
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["connection"] == "close"
        assert answer.body.endswith(b"\n")
        assert answer.body.count(b"\n") == 1
        assert client.is_closed()
    (name,) = host.server.counters - before
    return answer.status, name


def still_serves(host: Host) -> None:
    with host.connect() as sock:
        assert Client(sock).get("/good").status == 200


# ---- smuggling and malformed heads ---------------------------------------------------------------------------------

H = b"Host: x\r\n"
SMUGGLING = {
    "length and coding": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding and length": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3, 4\r\n\r\nabcd",
    "a signed length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -3\r\n\r\n",
    "a hexadecimal length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": b"POST / HTTP/1.1\r\n" + H + b"Content-Length:\r\n\r\n",
    "a length beyond numbers": b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "coding in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding twice": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n",
    "a folded coding": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding:\r\n chunked\r\n\r\n",
    "a space before the colon": b"POST / HTTP/1.1\r\n" + H + b"Content-Length : 3\r\n\r\nabc",
    "a header without a name": b"GET / HTTP/1.1\r\n" + H + b": b\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\n" + H + b"abc\r\n\r\n",
    "a bare CR in a value": b"GET / HTTP/1.1\r\n" + H + b"A: b\rContent-Length: 3\r\n\r\n",
    "a bare CR in the target": b"GET /\rx HTTP/1.1\r\n" + H + b"\r\n",
    "a bare LF": b"GET / HTTP/1.1\r\n" + H + b"A: b\nContent-Length: 3\r\n\r\n",
    "only bare LFs": b"GET / HTTP/1.1\nHost: x\n\n",
    "a NUL in a value": b"GET / HTTP/1.1\r\n" + H + b"A: b\0c\r\n\r\n",
    "a NUL in a name": b"GET / HTTP/1.1\r\n" + H + b"A\0: b\r\n\r\n",
    "a NUL in the target": b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n",
    "no Host": b"GET / HTTP/1.1\r\nA: b\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + H + b"Host: y\r\n\r\n",
    "two equal Hosts": b"GET / HTTP/1.1\r\n" + H + H + b"\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a Host with a user": b"GET / HTTP/1.1\r\nHost: a@x\r\n\r\n",
    "a Host with a space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + H + b"\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n",
    "a relative target": b"GET a HTTP/1.1\r\n" + H + b"\r\n",
    "an asterisk for GET": b"GET * HTTP/1.1\r\n" + H + b"\r\n",
    "a foreign scheme": b"GET ftp://x/ HTTP/1.1\r\n" + H + b"\r\n",
    "an absolute target without a host": b"GET http:///x HTTP/1.1\r\n" + H + b"\r\n",
    "a way up": b"GET /a/../b HTTP/1.1\r\n" + H + b"\r\n",
    "an escaped way up": b"GET /a/%2e%2E%2fb HTTP/1.1\r\n" + H + b"\r\n",
    "an escaped NUL": b"GET /a%00b HTTP/1.1\r\n" + H + b"\r\n",
    "a path that is not UTF-8": b"GET /%ff HTTP/1.1\r\n" + H + b"\r\n",
    "an overlong escape": b"GET /%c0%ae%c0%ae/ HTTP/1.1\r\n" + H + b"\r\n",
    "half an escape": b"GET /a%2 HTTP/1.1\r\n" + H + b"\r\n",
    "no version": b"GET /\r\n" + H + b"\r\n",
    "a chunk that is longer than it says": (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"
    ),
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(30),
    "an answer": b"HTTP/1.1 200 OK\r\n\r\n",
    "nonsense": b"\r\nnonsense\r\n\r\n",
}


@pytest.mark.parametrize("case", SMUGGLING)
def test_what_can_be_read_in_two_ways_is_refused(app: App, host: Host, case: str) -> None:
    status, name = refused(host, SMUGGLING[case])
    assert status == 400
    assert name.startswith("http.")
    assert app.served == 0
    still_serves(host)


@pytest.mark.parametrize(
    ("request_bytes", "status", "name"),
    [
        (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n\r\n", 501, "http.transfer_coding"),
        (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "http.transfer_coding"),
        (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n\r\n", 501, "http.transfer_coding"),
        (b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505, "http.version"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http.version"),
        (b"GET / HTTP/1.2\r\n" + H + b"\r\n", 505, "http.version"),
        (b"BREW / HTTP/1.1\r\n" + H + b"\r\n", 501, "http.method_unknown"),
        (b"CONNECT x:80 HTTP/1.1\r\n" + H + b"\r\n", 501, "http.method_unknown"),
        (b"POST / HTTP/1.1\r\n" + H + b"Expect: miracles\r\nContent-Length: 1\r\n\r\n", 417, "http.expectation"),
    ],
)
def test_what_is_not_spoken_here(host: Host, request_bytes: bytes, status: int, name: str) -> None:
    assert refused(host, request_bytes) == (status, name)


def test_what_follows_a_refused_request_is_never_served(app: App, host: Host) -> None:
    answers = host.ask(SMUGGLING["length and coding"] + b"0\r\n\r\n" + GOOD * 10)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert app.served == 0


# ---- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_bytes", "status", "name"),
    [
        (b"GET / HTTP/1.1\r\n" + H + b"A: " + b"b" * 40_000 + b"\r\n\r\n", 431, "http.header_too_large"),
        (b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n" * 200 + b"\r\n", 431, "http.too_many_headers"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414, "http.target_too_long"),
        (b"GET /" + b"a" * 20_000, 414, "http.target_too_long"),
        (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1048577\r\n\r\n", 413, "http.body_too_large"),
    ],
)
def test_oversized_requests(host: Host, request_bytes: bytes, status: int, name: str) -> None:
    assert refused(host, request_bytes) == (status, name)


def test_an_oversized_body_is_refused_before_100_continue(host: Host) -> None:
    head = b"POST / HTTP/1.1\r\n" + H + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"
    assert refused(host, head) == (413, "http.body_too_large")


def test_the_answer_to_an_oversized_body_arrives_though_the_client_goes_on_sending(host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 2000000\r\n\r\n" + b"x" * 500_000)
        assert Client(sock).answer().status == 413


def test_a_client_that_never_stops_sending_is_dropped(host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 99000000\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(1000):
                sock.sendall(b"x" * 65_536)
    host.wait_empty()


# ---- time ----------------------------------------------------------------------------------------------------------


def test_a_slow_loris_head_is_408(hasty: Host) -> None:
    with hasty.connect() as sock:
        client = Client(sock).send(b"GET / HTTP/1.1\r\n")
        started = time.monotonic()
        while time.monotonic() - started < 0.3:  # a line now and then does not help
            time.sleep(0.03)
            try:
                sock.sendall(b"X: y\r\n")
            except OSError:
                break
        assert client.answer().status == 408
    assert hasty.counted("http.header_timeout") == 1
    still_serves(hasty)


def test_a_slow_second_head_is_408_too(hasty: Host) -> None:
    with hasty.connect() as sock:
        client = Client(sock)
        assert client.get("/good").status == 200
        assert client.send(b"GET / HT").answer().status == 408
        assert client.is_closed()


def test_a_slow_body_is_408(hasty: Host) -> None:
    with hasty.connect() as sock:
        client = Client(sock).send(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 9\r\n\r\nabc")
        assert client.answer().status == 408
        assert client.is_closed()
    assert hasty.counted("http.body_timeout") == 1


def test_a_client_that_does_not_read_its_refusal_is_dropped(hasty: Host) -> None:
    with hasty.connect() as sock:
        sock.sendall(SMUGGLING["two lengths"])
        hasty.wait_empty()  # though this side never closes


def test_a_client_that_does_not_read_its_answer_is_dropped(hasty: Host) -> None:
    with hasty.connect(receive_buffer=4096) as sock:
        sock.sendall(b"GET /big?20000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        hasty.wait_empty()


def test_a_slow_reader_that_reads_is_not_dropped(hasty: Host) -> None:
    with hasty.connect(receive_buffer=65_536) as sock:
        sock.sendall(b"GET /big?6000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size, started = 0, time.monotonic()
        while data := sock.recv(100_000):
            size += len(data)
            time.sleep(0.01)
        assert size > 6_000_000
        assert time.monotonic() - started > 0.3  # longer than close_seconds


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("sends", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 50])
def test_a_thousand_connections_that_never_finish(app: App, loop_name: str, sends: bytes) -> None:
    options = HostOptions(header_seconds=1.0, linger_seconds=0.1, close_seconds=0.2)
    with running(app, loop_name, options) as host:
        _crowd(host, 300, sends)  # warm: what allocators keep is kept now
        gc.collect()
        before = resident_bytes()
        _crowd(host, 1000, sends)
        assert host.counted("http.header_timeout") == 1300
        gc.collect()
        assert resident_bytes() - before < 8_000_000
        assert host.call(lambda: sum(map(host.server._context.timeouts.count, Phase))) <= 1  # type: ignore[union-attr]
        still_serves(host)


def _crowd(host: Host, size: int, sends: bytes) -> None:
    """So many clients at once; while they hang, another is served quickly."""
    allow_open_files(4096)
    crowd = []
    try:
        for _ in range(size):
            sock = host.connect()
            crowd.append(sock)
            if sends:
                sock.sendall(sends)
        started = time.monotonic()
        still_serves(host)
        assert time.monotonic() - started < 0.5
        for sock in crowd:
            answer = read_all(sock)
            assert answer.startswith(b"HTTP/1.1 408 ") if sends else answer == b""
    finally:
        for sock in crowd:
            sock.close()
    host.wait_empty()


# ---- floods, half-open sockets, injection --------------------------------------------------------------------------


def test_a_pipelined_flood_is_served_in_order_and_others_between(app: App, host: Host) -> None:
    with host.connect() as sock:
        requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(2000))
        sock.sendall(requests)
        still_serves(host)
        client = Client(sock)
        for number in range(2000):
            assert client.answer().json()["path"] == f"/{number}"


def test_a_pipelined_flood_behind_an_unanswered_request_is_bounded(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        host.wait_until(lambda: len(app.held) == 1)
        sock.setblocking(False)
        sent = 0
        until = time.monotonic() + 3
        while time.monotonic() < until:
            try:
                sent += sock.send(GOOD * 3000)
            except BlockingIOError:
                time.sleep(0.05)
                try:
                    sent += sock.send(GOOD)
                except BlockingIOError:
                    break
        context = host.server._context
        assert context is not None
        (wire,) = context.wires
        assert wire._reader.held < 65_536 + 262_144  # type: ignore[attr-defined]
        sock.setblocking(True)
        sock.settimeout(5)
        host.call(lambda: app.held[0].respond(200, (), b"at last"))
        client = Client(sock)
        assert client.answer().body == b"at last"
        for _ in range(500):
            assert client.answer().status == 200


def test_a_client_that_pipelines_and_never_reads_is_not_served_on(app: App, host: Host) -> None:
    with host.connect(receive_buffer=4096) as sock:
        sock.sendall(b"GET /big?1000000 HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        time.sleep(0.2)
        assert host.call(lambda: app.served) < 20


def test_a_half_open_socket_with_a_request_unanswered(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /hold?a HTTP/1.1\r\nHost: x\r\n\r\n")
        host.wait_until(lambda: len(app.held) == 1)
        sock.shutdown(socket.SHUT_WR)
        host.wait_until(lambda: app.gone == ["a"])
        host.wait_empty()


def test_a_half_open_socket_within_a_request(host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
        host.wait_empty()


def test_a_half_open_socket_with_a_stream(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        host.wait_until(lambda: bool(app.wires) and app.wires[0].wire is not None)
        sock.shutdown(socket.SHUT_WR)
        assert app.wires[0].wait("closed")[1] == 1006
        host.wait_empty()


@pytest.mark.parametrize("escaped", ["%0d%0aX-Evil: 1", "%0aX-Evil: 1", "%00"])
def test_a_reflected_path_cannot_inject_headers(loop_name: str, escaped: str) -> None:
    def reflecting(exchange: object) -> None:
        exchange.respond(200, [("X-Path", exchange.request.path)])  # type: ignore[attr-defined]

    with running(reflecting, loop_name) as host:
        answer = host.ask(
            f"GET /{escaped.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.startswith((b"HTTP/1.1 500 ", b"HTTP/1.1 400 "))
        assert b"x-evil" not in answer.lower()
