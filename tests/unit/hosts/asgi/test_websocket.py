"""WebSockets on the ASGI host, message by message."""

import asyncio
from typing import Any

import pytest
from played import WEBSOCKET, Listening, Played

from wirehop.abc import Duplex, Exchange
from wirehop.codecs.framing import BINARY, websocket_close, websocket_frame

pytestmark = pytest.mark.asyncio
OPTIONS = {"write_high_water": 100, "write_low_water": 20, "write_limit": 1000, "close_seconds": 0.05}
EXTENDED = {**WEBSOCKET, "extensions": {"websocket.http.response": {}}}


class Opening:
    """A handler that accepts at once."""

    def __init__(self, subprotocol: str = "", max_message: int = 10) -> None:
        self.listener = Listening()
        self.duplex: Duplex
        self._subprotocol = subprotocol
        self._max_message = max_message

    def __call__(self, exchange: Exchange) -> None:
        duplex = exchange.upgrade(self.listener, subprotocol=self._subprotocol, max_message=self._max_message)
        assert duplex is not None
        assert duplex.framing == "websocket"
        self.duplex = duplex


async def opened(handler: Opening, scope: dict[str, Any] = WEBSOCKET, **options: Any) -> Played:
    played = Played(handler, scope, **options)
    played.give("websocket.connect")
    await played.turns()
    return played


def messages(played: Played) -> list[Any]:
    return [each.get("text", each.get("bytes")) for each in played.sent if each["type"] == "websocket.send"]


def closes(played: Played) -> list[tuple[int, str]]:
    return [(each["code"], each["reason"]) for each in played.sent if each["type"] == "websocket.close"]


async def test_the_subprotocol_is_echoed_and_one_that_was_not_offered_is_an_error() -> None:
    played = await opened(Opening("two"))
    assert played.sent == [{"type": "websocket.accept", "subprotocol": "two", "headers": []}]
    played.give("websocket.disconnect", code=1001)
    await played.over()
    played = await opened(Opening("three"))
    assert (await played.over())[0]["type"] == "websocket.close"  # the handler failed
    assert played.host.counters == {"http.handler_failed": 1}


async def test_shared_frames_and_own_messages_go_out_in_order() -> None:
    handler = Opening()
    played = await opened(handler)
    handler.duplex.out.write(websocket_frame(b"one") + websocket_frame(b"\0two", BINARY))
    handler.duplex.send(b"three")
    handler.duplex.send(b"four", is_binary=True)
    await played.turns()
    assert messages(played) == ["one", b"\0two", "three", b"four"]
    played.give("websocket.disconnect", code=1000, reason="done")
    await played.over()
    assert handler.listener.heard == [(1000, "done")]


async def test_what_is_received_and_how_it_ends() -> None:
    handler = Opening()
    played = await opened(handler)
    played.give("websocket.receive", text="é")
    played.give("websocket.receive", text="", bytes=None)
    played.give("websocket.receive", bytes=b"\0", text=None)
    played.give("websocket.disconnect")
    await played.over()
    assert handler.listener.heard == [("é".encode(), False), (b"", False), (b"\0", True), (1005, "")]
    assert closes(played) == []


async def test_a_message_over_the_limit_closes_with_1009_and_nothing_more_is_received() -> None:
    handler = Opening(max_message=3)
    played = await opened(handler)
    played.give("websocket.receive", text="éé")
    played.give("websocket.receive", text="x")
    await played.over()
    assert handler.listener.heard == [(1009, "a message is larger than 3 bytes")]
    assert closes(played) == [(1009, "a message is larger than 3 bytes")]
    assert played.host.counters == {"websocket.too_big": 1}


async def test_close_follows_what_was_written_and_its_reason_is_cut() -> None:
    handler = Opening()
    played = await opened(handler)
    handler.duplex.send(b"last")
    handler.duplex.close(3001, "é" * 100)
    handler.duplex.send(b"lost")
    handler.duplex.close(3002, "again")
    assert handler.listener.heard == []
    await played.over()
    assert messages(played) == ["last"]
    assert closes(played) == [(3001, "é" * 61)]
    assert handler.listener.heard == [(3001, "é" * 61)]


