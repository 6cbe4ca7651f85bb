"""Attacks on TURN over TCP, each a test named after it, against a native host with the TURN server as its guest."""

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from turn_live import PEER, SECRET, SERVER
from turn_world import UDP

from wirehop.abc import Exchange
from wirehop.hosts.native import NativeServer
from wirehop.rtc.pure import stun
from wirehop.rtc.pure.credentials import credential
from wirehop.rtc.pure.stun import Attribute, Kind, Message, Method
from wirehop.rtc.turn import TurnService
from wirehop.running import reception
from wirehop.settings.tree import Rtc

pytestmark = pytest.mark.asyncio
SECONDS = 30.0


class Place:
    """A host and its TURN server."""

    def __init__(self, idle_seconds: float) -> None:
        rtc = Rtc(turn="embedded", secret=SECRET, allow_peers=(f"{PEER}/32",), bandwidth=0)
        self.turn = TurnService(rtc, host=SERVER, idle_seconds=idle_seconds)
        self.host = NativeServer(self.answer, guests=reception(self.turn))

    @staticmethod
    def answer(exchange: Exchange) -> None:
        exchange.respond(200, [], b"page")

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncIterator["Stream"]:
        reader, writer = await asyncio.open_connection(SERVER, self.host.port)
        stream = Stream(reader, writer)
        try:
            yield stream
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Stream:
    """A client over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.count = 0
        self.key: bytes | None = None
        self.signs: list[tuple[int, bytes]] = []

    def request(self, method: Method, *attributes: tuple[int, bytes]) -> bytes:
        self.count += 1
        transaction = self.count.to_bytes(12, "big")
        return stun.encode(method, Kind.REQUEST, transaction, [*attributes, *self.signs], key=self.key)

    async def answer(self) -> Message:
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readexactly(20)
            return stun.decode(head + await self.reader.readexactly(struct.unpack_from("!H", head, 2)[0]))

    async def ask(self, method: Method, *attributes: tuple[int, bytes]) -> Message:
        self.writer.write(self.request(method, *attributes))
        return await self.answer()

    async def allocate(self) -> Message:
        first = await self.ask(Method.ALLOCATE, UDP)
        realm, nonce = first.text(Attribute.REALM) or "", first.value(Attribute.NONCE) or b""
        made = credential(SECRET, "anna", now=time.time(), age=600)
        self.key = stun.long_term_key(made.username, realm, made.password)
        self.signs = [
            (int(Attribute.USERNAME), made.username.encode()),
            (int(Attribute.REALM), realm.encode()),
            (int(Attribute.NONCE), nonce),
        ]
        answer = await self.ask(Method.ALLOCATE, UDP)
        assert answer.kind == Kind.SUCCESS
        return answer

    async def is_over(self) -> bool:
        """The server ends it."""
        async with asyncio.timeout(SECONDS):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True


@pytest_asyncio.fixture
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    place = Place(getattr(request, "param", 60.0))
    await place.host.start()
    await place.turn.start(place.host.port, is_any=True)
    yield place
    await place.host.close()
    place.turn.close()


@pytest.mark.parametrize("place", [4.0], indirect=True)
async def test_a_connection_that_begins_and_says_nothing(place: Place) -> None:
    async with place.dial() as silent, place.dial() as honest:
        await honest.allocate()
        silent.writer.write(b"\0\3")
        assert await silent.is_over()
        assert place.turn.machine.counters["stream.idle"] == 1
        assert (await honest.ask(Method.REFRESH)).kind == Kind.SUCCESS, "one that has an allocation stays"


@pytest.mark.parametrize("place", [1.0], indirect=True)
async def test_connections_that_only_ever_ask_without_credentials(place: Place) -> None:
    async with place.dial() as asking:
        assert (await asking.ask(Method.ALLOCATE, UDP)).error() == (401, "Unauthenticated")
        assert await asking.is_over()
        assert place.turn.machine.registry.count == 0


@pytest.mark.parametrize("rest", [b"\xff\xff\xff\xff", b"\x00\x01\x00\x01aaaa"])
async def test_a_stream_that_stops_making_sense(place: Place, rest: bytes) -> None:
    async with place.dial() as stream:
        stream.writer.write(stream.request(Method.BINDING))
        assert (await stream.answer()).kind == Kind.SUCCESS
        stream.writer.write(rest)
        assert await stream.is_over()
    async with place.dial() as stream:
        assert (await stream.ask(Method.BINDING)).kind == Kind.SUCCESS


async def test_byte_by_byte(place: Place) -> None:
    async with place.dial() as stream:
        for byte in stream.request(Method.BINDING):
            stream.writer.write(bytes((byte,)))
            await stream.writer.drain()
            await asyncio.sleep(0)
        assert (await stream.answer()).kind == Kind.SUCCESS


async def test_the_end_of_the_connection_is_the_end_of_the_allocation(place: Place) -> None:
    async with place.dial() as stream:
        await stream.allocate()
        assert place.turn.machine.registry.count == 1
    async with asyncio.timeout(SECONDS):
        while place.turn.machine.registry.count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_client_that_does_not_read_loses_data_and_the_server_no_memory(place: Place) -> None:
    async with place.dial() as stream:
        answer = await stream.allocate()
        relayed = answer.address(Attribute.XOR_RELAYED_ADDRESS)
        assert relayed is not None
        loop = asyncio.get_running_loop()
        peer, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(PEER, 0))
        at = peer.get_extra_info("sockname")
        value = stun.write_address(at, (stream.count + 1).to_bytes(12, "big"))
        channel = (int(Attribute.CHANNEL_NUMBER), b"\x40\0\0\0")
        bound = await stream.ask(Method.CHANNEL_BIND, channel, (int(Attribute.XOR_PEER_ADDRESS), value))
        assert bound.kind == Kind.SUCCESS
        stream.reader._transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(SECONDS):
            while not place.turn.machine.counters["stream.full"]:
                for _ in range(20):
                    peer.sendto(bytes(8000), relayed)
                await asyncio.sleep(0)
        (client,) = place.turn._streams.values()
        assert client.transport.get_write_buffer_size() < 1_000_000
        peer.close()
        client.transport.abort()
    async with place.dial() as stream:
        assert (await stream.ask(Method.BINDING)).kind == Kind.SUCCESS
