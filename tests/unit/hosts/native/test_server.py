"""The server as a whole: sockets, TLS, limits of connections, stopping; and the one sweep of all time-outs."""

import asyncio
import gc
import socket
import ssl
import sys
import time

import pytest
import trustme
from native_harness import UPGRADE as UPGRADE_REQUEST
from native_harness import App, Client, Host, client_frame, read_all, read_until, running, server_frame

from wirehop.core.errors import LocalProtocolError
from wirehop.hosts.native import HostOptions, NativeServer
from wirehop.hosts.native.timeouts import Phase, Timeouts


def test_every_option_says_what_it_is() -> None:
    import ast
    import inspect

    from wirehop.hosts.native import options

    body = next(node for node in ast.parse(inspect.getsource(options)).body if isinstance(node, ast.ClassDef)).body
    for field, sentence in zip(body[1::2], body[2::2], strict=True):
        assert isinstance(field, ast.AnnAssign)
        assert isinstance(sentence, ast.Expr), ast.unparse(field)
        assert ast.literal_eval(sentence.value).endswith(".")


def test_a_socket_of_ones_own(app: App, loop_name: str) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    with running(app, loop_name) as host:
        second = NativeServer(app)
        host.run(second.start(sock=sock))
        assert second.port == sock.getsockname()[1]
        assert second.sockets == (sock,)
        with socket.create_connection(("127.0.0.1", second.port), 5) as client:
            assert Client(client).get("/").status == 200
        host.run(second.close())
        assert second.sockets == ()
        assert second.port == 0


@pytest.mark.parametrize("turns", range(4))
def test_who_is_accepted_in_the_turn_it_stops_listening_is_served(app: App, turns: int) -> None:
    """asyncio leaves such a connection open and unserved until the garbage collector finds it."""

    async def arrive(server: NativeServer) -> socket.socket:
        await server.start()
        client = socket.create_connection(("127.0.0.1", server.port), 5)
        for _ in range(turns):
            await asyncio.sleep(0)
        server.stop_listening()
        await asyncio.sleep(0.05)
        return client

    with running(app, "asyncio") as host:
        second = NativeServer(app)
        with host.run(arrive(second)) as client:
            if second.connections:
                assert Client(client).get("/").status == 200
            else:  # never accepted: the kernel resets it
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
        host.run(second.close())
        gc.collect()


def test_all_addresses_of_a_name_share_a_port(app: App, loop_name: str) -> None:
    with running(app, loop_name) as host:
        second = NativeServer(app)
        host.run(second.start("", 0))
        assert len({sock.getsockname()[1] for sock in second.sockets}) == 1
        host.run(second.close())


def test_a_server_starts_once(host: Host) -> None:
    with pytest.raises(LocalProtocolError):
        host.run(host.server.start())


@pytest.mark.skipif(sys.platform != "linux", reason="inherited options are read from /proc's owner")
def test_accepted_sockets_have_no_delay_and_the_user_timeout(app: App, loop_name: str) -> None:
    with running(app, loop_name, HostOptions(tcp_user_timeout=7.5)) as host, host.connect() as sock:
        Client(sock).get("/")
        context = host.server._context
        assert context is not None

        def options() -> tuple[int, int]:
            (wire,) = context.wires
            accepted = wire.transport.get_extra_info("socket")  # type: ignore[attr-defined]
            with socket.socket(fileno=socket.dup(accepted.fileno())) as twin:
                return (
                    twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                    twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                )

        assert host.call(options) == (1, 7500)


def test_too_many_connections_are_told_so(app: App, loop_name: str) -> None:
    with running(app, loop_name, HostOptions(max_connections=2)) as host:
        with host.connect() as one, host.connect() as two:
            assert Client(one).get("/").status == 200
            assert Client(two).get("/").status == 200
            with host.connect() as three:
                answer = Client(three).answer()
                assert (answer.status, answer.headers["connection"]) == (503, "close")
                assert read_all(three) == b""
            assert host.counted("http.too_many_connections") == 1
            assert Client(one).get("/").status == 200
        host.wait_empty()
        with host.connect() as one:
            assert Client(one).get("/").status == 200


def test_keep_alive_ends(app: App, loop_name: str) -> None:
    with running(app, loop_name, HostOptions(keep_alive_seconds=0.05)) as host, host.connect() as sock:
        assert Client(sock).get("/").status == 200
        assert read_all(sock) == b""
        host.wait_empty()


