"""WebSockets on real sockets, against hand-made frames and against the `websockets` client."""

import asyncio
import socket
import time
from collections import Counter
from itertools import pairwise

import pytest
import websockets.sync.client
from hypothesis import given, settings
from hypothesis import strategies as st
from native_harness import (
    UPGRADE,
    App,
    Client,
    Host,
    Recorder,
    client_frame,
    close_code,
    open_websocket,
    read_all,
    read_until,
    running,
    server_frame,
)

from wirehop.abc import Exchange
from wirehop.codecs.framing import websocket_frame
from wirehop.hosts.native import HostOptions
from wirehop.hosts.native.context import HostContext
from wirehop.hosts.native.duplex import NativeDuplex
from wirehop.hosts.native.timeouts import Phase

BYE = client_frame((1000).to_bytes(2, "big"), 8)


def opened(app: App, host: Host) -> Recorder:
    host.wait_until(lambda: bool(app.wires) and app.wires[-1].wire is not None)
    return app.wires[-1]


def test_a_stranger_client_talks_pings_and_closes(app: App, host: Host) -> None:
    with websockets.sync.client.connect(f"ws://127.0.0.1:{host.port}/echo-ws", compression=None) as client:
        for message in ("hi", "€" * 100, "", "x" * 60_000, b"\xff\0", b"y" * 65_536):
            client.send(message)
            assert client.recv(5) == message
        client.send(iter(["frag", "men", "ted"]))
        assert client.recv(5) == "fragmented"
        assert client.ping().wait(5)
        wire = app.wires[0]
        host.call(wire.wire.ping)
        wire.wait("ponged")
        client.close(4001, "enough")
    assert wire.wait("closed") == ("closed", 4001, "enough")
    host.wait_empty()
    assert len(wire.closes()) == 1