async def test_a_ping_counts_as_answered_while_the_peer_takes_what_is_sent() -> None:
    handler = Opening()
    played = await opened(handler, **OPTIONS)
    handler.duplex.ping()
    assert handler.listener.heard == []
    await played.turns()
    assert handler.listener.heard == ["ponged"]
    played.block()
    handler.duplex.send(b"x" * 101)
    handler.duplex.ping()
    await played.turns()
    handler.duplex.ping()
    await played.turns()
    assert handler.listener.heard[1:] == ["paused"]
    played.unblock()
    await played.turns()
    assert handler.listener.heard[2:] == ["resumed"]
    played.give("websocket.disconnect", code=1000)
    await played.over()


async def test_over_the_limit_it_is_closed_and_counted() -> None:
    handler = Opening()
    played = await opened(handler, **OPTIONS)
    played.block()
    for _ in range(11):
        handler.duplex.send(b"x" * 100)
    await played.turns()
    played.unblock()
    await played.over()
    assert handler.listener.heard[-1][0] == 1006
    assert played.host.counters == {"wire.overflow": 1}
    assert closes(played) == [(1011, "aborted")]


async def test_a_peer_that_does_not_take_the_close_is_dropped() -> None:
    handler = Opening()
    played = await opened(handler, **OPTIONS)
    played.block()
    handler.duplex.send(b"x" * 10)
    handler.duplex.close(3008, "slow")
    await asyncio.sleep(0.07)
    assert handler.listener.heard == [(3008, "slow")]
    assert played.host.counters == {"wire.stalled": 1}
    played.unblock()
    await played.over()


async def test_a_server_that_knows_few_close_codes_gets_one_of_ours() -> None:
    handler = Opening()
    played = await opened(handler)
    played.error = ValueError("invalid close code 1011")
    handler.duplex.close(1011, "internal error")
    await played.over()
    assert closes(played) == [(3004, "internal error")]


async def test_cancelled_it_is_closed_with_1012() -> None:
    handler = Opening()
    played = await opened(handler)
    played.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await played.task
    assert closes(played) == [(1012, "server is shutting down")]
    assert handler.listener.heard == [(1012, "server is shutting down")]
    assert played.host.connections == 0


async def test_a_buffer_that_is_no_data_frame_closes_with_1011() -> None:
    handler = Opening()
    played = await opened(handler)
    handler.duplex.out.write(websocket_close(1000))
    await played.over()
    assert closes(played) == [(1011, "aborted")]


async def test_a_listener_that_fails_closes_with_1011() -> None:
    handler = Opening()
    handler.listener.received = lambda data, is_binary: 1 / 0  # type: ignore[method-assign, assignment]
    played = await opened(handler)
    played.give("websocket.receive", text="x")
    await played.over()
    assert closes(played) == [(1011, "internal error")]


async def test_a_refusal_is_the_answer_where_the_server_can_say_it_else_a_close() -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.respond(404, [("X-A", "b")], b"no")

    played = Played(refuse, EXTENDED)
    played.give("websocket.connect")
    start, body = await played.over()
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert (b"x-a", b"b") in start["headers"]
    assert (body["type"], body["body"]) == ("websocket.http.response.body", b"no")
    played = Played(refuse, WEBSOCKET)
    played.give("websocket.connect")
    assert await played.over() == [{"type": "websocket.close", "code": 1000, "reason": "no"}]


async def test_a_stream_on_a_websocket_is_refused_with_400() -> None:
    listener = Listening()
    played = Played(lambda exchange: exchange.stream(200, [], listener) and None, EXTENDED)
    played.give("websocket.connect")
    assert (await played.over())[0]["status"] == 400
    await played.turns()
    assert listener.heard == [(1006, "")]


async def test_it_may_be_accepted_later_or_not_any_more() -> None:
    handler = Opening()
    played = Played(lambda exchange: None, WEBSOCKET)
    played.give("websocket.connect")
    await played.turns()
    assert played.exchange is not None
    handler(played.exchange)
    await played.turns()
    assert played.sent[0]["type"] == "websocket.accept"
    played.give("websocket.receive", text="x")
    played.give("websocket.disconnect", code=1000)
    await played.over()
    assert handler.listener.heard == [(b"x", False), (1000, "")]

    gone: list[bool] = []
    played = Played(lambda exchange: exchange.on_gone(lambda: gone.append(True)), WEBSOCKET)
    played.give("websocket.connect")
    played.give("websocket.disconnect", code=1006)
    await played.over()
    assert gone == [True]
    assert played.exchange is not None
    assert played.exchange.upgrade(Listening()) is None
