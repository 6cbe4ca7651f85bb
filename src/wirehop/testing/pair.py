"""A client machine and a server's session with everything between them in plain sight: link, fan-out, broker, answers.

What moves is decided outside: messages go up and down one by one, each call of the session is answered when told,
publications travel from the broker to the node through a queue. The fan-out is the real hub; only sockets and time
are missing.
"""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET, structs

from wirehop.client.machine import ClientMachine
from wirehop.client.messages import decode_replies
from wirehop.client.outputs import Answered, CloseWire, Delivered, OpenWire, Pong, Subscribed, Transmit, Unsubscribed
from wirehop.client.states import ClientState
from wirehop.codecs.frame import Frame, Lane
from wirehop.codecs.json_lines import JsonLines, encode_command, encode_publication_push
from wirehop.core.effects import (
    Admitted,
    Answer,
    Attach,
    Authenticate,
    Authorize,
    Call,
    Close,
    Count,
    Detach,
    Enter,
    Grant,
    Leave,
    Output,
    PageRead,
    Publish,
    ReadPage,
    Received,
    Send,
    SendMissed,
    SendTail,
)
from wirehop.core.limits import Limits
from wirehop.core.log import LatestLog, Log
from wirehop.core.messages import Command, ConnectRequest, Publication, Push, Reply
from wirehop.core.recovery import HistoryPage
from wirehop.core.session import Session
from wirehop.core.slot import Slot, SlotState
from wirehop.core.states import SessionState
from wirehop.core.terms import Heartbeat, Terms
from wirehop.hub import Hub
from wirehop.testing.clock import CountingIds, ManualClock
from wirehop.testing.network import VirtualLink

CODEC = JsonLines()
LANE = Lane("virtual", lambda channel, publication, _epoch: encode_publication_push(channel, publication) + b"\n")


class VirtualBroker:
    """One log per channel, and a queue to the node: what is published is in the log at once and at the node later."""

    def __init__(self, delivery: str, *, size: int, ids: CountingIds) -> None:
        self.delivery = delivery
        self.size = size
        self.to_node: deque[tuple[str, Publication, str]] = deque()
        self.published: dict[str, list[tuple[str, int]]] = {}  # every (epoch, offset) ever given, by channel
        self._logs: dict[str, Log | LatestLog] = {}
        self._ids = ids

    def log(self, channel: str) -> Log | LatestLog:
        """The channel's log."""
        log = self._logs.get(channel)
        if log is None:
            epoch = self._ids.new()
            log = self._logs[channel] = (
                LatestLog(epoch, keys=self.size, age=1e9)
                if self.delivery == "latest"
                else Log(epoch, size=self.size, age=1e9)
            )
        return log

    def publish(self, channel: str, data: bytes, key: str = "") -> Publication:
        """Into the log, and on the way to the node."""
        publication = Publication(data, key=key)
        if self.delivery == "signal":
            self.to_node.append((channel, publication, ""))
            return publication
        log = self.log(channel)
        publication = log.append(publication, 0.0)
        self.published.setdefault(channel, []).append((log.epoch, publication.offset))
        self.to_node.append((channel, publication, log.epoch))
        return publication

    def restart(self) -> None:
        """All logs are lost; their successors have new epochs."""
        self._logs.clear()