def test_frames_that_come_with_the_handshake_are_heard_after_its_return(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(UPGRADE.replace(b"/ws", b"/echo-ws") + client_frame(b"early") + client_frame(b"bird"))
        read_until(sock, b"\r\n\r\n")
        assert server_frame(sock) == (1, b"early")
        assert server_frame(sock) == (1, b"bird")


def test_frames_that_come_before_a_late_answer_are_heard_in_order(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(UPGRADE.replace(b"/ws", b"/hold") + client_frame(b"1"))
        host.wait_until(lambda: bool(app.held))
        sock.sendall(client_frame(b"2"))
        time.sleep(0.02)
        listener = Recorder()
        heard_inside = host.call(lambda: (app.held[0].upgrade(listener), list(listener.heard))[1])
        assert heard_inside == []
        sock.sendall(client_frame(b"3"))
        listener.wait("received", 3)
        assert [what[1] for what in listener.heard] == [b"1", b"2", b"3"]


def test_prebuilt_frames_go_straight_to_out(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        wire = opened(app, host).wire
        assert wire.framing == "websocket"
        host.call(lambda: wire.out.write(websocket_frame(b"shared")))
        assert server_frame(sock) == (1, b"shared")


def test_our_close_is_answered_and_closed_says_our_code(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        host.call(lambda: recorder.wire.close(4100, "€" * 100))
        code, reason = close_code(sock)
        assert (code, reason) == (4100, "€" * 41)
        sock.sendall(client_frame(b"too late") + client_frame(b"", 9) + client_frame(b"", 10) + BYE)
        assert read_all(sock) == b""
        assert recorder.wait("closed") == ("closed", 4100, "€" * 41)
    host.wait_empty()
    assert len(recorder.heard) == 1


def test_a_close_that_is_never_answered_ends_after_close_seconds(app: App, loop_name: str) -> None:
    with running(app, loop_name, HostOptions(close_seconds=0.1)) as host, open_websocket(host) as sock:
        recorder = opened(app, host)
        host.call(lambda: recorder.wire.close(1001, ""))
        assert close_code(sock) == (1001, "")
        assert recorder.wait("closed") == ("closed", 1001, "")
        assert read_all(sock) == b""
        host.wait_empty()
        assert len(recorder.closes()) == 1


def test_nothing_is_sent_after_close(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        wire = opened(app, host).wire

        def close_and_go_on() -> None:
            wire.close(1000, "")
            wire.send(b"x")
            wire.ping()
            wire.close(1001, "")

        host.call(close_and_go_on)
        assert close_code(sock) == (1000, "")
        sock.sendall(BYE)
        assert read_all(sock) == b""


@pytest.mark.parametrize(
    ("payload", "heard", "answer"),
    [(b"", (1005, ""), b""), (b"\x0f\xa1why", (4001, "why"), b"\x0f\xa1")],
)
def test_the_peers_close_is_echoed(app: App, host: Host, payload: bytes, heard: tuple[int, str], answer: bytes) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.sendall(client_frame(payload, 8))
        assert server_frame(sock) == (8, answer)
        assert read_all(sock) == b""
        assert recorder.wait("closed") == ("closed", *heard)
    host.wait_empty()


def test_a_lost_connection_is_1006(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close resets
    assert recorder.wait("closed")[1] == 1006
    host.wait_empty()
    assert len(recorder.closes()) == 1


def test_abort_says_closed_at_once_and_once(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)

        def abort() -> list[tuple[object, ...]]:
            recorder.wire.abort("a test")
            recorder.wire.abort("again")
            recorder.wire.out.write(b"ignored")
            return list(recorder.heard)

        assert host.call(abort) == [("closed", 1006, "a test")]
        assert read_all(sock) == b""
    host.wait_empty()
    host.call(lambda: recorder.wire.out.write(b"ignored"))
    assert len(recorder.heard) == 1


def test_a_listener_that_raises_closes_with_1011(app: App, host: Host, caplog: pytest.LogCaptureFixture) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.sendall(client_frame(b"raise") + client_frame(b"more"))
        assert close_code(sock) == (1011, "internal error")
        sock.sendall(BYE)
        assert recorder.wait("closed")[1] == 1011
        assert [what[0] for what in recorder.heard] == ["received", "closed"]
    assert "a listener that fails" in caplog.text


def test_a_ping_is_answered_with_its_payload(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        sock.sendall(client_frame(b"p" * 125, 9))
        assert server_frame(sock) == (10, b"p" * 125)


def test_congestion_is_told_after_the_call(app: App, loop_name: str) -> None:
    options = HostOptions(write_high_water=10_000, write_low_water=1000)
    with running(app, loop_name, options) as host, open_websocket(host, receive_buffer=4096) as sock:
        recorder = opened(app, host)

        def fill() -> list[tuple[object, ...]]:
            for _ in range(100):
                recorder.wire.send(b"x" * 60_000)
            return list(recorder.heard)

        assert host.call(fill) == []
        recorder.wait("paused")
        for _ in range(100):
            server_frame(sock)
        recorder.wait("resumed")
        assert recorder.heard == [("paused",), ("resumed",)]


def test_an_idle_websocket_holds_no_parser_buffer_or_timer(app: App, host: Host) -> None:
    with open_websocket(host) as sock:
        recorder = opened(app, host)
        sock.sendall(client_frame(b"x" * 300) + client_frame(b"y", fin=False) + client_frame(b"z", 0))
        recorder.wait("received", 2)

        def parts() -> list[object]:
            wire = recorder.wire
            held = [getattr(wire, name) for name in type(wire).__slots__]
            return [part for part in held if part is not None]

        assert len(host.call(parts)) == 7  # out and transport, context, listener, a limit, a state, a flag
        context = host.server._context
        assert context is not None
        assert host.call(lambda: sum(map(context.timeouts.count, Phase))) == 0
        assert not host.call(lambda: context.keep_alive._all)
        assert host.call(lambda: [type(wire).__name__ for wire in context.wires]) == ["NativeDuplex"]


# ---- the handshake -------------------------------------------------------------------------------------------------


def test_the_accept_key_of_the_rfc(host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(UPGRADE)
        head = read_until(sock, b"\r\n\r\n").decode()
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head


@pytest.mark.parametrize(
    ("old", "new", "status", "name"),
    [
        (b"GET", b"POST", 400, "http.websocket_method"),
        (b"HTTP/1.1", b"HTTP/1.0", 400, "http.websocket_method"),
        (b"Upgrade: websocket\r\n", b"", 426, "http.not_websocket"),
        (b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n", 426, "http.not_websocket"),
        (b"keep-alive, Upgrade", b"keep-alive", 400, "http.websocket_connection"),
        (b"Version: 13", b"Version: 8", 426, "http.websocket_version"),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 426, "http.websocket_version"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25j", 400, "http.websocket_key"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"!Ghl*HNhbXBsZSBub25jZQ==", 400, "http.websocket_key"),
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"", 400, "http.websocket_key"),
        (b"Sec-WebSocket-Key", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key", 400,
         "http.websocket_key"),
    ],
)  # fmt: skip
def test_a_bad_handshake_is_refused_with_a_reason(
    app: App, host: Host, old: bytes, new: bytes, status: int, name: str
) -> None:
    with host.connect() as sock:
        answer = Client(sock).send(UPGRADE.replace(old, new)).answer("POST" if new == b"POST" else "GET")
        assert answer.status == status
        assert answer.headers["content-type"].startswith("text/plain")
        assert len(answer.body) > 10
        if name == "http.websocket_version":
            assert answer.headers["sec-websocket-version"] == "13"
        assert Client(sock).is_closed()
    assert host.counted(name) == 1
    assert app.wires[0].wire is None
    assert app.wires[0].heard == []


def test_a_subprotocol_is_chosen_from_those_offered(loop_name: str) -> None:
    listener = Recorder()

    def handler(exchange: Exchange) -> None:
        exchange.upgrade(listener, subprotocol=exchange.request.query)

    offer = UPGRADE.replace(b"Host: x", b"Host: x\r\nSec-WebSocket-Protocol: a, b")
    with running(handler, loop_name) as host:
        with host.connect() as sock:
            sock.sendall(offer.replace(b"/ws", b"/ws?b"))
            assert b"\r\nSec-WebSocket-Protocol: b\r\n" in read_until(sock, b"\r\n\r\n")
        with host.connect() as sock:  # a mistake of ours
            assert Client(sock).send(offer.replace(b"/ws", b"/ws?c")).answer().status == 500


def test_an_upgrade_that_the_handler_answers_is_plain_http(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(UPGRADE.replace(b"/ws", b"/echo"))
        assert client.answer().status == 200
        assert client.get("/next").json()["path"] == "/next"


# ---- chunking ------------------------------------------------------------------------------------------------------


class Paper(asyncio.Transport):
    """A transport that writes down."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.ended += "close"

    def abort(self) -> None:
        self.ended += "abort"

    def can_write_eof(self) -> bool:
        return False


def conversation(pieces: list[bytes], max_message: int) -> tuple[bytes, str, list[tuple[object, ...]]]:
    """What is written, how the transport ends, what the listener hears."""

    async def talk() -> tuple[bytes, str, list[tuple[object, ...]]]:
        context = HostContext(lambda exchange: None, HostOptions(), Counter())
        paper, listener = Paper(), Recorder()
        duplex = NativeDuplex(context, paper, listener, max_message=max_message)
        listener.wire, listener.echoes = duplex, True
        for piece in pieces:
            duplex.data_received(piece)
        duplex.connection_lost(None)
        context.timeouts.close()
        return paper.written, paper.ended, listener.heard

    return asyncio.run(talk())


frames = st.builds(
    client_frame,
    st.binary(max_size=130) | st.text(max_size=40).map(str.encode),
    st.sampled_from([1] * 8 + [2, 2, 2, 0, 8, 9, 10]),
    fin=st.sampled_from([True] * 5 + [False]),
)


@given(
    st.lists(frames, max_size=8).map(b"".join), st.lists(st.integers(0, 2000), max_size=8), st.sampled_from([20, 200])
)
@settings(max_examples=200, deadline=None)
def test_any_chunking_gives_the_same_conversation(data: bytes, places: list[int], max_message: int) -> None:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    pieces = [data[start:end] for start, end in pairwise(bounds) if start < end]
    single = [bytes([byte]) for byte in data]
    assert conversation(pieces, max_message) == conversation([data], max_message) == conversation(single, max_message)
    assert len([what for what in conversation(pieces, max_message)[2] if what[0] == "closed"]) == 1
