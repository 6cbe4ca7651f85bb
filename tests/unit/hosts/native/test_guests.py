"""Another protocol on the host's port: who gets a connection, and what the host still does for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import trustme

from wirehop.abc import Exchange
from wirehop.hosts.native import HostOptions, NativeServer
from wirehop.hosts.native.guest import Reception

pytestmark = pytest.mark.asyncio
SECONDS = 30.0


class Shout:
    """A protocol that answers in capitals."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.events: list[str] = []

    def data_received(self, data: bytes) -> None:
        if b"fail" in data:
            raise RuntimeError("it fails")
        self.transport.write(data.upper())

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")

    def pause_writing(self) -> None:
        self.events.append("paused")

    def resume_writing(self) -> None:
        self.events.append("resumed")


class Door:
    """A host with guests, and what became of them."""

    def __init__(self, **options: object) -> None:
        self.guests: list[tuple[Shout, str, bool]] = []
        reception = Reception(first_bytes=frozenset((0, 1)), alpn="shout", welcome=self.welcome)
        self.server = NativeServer(self.answer, options=HostOptions(**options), guests=reception)  # type: ignore[arg-type]

    def welcome(self, transport: asyncio.Transport, address: str, is_tls: bool) -> Shout:
        shout = Shout(transport)
        self.guests.append((shout, address, is_tls))
        return shout

    @staticmethod
    def answer(exchange: Exchange) -> None:
        exchange.respond(200, [("Content-Type", "text/plain")], b"page")


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Callable[..., "asyncio.Future[Door]"]]:
    doors: list[Door] = []

    async def open_door(**options: object) -> Door:
        door = Door(**options)
        doors.append(door)
        await door.server.start()
        return door

    yield open_door  # type: ignore[misc]
    for door in doors:
        await door.server.close()


async def dial(door: Door, context: ssl.SSLContext | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(
        "127.0.0.1", door.server.port, ssl=context, server_hostname="127.0.0.1" if context else None
    )


async def test_a_first_byte_of_the_guests_makes_it_theirs(opened: Callable[..., "asyncio.Future[Door]"]) -> None:
    door = await opened()
    reader, writer = await dial(door)
    writer.write(b"\0hello")
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(6) == b"\0HELLO"
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.readexactly(18) == b"GET / HTTP/1.1\r\n\r\n"
    ((shout, address, is_tls),) = door.guests
    assert (address, is_tls) == ("127.0.0.1", False)
    assert door.server.connections == 1
    writer.close()
    await until(lambda: shout.events == ["lost"])
    assert door.server.connections == 0


async def test_everybody_else_gets_http(opened: Callable[..., "asyncio.Future[Door]"]) -> None:
    door = await opened()
    for begin, status in (
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"200"),
        (b"\x02\r\n\r\n", b"400"),
        (b"\x16\r\n\r\n", b"400"),
    ):
        reader, writer = await dial(door)
        writer.write(begin)
        async with asyncio.timeout(SECONDS):
            assert (await reader.readline()).split()[1] == status
        writer.close()
    assert door.guests == []


async def test_a_body_may_begin_with_any_byte(opened: Callable[..., "asyncio.Future[Door]"]) -> None:
    door = await opened()
    reader, writer = await dial(door)
    async with asyncio.timeout(SECONDS):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        await until(lambda: door.server.connections == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        writer.write(b"\0\1\0\1")
        assert (await reader.readline()).split()[1] == b"200"
    assert door.guests == []
    writer.close()


async def test_the_same_inside_tls(opened: Callable[..., "asyncio.Future[Door]"]) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    door = await opened(ssl_context=context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    reader, writer = await dial(door, trust)
    writer.write(b"\1tls")
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(4) == b"\1TLS"
    assert [is_tls for _, _, is_tls in door.guests] == [True]
    writer.close()


async def test_a_guest_that_fails_loses_its_connection_and_nothing_else(
    opened: Callable[..., "asyncio.Future[Door]"], caplog: pytest.LogCaptureFixture
) -> None:
    door = await opened()
    reader, writer = await dial(door)
    writer.write(b"\0fail")
    async with asyncio.timeout(SECONDS):
        with pytest.raises(ConnectionResetError):
            assert await reader.read(1) == b""
            raise ConnectionResetError
    assert door.server.counters["guest.failed"] == 1
    assert "it fails" in caplog.text
    writer.close()
    await test_everybody_else_gets_http(opened)


async def test_a_host_that_stops_drops_its_guests(opened: Callable[..., "asyncio.Future[Door]"]) -> None:
    door = await opened()
    reader, writer = await dial(door)
    writer.write(b"\0hello")
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(6)
        await door.server.close()
    ((shout, _, _),) = door.guests
    await until(lambda: shout.events == ["lost"])
    writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
