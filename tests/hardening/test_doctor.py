"""The address that anyone may ask is bounded: in time, in bytes, in how many there are."""

import asyncio
import json

import pytest
from node_under_test import Server, eventually, running
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from wirehop.testing import http
from wirehop.transports.doctor import ECHO_BYTES, MAX_ECHOES, MAX_OPEN, PATH, PER_MINUTE

pytestmark = pytest.mark.asyncio


def open_ones(server: Server) -> int:
    return len(server.site._routes[PATH].__self__._open)  # type: ignore[attr-defined]


@pytest.mark.parametrize("wait", ["151s", "3m", "x", "-1s", "1e9", "inf"])
async def test_waits_that_are_too_long_or_none(wait: str) -> None:
    async with running() as server:
        assert (await server.request("GET", f"{PATH}?wait={wait}")).status == 400


async def test_so_many_at_once_and_no_more_and_who_goes_makes_room() -> None:
    async with running() as server:
        headers = [("Accept", "text/event-stream")]
        streams = [await server.open("GET", f"{PATH}?wait=30s", headers=headers) for _ in range(MAX_OPEN)]
        for target in (f"{PATH}?wait=30s", f"{PATH}?wait=1ms"):
            answer = await server.request("GET", target)
            assert (answer.status, answer.json()["error"]["code"]) == (429, 111)
        assert (await server.request("GET", PATH)).status == 200
        for stream in streams:
            await stream.close()
        await eventually(lambda: open_ones(server) == 0)
        assert (await server.request("GET", f"{PATH}?wait=1ms")).json()["is_last"]


async def test_so_many_in_a_minute_and_no_more() -> None:
    async with running() as server:
        statuses = [(await server.request("GET", f"{PATH}?wait=1ms")).status for _ in range(PER_MINUTE + 20)]
        assert 429 in statuses or len(set(statuses)) == 1  # a new minute may begin in between
        assert statuses.count(200) <= 2 * PER_MINUTE
        assert statuses[:PER_MINUTE] == [200] * PER_MINUTE


async def test_a_socket_echoes_little_and_not_often() -> None:
    async with running() as server:
        url = f"ws://127.0.0.1:{server.port}{PATH}"
        async with connect(url, proxy=None, compression=None) as socket:
            for number in range(MAX_ECHOES):
                await socket.send(str(number))
                assert await socket.recv() == str(number)
            await socket.send("once more")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1008
        async with connect(url, proxy=None, compression=None) as socket:
            await socket.send("x" * (ECHO_BYTES + 1))
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1009
        await eventually(lambda: open_ones(server) == 0)


async def test_who_goes_during_a_wait_leaves_nothing() -> None:
    async with running() as server:
        poll = asyncio.create_task(http.request(server.port, "GET", f"{PATH}?wait=60s"))
        await eventually(lambda: open_ones(server) == 1)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
        await eventually(lambda: open_ones(server) == 0 and server.host.connections == 0)


async def test_it_tells_no_address_and_repeats_no_header() -> None:
    async with running() as server:
        headers = [("X-Forwarded-For", "203.0.113.9"), ("Host", "inner.example"), ("X-Secret", "hush")]
        answer = await server.request("GET", f"{PATH}?host=outer.example", headers=headers)
        text = answer.body.decode()
        assert not any(word in text for word in ("203.0.113", "127.0.0.1", "inner", "hush"))
        told = json.loads(text)
        assert (told["forwarded"], told["has_host"], told["http"]) == ("ignored", False, "1.1")


async def test_other_methods_and_foreign_pages() -> None:
    async with running() as server:
        assert (await server.request("POST", PATH)).status == 405
        assert (await server.request("OPTIONS", PATH)).status == 204
        assert (await server.request("GET", PATH, headers=[("Origin", "https://evil.example")])).status == 403
