"""Requests on real sockets: what a handler is told, and how connections go on."""

import socket

import pytest
from native_harness import App, Client, Host, read_all

H = b" HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_handler_is_told_what_was_asked(host: Host) -> None:
    with host.connect() as sock:
        asked = Client(sock).get("/a%20b/%E2%82%AC?x=%20&y", "X-Two: 1", "x-two:2 ", "Cookie: a=1", "Cookie: b").json()
    assert asked == {
        "method": "GET",
        "path": "/a b/€",
        "query": "x=%20&y",
        "headers": {"host": "x", "x-two": "1, 2", "cookie": "a=1; b"},
        "body": "",
        "address": "127.0.0.1",
        "scheme": "http",
    }


def test_a_body_of_a_known_length(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
        assert client.send(b"llo").answer("POST").json()["body"] == "hello"


def test_a_chunked_body_with_extensions_and_trailers(host: Host) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with host.connect() as sock:
        client = Client(sock).send(head + b"3;a=b\r\nhel\r\n2\r\n")
        assert client.send(b"lo\r\n0\r\nX: y\r\n\r\nGET /next" + H).answer("POST").json()["body"] == "hello"
        assert client.answer().json()["path"] == "/next"


def test_100_continue_is_said_when_the_body_is_awaited(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock)
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.send(b"ok").answer("POST").json()["body"] == "ok"


def test_100_continue_is_not_said_when_the_body_is_there(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock)
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nok")
        assert client.answer("POST").json()["body"] == "ok"
        assert client.informational == []


def test_http_1_1_keeps_the_connection_until_told_otherwise(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock)
        assert "connection" not in client.get("/1").headers
        assert client.get("/2").status == 200
        assert client.get("/3", "Connection: Close").headers["connection"] == "close"
        assert client.is_closed()


def test_http_1_0_closes_unless_it_asks_to_be_kept(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.answer().headers["connection"] == "keep-alive"
        assert client.send(b"GET /2 HTTP/1.0\r\n\r\n").answer().headers["connection"] == "close"
        assert client.is_closed()


def test_the_absolute_form_replaces_the_host(host: Host) -> None:
    with host.connect() as sock:
        asked = Client(sock).send(b"GET http://other:8080/p?q HTTP/1.1\r\nHost: x\r\n\r\n").answer().json()
        assert (asked["path"], asked["query"], asked["headers"]["host"]) == ("/p", "q", "other:8080")
        assert Client(sock).send(b"GET http://other HTTP/1.1\r\nHost: x\r\n\r\n").answer().json()["path"] == "/"


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PUT", "PATCH"])
def test_every_method_reaches_the_handler(host: Host, method: str) -> None:
    with host.connect() as sock:
        assert Client(sock).get("/", method=method).json()["method"] == method


def test_options_about_the_server_reach_the_handler(host: Host) -> None:
    with host.connect() as sock:
        assert Client(sock).get("*", method="OPTIONS").json()["path"] == "/"


def test_empty_lines_before_a_request_are_ignored(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"\r\n" * 1000 + b"GET /1" + H)
        assert client.answer().status == 200
        assert client.send(b"\r\n").send(b"GET /2" + H).answer().json()["path"] == "/2"


def test_pipelined_requests_are_answered_in_order_though_held(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold?1" + H + b"GET /hold?2" + H + b"GET /3" + H)
        host.wait_until(lambda: len(app.held) == 1)
        host.call(lambda: app.held[0].respond(200, (), b"first"))
        host.wait_until(lambda: len(app.held) == 2)
        assert client.answer().body == b"first"
        host.call(lambda: app.held[1].respond(200, (), b"second"))
        assert client.answer().body == b"second"
        assert client.answer().json()["path"] == "/3"


def test_a_request_in_single_bytes(host: Host) -> None:
    with host.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(sock)
        for byte in b"\r\nPOST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n":
            client.send(bytes([byte]))
        assert client.answer("POST").json()["body"] == "hi"


def test_a_client_that_shuts_its_sending_side_gets_the_answer(host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /big?1000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert len(read_all(sock)) > 1_000_000


def test_nothing_names_the_server_and_the_date_is_there(host: Host) -> None:
    with host.connect() as sock:
        headers = Client(sock).get("/").headers
        assert "server" not in headers
        assert headers["date"].endswith(" GMT")
