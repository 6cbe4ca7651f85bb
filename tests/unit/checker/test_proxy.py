"""The impairing proxy: each fault does what it says, to the connections it is set for, and is counted."""

import asyncio

import pytest

from wirehop.checker import faults
from wirehop.checker.proxy import ImpairingProxy

from .peers import SECONDS, Peer, scene


@pytest.mark.asyncio
async def test_without_a_fault_everything_passes_and_nothing_is_counted() -> None:
    async with scene() as (backend, proxy):
        peer = await Peer.to(proxy)
        for number in range(3):
            peer.post(b"%d" % number)
            assert await peer.status() == 204
        socket = await (await Peer.to(proxy)).upgrade()
        assert await socket.reader.readexactly(5) == b"hello"
        socket.writer.write(b"frames")
        assert await socket.reader.readexactly(6) == b"frames"
        assert backend.bodies == [b"0", b"1", b"2"]
        assert proxy.counts == {}
        assert sorted(link.is_websocket for link in proxy.links) == [False, True]


@pytest.mark.asyncio
async def test_what_is_no_http_passes_as_it_is() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100))[::-1])
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with asyncio.timeout(SECONDS), ImpairingProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        peer = await Peer.to(proxy)
        peer.writer.write(b"\x16\x03\x01hello")
        assert await peer.reader.readexactly(8) == b"olleh\x01\x03\x16"
        peer.close()
    server.close()


@pytest.mark.asyncio
async def test_a_cut_resets_every_connection_and_new_ones_work() -> None:
    async with scene() as (_, proxy):
        peer = await (await Peer.to(proxy)).upgrade()
        assert await peer.reader.readexactly(5) == b"hello"
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await peer.reader.readexactly(1)
        assert proxy.counts == {faults.CUT: 1}
        await (await Peer.to(proxy)).upgrade()


@pytest.mark.asyncio
async def test_a_polite_cut_ends_without_a_reset() -> None:
    async with scene() as (_, proxy):
        peer = await (await Peer.to(proxy)).upgrade()
        assert await peer.reader.readexactly(5) == b"hello"
        proxy.cut(is_reset=False)
        assert await peer.reader.read() == b""


@pytest.mark.asyncio
async def test_a_black_hole_takes_everything_and_what_lost_bytes_stays_dead() -> None:
    async with scene() as (_, proxy):
        peer = await (await Peer.to(proxy)).upgrade()
        assert await peer.reader.readexactly(5) == b"hello"
        await proxy.set(faults.BlackHole())
        peer.writer.write(b"lost")
        assert await peer.is_silent()
        await proxy.set()
        peer.writer.write(b"more")
        assert await peer.is_silent()
        other = await (await Peer.to(proxy)).upgrade()
        assert await other.reader.readexactly(5) == b"hello"
        assert proxy.counts["black hole"] == 1


@pytest.mark.asyncio
async def test_a_fault_can_be_set_for_one_connection_alone() -> None:
    async with scene() as (_, proxy):
        one = await (await Peer.to(proxy)).upgrade()
        assert await one.reader.readexactly(5) == b"hello"
        (link,) = proxy.links
        other = await (await Peer.to(proxy)).upgrade()
        assert await other.reader.readexactly(5) == b"hello"
        link.set(faults.BlackHole())
        for peer in (one, other):
            peer.writer.write(b"x")
        assert await other.reader.readexactly(1) == b"x"
        assert await one.is_silent()


@pytest.mark.asyncio
@pytest.mark.parametrize("towards", ["client", "server"])
async def test_half_open_kills_one_direction(towards: str) -> None:
    async with scene() as (backend, proxy):
        await proxy.set(faults.HalfOpen(towards))  # type: ignore[arg-type]
        peer = await Peer.to(proxy)
        peer.post(b"body")
        assert await peer.is_silent()
        assert backend.bodies == ([b"body"] if towards == "client" else [])
        assert proxy.counts == {"half-open": 1}


@pytest.mark.asyncio
async def test_a_tunnel_lets_everything_out_late() -> None:
    async with scene() as (_, proxy):
        peer = await (await Peer.to(proxy)).upgrade()
        assert await peer.reader.readexactly(5) == b"hello"
        await proxy.set(faults.Tunnel())
        peer.writer.write(b"late")
        assert await peer.is_silent()
        await proxy.set()
        assert await peer.reader.readexactly(4) == b"late"


@pytest.mark.asyncio
async def test_delay_keeps_the_order() -> None:
    async with scene() as (_, proxy):
        peer = await (await Peer.to(proxy)).upgrade()
        assert await peer.reader.readexactly(5) == b"hello"
        await proxy.set(faults.Delay(0.05, jitter=0.05))
        began = asyncio.get_running_loop().time()
        for number in range(20):
            peer.writer.write(b"%02d" % number)
            await asyncio.sleep(0.002)
        assert await peer.reader.readexactly(40) == b"".join(b"%02d" % number for number in range(20))
        assert asyncio.get_running_loop().time() - began > 0.05
        assert proxy.counts["delay"] == 2  # a direction each


