"""Through TLS: HTTP/2 for event streams and polls, WebSockets beside it, and who the client is."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from node_under_test import Server
from websockets.asyncio.client import connect

from proxies import Proxy

pytestmark = pytest.mark.asyncio
Behind = tuple[Server, Proxy]


@pytest_asyncio.fixture
async def browser(behind: Behind) -> AsyncIterator[httpx.AsyncClient]:
    """A client that speaks HTTP/2 where it is offered, as browsers do."""
    _, proxy = behind
    trust = ssl.create_default_context(cafile=str(proxy.authority))
    async with httpx.AsyncClient(
        http2=True, verify=trust, base_url=proxy.tls_url, timeout=5, trust_env=False
    ) as client:
        yield client


async def test_twelve_event_streams_share_one_connection_and_none_waits(
    behind: Behind, browser: httpx.AsyncClient
) -> None:
    server, _ = behind
    everybody = asyncio.Barrier(13)

    async def follow() -> list[Any]:
        found: list[Any] = []
        async with browser.stream("GET", "/channels/quiet:a", headers={"Accept": "text/event-stream"}) as stream:
            assert stream.http_version == "HTTP/2"
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert "content-encoding" not in stream.headers
            lines = stream.aiter_lines()
            while "id: " not in await anext(lines):
                pass
            await everybody.wait()
            async for line in lines:
                if line.startswith("data: ") and line != "data: {}":
                    found.append(json.loads(line[6:]))
                if len(found) == 20:
                    return found
        return found

    following = [asyncio.create_task(follow()) for _ in range(12)]
    async with asyncio.timeout(10):
        await everybody.wait()
        for number in range(20):
            await server.node.publish("quiet:a", number)
        assert await asyncio.gather(*following) == [list(range(20))] * 12


async def test_an_event_arrives_before_the_next_one_is_published(behind: Behind, browser: httpx.AsyncClient) -> None:
    server, _ = behind
    async with browser.stream("GET", "/channels/quiet:a", headers={"Accept": "text/event-stream"}) as stream:
        lines = stream.aiter_lines()
        while "id: " not in await anext(lines):
            pass
        for number in range(5):
            await server.node.publish("quiet:a", number)
            async with asyncio.timeout(2):
                while await anext(lines) != f"data: {number}":
                    pass


async def test_polls_and_posts(behind: Behind, browser: httpx.AsyncClient) -> None:
    body = {"nonce": "a-long-nonce", "poll": 1, "commands": [{"id": 4_294_967_295, "connect": {"wh": {}}}]}
    answer = await browser.post("/connection/poll", json=body)
    assert answer.http_version == "HTTP/2"
    assert answer.json()["replies"][0]["connect"]["client"]
    first = (await browser.get("/channels/quiet:a?wait=5s")).json()
    waiting = asyncio.create_task(browser.get(f"/channels/quiet:a?wait=5s&cursor={first['cursor']}"))
    posted = await browser.post("/channels/quiet:a", content=b'{"n":1}', headers={"Content-Type": "application/json"})
    assert posted.status_code == 201
    assert [each["data"] for each in (await waiting).json()["publications"]] == [{"n": 1}]


async def test_websockets_over_tls(behind: Behind) -> None:
    server, proxy = behind
    trust = ssl.create_default_context(cafile=str(proxy.authority))
    url = f"wss://127.0.0.1:{proxy.tls_port}/channels/quiet:a"
    async with connect(url, ssl=trust, proxy=None, compression=None) as socket:
        await socket.send('{"n":1}')
        assert await asyncio.wait_for(socket.recv(), 5) == '{"n":1}'
    assert server.node is not None


@pytest.mark.parametrize(("is_secure", "scheme"), [(False, "http"), (True, "https")])
async def test_the_server_knows_who_and_how(
    behind: Behind, browser: httpx.AsyncClient, is_secure: bool, scheme: str
) -> None:
    server, proxy = behind
    heard = []
    serve = server.host._context.handler  # type: ignore[union-attr]

    def listen(exchange: Any) -> None:
        if exchange.request.path == "/channels/who":
            heard.append(exchange.request)
        serve(exchange)

    server.host._context.handler = listen  # type: ignore[union-attr]
    base = proxy.tls_url if is_secure else proxy.url
    answer = await browser.get(f"{base}/channels/who", headers={"Origin": base})
    assert answer.status_code == 200, "a page of this address was taken for a foreign one"
    assert answer.headers["access-control-allow-origin"] == base
    (request,) = heard
    assert (request.address, request.scheme) == ("127.0.0.1", scheme)
    assert request.headers["host"] == base.partition("://")[2]
    assert "x-forwarded-for" in request.headers


async def test_what_a_client_claims_is_not_believed(behind: Behind, browser: httpx.AsyncClient) -> None:
    """The address that the proxy adds is the last one; here it is trusted itself, so the one before it counts."""
    server, proxy = behind
    heard = []
    serve = server.host._context.handler  # type: ignore[union-attr]

    def listen(exchange: Any) -> None:
        heard.append(exchange.request)
        serve(exchange)

    server.host._context.handler = listen  # type: ignore[union-attr]
    claims = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https"}
    await browser.get(f"{proxy.url}/channels/who", headers=claims)
    request = next(each for each in heard if each.path == "/channels/who")
    assert request.address == "203.0.113.9", "walked from the right: never the one that is furthest left"
    assert request.scheme == "http", "the proxy says how it was reached, whatever the client says"


async def test_headers_of_forwarding_are_not_believed_from_who_is_not_trusted(server: Server) -> None:
    heard = []
    context = server.host._context
    assert context is not None
    serve = context.handler
    context.proxies = type(context.proxies)(())

    def listen(exchange: Any) -> None:
        heard.append(exchange.request)
        serve(exchange)

    context.handler = listen
    await server.request("GET", "/channels/who", headers=[("X-Forwarded-For", "203.0.113.9")])
    request = next(each for each in heard if each.path == "/channels/who")
    assert request.address == "127.0.0.1"
