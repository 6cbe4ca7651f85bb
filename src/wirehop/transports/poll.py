"""Sessions over polls: `POST /connection/poll`, long where `wait` is given, short where it is 0. See docs/poll.md.

To the session this is a wire like any other, whose write buffer is the next batch: publications are added to it as
references to the shared frames, and when 64 KiB wait for a poll the wire counts as full, so its slots catch up from
history later.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw, Struct

from wirehop.abc import Exchange, Peer
from wirehop.auth.rights import Credential
from wirehop.auth.tickets import TicketUse
from wirehop.codecs.frame import Frame, Lane
from wirehop.codecs.json_lines import JsonLines, encode_publication_push, encode_reply
from wirehop.core import codes
from wirehop.core.batches import BadAck, Batches, Give, Hold
from wirehop.core.codes import Code
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command, Disconnect, Publication, Push, Reply
from wirehop.core.slot import Writable
from wirehop.node.driver import Driver
from wirehop.node.node import Node
from wirehop.transports.door import Door, peer_of, reason_text

CODEC = JsonLines()
GRACE_SECONDS = 20.0
"""A session that is not polled for twice the last wait plus this long ends."""
LINGER_SECONDS = 30.0
"""How long a first poll's nonce is remembered, and what an ended session still has to say is kept."""
MAX_NONCE = 128


class PollRequest(Struct):
    """The body of one poll."""

    poll: int
    ack: int = 0
    session: str = ""
    nonce: str = ""
    wait: float = 0.0
    commands: Raw = Raw(b"[]")


_REQUEST = msgspec.json.Decoder(PollRequest)
Answer = Callable[[int, bytes], None]
"""How a poll is answered: status and JSON body."""


def _render(channel: str, publication: Publication, _epoch: str) -> bytes:
    return b"," + encode_publication_push(channel, publication)


_LANES = {name: Lane(name, _render) for name in ("long-poll", "short-poll", "jsonp")}


class PollTransport:
    """Implements `abc.Transport`; `handle` serves polls that come another way (JSONP)."""

    name = "poll"

    def __init__(self, node: Node, door: Door) -> None:
        self.node = node
        self._door = door
        self._wires: dict[str, PollWire] = {}
        self._nonces: dict[str, tuple[str, float]] = {}

    def open(self, exchange: Exchange) -> None:
        """Serve one poll."""
        method = exchange.request.method
        if method == "OPTIONS":
            self._door.preflight(exchange, "POST, OPTIONS")
        elif method != "POST":
            self._door.wrong_method(exchange, "POST, OPTIONS")
        elif self._door.admits(exchange):
            self.handle(
                exchange.request.body,
                lambda status, body: self._door.json(exchange, status, body),
                exchange,
                peer_of(exchange.request, "poll"),
            )

    def handle(
        self,
        body: bytes,
        answer: Answer,
        exchange: Exchange,
        peer: Peer,
        *,
        name: str = "",
        use: TicketUse | None = None,
    ) -> None:
        """Serve one poll whose answer travels as `answer` says. `name` is the transport's, if it is not one of ours;
        `use` that of its tickets, if it has a query: then no cookie counts."""
        try:
            body.decode()
            request = _REQUEST.decode(body)
            commands = CODEC.decode_array(request.commands)
            if request.poll < 1 or request.ack < 0 or not 0 <= request.wait <= 3600:
                raise BadMessage("poll starts at 1, ack at 0, wait is seconds")
            wire = self._find(
                request, commands, peer, name, lambda: self._door.credential(exchange, use, takes_cookie=use is None)
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadMessage) as error:
            answer(400, _error(codes.BAD_REQUEST, str(error)))
            return
        if wire is None:
            answer(404, _error(codes.UNKNOWN_CHANNEL, "no such session here"))
            return
        wait = min(request.wait, self.node.settings.limits.poll_wait)
        is_repeated = not request.session and wire.was_polled
        wire.poll(request.poll, request.ack, wait, answer, exchange)
        if not is_repeated:  # else its connect runs already
            wire.accept(commands, len(body))

    def _find(
        self,
        request: PollRequest,
        commands: list[Command],
        peer: Peer,
        name: str,
        credential: Callable[[], Credential],
    ) -> "PollWire | None":
        if request.session:
            return self._wires.get(request.session)
        if not 8 <= len(request.nonce) <= MAX_NONCE:
            raise BadMessage(f"the first poll carries a nonce of 8 to {MAX_NONCE} characters")
        now = self.node.clock.now()
        while self._nonces and self._nonces[next(iter(self._nonces))][1] <= now:
            del self._nonces[next(iter(self._nonces))]
        known = self._nonces.get(request.nonce)
        if known is not None:
            return self._wires.get(known[0])
        if len(commands) != 1 or commands[0].connect is None or commands[0].connect.wh is None:
            raise BadMessage("the first poll carries exactly one command: connect, with wh")
        wire = PollWire(self, peer, name or ("long-poll" if request.wait else "short-poll"), credential())
        self._wires[wire.secret] = wire
        self._nonces[request.nonce] = (wire.secret, now + LINGER_SECONDS)
        return wire

    def forget(self, wire: "PollWire") -> None:
        """Nobody can poll it any more."""
        self._wires.pop(wire.secret, None)


