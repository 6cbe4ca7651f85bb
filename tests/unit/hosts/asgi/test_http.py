"""HTTP on the ASGI host, message by message."""

import asyncio
from typing import Any

import pytest
from played import SCOPE, Listening, Played

from wirehop.abc import Exchange, Stream
from wirehop.core.errors import LocalProtocolError

pytestmark = pytest.mark.asyncio
OPTIONS = {"write_high_water": 100, "write_low_water": 20, "write_limit": 1000, "close_seconds": 0.05}


def answering(status: int = 200, body: bytes = b"ok") -> Any:
    return lambda exchange: exchange.respond(status, [("X-A", "b")], body)


class Streaming:
    """A handler that opens a stream at once."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.listener = Listening()
        self.stream: Stream

    def __call__(self, exchange: Exchange) -> None:
        assert exchange.framing == "identity"
        self.stream = exchange.stream(self.status, [("Content-Type", "text/plain")], self.listener)


def bodies(played: Played) -> list[tuple[bytes, bool]]:
    return [(each["body"], each["more_body"]) for each in played.sent if each["type"] == "http.response.body"]


async def test_a_whole_answer_is_two_messages_and_costs_no_task() -> None:
    tasks = len(asyncio.all_tasks())
    played = Played(answering(), SCOPE).body()
    while not played.sent:
        assert len(asyncio.all_tasks()) <= tasks + 1
        await asyncio.sleep(0)
    start, body = await played.over()
    headers = [(b"x-a", b"b"), (b"content-length", b"2")]
    assert start == {"type": "http.response.start", "status": 200, "headers": headers}
    assert body == {"type": "http.response.body", "body": b"ok", "more_body": False}


async def test_the_body_comes_whole_however_it_was_cut() -> None:
    played = Played(lambda exchange: exchange.respond(200, (), exchange.request.body), SCOPE)
    played.body(b"ab", more_body=True).body(more_body=True).body(b"c")
    assert (await played.over())[1]["body"] == b"abc"


@pytest.mark.parametrize("headers", [[(b"content-length", b"11")], []])
async def test_a_body_over_the_limit_is_413(headers: Any) -> None:
    played = Played(answering(), {**SCOPE, "headers": headers}, body_bytes=10).body(b"x" * 11)
    assert (await played.over())[0]["status"] == 413
    assert played.exchange is None
    assert played.host.counters == {"http.body_too_large": 1}


async def test_a_body_that_does_not_come_is_408_and_one_whose_peer_goes_is_nothing() -> None:
    played = Played(answering(), SCOPE, body_seconds=0.01).body(b"x", more_body=True)
    assert (await played.over())[0]["status"] == 408
    played = Played(answering(), SCOPE).body(b"x", more_body=True)
    played.give("http.disconnect")
    assert await played.over() == []


async def test_who_goes_before_the_answer_is_noticed_and_the_answer_goes_nowhere() -> None:
    gone: list[bool] = []
    played = Played(lambda exchange: exchange.on_gone(lambda: gone.append(True)), SCOPE).body()
    await played.turns()
    assert gone == []
    played.give("http.disconnect")
    assert await played.over() == []
    assert gone == [True]
    assert played.exchange is not None
    played.exchange.respond(200)
    with pytest.raises(LocalProtocolError):
        played.exchange.respond(200)
    assert played.host.connections == 0


async def test_a_stream_after_the_peer_went_never_begins() -> None:
    played = Played(lambda exchange: None, SCOPE).body()
    await played.turns()
    played.give("http.disconnect")
    await played.over()
    listener = Listening()
    assert played.exchange is not None
    stream = played.exchange.stream(200, [], listener)
    stream.send(b"x")
    assert listener.heard == []
    await played.turns()
    assert listener.heard == [(1006, "")]


async def test_a_stream_joins_what_waits_and_ends_after_it() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE).body()
    await played.turns()
    handler.stream.send(b"a")
    handler.stream.out.write(b"b")
    await played.turns()
    handler.stream.send(b"c")
    handler.stream.end()
    handler.stream.send(b"lost")
    assert handler.listener.heard == []
    await played.over()
    assert bodies(played) == [(b"ab", True), (b"c", True), (b"", False)]
    await played.turns()
    assert handler.listener.heard == [(1000, "")]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_a_stream_without_a_body_sends_none(method: str, status: int) -> None:
    handler = Streaming(status)
    played = Played(handler, {**SCOPE, "method": method}).body()
    await played.turns()
    handler.stream.send(b"x")
    handler.stream.end()
    await played.over()
    assert bodies(played) == [(b"", False)]


async def test_backpressure_is_told_and_its_end() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE, **OPTIONS).body()
    await played.turns()
    played.block()
    handler.stream.send(b"x" * 100)
    await played.turns()
    assert handler.listener.heard == []
    handler.stream.send(b"x")
    assert handler.listener.heard == []  # never from inside a call
    await played.turns()
    assert handler.listener.heard == ["paused"]
    played.unblock()
    await played.turns()
    assert handler.listener.heard == ["paused", "resumed"]
    assert b"".join(body for body, _ in bodies(played)) == b"x" * 101
    played.give("http.disconnect")
    await played.over()
    assert handler.listener.heard[2:] == [(1006, "")]


async def test_over_the_limit_the_stream_is_aborted_and_counted() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE, **OPTIONS).body()
    await played.turns()
    played.block()
    for _ in range(11):
        handler.stream.send(b"x" * 100)
    assert handler.listener.heard == []
    await played.turns()
    assert handler.listener.heard[-1][0] == 1006
    assert played.host.counters == {"wire.overflow": 1}
    played.unblock()
    await played.over()
    assert bodies(played) == [(b"", False)]  # ended, cut between two writes


async def test_a_peer_that_takes_nothing_after_the_end_is_dropped() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE, **OPTIONS).body()
    await played.turns()
    played.block()
    handler.stream.send(b"x" * 10)
    handler.stream.end()
    await asyncio.sleep(0.06)
    played.unblock()
    await played.over()
    assert played.host.counters == {"wire.stalled": 1}
    assert handler.listener.heard == [(1000, "")]


async def test_a_server_that_raises_when_the_peer_is_gone_means_lost() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE).body()
    await played.turns()
    played.error = OSError("gone")
    handler.stream.send(b"x")
    await played.over()
    assert handler.listener.heard == [(1006, "")]


async def test_abort_ends_the_stream_without_what_waits() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE).body()
    await played.turns()
    handler.stream.send(b"x")
    handler.stream.abort("because")
    assert handler.listener.heard == [(1006, "because")]
    await played.over()
    assert bodies(played) == [(b"", False)]


async def test_a_cancelled_stream_is_ended_properly_and_lost() -> None:
    handler = Streaming()
    played = Played(handler, SCOPE).body()
    await played.turns()
    played.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await played.task
    assert bodies(played) == [(b"", False)]
    assert handler.listener.heard == [(1006, "")]
    assert played.host.connections == 0


async def test_a_handler_that_fails_is_answered_500() -> None:
    def fail(exchange: Exchange) -> None:
        raise RuntimeError("of the handler")

    played = Played(fail, SCOPE).body()
    assert (await played.over())[0]["status"] == 500
    assert played.host.counters == {"http.handler_failed": 1}


async def test_an_upgrade_of_a_plain_request_is_426() -> None:
    answers: list[object] = []
    played = Played(lambda exchange: answers.append(exchange.upgrade(Listening())), SCOPE).body()
    assert (await played.over())[0]["status"] == 426
    assert answers == [None]


async def test_closing_the_host_answers_what_waits_and_ends_what_is_open() -> None:
    played = Played(lambda exchange: None, SCOPE).body()
    handler = Streaming()
    streaming = Played(handler, SCOPE).body()
    await played.turns()
    await played.host.closed(0.01)
    await streaming.host.closed(0.01)
    assert (await played.over())[0]["status"] == 503
    await streaming.over()
    assert handler.listener.heard == [(1006, "the server stops")]


@pytest.mark.parametrize(
    ("root", "place", "expected"),
    [("/rt", "/a/", b"/rt/a/"), ("", "/a/", b"/a/"), ("/rt", "https://b/", b"https://b/"), ("/rt", "//b/", b"//b/")],
)
async def test_a_place_on_this_site_is_told_with_the_prefix(root: str, place: str, expected: bytes) -> None:
    scope = {**SCOPE, "path": root + "/a", "root_path": root}
    played = Played(lambda exchange: exchange.respond(301, [("Location", place)]), scope).body()
    assert dict((await played.over())[0]["headers"])[b"location"] == expected
