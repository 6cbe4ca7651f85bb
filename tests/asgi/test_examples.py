"""Each example, unchanged, under each server: the application's own pages, and every wire below the prefix."""

import asyncio
import json
from typing import Any

import pytest
from asgi_servers import Cutter, Program
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from wirehop.client import Client
from wirehop.testing import http

pytestmark = pytest.mark.asyncio
JSON = ("Content-Type", "application/json")


async def say(site: Program, text: str, where: str = "/say") -> int:
    """Publish by the application's own address; the offset."""
    answer = await http.request(site.port, "POST", where, headers=[JSON], body=json.dumps({"text": text}).encode())
    assert answer.status == 200, (answer.body, site.output)
    return int(answer.json())


async def events(site: Program, **options: Any) -> http.Blocks:
    headers = [("Accept", "text/event-stream"), *options.pop("headers", ())]
    return http.Blocks(await http.open_response(site.port, "GET", "/rt/channels/news", headers=headers, **options))


async def next_event(stream: http.Blocks) -> dict[str, str]:
    """The next block that carries a publication."""
    while True:
        block = dict(await stream.next())
        if "data" in block and "event" not in block:
            return block


async def test_the_page_and_the_health_below_the_prefix(site: Program) -> None:
    page = await http.request(site.port, "GET", "/")
    assert page.status == 200
    assert b"rt/channels/news" in page.body
    health = await http.request(site.port, "GET", "/rt/health")
    assert (health.status, health.json()) == (200, {"status": "ok"})
    assert (await http.request(site.port, "GET", "/rt/ready")).json() == {"status": "ready"}
    assert (await http.request(site.port, "GET", "/rt/nothing")).status == 404
    assert (await http.request(site.port, "GET", "/nothing")).status == 404
    assert (await http.request(site.port, "GET", "/health")).status == 404
    head = await http.request(site.port, "HEAD", "/rt/health")
    assert (head.status, head.header("content-length"), head.body) == (200, "15", b"")


async def test_an_event_stream_gets_what_async_and_sync_code_publishes_and_recovers(site: Program) -> None:
    stream = await events(site)
    assert stream.response.header("content-type").startswith("text/event-stream")
    await stream.next()  # retry
    await stream.next()  # the position it starts from
    offset = await say(site, "from a coroutine")
    assert await say(site, "from a thread", "/say-from-a-thread") == offset + 1
    first, second = await next_event(stream), await next_event(stream)
    assert [json.loads(each["data"])["text"] for each in (first, second)] == ["from a coroutine", "from a thread"]
    await stream.response.close()
    await say(site, "while away")
    again = await events(site, headers=[("Last-Event-ID", first["id"])])
    assert [json.loads((await next_event(again))["data"])["text"] for _ in range(2)] == ["from a thread", "while away"]
    await again.response.close()


async def test_a_long_poll_of_the_channel_is_answered_by_the_next_publication(site: Program) -> None:
    cursor = (await http.request(site.port, "GET", "/rt/channels/news?wait=5s")).json()["cursor"]
    held = asyncio.ensure_future(http.request(site.port, "GET", f"/rt/channels/news?wait=5s&cursor={cursor}"))
    await asyncio.sleep(0.05)
    assert not held.done()
    await say(site, "polled")
    assert [each["data"]["text"] for each in (await held).json()["publications"]] == ["polled"]


async def test_a_session_by_websocket_and_its_close_codes(site: Program) -> None:
    url = f"ws://127.0.0.1:{site.port}/rt/connection/websocket"
    async with connect(url, proxy=None, close_timeout=1) as socket:
        await socket.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"news"}}')
        replies: list[Any] = []
        while len(replies) < 2:
            replies += map(json.loads, str(await asyncio.wait_for(socket.recv(), 5)).splitlines())
        assert replies[0]["connect"]["client"]
        assert "subscribe" in replies[1]
        await say(site, "über")
        push = json.loads(await asyncio.wait_for(socket.recv(), 5))
        assert push["push"]["pub"]["data"] == {"text": "über"}
        await socket.send(b"bytes are no JSON")
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == 3506, socket.close_reason


async def test_a_websocket_of_another_origin_is_refused_before_it_opens(site: Program) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{site.port}/rt/channels/news", proxy=None, origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403


async def test_a_message_over_the_limit_closes_with_1009(site: Program) -> None:
    async with connect(f"ws://127.0.0.1:{site.port}/rt/connection/websocket", proxy=None, close_timeout=1) as socket:
        await socket.send('{"id":1,"connect":{"data":"' + "x" * 70_000 + '"}}')
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 5)
        assert socket.close_code == (3501 if site.server == "daphne" else 1009)  # daphne knows few codes


@pytest.mark.parametrize("wire", ["websocket", "sse", "long-poll"])
async def test_the_client_goes_on_after_a_cut_without_losing_anything(site: Program, wire: Any) -> None:
    async with Cutter(site.port) as cutter:
        url = f"http://127.0.0.1:{cutter.port}/rt"
        async with Client(url, wire=wire, jitter=lambda: 0.1) as client, client.subscribe("news") as subscription:
            await say(site, f"{wire} before")
            assert (await asyncio.wait_for(anext(subscription), 5)).data == {"text": f"{wire} before"}
            assert cutter.cut()
            await say(site, f"{wire} meanwhile")
            await say(site, f"{wire} after", "/say-from-a-thread")
            got = [(await asyncio.wait_for(anext(subscription), 10)).data for _ in range(2)]
            assert got == [{"text": f"{wire} meanwhile"}, {"text": f"{wire} after"}]
            assert subscription.gaps == 0


async def test_nothing_of_all_that_failed_on_the_server(site: Program) -> None:
    assert "Traceback" not in site.output, site.output
