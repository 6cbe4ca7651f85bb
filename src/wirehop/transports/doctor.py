"""What `wirehop doctor URL` talks to: `/connection/doctor`. It shows what a proxy in front does to each kind of wire.

    GET                                   what the server is and how this request reached it (JSON)
    GET ?wait=30s                         the same, after so long a silence: a long poll
    GET, Accept: text/event-stream        events at times that each event says; one is padded
        ?wait=30s                         one event, so long a silence, one event
    Upgrade: websocket                    what is sent comes back; ?wait=30s: silence, then a message

No rights are needed, and nothing is told that the asker does not know but the version and the heartbeat. Everything is
bounded: the wait, the bytes, how many are open at once and how many begin in a minute. Whether there is such an address
is a setting (`transports.doctor`).
"""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from wirehop.abc import Duplex, Exchange, Request, Stream
from wirehop.codecs.event_stream import encode_event
from wirehop.core import codes
from wirehop.node.node import Node
from wirehop.settings.units import parse_duration
from wirehop.transports.door import EVENT_STREAM_HEADERS, Door, first, parameters
from wirehop.version import __version__

PATH: Final = "/connection/doctor"
LONGEST_SECONDS: Final = 150.0
"""Longest wait that is granted."""
MAX_OPEN: Final = 16
"""Streams, WebSockets and long polls of this kind at once; above it 429."""
PER_MINUTE: Final = 120
"""How many of them may begin in a minute; above it 429."""
MAX_ECHOES: Final = 16
ECHO_BYTES: Final = 1024
PADDING: Final = b"x" * 65_536
"""Larger than the buffer of any usual proxy."""
STEP_SECONDS: Final = 0.3
PLAN: Final = ((0.0, False), (STEP_SECONDS, False), (2 * STEP_SECONDS, False), (3 * STEP_SECONDS, True),
               (4 * STEP_SECONDS, False))  # fmt: skip
"""When the events of a stream are sent (seconds after its beginning), and which one is padded."""
_ECHO_SECONDS: Final = 10.0
_METHODS: Final = "GET, OPTIONS"


class Info(Struct, frozen=True):
    """What the plain answer holds. `time` is Unix time; `http` the version in which the request reached the server;
    `connection` what its Connection header said; `forwarded` whether forwarding headers came and were believed;
    `has_host` whether the Host header is the one that `?host=` names. Durations in seconds."""

    server: Literal["wirehop"]
    version: str
    time: float
    http: Literal["1.0", "1.1"]
    scheme: str
    connection: str
    forwarded: Literal["absent", "ignored", "believed"]
    has_host: bool
    heartbeat: float
    poll_wait: float


class Beat(Struct, frozen=True):
    """What an event, the late answer of a long poll and a message of a WebSocket hold: how many seconds after the
    beginning it was sent, whether it is the last one, and the padding."""

    at: float
    is_last: bool = False
    padding: str = ""


class DoctorTransport:
    """Implements `abc.Transport`."""

    name = "doctor"

    def __init__(self, node: Node, door: Door) -> None:
        self.node = node
        self._door = door
        self._open: set[_Patient] = set()
        self._begun = 0
        self._minute = 0

    def open(self, exchange: Exchange) -> None:
        """Serve one request."""
        request = exchange.request
        if request.method == "OPTIONS":
            self._door.preflight(exchange, _METHODS)
            return
        if request.method not in ("GET", "HEAD"):
            self._door.wrong_method(exchange, _METHODS)
            return
        if not self._door.admits(exchange):
            return
        wait = read_wait(request)
        if wait is None:
            self._door.refuse(exchange, codes.BAD_REQUEST, f"wait reads like 30s, {LONGEST_SECONDS:g}s at most")
            return
        is_socket = "websocket" in request.headers.get("upgrade", "").lower()
        is_stream = "text/event-stream" in request.headers.get("accept", "")
        if not (is_socket or is_stream or wait):
            self._door.json(exchange, 200, msgspec.json.encode(self.info(exchange)))
        elif not self._admits_another():
            self._door.refuse(exchange, codes.TOO_MANY_REQUESTS, "too many diagnoses at once; try again in a minute")
        elif is_socket:
            _Socket(self, wait).start(exchange)
        elif is_stream:
            headers = [*EVENT_STREAM_HEADERS, *self._door.cors(exchange)]
            _Events(self, wait).start(exchange, headers)
        else:
            _LatePoll(self, wait).start(exchange)

    def info(self, exchange: Exchange) -> Info:
        """How the request reached the server."""
        request, settings = exchange.request, self.node.settings
        host = first(parameters(request), "host")
        return Info(
            server="wirehop",
            version=__version__,
            time=self.node.clock.wall(),
            http="1.1" if exchange.framing == "chunked" else "1.0",
            scheme=request.scheme,
            connection=request.headers.get("connection", "")[:64].lower(),
            forwarded=_forwarded(request),
            has_host=not host or host == request.headers.get("host", ""),
            heartbeat=settings.heartbeat.interval,
            poll_wait=settings.limits.poll_wait,
        )

    def answer(self, exchange: Exchange, beat: Beat) -> None:
        """Answer a long poll."""
        self._door.json(exchange, 200, msgspec.json.encode(beat))

    def _admits_another(self) -> bool:
        minute = int(self.node.clock.now() / 60)
        if minute != self._minute:
            self._minute, self._begun = minute, 0
        if len(self._open) >= MAX_OPEN or self._begun >= PER_MINUTE or self.node.is_draining:
            return False
        self._begun += 1
        return True

    def began(self, patient: "_Patient") -> None:
        """One more is open."""
        self._open.add(patient)

    def ended(self, patient: "_Patient") -> None:
        """It is closed."""
        self._open.discard(patient)


