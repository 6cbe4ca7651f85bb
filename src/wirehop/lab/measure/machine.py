"""What a server spends: memory of an idle connection, processor time of a delivery, deliveries a second.

The bench's own server, publisher and counting (`wirehop.bench`), with crowds that read by HTTP as well: an event
stream, a session over one, a stream of lines, and polls of a channel. The client of a poll asks again as soon as it is
answered.
"""

import asyncio
import re
import sys
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from wirehop.bench import words
from wirehop.bench.crowd import DIGITS, MARKER, Crowd, Member
from wirehop.bench.load import SESSION, SUBSCRIBE, Fan, crowd_for
from wirehop.bench.processes import BenchFailed, child, cores_for_two, memory_bytes, on_cores, run_apart

START_SECONDS: Final = 20.0
OPEN_SECONDS: Final = 60.0
AT_ONCE: Final = 64
_HOST: Final = "Host: 127.0.0.1\r\n"
_SECRET: Final = re.compile(rb'"session":"([^"]*)","node":"([^"]*)"')
_CURSOR: Final = re.compile(rb'"cursor":"([^"]*)"')
_LENGTH: Final = re.compile(rb"(?i)content-length: *(\d+)")
WAIT: Final = "50s"


def _get(path: str, accept: str = "*/*") -> bytes:
    return f"GET {path} HTTP/1.1\r\n{_HOST}Accept: {accept}\r\n\r\n".encode()


def _post(path: str, body: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\n{_HOST}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


OPENINGS: Final = {
    "sse": (_get(f"/channels/{words.CHANNEL}", "text/event-stream"), b"event: position"),
    "sse-post": (_get(f"/connection/sse?cf_connect={quote(SESSION)}", "text/event-stream"), b'"subscribe"'),
    "stream": (_post("/connection/http_stream", SESSION), b'"subscribe"'),
}
"""What opens a stream, and what stands in it when the channel is live."""

MEASURABLE: Final = ("websocket", *OPENINGS, "long-poll")


class Streaming(Member):
    """A client whose answer does not end."""

    def __init__(self, crowd: "HttpCrowd", ready: "asyncio.Future[None]") -> None:
        super().__init__(crowd, ready)
        self._http = crowd
        self._rest = b""
        self._has_asked = False

    def data_received(self, data: bytes) -> None:
        """Send times are found where they stand; what may be the beginning of one is kept."""
        data = self._rest + data
        if not self.is_ready:
            self._open(data)
        end = 0
        while (at := data.find(MARKER, end)) >= 0 and len(data) >= at + len(MARKER) + DIGITS:
            end = at + len(MARKER) + DIGITS
            self._http.arrived(self, int(data[at + len(MARKER) : end]))
        self._rest = data[max(end, len(data) - len(MARKER) - DIGITS) :] if self.is_ready else data

    def _open(self, data: bytes) -> None:
        if self._http.ready_on in data:
            self._become_ready()
        elif not self._has_asked and (found := _SECRET.search(data)) is not None:
            self._has_asked = True
            self._http.subscribe(found[1].decode(), found[2].decode())
        elif b"\r\n\r\n" in data and b" 200 " not in data[:16]:
            self._http.lost(self, f"answered {data[:120]!r}")


class Polling(Member):
    """A client that asks again with the cursor of the last answer."""

    def __init__(self, crowd: "HttpCrowd", ready: "asyncio.Future[None]") -> None:
        super().__init__(crowd, ready)
        self._http = crowd
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """One answer after the other."""
        data = self._rest + data
        head, found, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if found else None
        if length is None or len(body) < int(length[1]):
            self._rest = data
            return
        self._rest = b""
        cursor = _CURSOR.search(body)
        if cursor is None:
            self._http.lost(self, f"answered {data[:120]!r}")
            return
        assert self.transport is not None
        if not self.transport.is_closing():
            self.transport.write(_get(f"/channels/{words.CHANNEL}?wait={WAIT}&cursor={quote(cursor[1].decode())}"))
        if not self.is_ready:
            self._become_ready()
            return
        at = body.find(MARKER)
        while at >= 0:
            self._http.arrived(self, int(body[at + len(MARKER) : at + len(MARKER) + DIGITS]))
            at = body.find(MARKER, at + DIGITS)


class HttpCrowd(Crowd):
    """Clients that read by HTTP."""

    def __init__(self, port: int, technique: str) -> None:
        super().__init__(port, "/")
        self._is_polling = technique not in OPENINGS
        if self._is_polling:
            self.request = _get(f"/channels/{words.CHANNEL}?limit=1")
        else:
            self.request, self.ready_on = OPENINGS[technique]
        self._posts: set[asyncio.Task[None]] = set()

    def subscribe(self, session: str, node: str) -> None:
        """The session's second command goes up by a request of its own."""
        task = asyncio.ensure_future(self._subscribe(session, node))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def _subscribe(self, session: str, node: str) -> None:
        data = {"session": session, "node": node, "data": SUBSCRIBE % words.CHANNEL}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(_post("/emulation", msgspec.json.encode(data).decode()))
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    def member(self, ready: "asyncio.Future[None]") -> Member:
        """One more client."""
        return Polling(self, ready) if self._is_polling else Streaming(self, ready)


class Spent(Struct, frozen=True):
    """Of one technique. `memory`: bytes an idle connection; `cpu`: µs a delivery; `fanout`: deliveries a second."""

    memory: float
    cpu: float
    fanout: float
    deliveries: int
    missing: int


async def spend_apart(technique: str, *, clients: int, seconds: float) -> Spent:
    """`spend` as the bench does it: a core for the server and another for the crowd, on the loop that the bench has.

    In a thread of its own, so that this process keeps its loop and its cores. Raises `BenchFailed`.
    """
    server_cores, crowd_cores = cores_for_two()

    def work() -> Spent:
        with on_cores(crowd_cores):
            return run_apart(spend(technique, clients=clients, seconds=seconds, cores=server_cores))

    return await asyncio.to_thread(work)


async def spend(
    technique: str, *, clients: int, seconds: float, size: int = 128, cores: frozenset[int] = frozenset()
) -> Spent:
    """Measure with a server of its own: so many clients, which get so many seconds of publications of `size` bytes. The
    server is on `cores` (none: any).

    Raises `BenchFailed`.
    """
    command = [sys.executable, "-m", "wirehop.bench.server"]
    async with child("server", command, cores=cores) as process:
        port = msgspec.json.decode(await process.line(START_SECONDS), type=words.Started).port
        opening = words.Open("wirehop", "subscribe", port, clients)
        crowd = crowd_for(opening) if technique == "websocket" else HttpCrowd(port, technique)
        before = memory_bytes(process.pid)
        ready = await crowd.open(clients, at_once=AT_ONCE, seconds=OPEN_SECONDS)
        if ready < clients:
            crowd.close()
            raise BenchFailed(f"{technique}: {ready} of {clients} clients connected: {crowd.error}")
        grown = memory_bytes(process.pid)
        used = (await process.ask(None, words.Used, START_SECONDS)).cpu
        fan = await Fan(crowd, words.Publish(seconds, size)).run()
        used = (await process.ask(None, words.Used, START_SECONDS)).cpu - used
        crowd.close()
        await asyncio.sleep(0)
    if not fan.count:
        raise BenchFailed(f"{technique}: nothing arrived: {fan.error or 'no reason is known'}")
    memory = max(0.0, ((grown or 0) - (before or 0)) / clients)
    return Spent(memory, used * 1e6 / fan.count, fan.count / fan.seconds, fan.count, fan.missing)