def test_keep_alive_does_not_end_what_is_unanswered_and_begins_with_the_answer(app: App, loop_name: str) -> None:
    with running(app, loop_name, HostOptions(keep_alive_seconds=0.1)) as host:
        with host.connect() as sock, host.connect() as idle:
            client = Client(sock).send(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
            assert Client(idle).get("/").status == 200
            host.wait_until(lambda: len(app.held) == 1)
            assert read_all(idle) == b""  # its time came, and with it a look at the other
            started = time.monotonic()
            host.call(lambda: app.held[0].respond(200, (), b"late"))
            assert client.answer().body == b"late"
            assert read_all(sock) == b""
            assert time.monotonic() - started >= 0.09
        host.wait_empty()
        assert not host.call(lambda: host.server._context.keep_alive._all)  # type: ignore[union-attr]


def test_keep_alive_begins_anew_with_each_answer(app: App, loop_name: str) -> None:
    with running(app, loop_name, HostOptions(keep_alive_seconds=0.2)) as host, host.connect() as sock:
        client, started = Client(sock), time.monotonic()
        while time.monotonic() - started < 0.5:
            assert client.get("/").status == 200
        assert read_all(sock) == b""


def test_tls(app: App, loop_name: str) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with running(app, loop_name, HostOptions(ssl_context=context)) as host:
        with host.connect() as plain, trusting.wrap_socket(plain, server_hostname="localhost") as sock:
            assert Client(sock).get("/").json()["scheme"] == "https"
            assert Client(sock).get("/../").status == 400
            assert read_all(sock) == b""
        with host.connect() as plain, trusting.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(UPGRADE_REQUEST.replace(b"/ws", b"/echo-ws"))
            read_until(sock, b"\r\n\r\n")
            sock.sendall(client_frame(b"hi"))
            assert server_frame(sock) == (1, b"hi")
            sock.sendall(client_frame(b"", 8))
            assert server_frame(sock) == (8, b"")


def test_close_waits_for_answers_that_come_in_time(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
        host.wait_until(lambda: len(app.held) == 1)
        closing = asyncio.run_coroutine_threadsafe(host.server.close(5), host.loop)
        host.call(lambda: app.held[0].respond(200, (), b"in time"))
        assert client.answer().body == b"in time"
        closing.result(5)
        assert host.server.connections == 0


# ---- time-outs -----------------------------------------------------------------------------------------------------


class Clock:
    """As much of a loop as `Timeouts` uses, turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[float, object]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, function: object) -> "Clock":
        self.calls.append((self.now + delay, function))
        return self

    def turn(self, now: float) -> None:
        while self.calls and self.calls[0][0] <= now:
            self.now, function = self.calls.pop(0)
            function()  # type: ignore[operator]
        self.now = now


class Someone:
    def __init__(self) -> None:
        self.heard: list[Phase] = []

    def expired(self, phase: Phase) -> None:
        self.heard.append(phase)


def test_phases_expire_within_one_tick_and_only_once() -> None:
    clock = Clock()
    seconds = dict.fromkeys(Phase, 8.0)
    timeouts = Timeouts(clock, seconds)  # type: ignore[arg-type]
    first, second, gone = Someone(), Someone(), Someone()
    timeouts.start(Phase.HEAD, first)
    timeouts.start(Phase.HEAD, gone)
    clock.turn(4)
    timeouts.start(Phase.HEAD, second)
    timeouts.start(Phase.BODY, first)
    timeouts.stop(Phase.HEAD, gone)
    clock.turn(7.9)
    assert first.heard == second.heard == []
    clock.turn(9)
    assert (first.heard, second.heard) == ([Phase.HEAD], [])
    clock.turn(13.1)
    assert (first.heard, second.heard, gone.heard) == ([Phase.HEAD, Phase.BODY], [Phase.HEAD], [])


def test_there_is_one_timer_and_none_when_nobody_waits() -> None:
    clock = Clock()
    timeouts = Timeouts(clock, dict.fromkeys(Phase, 2.0))  # type: ignore[arg-type]
    people = [Someone() for _ in range(100)]
    for someone in people:
        timeouts.start(Phase.LINGER, someone)
    assert len(clock.calls) == 1
    clock.turn(10)
    assert clock.calls == []
    assert all(someone.heard == [Phase.LINGER] for someone in people)


def test_starting_again_begins_anew() -> None:
    clock = Clock()
    timeouts = Timeouts(clock, dict.fromkeys(Phase, 4.0))  # type: ignore[arg-type]
    early, late = Someone(), Someone()
    timeouts.start(Phase.FLUSH, late)
    clock.turn(3)
    timeouts.start(Phase.FLUSH, early)
    timeouts.start(Phase.FLUSH, late)
    clock.turn(6)
    assert early.heard == late.heard == []
    clock.turn(8.1)
    assert early.heard == late.heard == [Phase.FLUSH]


def test_one_that_fails_does_not_stop_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Someone):
        def expired(self, phase: Phase) -> None:
            raise RuntimeError("in a time-out")

    clock = Clock()
    timeouts = Timeouts(clock, dict.fromkeys(Phase, 1.0))  # type: ignore[arg-type]
    other = Someone()
    timeouts.start(Phase.HEAD, Failing())
    timeouts.start(Phase.HEAD, other)
    clock.turn(3)
    assert other.heard == [Phase.HEAD]
    assert "in a time-out" in caplog.text
