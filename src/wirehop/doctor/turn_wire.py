"""A wire to a TURN server, over UDP, TCP or TLS, for as long as it is examined: sockets and time around the machine in
`rtc/pure/turn_client`.

It knows how to ask and what came. It does not know what that means.
"""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from wirehop.rtc.pure.framing import BadFrame, Framing
from wirehop.rtc.pure.stun import TRANSACTION_BYTES, Address, Attribute, Message, Method
from wirehop.rtc.pure.turn_client import Answered, Arrived, Refused, Transmit, TurnClient, Unanswered, Value

_UDP: Final = b"\x11\0\0\0"
_INBOX: Final = 64
_LIFETIME: Final = (600).to_bytes(4, "big")


class AskError(Exception):
    """A question was not granted. `code`: of STUN; 0: there was no answer. `is_closed`: the other side said that
    nobody listens, or hung up."""

    def __init__(self, text: str, code: int = 0, *, is_signed: bool = False, is_closed: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.is_signed = is_signed
        self.is_closed = is_closed


class TurnWire(asyncio.DatagramProtocol, asyncio.Protocol):
    """One socket and one machine. Data of peers waits in `inbox`, 64 at most; more is dropped and counted by the
    machine as `inbox`."""

    def __init__(self, machine: TurnClient, *, is_stream: bool) -> None:
        self.machine = machine
        self.inbox: asyncio.Queue[Arrived] = asyncio.Queue(_INBOX)
        self._framing = Framing() if is_stream else None
        self._loop = asyncio.get_running_loop()
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._transport: asyncio.Transport | asyncio.DatagramTransport
        self._timer: asyncio.TimerHandle | None = None
        self._is_begun = False

    @property
    def server(self) -> Address:
        """The address that was dialled."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]), int(name[1])

    # ---- asking ----------------------------------------------------------------------------------------------------

    async def ask(self, method: Method, attributes: Sequence[tuple[int, Value]] = ()) -> Message:
        """Ask and wait. Raises `AskError`."""
        number = self.machine.ask(method, attributes, self._loop.time())
        answer: asyncio.Future[Message] = self._loop.create_future()
        self._answers[number] = answer
        self._drain()
        return await answer

    async def bind(self) -> Address:
        """Where the server sees this socket. Raises `AskError`."""
        return _address(await self.ask(Method.BINDING), Attribute.XOR_MAPPED_ADDRESS)

    async def allocate(self) -> Address:
        """An allocation: its relayed address. Raises `AskError`."""
        attributes = ((Attribute.REQUESTED_TRANSPORT, _UDP), (Attribute.LIFETIME, _LIFETIME))
        return _address(await self.ask(Method.ALLOCATE, attributes), Attribute.XOR_RELAYED_ADDRESS)

    async def permit(self, peer: Address) -> None:
        """Let a peer in. Raises `AskError`."""
        await self.ask(Method.CREATE_PERMISSION, ((Attribute.XOR_PEER_ADDRESS, peer),))

    async def give_back(self) -> None:
        """End the allocation. Raises `AskError`."""
        await self.ask(Method.REFRESH, ((Attribute.LIFETIME, bytes(4)),))

    def send(self, peer: Address, data: bytes) -> None:
        """Through the relay."""
        self.machine.send(peer, data)
        self._drain()

    async def hears(self, data: bytes, timeout: float) -> Address | None:
        """Wait for `data`: which peer it came from, None if it did not."""
        try:
            async with asyncio.timeout(timeout):
                while (arrived := await self.inbox.get()).data != data:
                    pass
        except TimeoutError:
            return None
        return arrived.peer

    # ---- the socket ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        # asyncio's datagram transports are no DatagramTransport before Python 3.13, so what was asked for decides.
        self._transport = cast("asyncio.DatagramTransport | asyncio.Transport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Of UDP."""
        self.machine.received(data, self._loop.time())
        self._drain()

    def data_received(self, data: bytes) -> None:
        """Of a connection."""
        assert self._framing is not None
        if not self._is_begun and data.startswith(b"HTTP/"):  # its first letter would pass for ChannelData
            self._fail("what answers speaks HTTP", is_closed=True)
            return
        self._is_begun = True
        try:
            messages = self._framing.feed(data)
        except BadFrame as error:
            self._fail(f"what answers speaks another protocol ({error})", is_closed=True)
            return
        for message in messages:
            self.machine.received(message, self._loop.time())
        self._drain()

    def error_received(self, exc: Exception) -> None:
        """ICMP says that nobody listens, or that there is no way."""
        self._fail(_text(exc), is_closed=isinstance(exc, ConnectionRefusedError))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side hung up, or we did."""
        self._fail(_text(exc) if exc else "the connection is closed by the other side", is_closed=True)

    def close(self) -> None:
        """Let go of it."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()

    def _drain(self) -> None:
        for output in self.machine.take():
            match output:
                case Transmit(data):
                    self._transmit(data)
                case Answered(number, message):
                    self._settle(number, message)
                case Refused(number, code, reason, is_signed):
                    self._settle(number, AskError(f"{code} {reason}", code, is_signed=is_signed))
                case Unanswered(number):
                    self._settle(number, AskError("no answer"))
                case Arrived():
                    if self.inbox.full():
                        self.machine.counters["inbox"] += 1
                    else:
                        self.inbox.put_nowait(output)
        if self._timer is not None:
            self._timer.cancel()
        due = self.machine.deadline()
        self._timer = None if due is None else self._loop.call_at(due, self._tick)

    def _transmit(self, data: bytes) -> None:
        if self._framing is None:
            cast("asyncio.DatagramTransport", self._transport).sendto(data)
        else:
            cast("asyncio.Transport", self._transport).write(data)

    def _tick(self) -> None:
        self.machine.tick(self._loop.time())
        self._drain()

    def _settle(self, number: int, found: Message | AskError) -> None:
        answer = self._answers.pop(number, None)
        if answer is None or answer.done():
            return
        if isinstance(found, AskError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def _fail(self, text: str, *, is_closed: bool) -> None:
        for number in list(self._answers):
            self._settle(number, AskError(text, is_closed=is_closed))


@asynccontextmanager
async def dial(
    wire: str,
    host: str,
    port: int,
    *,
    username: str = "",
    password: str = "",
    tls: ssl.SSLContext | None = None,
    timeout: float = 5.0,
) -> AsyncIterator[TurnWire]:
    """A wire of that kind (`udp`, `tcp`, `tls`) until the end of the block. Raises `OSError`, of which `TimeoutError`
    and `ssl.SSLError` are kinds."""
    loop = asyncio.get_running_loop()
    machine = TurnClient(
        lambda: secrets.token_bytes(TRANSACTION_BYTES),
        username=username,
        password=password,
        is_reliable=wire != "udp",
        timeout=timeout,
    )
    made = TurnWire(machine, is_stream=wire != "udp")
    async with asyncio.timeout(timeout):
        if wire == "udp":
            await loop.create_datagram_endpoint(lambda: made, remote_addr=(host, port))
        else:
            name = None if tls is None else host
            await loop.create_connection(lambda: made, host, port, ssl=tls, server_hostname=name)
    try:
        yield made
    finally:
        made.close()


def _address(message: Message, kind: Attribute) -> Address:
    found = message.address(kind)
    if found is None:
        raise AskError(f"the answer has no {kind.name}")
    return found


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