class VirtualNode:
    """The server's side: sessions, the real hub, and the calls that wait for an answer."""

    def __init__(
        self, broker: VirtualBroker, clock: ManualClock, limits: Limits, *, heartbeat: Heartbeat | None
    ) -> None:
        self.broker = broker
        self.clock = clock
        self.ids = CountingIds("s")
        self.hub = Hub(self._later)
        self.terms = Terms(limits, heartbeat)
        self.calls: list[tuple[VirtualWire, Call]] = []
        self.pages: dict[tuple[str, int], HistoryPage] = {}  # read by the broker, on the way to the node
        self.counted: dict[str, int] = {}
        self.subs: dict[str, Grant] = {}  # what sessions are subscribed to by the server
        self.closed: list[int] = []
        self._flushes: list[Callable[[], None]] = []

    def _later(self, _delay: float, callback: Callable[[], None]) -> None:
        self._flushes.append(callback)

    @property
    def has_flush(self) -> bool:
        """Whether a turn of the loop is due to end."""
        return bool(self._flushes)

    def flush(self) -> None:
        """The turn ends: pending publications go out."""
        flushes, self._flushes = self._flushes, []
        for callback in flushes:
            callback()

    def hear(self) -> None:
        """The oldest publication on the way from the broker arrives."""
        self.hub.published(*self.broker.to_node.popleft())

    def compare_tops(self) -> bool:
        """Compare what was sent with the tops of the logs; True if something was missed."""
        behind = [
            slot
            for channel in self.hub.channels.values()
            for slot in channel.slots()
            if slot.state is SlotState.LIVE
            and slot.delivery != "signal"
            and slot.position != self.broker.log(channel.name).position
        ]
        for slot in behind:
            wire = slot.owner
            assert isinstance(wire, VirtualWire)
            wire.session.compare(slot, self.broker.log(slot.channel).position, self.clock.now())
            wire.run()
        return bool(behind)

    def wants_read(self, index: int) -> bool:
        """Whether an open call asks for history that the broker has not read yet."""
        wire, call = self.calls[index]
        return isinstance(call.request, ReadPage) and (wire.session.client, call.number) not in self.pages

    def read(self, index: int) -> None:
        """The broker reads the history that an open call asks for; its answer travels until `answer`."""
        wire, call = self.calls[index]
        assert isinstance(call.request, ReadPage)
        channel, since, limit, max_bytes = structs.astuple(call.request)
        self.pages[wire.session.client, call.number] = self.broker.log(channel).read(
            since, 0.0, limit=limit, max_bytes=max_bytes
        )

    def answer(self, index: int) -> None:
        """One of the open calls gets its answer."""
        wire, call = self.calls.pop(index)
        wire.session.answer(call.number, self._answer(wire, call), self.clock.now())
        wire.run()

    def _answer(self, wire: "VirtualWire", call: Call) -> Answer:
        match call.request:
            case Authenticate():
                return Admitted("user", subs=self.subs)
            case Authorize():
                return Grant(self.broker.delivery)
            case ReadPage(channel):
                page = self.pages.pop((wire.session.client, call.number))
                return PageRead(page, self.hub.tail_from(channel, page.top.epoch))
            case Publish(request):
                self.broker.publish(request.channel, bytes(request.data))
                return self.broker.log(request.channel).position
            case _:
                raise NotImplementedError(type(call.request).__name__)


