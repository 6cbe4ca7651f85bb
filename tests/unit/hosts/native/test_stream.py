"""Streams: framing in both versions, the peer's going, congestion, and the connection afterwards."""

from native_harness import App, Client, Host, Recorder, read_all, running

from wirehop.abc import Exchange
from wirehop.codecs.framing import chunk
from wirehop.hosts.native import HostOptions

H = b" HTTP/1.1\r\nHost: x\r\n\r\n"


def opened(app: App, host: Host, count: int = 1) -> Recorder:
    host.wait_until(lambda: len(app.wires) == count and app.wires[-1].wire is not None)
    return app.wires[-1]


def test_http_1_1_is_chunked_and_the_connection_goes_on(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /stream" + H)
        stream = opened(app, host)
        assert stream.wire.framing == "chunked"
        host.call(lambda: stream.wire.send(b"one "))
        host.call(lambda: stream.wire.out.write(chunk(b"two")))
        host.call(stream.wire.end)
        answer = client.answer()
        assert (answer.body, answer.headers["transfer-encoding"]) == (b"one two", "chunked")
        assert stream.wait("closed") == ("closed", 1000, "")
        assert client.get("/").status == 200
    host.wait_empty()
    assert len(stream.closes()) == 1


def test_http_1_0_ends_with_the_connection(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        stream = opened(app, host)
        assert stream.wire.framing == "identity"
        host.call(lambda: stream.wire.send(b"one"))
        host.call(stream.wire.end)
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
        assert body == b"one"
        assert b"\r\nConnection: close" in head
        assert b"chunked" not in head


def test_end_from_inside_the_call_tells_closed_later(loop_name: str) -> None:
    order: list[str] = []

    class Listener(Recorder):
        def closed(self, code: int, reason: str) -> None:
            order.append("closed")
            super().closed(code, reason)

    listener = Listener()

    def handler(exchange: Exchange) -> None:
        stream = exchange.stream(200, (), listener)
        stream.send(b"x")
        stream.end()
        order.append("returned")

    with running(handler, loop_name) as host, host.connect() as sock:
        assert Client(sock).get("/").body == b"x"
        assert listener.wait("closed") == ("closed", 1000, "")
    assert order == ["returned", "closed"]


def test_a_head_request_gets_the_head_of_a_stream(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"HEAD /stream" + H)
        stream = opened(app, host)
        host.call(lambda: stream.wire.send(b"never sent"))
        host.call(stream.wire.end)
        assert client.answer("HEAD").headers["transfer-encoding"] == "chunked"
        assert client.get("/").status == 200


def test_a_length_of_the_handlers_own_is_kept(loop_name: str) -> None:
    def handler(exchange: Exchange) -> None:
        stream = exchange.stream(200, [("Content-Length", "3")], Recorder())
        stream.send(b"abc")
        stream.end()

    with running(handler, loop_name) as host:
        answer = host.ask(b"GET /" + H)
    assert answer.endswith(b"\r\n\r\nabc")
    assert b"chunked" not in answer


def test_the_peers_going_is_heard_at_once(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /stream" + H)
        stream = opened(app, host)
    assert stream.wait("closed")[1] == 1006
    host.wait_empty()
    host.call(lambda: stream.wire.send(b"x"))
    host.call(lambda: stream.wire.out.write(b"x"))
    host.call(stream.wire.end)
    assert len(stream.closes()) == 1


def test_a_pipelined_request_waits_for_the_end(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /stream" + H + b"GET /second" + H)
        stream = opened(app, host)
        client.send(b"GET /third" + H)
        assert app.served == 1
        host.call(lambda: stream.wire.send(b"x"))
        host.call(stream.wire.end)
        assert client.answer().body == b"x"
        assert client.answer().json()["path"] == "/second"
        assert client.answer().json()["path"] == "/third"


def test_who_sends_too_much_during_a_stream_is_heard_going_and_closed_after(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /stream" + H)
        stream = opened(app, host)
        client.send(b"x" * 300_000)
        host.call(lambda: stream.wire.send(b"still here"))
        host.call(stream.wire.end)
        assert client.answer().body == b"still here"
        assert client.is_closed()
        assert app.served == 1


def test_abort_drops_the_connection(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /stream" + H)
        stream = opened(app, host)
        host.call(lambda: stream.wire.abort("a test"))
        assert stream.heard == [("closed", 1006, "a test")]
        assert not read_all(sock).endswith(b"0\r\n\r\n")
    host.wait_empty()
    assert len(stream.closes()) == 1


def test_congestion_is_told_after_the_call_and_its_end(app: App, loop_name: str) -> None:
    options = HostOptions(write_high_water=10_000, write_low_water=1000)
    with running(app, loop_name, options) as host, host.connect(receive_buffer=4096) as sock:
        sock.sendall(b"GET /stream" + H)
        stream = opened(app, host)

        def fill() -> list[tuple[object, ...]]:
            for _ in range(200):
                stream.wire.send(b"x" * 50_000)
            return list(stream.heard)

        assert host.call(fill) == []
        stream.wait("paused")
        host.call(stream.wire.end)
        assert len(Client(sock).answer().body) == 10_000_000
        assert stream.wait("closed") == ("closed", 1000, "")
        assert ("resumed",) not in stream.heard  # nothing but `closed` after `end`


def test_resumed_follows_paused(app: App, loop_name: str) -> None:
    options = HostOptions(write_high_water=10_000, write_low_water=1000)
    with running(app, loop_name, options) as host, host.connect(receive_buffer=4096) as sock:
        sock.sendall(b"GET /stream" + H)
        stream = opened(app, host)
        host.call(lambda: stream.wire.send(b"x" * 10_000_000))
        stream.wait("paused")
        size = 0
        while size < 10_000_000:
            size += len(sock.recv(1_000_000))
        stream.wait("resumed")
        assert stream.heard == [("paused",), ("resumed",)]


def test_a_stream_for_a_peer_that_has_gone_is_closed_in_the_next_turn(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /hold" + H)
        host.wait_until(lambda: len(app.held) == 1)
    host.wait_until(lambda: app.gone == [""])
    listener = Recorder()

    def open_late() -> list[tuple[object, ...]]:
        stream = app.held[0].stream(200, (), listener)
        stream.send(b"x")
        return list(listener.heard)

    assert host.call(open_late) == []
    assert listener.wait("closed")[1] == 1006


def test_a_handler_that_raises_after_opening_a_stream(loop_name: str) -> None:
    listener = Recorder()

    def handler(exchange: Exchange) -> None:
        exchange.stream(200, (), listener)
        raise RuntimeError

    with running(handler, loop_name) as host:
        host.ask(b"GET /" + H)
        assert listener.wait("closed")[1] == 1006
        host.wait_empty()


def test_a_stopping_server_aborts_streams_in_the_end(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /stream" + H)
        stream = opened(app, host)
        host.run(host.server.close(0.05))
        assert stream.wait("closed")[1] == 1006
        assert host.server.connections == 0
