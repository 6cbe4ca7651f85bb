"""One exchange, one answer: whole answers, failing handlers, and peers that go."""

import pytest
from native_harness import App, Client, Host, read_all, running

from wirehop.abc import Exchange
from wirehop.core.errors import LocalProtocolError

H = b" HTTP/1.1\r\nHost: x\r\n\r\n"


def held(app: App, host: Host, count: int = 1) -> Exchange:
    host.wait_until(lambda: len(app.held) == count)
    return app.held[-1]


def test_head_has_the_same_headers_and_no_body(host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock)
        got, head = client.get("/big?7"), client.get("/big?7", method="HEAD")
        assert (head.body, head.headers) == (b"", got.headers)
        assert client.get("/").status == 200


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, None), (200, "0")])
def test_answers_without_a_body(app: App, host: Host, status: int, length: str | None) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold" + H)
        exchange = held(app, host)
        host.call(lambda: exchange.respond(status))
        answer = client.answer()
        assert (answer.status, answer.body, answer.headers.get("content-length")) == (status, b"", length)
        assert client.get("/").status == 200


def test_a_body_with_204_is_left_out(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold" + H)
        exchange = held(app, host)
        host.call(lambda: exchange.respond(204, (), b"never sent"))
        assert client.answer().body == b""
        assert client.get("/").status == 200


def test_a_handler_that_closes(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold" + H)
        exchange = held(app, host)
        host.call(lambda: exchange.respond(200, [("Connection", "close")], b"bye"))
        assert client.answer().headers["connection"] == "close"
        assert client.is_closed()


def test_a_second_answer_raises_and_changes_nothing(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold" + H)
        exchange = held(app, host)
        host.call(lambda: exchange.respond(200, (), b"once"))
        for again in (
            lambda: exchange.respond(200),
            lambda: exchange.stream(200, (), None),  # type: ignore[arg-type]
            lambda: exchange.upgrade(None),  # type: ignore[arg-type]
        ):
            with pytest.raises(LocalProtocolError):
                host.call(again)
        assert client.answer().body == b"once"
        assert client.get("/").status == 200


def test_an_exchange_that_is_over_cannot_answer_the_next_request(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold?1" + H)
        first = held(app, host)
        host.call(lambda: first.respond(200, (), b"first"))
        assert client.answer().body == b"first"
        client.send(b"GET /hold?2" + H)  # the same bytes but for the query
        second = held(app, host, 2)
        host.call(lambda: first.on_gone(lambda: app.gone.append("wrong")))
        with pytest.raises(LocalProtocolError):
            host.call(lambda: first.respond(200, (), b"wrong"))
        host.call(lambda: second.respond(200, (), b"second"))
        assert client.answer().body == b"second"
    host.wait_empty()
    assert app.gone == []


def test_the_same_answer_is_built_once_and_differs_where_the_request_does(app: App, host: Host) -> None:
    headers, body = (("X", "shared"),), b"shared"
    requests = [
        b"GET /hold" + H,
        b"GET /hold" + H,
        b"HEAD /hold" + H,
        b"GET /hold HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /hold" + H,
    ]
    answers = []
    for count, request in enumerate(requests, 1):
        with host.connect() as sock:
            client = Client(sock).send(request)
            exchange = held(app, host, count)
            host.call(lambda exchange=exchange: exchange.respond(200, headers, body))  # type: ignore[misc]
            answers.append(client.answer(method="HEAD" if request.startswith(b"HEAD") else "GET"))
    assert [each.body for each in answers] == [body, body, b"", body, body]
    assert ["connection" in each.headers for each in answers] == [False, False, False, True, False]
    assert {each.headers["content-length"] for each in answers} == {"6"}


def test_an_answer_that_is_given_again_says_close_when_the_server_stops(app: App, host: Host) -> None:
    headers, body = (("X", "shared"),), b"shared"
    with host.connect() as one, host.connect() as two:
        clients = [Client(sock).send(b"GET /hold" + H) for sock in (one, two)]
        held(app, host, 2)
        host.call(lambda: app.held[0].respond(200, headers, body))
        host.call(host.server.stop_listening)
        host.call(lambda: app.held[1].respond(200, headers, body))
        assert sorted(client.answer().headers.get("connection", "") for client in clients) == ["", "close"]


def test_an_answer_is_given_again_for_no_longer_than_its_date_is_good(app: App, host: Host) -> None:
    headers, body = (("X", "shared"),), b"shared"
    with host.connect() as sock:
        Client(sock).send(b"GET /hold" + H)
        exchange = held(app, host)
        host.call(lambda: exchange.respond(200, headers, body))
        context = host.server._context
        assert context is not None
        assert host.call(lambda: context.last_answer) is not None
        host.wait_until(lambda: context.last_answer is None)


@pytest.mark.parametrize(
    "headers",
    [
        [("X", "a\r\nSet-Cookie: b")],
        [("X", "a\nb")],
        [("X", "a\rb")],
        [("X", "a\0b")],
        [("X\r\nY", "a")],
        [("X:", "a")],
        [("X Y", "a")],
        [("", "a")],
        [("X", "€")],
        [("Content-Length", "7")],
        [("Transfer-Encoding", "chunked")],
    ],
)
def test_headers_that_cannot_be_sent_are_a_value_error(app: App, host: Host, headers: list[tuple[str, str]]) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold" + H)
        exchange = held(app, host)
        with pytest.raises(ValueError):
            host.call(lambda: exchange.respond(200, headers, b"body"))
        host.call(lambda: exchange.respond(200, (), b"the exchange is still open"))
        assert client.answer().body == b"the exchange is still open"


def test_a_handler_that_raises_is_a_500_without_details(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    with host.connect() as sock:
        client = Client(sock)
        answer = client.get("/raise")
        assert (answer.status, answer.body) == (500, b"internal error\n")
        assert client.get("/").status == 200
    assert "a secret of the handler" in caplog.text
    assert host.counted("http.handler_failed") == 1


def test_a_handler_that_answers_and_raises(loop_name: str) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.respond(200, (), b"answered")
        raise RuntimeError

    with running(handler, loop_name) as host, host.connect() as sock:
        client = Client(sock)
        assert client.get("/").body == b"answered"
        assert client.get("/").body == b"answered"


def test_on_gone_is_called_once_when_the_peer_goes(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /hold?a" + H)
        exchange = held(app, host)
    host.wait_until(lambda: app.gone == ["a"])
    host.wait_empty()
    assert app.gone == ["a"]
    host.call(lambda: exchange.respond(200, (), b"to nobody"))
    with pytest.raises(LocalProtocolError):
        host.call(lambda: exchange.respond(200))


def test_on_gone_is_not_called_after_an_answer(app: App, host: Host) -> None:
    with host.connect() as sock:
        client = Client(sock).send(b"GET /hold?a" + H)
        exchange = held(app, host)
        host.call(lambda: exchange.respond(200))
        client.answer()
    host.wait_empty()
    assert app.gone == []


def test_on_gone_comes_though_more_was_pipelined(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /hold?a" + H + b"GET /hold?b" + H)
        held(app, host)
    host.wait_until(lambda: app.gone == ["a"])
    host.wait_empty()
    assert len(app.held) == 1


def test_on_gone_of_a_peer_that_has_gone_already(app: App, host: Host) -> None:
    with host.connect() as sock:
        sock.sendall(b"GET /hold?a" + H)
        exchange = held(app, host)
    host.wait_empty()
    host.call(lambda: exchange.on_gone(lambda: app.gone.append("late")))
    host.wait_until(lambda: app.gone == ["a", "late"])


def test_a_stopping_server_says_close_with_the_answer(app: App, host: Host) -> None:
    with host.connect() as sock, host.connect() as idle:
        client = Client(sock).send(b"GET /hold" + H)
        Client(idle).get("/")
        exchange = held(app, host)
        host.call(host.server.stop_listening)
        host.call(host.server.close_idle)
        assert read_all(idle) == b""
        host.call(lambda: exchange.respond(200, (), b"last"))
        answer = client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"last", "close")
        assert client.is_closed()
        with pytest.raises(ConnectionRefusedError):
            host.connect()
