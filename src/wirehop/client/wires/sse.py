"""A session over Server-Sent Events: replies come down one long answer, commands go up by `POST /emulation`.

Commands are numbered, so a POST whose answer got lost is simply repeated: the server runs each number once. Until the
connect result has brought the session's secret they wait.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from wirehop.client.address import Address
from wirehop.client.errors import HttpError, WireLost
from wirehop.client.http import Headers, HttpClient
from wirehop.client.messages import ClientReply
from wirehop.client.outbox import Outbox, run_both
from wirehop.client.wire import Listener, checked, read_replies, refused, unreachable
from wirehop.codecs.event_stream import EventStreamDecoder, EventStreamError
from wirehop.codecs.json_lines import encode_command
from wirehop.core import codes
from wirehop.core.messages import Command

PATH: Final = "/connection/sse"
EMULATION: Final = "/emulation"
URL_BYTES: Final = 4_096
"""A longer connect is POSTed first and fetched with a ticket."""
RECEIVED_CHARACTERS: Final = 8_388_608
"""One event at most."""
PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
"""Before each repetition of a POST that got no answer; then the wire counts as lost."""
JSON: Final[Headers] = (("Content-Type", "application/json"),)


class _Emulated(Struct):
    session: str
    node: str
    data: str


class _Ticket(Struct):
    cf_ticket: str


class SseWire:
    """Implements `Wire`."""

    name = "sse"

    def __init__(self, address: Address, tls: ssl.SSLContext | None, *, timeout: float) -> None:
        self._http = HttpClient(address, tls, timeout=timeout)
        self._outbox = Outbox()
        self._connect: Command | None = None
        self._session: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()

    async def finish(self) -> None:
        if self._session.done():
            await self._outbox.drained()

    def send(self, commands: Sequence[Command]) -> None:
        if self._connect is None:
            self._connect, commands = commands[0], commands[1:]
        self._outbox.add(commands)

    async def run(self, listener: Listener) -> None:
        listener.opened()
        assert self._connect is not None
        try:
            await run_both(self._receive(self._connect, listener), self._send())
        except HttpError as error:
            raise unreachable(error) from None
        finally:
            await self._http.close()

    async def _receive(self, connect: Command, listener: Listener) -> None:
        decoder = EventStreamDecoder(max_size=RECEIVED_CHARACTERS)
        path = await self._path(encode_command(connect))
        async with self._http.stream("GET", path, headers=[("Accept", "text/event-stream")]) as stream:
            if stream.status != 200:
                raise refused(stream.status, await stream.body())
            try:
                async for piece in stream:
                    for event in decoder.feed(piece):
                        replies = read_replies(event.data.encode())
                        self._learn(replies)
                        listener.received(replies)
            except EventStreamError as error:
                raise WireLost(0, str(error)) from None
        raise WireLost(0, "the stream ended")

    async def _path(self, connect: bytes) -> str:
        query = quote(connect, safe="")
        if len(query) <= URL_BYTES:
            return f"{PATH}?cf_connect={query}"
        body = checked(await self._http.request("POST", PATH, headers=JSON, body=connect), 200)
        try:
            return f"{PATH}?cf_ticket={quote(msgspec.json.decode(body, type=_Ticket).cf_ticket, safe='')}"
        except msgspec.DecodeError as error:
            raise WireLost(0, f"the server gave no ticket: {error}") from None

    def _learn(self, replies: Sequence[ClientReply]) -> None:
        """Commands may go as soon as it is known to which session."""
        for reply in replies:
            if reply.connect is not None and not self._session.done():
                self._session.set_result((reply.connect.session, reply.connect.node))

    async def _send(self) -> None:
        session, node = await self._session
        while True:
            data = b"\n".join(await self._outbox.next()).decode()
            await self._post(msgspec.json.encode(_Emulated(session, node, data)))

    async def _post(self, body: bytes) -> None:
        """Until it is accepted, or the session is known to be gone."""
        for pause in (*PAUSES, None):
            try:
                response = await self._http.request("POST", EMULATION, headers=JSON, body=body)
            except HttpError as error:
                if pause is None:
                    raise WireLost(codes.WRITE_ERROR.number, error.reason) from None
            else:
                if response.status < 300:
                    return
                if response.status == 404:
                    raise WireLost(0, "the server does not know the session any more")
                if response.status < 500 or pause is None:
                    raise refused(response.status, response.body)
            await asyncio.sleep(pause)
