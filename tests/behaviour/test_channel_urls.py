"""A channel is a URL: event stream, WebSocket, long poll, short poll, history, presence and publish, without an SDK."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
from node_under_test import Server, eventually, running, settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from wirehop.core.messages import PayloadKind, Position
from wirehop.node import Client, Connecting, Node, User
from wirehop.settings.tree import Heartbeat, Origins
from wirehop.testing import http

pytestmark = pytest.mark.asyncio
ELSEWHERE = [("Origin", "https://elsewhere.example")]


def cursor(position: Position) -> str:
    return f"{position.epoch}:{position.offset}"


def positions(text: str) -> dict[str, tuple[str, int]]:
    """What a cursor of several channels says."""
    decoded = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return {channel: (epoch, offset) for channel, (epoch, offset) in decoded.items()}


async def fill(server: Server, channel: str, count: int) -> Position:
    for n in range(1, count + 1):
        position = await server.node.publish(channel, n)
    return position


async def begin(stream: http.Blocks) -> str:
    """Read the beginning of an event stream: the id it starts from."""
    assert await stream.next() == [("retry", "3000")]
    ((name, value), *rest) = await stream.next()
    assert name == "id"
    assert rest == [("event", "position"), ("data", "{}")]
    return value


@asynccontextmanager
async def socket(server: Server, target: str, **options: Any) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{server.port}{target}"
    async with connect(url, compression=None, ping_interval=None, proxy=None, close_timeout=1, **options) as opened:
        yield opened


async def received(opened: ClientConnection) -> Any:
    return await asyncio.wait_for(opened.recv(), 5)


async def close_code(opened: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        while True:
            await received(opened)
    return opened.close_code


# ---- event streams ---------------------------------------------------------------------------------------------------


async def test_event_stream_has_exactly_these_headers(server: Server) -> None:
    stream = await server.events("/channels/news")
    response = stream.response
    assert response.status == 200
    assert [header for header in response.headers if header[0] not in ("Date", "Transfer-Encoding")] == [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-cache"),
        ("Connection", "keep-alive"),
        ("X-Accel-Buffering", "no"),
    ]
    await response.close()


async def test_event_stream_begins_with_retry_and_its_position_and_every_id_is_a_cursor(server: Server) -> None:
    top = await fill(server, "news", 2)
    stream = await server.events("/channels/news")
    assert await begin(stream) == cursor(top)
    await server.node.publish("news", {"n": 3})
    await server.publish_raw("news", b"line\nbreaks\r\nand\rmore", PayloadKind.TEXT)
    await server.node.publish("news", "x", event="price.changed")
    await server.publish_raw("news", b"\x00\xff", PayloadKind.BINARY)
    assert await stream.next() == [("id", f"{top.epoch}:3"), ("data", '{"n":3}')]
    assert await stream.next() == [
        ("id", f"{top.epoch}:4"),
        ("data", "line"),
        ("data", "breaks"),
        ("data", "and"),
        ("data", "more"),
    ]
    assert await stream.next() == [("id", f"{top.epoch}:5"), ("event", "price.changed"), ("data", '"x"')]
    assert await stream.next() == [("id", f"{top.epoch}:6"), ("data", "AP8=")]
    await stream.response.close()


async def test_event_stream_of_a_signal_channel_has_no_ids(server: Server) -> None:
    stream = await server.events("/channels/signal:a")
    await begin(stream)
    await server.node.publish("signal:a", 1)
    assert await stream.next() == [("data", "1")]
    await stream.response.close()


async def test_event_stream_recovers_from_last_event_id_which_wins_over_the_cursor(server: Server) -> None:
    top = await fill(server, "news", 5)
    target = f"/channels/news?cursor={cursor(Position(top.epoch, 1))}"
    by_cursor = await server.events(target)
    assert await begin(by_cursor) == f"{top.epoch}:1"
    assert [dict(await by_cursor.next())["data"] for _ in range(4)] == ["2", "3", "4", "5"]
    by_header = await server.events(target, headers=[("Last-Event-ID", f"{top.epoch}:4")])
    assert await begin(by_header) == f"{top.epoch}:4"
    assert await by_header.next() == [("id", f"{top.epoch}:5"), ("data", "5")]
    await server.node.publish("news", 6)
    for stream in (by_cursor, by_header):
        assert dict(await stream.next())["data"] == "6"
        await stream.response.close()


async def test_event_stream_loses_nothing_over_a_cut(server: Server) -> None:
    stream = await server.events("/channels/news")
    last = await begin(stream)
    seen = []
    for n in range(10):
        await server.node.publish("news", n)
    for _ in range(4):
        block = dict(await stream.next())
        seen.append(block["data"])
        last = block["id"]
    stream.response.cut()
    await stream.response.close()
    for n in range(10, 20):
        await server.node.publish("news", n)
    again = await server.events("/channels/news", headers=[("Last-Event-ID", last)])
    await begin(again)
    seen += [dict(await again.next())["data"] for _ in range(16)]
    assert seen == [str(n) for n in range(20)]
    await again.response.close()


@pytest.mark.parametrize("last", ["other:1", "nonsense", ":", "x:y", "{epoch}:99", "{epoch}:-1"])
async def test_event_stream_that_cannot_recover_says_reset_and_goes_on_from_the_top(server: Server, last: str) -> None:
    top = await fill(server, "news", 3)
    stream = await server.events("/channels/news", headers=[("Last-Event-ID", last.format(epoch=top.epoch))])
    assert await begin(stream) == cursor(top)
    assert await stream.next() == [("id", cursor(top)), ("event", "reset"), ("data", '{"channels":["news"]}')]
    await server.node.publish("news", 4)
    assert await stream.next() == [("id", f"{top.epoch}:4"), ("data", "4")]
    await stream.response.close()


async def test_event_stream_whose_log_is_replaced_says_reset_in_the_middle(server: Server) -> None:
    stream = await server.events("/channels/news")
    old = await begin(stream)
    await server.node.publish("news", 1)
    await stream.next()
    broker: Any = server.node.broker
    del broker._logs["news"]
    await server.node.publish("news", 2)
    block = dict(await stream.next())
    assert (block["event"], block["data"]) == ("reset", '{"channels":["news"]}')
    assert block["id"].split(":")[0] != old.split(":")[0]
    assert block["id"].endswith(":1")
    await server.node.publish("news", 3)
    block = dict(await stream.next())
    assert (block["data"], block["id"].split(":")[1]) == ("3", "2")
    await stream.response.close()


@pytest.mark.parametrize("server", [{"heartbeat": Heartbeat(interval=0.1)}], indirect=True)
async def test_event_stream_beats_with_comments(server: Server) -> None:
    stream = await server.events("/channels/news")
    await begin(stream)
    assert await stream.next() == [("", "")]
    assert await stream.next() == [("", "")]
    await stream.response.close()


async def test_several_channels_come_in_one_block_each_under_one_cursor(server: Server) -> None:
    a, b = await fill(server, "a", 2), await fill(server, "b", 5)
    stream = await server.events("/channels?name=a&name=b")
    assert positions(await begin(stream)) == {"a": (a.epoch, 2), "b": (b.epoch, 5)}
    await server.node.publish("a", {"x": 1}, event="named")
    await server.publish_raw("b", b"text\nlines", PayloadKind.TEXT)
    (first_name, first_id), (_, first) = await stream.next()
    (second_name, second_id), (_, second) = await stream.next()
    assert (first_name, second_name) == ("id", "id")
    assert json.loads(first) == {"channel": "a", "event": "named", "offset": 3, "data": {"x": 1}}
    assert json.loads(second) == {"channel": "b", "offset": 6, "data": "text\nlines"}
    assert positions(first_id) == {"a": (a.epoch, 3), "b": (b.epoch, 5)}
    assert positions(second_id) == {"a": (a.epoch, 3), "b": (b.epoch, 6)}
    await stream.response.close()
    await fill(server, "a", 1)
    again = await server.events("/channels?name=a&name=b&name=c", headers=[("Last-Event-ID", first_id)])
    start = positions(await begin(again))
    assert (start["a"], start["b"], start["c"][1]) == ((a.epoch, 3), (b.epoch, 5), 0)
    blocks = [dict(await again.next()) for _ in range(2)]
    assert [json.loads(block["data"])["channel"] for block in blocks] == ["a", "b"]
    assert positions(blocks[-1]["id"])["a"] == (a.epoch, 4)
    await again.response.close()


async def test_several_channels_of_which_one_cannot_recover_reset_only_that_one(server: Server) -> None:
    a, b = await fill(server, "a", 2), await fill(server, "b", 2)
    known = json.dumps({"a": [a.epoch, 1], "b": ["other", 1]}).encode()
    last = base64.urlsafe_b64encode(known).decode().rstrip("=")
    stream = await server.events("/channels?name=a&name=b", headers=[("Last-Event-ID", last)])
    await begin(stream)
    reset = dict(await stream.next())
    assert (reset["event"], reset["data"]) == ("reset", '{"channels":["b"]}')
    assert positions(reset["id"]) == {"a": (a.epoch, 1), "b": (b.epoch, 2)}
    block = dict(await stream.next())
    assert json.loads(block["data"])["data"] == 2
    assert positions(block["id"]) == {"a": (a.epoch, 2), "b": (b.epoch, 2)}
    await stream.response.close()


async def test_cursors_before_all_of_several_channels_are_granted_name_them_all_the_same(server: Server) -> None:
    go = asyncio.Event()

    @server.node.on_subscribe
    async def subscribe(_client: Client, channel: str) -> None:
        if channel == "b":
            await go.wait()

    a, b = await fill(server, "a", 1), await fill(server, "b", 1)
    opening = asyncio.create_task(server.events("/channels?name=a&name=b"))
    await eventually(lambda: "a" in server.node.hub.channels)
    await server.node.publish("a", "early")
    await asyncio.sleep(0)
    go.set()
    stream = await opening
    await begin(stream)
    block = dict(await stream.next())
    assert json.loads(block["data"])["data"] == "early"
    assert positions(block["id"]) == {"a": (a.epoch, 2), "b": (b.epoch, 1)}
    await server.node.publish("b", "live")
    block = dict(await stream.next())
    assert positions(block["id"]) == {"a": (a.epoch, 2), "b": (b.epoch, 2)}
    await stream.response.close()


async def test_refusals_come_before_the_stream_begins(server: Server) -> None:
    stream = await server.events("/channels/closed:a")
    assert stream.response.status == 403
    assert json.loads(await stream.response.body())["error"]["code"] == 103
    await stream.response.close()
    stream = await server.events("/channels?name=a&name=closed:a")
    assert stream.response.status == 403
    await stream.response.close()
    await eventually(lambda: server.leftovers() == {})


async def test_while_draining_event_streams_answer_200_retry_and_end(server: Server) -> None:
    stream = await server.events("/channels/news")
    await begin(stream)
    await server.node.drain(0)
    ((name, value),) = await stream.next()
    assert name == "retry"
    assert 1000 <= int(value) <= 10_000
    with pytest.raises(EOFError):
        await stream.next()
    await stream.response.close()
    late = await server.events("/channels/news")
    assert late.response.status == 200
    assert late.response.header("content-type") == "text/event-stream; charset=utf-8"
    ((name, _),) = await late.next()
    assert name == "retry"
    with pytest.raises(EOFError):
        await late.next()
    await late.response.close()


async def test_two_streams_of_a_channel_get_the_same_bytes(server: Server) -> None:
    streams = [await server.events("/channels/news") for _ in range(2)]
    for stream in streams:
        await begin(stream)
    await fill(server, "news", 3)
    first, second = [[await stream.next() for _ in range(3)] for stream in streams]
    assert first == second
    for stream in streams:
        await stream.response.close()


# ---- WebSockets ------------------------------------------------------------------------------------------------------


async def test_socket_carries_each_payload_in_its_own_form(server: Server) -> None:
    async with socket(server, "/channels/news") as opened:
        await eventually(lambda: "news" in server.node.hub.channels)
        await server.node.publish("news", {"a": 1})
        await server.publish_raw("news", "text\n\u2028".encode(), PayloadKind.TEXT)
        await server.publish_raw("news", b"\x00\xff", PayloadKind.BINARY)
        assert [await received(opened) for _ in range(3)] == ['{"a":1}', "text\n\u2028", b"\x00\xff"]


async def test_socket_in_json_says_its_cursor_and_recovers(server: Server) -> None:
    top = await fill(server, "news", 3)
    async with socket(server, f"/channels/news?format=json&cursor={top.epoch}:1") as opened:
        assert json.loads(await received(opened)) == {"cursor": f"{top.epoch}:1", "recovered": True}
        given = [json.loads(await received(opened)) for _ in range(2)]
        assert [(each["offset"], each["data"]) for each in given] == [(2, 2), (3, 3)]
        await server.publish_raw("news", b"\xff", PayloadKind.BINARY)
        live = json.loads(await received(opened))
        assert (live["offset"], live["data"], live["tags"]) == (4, "/w==", {"wh-encoding": "base64"})
    async with socket(server, "/channels/news?format=json&cursor=other:1") as opened:
        assert json.loads(await received(opened)) == {"cursor": f"{top.epoch}:4", "recovered": False}


async def test_raw_socket_does_not_recover(server: Server) -> None:
    top = await fill(server, "news", 3)
    async with socket(server, f"/channels/news?cursor={top.epoch}:1") as opened:
        await eventually(lambda: server.node.hub.channels)
        await server.node.publish("news", 4)
        assert await received(opened) == "4"


async def test_what_is_sent_on_a_socket_is_published(server: Server) -> None:
    stream = await server.events("/channels/news")
    await begin(stream)
    async with socket(server, "/channels/news") as opened:
        await opened.send('{"a": 1}')
        await opened.send("just text")
        await opened.send(b"\x00\x01")
        assert [await received(opened) for _ in range(3)] == ['{"a": 1}', "just text", b"\x00\x01"]
    assert [dict(await stream.next())["data"] for _ in range(3)] == ['{"a": 1}', "just text", "AAE="]
    await stream.response.close()


async def test_socket_that_may_not_publish_is_closed_with_3507(server: Server) -> None:
    async with socket(server, "/channels/readonly:a") as opened:
        await opened.send("1")
        assert await close_code(opened) == 3507


async def test_socket_that_may_not_subscribe_is_closed_with_3507(server: Server) -> None:
    async with socket(server, "/channels/closed:a") as opened:
        assert await close_code(opened) == 3507
    await eventually(lambda: server.leftovers() == {})


async def test_socket_whose_log_is_replaced_is_closed_so_that_it_comes_back(server: Server) -> None:
    async with socket(server, "/channels/news") as opened:
        await eventually(lambda: server.node.hub.channels)
        await server.node.publish("news", 1)
        assert await received(opened) == "1"
        broker: Any = server.node.broker
        del broker._logs["news"]
        await server.node.publish("news", 2)
        assert await close_code(opened) == 3010


async def test_socket_carries_one_channel(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(server, "/channels?name=a&name=b"):
            pass
    assert refused.value.response.status_code == 400


# ---- polls -----------------------------------------------------------------------------------------------------------


async def test_long_poll_without_a_cursor_says_at_once_where_to_start(server: Server) -> None:
    top = await fill(server, "news", 3)
    answer = await server.request("GET", "/channels/news?wait=20s")
    assert (answer.status, answer.json()) == (200, {"cursor": cursor(top), "publications": []})
    assert answer.header("content-type") == "application/json"
    assert server.leftovers() == {}


async def test_long_poll_with_a_cursor_is_answered_when_there_is_something(server: Server) -> None:
    top = await fill(server, "news", 3)
    answer = (await server.request("GET", f"/channels/news?wait=20s&cursor={top.epoch}:1")).json()
    assert answer["cursor"] == f"{top.epoch}:3"
    assert [(each["offset"], each["data"]) for each in answer["publications"]] == [(2, 2), (3, 3)]
    held = asyncio.create_task(server.request("GET", f"/channels/news?wait=20s&cursor={cursor(top)}"))
    await eventually(lambda: "news" in server.node.hub.channels)
    await server.node.publish("news", "new", tags={"a": "b"})
    answer = (await held).json()
    assert answer["cursor"] == f"{top.epoch}:4"
    assert [(each["data"], each["tags"]) for each in answer["publications"]] == [("new", {"a": "b"})]
    assert "recovered" not in answer


async def test_long_poll_at_the_end_of_its_wait_is_empty_with_the_same_cursor(server: Server) -> None:
    top = await fill(server, "news", 3)
    answer = await server.request("GET", f"/channels/news?wait=100ms&cursor={cursor(top)}")
    assert answer.json() == {"cursor": cursor(top), "publications": []}
    await eventually(lambda: server.leftovers() == {})


async def test_long_poll_with_a_cursor_that_is_no_good_says_so_at_once(server: Server) -> None:
    top = await fill(server, "news", 3)
    for bad in ("other:1", "nonsense", f"{top.epoch}:9"):
        answer = await server.request("GET", f"/channels/news?wait=20s&cursor={bad}")
        assert answer.json() == {"cursor": cursor(top), "publications": [], "recovered": False}


async def test_long_polls_in_a_row_see_every_publication_once(server: Server) -> None:
    at = (await server.request("GET", "/channels/news?wait=0")).json()["cursor"]

    async def publish() -> None:
        for n in range(100):
            await server.node.publish("news", n)
            await asyncio.sleep(0.001)

    publishing = asyncio.create_task(publish())
    seen: list[int] = []
    while len(seen) < 100:
        answer = (await server.request("GET", f"/channels/news?wait=5s&cursor={at}")).json()
        assert "recovered" not in answer
        at = answer["cursor"]
        seen += [each["data"] for each in answer["publications"]]
    await publishing
    assert seen == list(range(100))


async def test_long_poll_of_several_channels_names_the_channel_of_each_publication(server: Server) -> None:
    await fill(server, "a", 1)
    await fill(server, "b", 1)
    at = (await server.request("GET", "/channels?name=a&name=b&wait=20s")).json()["cursor"]
    await server.node.publish("b", "bee")
    answer = (await server.request("GET", f"/channels?name=a&name=b&wait=20s&cursor={at}")).json()
    (publication,) = answer["publications"]
    assert (publication["channel"], publication["data"], publication["offset"]) == ("b", "bee", 2)
    at = answer["cursor"]
    held = asyncio.create_task(server.request("GET", f"/channels?name=a&name=b&wait=20s&cursor={at}"))
    await eventually(lambda: len(server.node.hub.channels) == 2)
    await server.node.publish("a", "ay")
    answer = (await held).json()
    assert [(each["channel"], each["data"]) for each in answer["publications"]] == [("a", "ay")]
    assert set(positions(answer["cursor"])) == {"a", "b"}


async def test_long_poll_of_several_channels_waits_for_all_grants_before_it_answers(server: Server) -> None:
    go = asyncio.Event()

    @server.node.on_subscribe
    async def subscribe(_client: Client, channel: str) -> None:
        if channel == "b":
            await go.wait()

    a, b = await fill(server, "a", 2), await fill(server, "b", 1)
    known = base64.urlsafe_b64encode(json.dumps({"a": [a.epoch, 1], "b": [b.epoch, 1]}).encode()).decode().rstrip("=")
    held = asyncio.create_task(server.request("GET", f"/channels?name=a&name=b&wait=20s&cursor={known}"))
    await eventually(lambda: "a" in server.node.hub.channels)
    await asyncio.sleep(0)
    go.set()
    answer = (await held).json()
    assert positions(answer["cursor"]) == {"a": (a.epoch, 2), "b": (b.epoch, 1)}


async def test_long_poll_whose_grant_takes_longer_than_its_wait_is_answered_then(server: Server) -> None:
    go = asyncio.Event()

    @server.node.on_subscribe
    async def subscribe(_client: Client, _channel: str) -> None:
        await go.wait()

    top = await fill(server, "news", 1)
    held = asyncio.create_task(server.request("GET", f"/channels/news?wait=50ms&cursor={cursor(top)}"))
    await eventually(lambda: server.node.sessions)
    (driver,) = server.node.sessions.values()
    wire: Any = driver.wire
    await eventually(lambda: wire._until < server.node.clock.now() - 0.06)
    go.set()
    assert (await held).json() == {"cursor": cursor(top), "publications": []}


async def test_long_poll_whose_peer_goes_leaves_nothing(server: Server) -> None:
    top = await fill(server, "news", 1)
    held = asyncio.create_task(server.request("GET", f"/channels/news?wait=20s&cursor={cursor(top)}"))
    await eventually(lambda: "news" in server.node.hub.channels)
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    await eventually(lambda: server.leftovers() == {})


async def test_short_poll_is_304_while_nothing_is_new(server: Server) -> None:
    top = await fill(server, "news", 2)
    target = f"/channels/news?wait=0&cursor={cursor(top)}"
    first = await server.request("GET", target)
    assert first.json() == {"cursor": cursor(top), "publications": []}
    tag = first.header("etag")
    assert tag.startswith('"')
    again = await server.request("GET", target, headers=[("If-None-Match", tag)])
    assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    await server.node.publish("news", 3)
    changed = await server.request("GET", target, headers=[("If-None-Match", tag)])
    assert [each["data"] for each in changed.json()["publications"]] == [3]
    assert changed.header("etag") != tag


async def test_short_poll_etag_is_recognised_as_http_compares_them(server: Server) -> None:
    top = await fill(server, "news", 2)
    target = f"/channels/news?wait=0&cursor={cursor(top)}"
    tag = (await server.request("GET", target)).header("etag")
    for given in (f"W/{tag}", f'"other", {tag}', "*"):
        answer = await server.request("GET", target, headers=[("If-None-Match", given)])
        assert answer.status == 304, given


@pytest.mark.parametrize("wait", ["x", "-1", "1h", "1e3", "nan", "1.5.5"])
async def test_waits_that_make_no_sense_are_400(server: Server, wait: str) -> None:
    assert (await server.request("GET", f"/channels/news?wait={wait}")).status == 400


# ---- history, presence, publish --------------------------------------------------------------------------------------


async def test_without_more_words_a_channel_is_a_page_of_history(server: Server) -> None:
    top = await fill(server, "news", 3)
    page = (await server.request("GET", "/channels/news")).json()
    assert (page["cursor"], page["epoch"], page["offset"]) == (cursor(top), top.epoch, 3)
    assert [each["data"] for each in page["publications"]] == [1, 2, 3]
    newest = (await server.request("GET", "/channels/news?limit=2&reverse=1")).json()
    assert [each["data"] for each in newest["publications"]] == [3, 2]
    after = (await server.request("GET", f"/channels/news?cursor={top.epoch}:2")).json()
    assert [each["data"] for each in after["publications"]] == [3]
    assert (await server.request("GET", "/channels/news?cursor=other:2")).status == 410
    assert (await server.request("GET", "/channels/news?cursor=x")).status == 400
    assert (await server.request("GET", "/channels/news?limit=x")).status == 400
    assert (await server.request("GET", "/channels/closed:a")).status == 403


async def test_presence_is_a_url(server: Server) -> None:
    stream = await server.events("/channels/news")
    await begin(stream)
    presence = (await server.request("GET", "/channels/news/presence")).json()
    (client,) = presence["presence"]
    assert presence["presence"][client]["client"] == client
    assert (await server.request("GET", "/channels/quiet:a/presence")).status == 404
    assert (await server.request("GET", "/channels/closed:a/presence")).status == 403
    posted = await server.request("POST", "/channels/news/presence", body=b"1")
    assert (posted.status, posted.header("allow")) == (405, "GET, HEAD, OPTIONS")
    await stream.response.close()


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "data"),
    [
        ("application/json", b'{"a":\r\n 1}', PayloadKind.JSON, b'{"a":1}'),
        ("application/merge-patch+json", b"[1]", PayloadKind.JSON, b"[1]"),
        ("text/plain; charset=utf-8", "grüße\r\n".encode(), PayloadKind.TEXT, "grüße\r\n".encode()),
        ("application/octet-stream", b"\x00\r\n\xff", PayloadKind.BINARY, b"\x00\r\n\xff"),
        ("", b"\xff", PayloadKind.BINARY, b"\xff"),
    ],
)
async def test_post_publishes_the_body_as_its_type_says(
    server: Server, content_type: str, body: bytes, kind: PayloadKind, data: bytes
) -> None:
    headers = [("Content-Type", content_type)] if content_type else []
    answer = await server.request("POST", "/channels/news", headers=headers, body=body)
    assert answer.status == 201
    history = await server.node.history("news")
    assert answer.json() == {"offset": 1, "epoch": history.top.epoch}
    (publication,) = history.publications
    assert (publication.kind, publication.data) == (kind, data)


async def test_post_with_an_idempotency_key_publishes_once(server: Server) -> None:
    @server.node.on_connect
    async def connecting(connecting: Connecting) -> User | None:
        return User(connecting.token) if connecting.token else None

    headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
        ("Event-Name", "priced"),
        ("Authorization", "Bearer ada"),
    ]
    first = await server.request("POST", "/channels/news", headers=headers, body=b"1")
    again = await server.request("POST", "/channels/news", headers=headers, body=b"1")
    other = await server.request("POST", "/channels/news", headers=headers, body=b"2")
    assert (first.status, again.status, other.status) == (201, 201, 400)
    assert first.json() == again.json()
    (publication,) = (await server.node.history("news")).publications
    assert publication.tags == {"event": "priced"}
    assert publication.info is not None
    assert publication.info.user == "ada"


async def test_post_with_an_idempotency_key_publishes_once_also_for_who_is_anonymous(server: Server) -> None:
    headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k")]
    first = await server.request("POST", "/channels/news", headers=headers, body=b"1")
    again = await server.request("POST", "/channels/news", headers=headers, body=b"1")
    assert first.json() == again.json()
    assert len((await server.node.history("news")).publications) == 1


@pytest.mark.parametrize(
    ("target", "headers", "body", "status"),
    [
        ("/channels/news", [("Content-Type", "application/json")], b"", 400),
        ("/channels/news", [("Content-Type", "application/json")], b"{", 400),
        ("/channels/news", [("Content-Type", "application/json")], b'"\xff"', 400),
        ("/channels/news", [("Content-Type", "text/plain")], b"\xff", 400),
        ("/channels/news", [("Event-Name", "reset")], b"x", 400),
        ("/channels/news", [("Event-Name", "a b")], b"x", 400),
        ("/channels/news", [("Idempotency-Key", "k" * 257)], b"x", 400),
        ("/channels?name=a&name=b", [], b"x", 400),
        ("/channels", [], b"x", 400),
        ("/channels/", [], b"x", 400),
        ("/channels/" + "x" * 256, [], b"x", 400),
        ("/channels/a%0Ab", [], b"x", 400),
        ("/channels/readonly:a", [], b"x", 403),
        ("/channels/small:a", [], b"x" * 101, 413),
    ],
)
async def test_posts_that_are_refused(
    server: Server, target: str, headers: list[tuple[str, str]], body: bytes, status: int
) -> None:
    answer = await server.request("POST", target, headers=headers, body=body)
    assert answer.status == status
    assert answer.json()["error"]["message"]
    await eventually(lambda: server.leftovers() == {})


async def test_requests_for_nothing_sensible_are_400(server: Server) -> None:
    for target in ("/channels", "/channels?name=", "/channels?name=a&name=a", "/channels/a?format=xml"):
        assert (await server.request("GET", target)).status == 400, target
    seventeen = "&".join(f"name=c{n}" for n in range(17))
    assert (await server.request("GET", f"/channels?{seventeen}&wait=0")).status == 400


async def test_names_are_percent_decoded_once(server: Server) -> None:
    await server.request("POST", "/channels/" + quote("a b/c%41:ü", safe=""), body=b"x")
    assert len((await server.node.history("a b/c%41:ü")).publications) == 1


# ---- JSONP, CORS, methods --------------------------------------------------------------------------------------------


async def test_jsonp_calls_the_callback(server: Server) -> None:
    await server.publish_raw("news", '"\u2028"'.encode())
    for target in ("/channels/news?callback=a.b", "/channels/news?wait=0&cursor=x&callback=a.b"):
        answer = await server.request("GET", target)
        assert answer.body.startswith(b'/**/a.b({"cursor"')
        assert answer.body.endswith(b");")
        assert "\u2028".encode() not in answer.body
        assert answer.header("content-type") == "application/javascript; charset=utf-8"
        assert answer.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize("callback", ["alert(1)", "a-b", "x" * 65, "1"])
async def test_jsonp_callbacks_that_are_no_names_are_400(server: Server, callback: str) -> None:
    answer = await server.request("GET", f"/channels/news?callback={quote(callback)}")
    assert (answer.status, answer.header("content-type")) == (400, "application/json")


async def test_jsonp_is_refused_where_it_is_off() -> None:
    chosen = settings(transports=settings().transports.__class__())
    async with running(Node(chosen)) as server:
        assert (await server.request("GET", "/channels/news?callback=f")).status == 400


@pytest.mark.parametrize("server", [{"origins": Origins(allowed=("https://elsewhere.example",))}], indirect=True)
async def test_an_allowed_origin_gets_cors_headers_with_credentials(server: Server) -> None:
    stream = await server.events("/channels/news", headers=ELSEWHERE)
    answer = await server.request("GET", "/channels/news", headers=ELSEWHERE)
    refused = await server.request("GET", "/channels/closed:a", headers=ELSEWHERE)
    for each in (stream.response, answer, refused):
        assert each.header("access-control-allow-origin") == "https://elsewhere.example"
        assert each.header("access-control-allow-credentials") == "true"
        assert "Origin" in each.header("vary")
    await stream.response.close()
    other = await server.request("GET", "/channels/news", headers=[("Origin", "https://evil.example")])
    assert other.status == 403
    assert other.header("access-control-allow-origin") == ""


@pytest.mark.parametrize("server", [{"origins": Origins(allowed=("*",))}], indirect=True)
async def test_any_origin_means_without_credentials(server: Server) -> None:
    answer = await server.request("GET", "/channels/news", headers=ELSEWHERE)
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("access-control-allow-credentials") == ""


@pytest.mark.parametrize("server", [{"origins": Origins(allowed=("https://elsewhere.example",))}], indirect=True)
async def test_preflight_names_methods_and_headers(server: Server) -> None:
    asked = [*ELSEWHERE, ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "event-name")]
    answer = await server.request("OPTIONS", "/channels/news", headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == "https://elsewhere.example"
    assert "POST" in answer.header("access-control-allow-methods")
    for name in ("Content-Type", "Authorization", "Idempotency-Key", "Event-Name", "Last-Event-ID"):
        assert name in answer.header("access-control-allow-headers")
    stranger = await server.request("OPTIONS", "/channels/news", headers=[("Origin", "https://evil.example")])
    assert stranger.header("access-control-allow-origin") == ""


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/channels/news"), ("POST", "/channels/news"), ("GET", "/channels/news?wait=0")],
)
async def test_pages_of_other_origins_are_403(server: Server, method: str, target: str) -> None:
    answer = await server.request(method, target, headers=[*ELSEWHERE, ("Content-Type", "text/plain")], body=b"")
    assert answer.status == 403
    assert answer.header("access-control-allow-origin") == ""
    assert not (await server.node.history("news")).publications


async def test_the_servers_own_pages_may(server: Server) -> None:
    own = [("Origin", f"http://127.0.0.1:{server.port}")]
    assert (await server.request("GET", "/channels/news", headers=own)).status == 200


async def test_head_options_and_other_methods(server: Server) -> None:
    await fill(server, "news", 1)
    head = await server.request("HEAD", "/channels/news")
    assert (head.status, head.body) == (200, b"")
    assert int(head.header("content-length")) > 10
    stream = await server.request("HEAD", "/channels/news", headers=[("Accept", "text/event-stream")])
    assert (stream.status, stream.body) == (200, b"")
    assert stream.header("content-type") == "text/event-stream; charset=utf-8"
    options = await server.request("OPTIONS", "/channels/news")
    assert (options.status, options.header("allow")) == (204, "GET, HEAD, POST, OPTIONS")
    for method in ("PUT", "DELETE", "PATCH"):
        wrong = await server.request(method, "/channels/news")
        assert (wrong.status, wrong.header("allow")) == (405, "GET, HEAD, POST, OPTIONS")
    await eventually(lambda: server.leftovers() == {})


async def test_a_bearer_token_says_who_asks(server: Server) -> None:
    @server.node.on_connect
    async def connecting(connecting: Connecting) -> User | None:
        return User(connecting.token) if connecting.token else None

    assert (await server.request("GET", "/channels/members:a")).status == 403
    ada = [("Authorization", "Bearer ada")]
    assert (await server.request("GET", "/channels/members:a", headers=ada)).status == 200
    stream = await server.events("/channels/members:a", headers=ada)
    assert stream.response.status == 200
    await stream.response.close()


async def test_single_requests_are_no_sessions_for_the_application(server: Server) -> None:
    ends: list[str] = []

    @server.node.on_disconnect
    async def disconnect(client: Client, _code: int, _reason: str) -> None:
        ends.append(client.wire)

    await server.request("GET", "/channels/news")
    await server.request("GET", "/channels/news?wait=0")
    await server.request("POST", "/channels/news", body=b"x")
    stream = await server.events("/channels/news")
    await begin(stream)
    await stream.response.close()
    await eventually(lambda: ends)
    assert ends == ["events"]