class PollWire:
    """One session's polls. `node.Wire` towards the driver; `out` is the next batch."""

    __slots__ = (
        "_answer",
        "_batches",
        "_due",
        "_ends_at",
        "_is_flushing",
        "_is_full",
        "_owner",
        "driver",
        "lane",
        "out",
        "secret",
    )
    driver: Driver
    lane: Lane
    out: Writable

    def __init__(self, owner: PollTransport, peer: Peer, name: str, credential: Credential) -> None:
        node = owner.node
        self._owner = owner
        self._batches = Batches(max_bytes=node.settings.limits.batch_bytes)
        self._answer: tuple[int, Answer, Exchange, float] | None = None  # poll number, answer, exchange, until
        self._ends_at = node.clock.now() + GRACE_SECONDS
        self._due = 0.0
        self._is_full = False
        self._is_flushing = False
        self.lane = _LANES[name]
        self.out = self
        self.driver = node.open_session(
            self, transport=name, peer=peer, heartbeat="none", has_secret=True, credential=credential
        )
        self.secret = self.driver.session.secret
        self._arm(self._ends_at)

    # ---- polls -------------------------------------------------------------------------------------------------------

    @property
    def was_polled(self) -> bool:
        return self._batches.newest_poll > 0

    def poll(self, number: int, ack: int, wait: float, answer: Answer, exchange: Exchange) -> None:
        """A poll came: answer it, or hold it."""
        now = self._owner.node.clock.now()
        self._ends_at = max(self._ends_at, now + 2 * wait + GRACE_SECONDS)
        verdict = self._batches.poll(number, ack)
        if isinstance(verdict, BadAck):
            answer(400, _error(codes.BAD_REQUEST, "this batch was never given"))
            self.driver.end(codes.BAD_REQUEST_CLOSE, "a poll acknowledged a batch that was never given")
            return
        if not isinstance(verdict, Give | Hold):
            answer(200, self._body(number, None))
            return
        self._release()
        if isinstance(verdict, Give):
            answer(200, self._body(number, verdict))
            self._drained()
        elif self.driver.wire is None:  # it has ended, and everything it had to say was acknowledged
            self._owner.forget(self)
            answer(404, _error(codes.UNKNOWN_CHANNEL, "this session has ended"))
        else:
            self._answer = (number, answer, exchange, now + wait)
            exchange.on_gone(lambda: self._gone(number))
            self._flush_soon()  # replies to this poll's own commands go with it; a short poll waits no longer than that
            if wait:
                self._arm(now + wait)

    def accept(self, commands: list[Command], size: int) -> None:
        """The poll's commands."""
        if commands:
            self.driver.received(commands, size)
        if self._batches.has_something:
            self._flush_soon()

    def _release(self) -> None:
        """End the poll that is held, empty."""
        held, self._answer = self._answer, None
        if held is not None:
            held[1](200, self._body(held[0], None))

    def _gone(self, number: int) -> None:
        if self._answer is not None and self._answer[0] == number:
            self._answer = None

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._owner.node.soon(self._flush)

    def _flush(self) -> None:
        """Answer the held poll if there is something, or if it waits for nothing."""
        self._is_flushing = False
        if self._answer is None:
            return
        number, answer, _, until = self._answer
        verdict = self._batches.give()
        if isinstance(verdict, Give):
            self._answer = None
            answer(200, self._body(number, verdict))
            self._drained()
        elif until <= self._owner.node.clock.now() or self.driver.wire is None:
            self._release()

    def _drained(self) -> None:
        if self._is_full and not self._batches.is_full:
            self._is_full = False
            self.driver.resumed()

    def _body(self, number: int, batch: Give | None) -> bytes:
        head = b'{"session":"%b","poll":%d' % (self.secret.encode(), number)
        if batch is None:
            return head + b',"replies":[]}'
        return head + b',"batch":%d,"replies":[%b]}' % (batch.number, b"".join(batch.items)[1:])

    # ---- time --------------------------------------------------------------------------------------------------------

    def _arm(self, at: float) -> None:
        now = self._owner.node.clock.now()
        if self._due <= now or at < self._due:
            self._due = at
            self._owner.node.wheel.add(self, at)

    def tick(self, now: float) -> None:
        """`wheel.Timed`."""
        self._due = 0.0
        if self._answer is not None:
            if self._answer[3] <= now:
                self._release()
            else:
                self._arm(self._answer[3])
        if now >= self._ends_at:
            self._release()
            self._owner.forget(self)
            self.driver.lost("not polled any more")
        else:
            self._arm(self._ends_at)

    # ---- from the driver and the fan-out -----------------------------------------------------------------------------

    def write(self, data: "bytes | Sequence[Frame]") -> None:
        """Bytes of the fast lane, or frames that did not take it, for the next batch."""
        self._add(data if isinstance(data, bytes) else self.lane.join(data))

    def send(self, replies: Sequence[Reply]) -> int:
        data = b"".join([b"," + encode_reply(reply) for reply in replies])
        self._add(data)
        return len(data)

    def _add(self, data: bytes) -> None:
        self._batches.add(data)
        if self._answer is not None:
            self._flush_soon()
        if self._batches.is_full and not self._is_full:
            self._is_full = True
            self._owner.node.soon(self._pause)

    def _pause(self) -> None:
        if self._is_full:
            self.driver.paused()

    def close(self, code: Code, reason: str) -> None:
        """Say it in the last batch, and keep that for a while."""
        if code is not codes.CLOSED:
            disconnect = Disconnect(code.number, reason_text(code, reason), codes.may_reconnect(code.number))
            self._batches.add(b"," + encode_reply(Reply(push=Push(disconnect=disconnect))))
        self._ends_at = self._owner.node.clock.now() + LINGER_SECONDS
        self._arm(self._ends_at)
        self._flush_soon()


def _error(code: Code, message: str) -> bytes:
    return msgspec.json.encode({"error": {"code": code.number, "message": message}})