@pytest.mark.asyncio
async def test_duplicate_posts_reach_the_server_twice_and_are_answered_once() -> None:
    async with scene() as (backend, proxy):
        await proxy.set(faults.DuplicatePosts(0.01))
        peer = await Peer.to(proxy)
        peer.post(b"a")
        assert await peer.status() == 204
        await backend.has(2)
        assert backend.bodies == [b"a", b"a"]
        assert await peer.is_silent(0.05)
        peer.post(b"b", "/other")
        assert await peer.status() == 204
        assert backend.bodies[2:] == [b"b"]
        assert proxy.counts == {"posts duplicated": 1}


@pytest.mark.asyncio
async def test_posts_on_two_connections_overtake_each_other() -> None:
    async with scene() as (backend, proxy):
        await proxy.set(faults.ReorderPosts(0.1))
        sent = [b"%d" % number for number in range(8)]
        peers = [await Peer.to(proxy) for _ in sent]
        for peer, body in zip(peers, sent, strict=True):
            peer.post(body, "/connection/poll")
            await asyncio.sleep(0.002)
        for peer in peers:
            assert await peer.status() == 204
        assert backend.bodies != sent
        assert sorted(backend.bodies) == sent


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [404, 502])
@pytest.mark.parametrize("is_delivered", [False, True])
async def test_posts_are_answered_by_the_proxy(status: int, is_delivered: bool) -> None:
    async with scene() as (backend, proxy):
        await proxy.set(faults.AnswerPosts(status, is_delivered=is_delivered))  # type: ignore[arg-type]
        peer = await Peer.to(proxy)
        peer.post(b"a")
        assert await peer.status() == status
        await proxy.set()
        peer.post(b"b")
        assert await peer.status() == 204
        await backend.has(1 + is_delivered)
        assert sorted(backend.bodies) == ([b"a", b"b"] if is_delivered else [b"b"])


@pytest.mark.asyncio
async def test_a_buffering_proxy_holds_a_stream_until_it_ends() -> None:
    async with scene() as (backend, proxy):
        await proxy.set(faults.BufferStreams(16))
        peer = await Peer.to(proxy)
        peer.writer.write(b"GET /connection/sse?a HTTP/1.1\r\n\r\n")
        assert await peer.is_silent()
        other = await Peer.to(proxy)
        other.post(b"a")
        assert await other.status() == 204
        backend.release.set()
        assert (await peer.reader.readuntil(b"0\r\n\r\n")).count(b"last") == 1
        assert proxy.counts == {"buffering proxy": 1}


@pytest.mark.asyncio
async def test_what_was_buffered_comes_when_the_fault_is_over() -> None:
    async with scene() as (_, proxy):
        await proxy.set(faults.BufferStreams(16))
        peer = await Peer.to(proxy)
        peer.writer.write(b"GET /connection/sse?a HTTP/1.1\r\n\r\n")
        assert await peer.is_silent()
        await proxy.set()
        assert await peer.reader.readuntil(b"first\r\n")


@pytest.mark.asyncio
async def test_frames_are_eaten_after_the_upgrade() -> None:
    async with scene() as (_, proxy):
        await proxy.set(faults.EatFrames())
        peer = await (await Peer.to(proxy)).upgrade()
        assert await peer.is_silent()  # also what came in one piece with the head
        other = await Peer.to(proxy)
        other.post(b"a")
        assert await other.status() == 204
        assert proxy.counts["frames eaten"] == 1


@pytest.mark.asyncio
async def test_upgrades_are_blocked_and_nothing_else() -> None:
    async with scene() as (_, proxy):
        await proxy.set(faults.BlockWebSocket())
        peer = await Peer.to(proxy)
        peer.writer.write(b"GET /connection/websocket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        assert await peer.status() == 403
        peer.post(b"a")
        assert await peer.status() == 204
        assert proxy.counts == {"websocket blocked": 1}


@pytest.mark.asyncio
async def test_who_reads_slowly_holds_the_server_up_and_the_proxy_keeps_little() -> None:
    async with scene() as (backend, proxy):
        await proxy.set(faults.SlowReader(20_000))
        peer = await Peer.to(proxy)
        peer.writer.write(b"GET /big HTTP/1.1\r\n\r\n")
        loop = asyncio.get_running_loop()
        until, got = loop.time() + 0.5, 0
        while loop.time() < until:
            got += len(await peer.reader.read(65_536))
        assert 0 < got < 20_000
        assert backend.sent < 8 << 20
        (link,) = proxy.links
        assert link._down._size <= 262_144
        peer.close()
