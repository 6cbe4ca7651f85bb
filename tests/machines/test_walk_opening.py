"""Every interleaving of a session that opens with two channels which the server chose, and gets a third later.

The client here is a reader of lines: it knows what it was told, and nothing else.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from wirehop.client.messages import ClientReply, ClientSubscribeResult, decode_replies
from wirehop.codecs.json_lines import WirePublication, encode_command
from wirehop.core import codes
from wirehop.core.effects import Grant
from wirehop.core.limits import Limits
from wirehop.core.messages import Command, ConnectRequest, Position, SubscribeRequest
from wirehop.core.slot import Slot
from wirehop.core.states import SessionState
from wirehop.core.subscriptions import Subscriptions
from wirehop.testing.clock import CountingIds, ManualClock
from wirehop.testing.network import VirtualLink
from wirehop.testing.pair import VirtualBroker, VirtualNode, VirtualWire
from wirehop.testing.walker import Fault, walk


class Reader:
    """What the lines say: where each channel stands. `problem`: where they contradict themselves."""

    def __init__(self) -> None:
        self.is_connected = False
        self.problem = ""
        self.positions: dict[str, Position] = {}
        self.ended: Counter[str] = Counter()

    def read(self, data: bytes) -> None:
        for reply in decode_replies(data):
            try:
                self._read(reply)
            except AssertionError as error:
                self.problem = self.problem or str(error)

    def _read(self, reply: ClientReply) -> None:
        if reply.connect is not None:
            assert not self.is_connected
            self.is_connected = True
            for channel, result in reply.connect.subs.items():
                self._start(channel, result)
            return
        push = reply.push
        assert push is not None
        assert self.is_connected, f"a push for {push.channel} came before the connect result"
        if push.pub is not None:
            self._publication(push.channel, push.pub)
        elif push.unsubscribe is not None:
            del self.positions[push.channel]
            self.ended[push.channel] += 1
        elif push.subscribe is not None:
            assert push.channel not in self.positions
            self.positions[push.channel] = Position(push.subscribe.epoch, push.subscribe.offset)

    def _start(self, channel: str, result: ClientSubscribeResult) -> None:
        self.positions[channel] = Position(result.epoch, result.offset)
        offsets = [publication.offset for publication in result.publications]
        assert offsets == list(range(result.offset - len(offsets) + 1, result.offset + 1))

    def _publication(self, channel: str, publication: WirePublication) -> None:
        before = self.positions.get(channel)
        assert before is not None, f"a publication of {channel}, which was never begun"
        assert publication.offset == before.offset + 1, f"{channel}: {publication.offset} after {before.offset}"
        self.positions[channel] = Position(before.epoch, publication.offset)


class OpeningWorld:
    """`a` is recovered from offset 1, `b` starts at its top; `c` comes while the session lives."""

    def __init__(self, *, delivery: str = "log", **budget: int) -> None:
        self.budget = Counter(budget)
        self.broker = VirtualBroker(delivery, size=10, ids=CountingIds("e"))
        self.node = VirtualNode(self.broker, ManualClock(), Limits(), heartbeat=None)
        self.node.subs = {"a": Grant(delivery), "b": Grant(delivery)}
        for channel in ("a", "b", "a"):
            self.broker.publish(channel, b"0")
        self.broker.to_node.clear()
        self.reader = Reader()
        self.link: VirtualLink[bytes] = VirtualLink()
        self.link.down.receive = self.reader.read
        self.wire = VirtualWire(self.node, self.link)
        first = Position(self.broker.log("a").epoch, 1)
        known = {"a": SubscribeRequest(recover=True, epoch=first.epoch, offset=first.offset)}
        self.wire.received(encode_command(Command(1, connect=ConnectRequest(subs=known))))
        self.node.answer(0)  # authenticated
        self.has_asked_for_c = False

    def choices(self) -> Sequence[str]:
        node = self.node
        found = [f"publish {channel}" for channel in "ab" if self.budget["publish"]]
        if self.broker.to_node:
            found.append("hear")
        if node.has_flush:
            found.append("flush")
        found += [f"read {index}" if node.wants_read(index) else f"answer {index}" for index in range(len(node.calls))]
        is_connected = self.wire.session.state is SessionState.CONNECTED
        if self.budget["end"] and self.wire.session.subscriptions:
            found.append("end")
        if self.budget["subscribe"] and is_connected:
            found.append("subscribe")
        if self.budget["pause"] and not self.wire.is_paused:
            found.append("pause")
        if self.wire.is_paused:
            found.append("resume")
        return found

    def do(self, choice: str) -> None:
        self.budget[choice.split()[0]] -= 1
        match choice.split():
            case ["publish", channel]:
                self.broker.publish(channel, b"1")
            case ["hear"]:
                self.node.hear()
            case ["flush"]:
                self.node.flush()
            case ["read", index]:
                self.node.read(int(index))
            case ["answer", index]:
                self.node.answer(int(index))
            case ["end"]:
                self.wire.session.unsubscribe("b", codes.UNSUBSCRIBED, 0.0)
                self.wire.run()
            case ["subscribe"]:
                self.wire.session.subscribe("c", Grant(self.broker.delivery), 0.0)
                self.wire.run()
                self.has_asked_for_c = True
            case ["pause"]:
                self.wire.pause()
            case ["resume"]:
                self.wire.resume()
        while self.link.down:
            self.link.down.deliver()

    def check(self) -> None:
        assert not self.reader.problem, self.reader.problem

    def settle(self) -> None:
        for _ in range(200):
            if self.wire.is_paused:
                self.do("resume")
            elif self.node.calls:
                self.do("read 0" if self.node.wants_read(0) else "answer 0")
            elif self.broker.to_node:
                self.do("hear")
            elif self.node.has_flush:
                self.do("flush")
            else:
                return

    def check_at_rest(self) -> None:
        assert self.reader.is_connected, "the connect command was never answered"
        held = {channel: self.broker.log(channel).position for channel in self.wire.session.subscriptions}
        assert self.reader.positions == held
        assert ("c" in held) == self.has_asked_for_c


WALKS = {
    "publish meanwhile": (lambda: OpeningWorld(publish=2), 9),
    "one ends meanwhile": (lambda: OpeningWorld(publish=1, end=1), 9),
    "the wire fills up": (lambda: OpeningWorld(publish=1, pause=1), 8),
    "one more comes": (lambda: OpeningWorld(publish=1, subscribe=1), 10),
}


@pytest.mark.parametrize("name", WALKS)
def test_sessions_that_the_server_subscribes_pass_every_path(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    make, depth = WALKS[name]
    walked = walk(make, depth=depth)
    record_property("paths", walked.paths)
    assert walked.paths > 100


def test_the_walker_finds_a_push_before_the_connect_result(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Subscriptions.answered

    def at_once(self: Subscriptions, *arguments: object) -> None:
        pages, self._pages = self._pages, None
        right(self, *arguments)  # type: ignore[arg-type]
        self._pages = pages

    monkeypatch.setattr(Subscriptions, "answered", at_once)
    with pytest.raises(Fault):
        walk(WALKS["publish meanwhile"][0], depth=9)


def test_the_walker_finds_a_slot_that_forgets_to_buffer_while_the_session_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Slot, "_hear", lambda self, first, last, epoch: None)
    with pytest.raises(Fault):
        walk(WALKS["publish meanwhile"][0], depth=9)