class _Patient:
    """One wire under observation: `abc.Listener` towards the host, `Timed` towards the wheel."""

    def __init__(self, transport: DoctorTransport, wait: float) -> None:
        self._transport = transport
        self._clock = transport.node.clock
        self._wait = wait
        self._start = self._clock.now()
        self._is_over = False

    def _begin(self, seconds: float) -> None:
        self._transport.began(self)
        self._call_after(seconds)

    def _call_after(self, seconds: float) -> None:
        self._transport.node.wheel.add(self, self._start + seconds)

    def _beat(self, *, is_last: bool = False, is_padded: bool = False) -> Beat:
        return Beat(round(self._clock.now() - self._start, 3), is_last, PADDING.decode() if is_padded else "")

    def tick(self, now: float) -> None:
        """A time of the plan."""
        if not self._is_over:
            self._act()

    def _act(self) -> None: ...

    def received(self, data: bytes, is_binary: bool) -> None: ...

    def ponged(self) -> None: ...

    def paused(self) -> None: ...

    def resumed(self) -> None: ...

    def closed(self, code: int, reason: str) -> None:
        """It is over."""
        self._is_over = True
        self._transport.ended(self)


class _Events(_Patient):
    """An event stream."""

    _stream: Stream

    def start(self, exchange: Exchange, headers: list[tuple[str, str]]) -> None:
        self._plan = [(0.0, False), (self._wait, False)] if self._wait else list(PLAN)
        self._stream = exchange.stream(200, headers, self)
        self._begin(0)
        self._act()

    def _act(self) -> None:
        if not self._plan or self._clock.now() < self._start + self._plan[0][0]:
            return
        _, is_padded = self._plan.pop(0)
        beat = self._beat(is_last=not self._plan, is_padded=is_padded)
        self._stream.send(encode_event(msgspec.json.encode(beat)))
        if self._plan:
            self._call_after(self._plan[0][0])
        else:
            self._stream.end()


class _LatePoll(_Patient):
    """A long poll that nothing answers early."""

    def start(self, exchange: Exchange) -> None:
        self._exchange = exchange
        exchange.on_gone(lambda: self.closed(1006, ""))
        self._begin(self._wait)

    def _act(self) -> None:
        self.closed(1000, "")
        self._transport.answer(self._exchange, self._beat(is_last=True))


class _Socket(_Patient):
    """A WebSocket that echoes, or is silent."""

    _duplex: Duplex | None

    def start(self, exchange: Exchange) -> None:
        self._echoes = 0
        self._duplex = exchange.upgrade(self, max_message=ECHO_BYTES)
        if self._duplex is not None:
            self._begin(self._wait or _ECHO_SECONDS)

    def _act(self) -> None:
        assert self._duplex is not None
        if self._wait:
            self._duplex.send(msgspec.json.encode(self._beat(is_last=True)))
        self._duplex.close(1000, "the diagnosis is over")

    def received(self, data: bytes, is_binary: bool) -> None:
        """Send it back."""
        assert self._duplex is not None
        self._echoes += 1
        if self._echoes > MAX_ECHOES:
            self._duplex.close(1008, f"more than {MAX_ECHOES} messages")
        else:
            self._duplex.send(data, is_binary=is_binary)


def read_wait(request: Request) -> float | None:
    """The wait that a request asks for, 0 for none; None for what is none or too long."""
    text = first(parameters(request), "wait")
    if not text:
        return 0.0
    try:
        seconds = parse_duration(text)
    except ValueError:
        return None
    return seconds if seconds <= LONGEST_SECONDS else None


def _forwarded(request: Request) -> Literal["absent", "ignored", "believed"]:
    headers = request.headers
    told = headers.get("x-forwarded-for", "") + headers.get("forwarded", "")
    proto = headers.get("x-forwarded-proto", "")
    if not told and not proto:
        return "absent"
    if proto and request.scheme != proto.rpartition(",")[2].strip().lower():
        return "ignored"
    return "believed" if not told or request.address in told else "ignored"
