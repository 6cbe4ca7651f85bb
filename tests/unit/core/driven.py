"""A session driven by hand, and what came of it."""

from msgspec import Raw

from wirehop.core.effects import (
    Admitted,
    Authenticate,
    Authorize,
    Call,
    Close,
    Grant,
    Output,
    PageRead,
    ReadPage,
    Send,
)
from wirehop.core.limits import Limits
from wirehop.core.messages import (
    CONNECT_ID,
    Command,
    ConnectRequest,
    PingRequest,
    Position,
    PublishRequest,
    Reply,
    SubscribeRequest,
    UnsubscribeRequest,
    Wh,
)
from wirehop.core.recovery import HistoryPage
from wirehop.core.session import Session
from wirehop.core.slot import Slot
from wirehop.core.terms import Heartbeat, Terms

NOW = 100.0
LIMITS = Limits(
    connect_seconds=10,
    held_bytes=100,
    pending_commands=4,
    gap_seconds=30,
    channels=3,
    channel_bytes=10,
    merge_attempts=2,
)
HEARTBEAT = Heartbeat(interval=25.0, patience=10.0, wants_pong=True)
TOP = HistoryPage((), Position("e", 5))


class Driven:
    """A session, and what came of it: kept by kind, calls by number."""

    def __init__(self, limits: Limits = LIMITS, heartbeat: Heartbeat | None = None, secret: str = "") -> None:
        self.session = Session("me", Terms(limits, heartbeat, "v1", "n1"), now=NOW, secret=secret)
        self.outputs: list[Output] = []
        self.calls: dict[int, object] = {}

    def run(self) -> list[Output]:
        """What came of the last input."""
        new: list[Output] = []
        while some := self.session.take():
            new += some
        self.outputs += new
        self.calls |= {output.number: output.request for output in new if isinstance(output, Call)}
        return new

    def receive(self, *commands: Command, size: int = 10, now: float = NOW) -> list[Output]:
        for command in commands:
            self.session.receive(command, now, size)
        return self.run()

    def answer(self, kind: type, answer: object, now: float = NOW) -> list[Output]:
        """Answer the oldest open call of this kind."""
        number = next(number for number, request in self.calls.items() if isinstance(request, kind))
        del self.calls[number]
        self.session.answer(number, answer, now)  # type: ignore[arg-type]
        return self.run()

    def connect(self, *, wh: bool = False, admitted: Admitted | None = None) -> list[Output]:
        self.receive(Command(CONNECT_ID if wh else 1, connect=ConnectRequest(wh=Wh() if wh else None)))
        return self.answer(Authenticate, admitted or Admitted("ann"))

    def subscribe(
        self, channel: str = "a", grant: Grant | None = None, number: int = 2, **asked: object
    ) -> list[Output]:
        out = self.receive(Command(number, subscribe=SubscribeRequest(channel, **asked)))  # type: ignore[arg-type]
        out += self.answer(Authorize, grant or Grant())
        if (grant or Grant()).delivery != "signal":
            out += self.answer(ReadPage, PageRead(TOP, 0))
        return out

    def slot(self, channel: str = "a") -> Slot:
        slot = self.session.subscriptions[channel].slot
        assert slot is not None
        return slot


def connected(**options: object) -> Driven:
    driven = Driven(**options)  # type: ignore[arg-type]
    driven.connect()
    return driven


def numbered(limits: Limits = LIMITS) -> Driven:
    driven = Driven(limits)
    driven.connect(wh=True)
    return driven


def closes(outputs: list[Output]) -> list[int]:
    return [output.code.number for output in outputs if isinstance(output, Close)]


def replies(outputs: list[Output]) -> list[Reply]:
    return [output.reply for output in outputs if isinstance(output, Send)]


def errors(outputs: list[Output]) -> list[tuple[int, int]]:
    return [(reply.id, reply.error.code) for reply in replies(outputs) if reply.error is not None]


def ping(number: int) -> Command:
    return Command(number, ping=PingRequest())


def publish(number: int, channel: str = "a", data: bytes = b"1") -> Command:
    return Command(number, publish=PublishRequest(channel, Raw(data)))


def unsubscribe(number: int, channel: str = "a") -> Command:
    return Command(number, unsubscribe=UnsubscribeRequest(channel))