class VirtualWire:
    """One link, the session at its upper end, and how the session's outputs are carried out."""

    def __init__(self, node: VirtualNode, link: VirtualLink[bytes]) -> None:
        self.node = node
        self.link = link
        self.session = Session(node.ids.new(), node.terms, now=node.clock.now())
        self.is_paused = False
        self._outbox: list[Reply] = []
        link.up.receive = self.received

    def received(self, data: bytes) -> None:
        commands = CODEC.decode_commands(data)
        for command in commands:
            self.session.receive(command, self.node.clock.now(), len(data) // len(commands))
        self.run()

    def write(self, data: bytes) -> None:
        """`slot.Writable`: the fast lane."""
        if self.link.is_open:
            self.link.down.send(data)

    def published(self, slot: Slot, first: int, last: int, epoch: str) -> None:
        """`hub.SlotOwner`."""
        self.session.published(slot, first, last, epoch, self.node.clock.now())
        self.run()

    def pushed(self, push: Push) -> None:
        """`hub.SlotOwner`."""
        self.session.push(push)
        self.run()

    def pause(self) -> None:
        """The wire is full."""
        self.is_paused = True
        self.session.paused()
        self.run()

    def resume(self) -> None:
        """The wire drained."""
        self.is_paused = False
        outbox, self._outbox = self._outbox, []
        for reply in outbox:
            self.link.down.send(CODEC.encode_replies([reply]))
        self.session.resumed(self.node.clock.now())
        self.run()

    def lost(self) -> None:
        """The link is cut."""
        self.session.lost()
        self.run()
        self.node.calls = [held for held in self.node.calls if held[0] is not self]

    def run(self) -> None:
        """Drain the session."""
        while outputs := self.session.take():
            for output in outputs:
                self.carry_out(output)
        for subscription in self.session.subscriptions.values():
            if subscription.slot is not None:
                self.node.hub.settle(subscription.slot)

    def carry_out(self, output: Output) -> None:
        """One output of the session."""
        match output:
            case Send(reply):
                self._send(reply)
            case Call():
                self.node.calls.append((self, output))
            case Attach(slot, watches):
                slot.lane, slot.out, slot.owner = LANE, self, self
                self.node.hub.attach(slot, watches=watches)
            case Detach(slot):
                self.node.hub.detach(slot)
            case SendMissed(slot, publications):
                self._frames([Frame(slot.channel, publication, slot.epoch) for publication in publications])
            case SendTail(slot, first, last):
                frames = self.node.hub.range(slot.channel, first, last, slot.epoch)
                if last and len(frames) <= last - first:
                    self.session.behind(slot, first - 1, self.node.clock.now())
                else:
                    self._frames(frames)
            case Count(what, count):
                self.node.counted[what] = self.node.counted.get(what, 0) + count
            case Close(code, _):
                self.node.closed.append(code.number)
                self.link.is_open = False
            case Enter() | Leave() | Received():
                pass

    def _send(self, reply: Reply) -> None:
        if self.is_paused:
            self._outbox.append(reply)
        elif self.link.is_open:
            self.link.down.send(CODEC.encode_replies([reply]))

    def _frames(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            self.write(frame.encoded(LANE))


class Pair:
    """One client machine against one node, over one link at a time.

    `delivered` is what the client's application saw: (epoch, offset) by channel, in order, with a mark `None` where
    the client was told that something is missing (`recovered: false`).
    """

    def __init__(
        self,
        *,
        delivery: str = "log",
        log_size: int = 10,
        limits: Limits | None = None,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.broker = VirtualBroker(delivery, size=log_size, ids=CountingIds("e"))
        self.node = VirtualNode(self.broker, self.clock, limits or Limits(), heartbeat=heartbeat)
        self.client = ClientMachine(ConnectRequest(data=UNSET), jitter=lambda: 0.0)
        self.link: VirtualLink[bytes] | None = None
        self.number = 0  # of the client's wire
        self.wire: VirtualWire | None = None
        self.delivered: dict[str, list[tuple[str, int] | None]] = {}
        self.values: list[bytes] = []
        self.answers: list[int] = []
        self.client.connect()
        self.run_client()

    def run_client(self) -> None:
        """Drain the client's machine."""
        while outputs := self.client.take():
            for output in outputs:
                match output:
                    case OpenWire(wire):
                        self._open(wire)
                    case Transmit(_, commands):
                        self._transmit(b"\n".join(encode_command(command) for command in commands))
                    case Pong():
                        self._transmit(encode_command(Command()))
                    case Delivered(channel, publication):
                        position = self.client.subscriptions[channel].position
                        epoch = position.epoch if position is not None and publication.offset else ""
                        self.delivered.setdefault(channel, []).append((epoch, publication.offset))
                        self.values.append(bytes(publication.data))
                    case Subscribed(channel, recovered, _):
                        if recovered is not True:
                            self.delivered.setdefault(channel, []).append(None)
                    case CloseWire():
                        self.cut(tell_client=False)
                    case Answered(call, _):
                        self.answers.append(call)
                    case Unsubscribed() | _:
                        pass

    def _open(self, number: int) -> None:
        self.number = number
        self.link = VirtualLink()
        self.link.down.receive = self._arrived
        self.wire = VirtualWire(self.node, self.link)
        self.client.opened(number, self.clock.now())

    def _transmit(self, data: bytes) -> None:
        if self.link is not None and self.link.is_open:
            self.link.up.send(data)

    def _arrived(self, data: bytes) -> None:
        for reply in decode_replies(data):
            self.client.received(self.number, reply, self.clock.now())
        self.run_client()

    def subscribe(self, channel: str) -> None:
        """The application wants a channel."""
        self.client.subscribe(channel)
        self.run_client()

    def publish(self, channel: str, number: int, key: str = "") -> None:
        """Somebody publishes."""
        self.broker.publish(channel, msgspec.json.encode(number), key)

    def cut(self, *, tell_client: bool = True) -> None:
        """The link is gone; both ends notice."""
        if self.link is None or self.wire is None:
            return
        self.link.cut()
        self.wire.lost()
        if tell_client:
            self.client.lost(self.number, 1006, "cut", self.clock.now())
            self.run_client()

    def reconnect(self) -> None:
        """Turn the clock to the client's next try."""
        deadline = self.client.deadline()
        if self.client.state is ClientState.WAITING and deadline is not None:
            self.clock.advance(max(0.0, deadline - self.clock.now()))
            self.client.tick(self.clock.now())
            self.run_client()

    @property
    def is_closed_by_server(self) -> bool:
        """Whether the session ended and the client has not noticed yet."""
        return self.wire is not None and self.wire.session.state is SessionState.CLOSED

    def settle(self, *, compares_tops: bool = False, most: int = 500) -> None:
        """Let everything happen until nothing is left to happen; `compares_tops`: then also what nodes do every 30
        s."""
        for _ in range(most):
            if self.wire is not None and self.wire.is_paused and not self.is_closed_by_server:
                self.wire.resume()
            elif self.link is not None and self.link.up:
                self.link.up.deliver()
            elif self.node.calls:
                if self.node.wants_read(0):
                    self.node.read(0)
                self.node.answer(0)
            elif self.broker.to_node:
                self.node.hear()
            elif self.node.has_flush:
                self.node.flush()
            elif self.link is not None and self.link.down:
                self.link.down.deliver()
            elif self.is_closed_by_server and self.client.state in (ClientState.CONNECTING, ClientState.CONNECTED):
                self.cut()
            elif self.client.state is ClientState.WAITING:
                self.reconnect()
            elif not (compares_tops and self.node.compare_tops()):
                return
        raise AssertionError(f"not at rest after {most} steps")
