"""One client whose session moves against one node: several links at once, of both kinds, with everything between the
two machines in plain sight. Both machines are the real ones; what happens next is drawn at random.

A link is a *socket* (in order, both ways) or *posts* (down in order; up each message for itself: late, twice, in
another order, and also after its stream has gone). A link that nothing is delivered on is a proxy that buffers.
"""

import random
from itertools import pairwise

import msgspec
from msgspec import UNSET, Raw

from wirehop.client.machine import ClientMachine
from wirehop.client.messages import decode_replies
from wirehop.client.outputs import (
    Answered,
    CallArrived,
    ClientOutput,
    CloseWire,
    Delivered,
    OpenWire,
    Pong,
    PresenceChanged,
    Subscribed,
    Transmit,
)
from wirehop.client.states import ClientState
from wirehop.codecs.json_lines import encode_command
from wirehop.core.effects import (
    Admitted,
    Answer,
    Authenticate,
    Authorize,
    Call,
    Close,
    Enter,
    Grant,
    Invoke,
    Invoked,
    Leave,
    Output,
    ReadPresence,
)
from wirehop.core.limits import Limits
from wirehop.core.messages import ClientInfo, Command, ConnectRequest, PresenceResult, PublishRequest, RpcRequest
from wirehop.core.resumable import Departed, Gone, Resumable
from wirehop.core.states import SessionState
from wirehop.testing.clock import CountingIds, ManualClock
from wirehop.testing.network import VirtualLink
from wirehop.testing.pair import VirtualBroker, VirtualNode, VirtualWire

CHANNEL = "c"
WINDOW = 60.0
ANSWER = "wh.answer"


class Group:
    """A session that moves, and its wires."""

    def __init__(self, node: "MovingNode", resumable: Resumable) -> None:
        self.node = node
        self.resumable = resumable
        self.wires: list[MovingWire] = []
        self._is_running = False

    def run(self) -> None:
        if self._is_running:
            return
        self._is_running = True
        while True:
            self.resumable.settle(self.node.clock.now())
            outputs = self.resumable.take()
            for output in outputs:
                if isinstance(output, Departed):
                    self.node.leave(self.resumable.client)
                elif isinstance(output, Gone):
                    self.node.groups.pop(self.resumable.client, None)
                    self.node.ended += 1
                    if output.leaves:
                        self.node.leave(self.resumable.client)
            busy = [wire for wire in self.wires if wire.session.has_output]
            for wire in busy:
                wire.drain()
            if not outputs and not busy:
                break
        self._is_running = False


class MovingNode(VirtualNode):
    """`executed`: what rpc brought, in the order in which it was begun. `ended`: sessions that are over for good."""

    def __init__(self, broker: VirtualBroker, clock: ManualClock) -> None:
        super().__init__(broker, clock, Limits(), heartbeat=None)
        self.groups: dict[str, Group] = {}
        self.executed: list[int] = []
        self.answered: list[int] = []
        self.members: set[str] = set()
        self.left: list[str] = []
        self.revision = 0
        self.ended = 0

    def leave(self, client: str) -> None:
        self.members.discard(client)
        self.left.append(client)
        self.revision += 1

    def answer(self, index: int) -> None:
        wire, call = self.calls[index]
        assert isinstance(wire, MovingWire)
        wants = wire.session.wants_to_move
        if isinstance(call.request, Authenticate) and wants is not None:
            parts = wants.token.split(".")
            group = self.groups.get(parts[1]) if len(parts) == 3 else None
            if group is not None and not group.resumable.handles.shown(wants.token):
                group = None
            is_resumed = group is not None
            if group is None:
                resumable = Resumable(wire.session.client, "user", self.terms.limits, WINDOW)
                group = self.groups[wire.session.client] = Group(self, resumable)
            else:
                group.resumable.acknowledge(wants.acked)
            token = f"n.{group.resumable.client}.{self.ids.new()}"
            wire.session.join(group.resumable, token, self.clock.now(), is_resumed=is_resumed)
            wire.group = group
            group.wires.append(wire)
        super().answer(index)

    def _answer(self, wire: VirtualWire, call: Call) -> Answer:
        match call.request:
            case Authenticate():
                return Admitted("user")
            case Authorize():
                return Grant(self.broker.delivery, presence=True, join_leave=True)
            case Invoke(method, data):
                if method == ANSWER:
                    assert isinstance(wire, MovingWire)
                    assert wire.group is not None
                    number = msgspec.json.decode(data)["call"]
                    if wire.group.resumable.called(number):
                        self.answered.append(number)
                return Invoked(data)
            case ReadPresence():
                return PresenceResult({who: ClientInfo("user", who) for who in self.members}, self.revision)
            case _:
                return super()._answer(wire, call)


class MovingWire(VirtualWire):
    """The server's end of a link."""

    def __init__(self, node: MovingNode, link: VirtualLink[bytes], *, is_posts: bool) -> None:
        self.group: Group | None = None
        super().__init__(node, link)
        self.is_posts = is_posts
        self.close_code = 0

    def run(self) -> None:
        if self.group is None:
            self.drain()
        else:
            self.group.run()

    def drain(self) -> None:
        super().run()

    def carry_out(self, output: Output) -> None:
        node = self.node
        assert isinstance(node, MovingNode)
        match output:
            case Call(_, Invoke("echo", data)):
                node.executed.append(msgspec.json.decode(data))
            case Enter():
                if self.session.client not in node.members:
                    node.members.add(self.session.client)
                    node.revision += 1
            case Leave():
                node.leave(self.session.client)
            case Close(code, _):
                self.close_code = code.number
        super().carry_out(output)

    def end(self) -> None:
        """The server notices that the link has gone."""
        self.session.lost()
        self.run()


class End:
    """The client's end of a link."""

    def __init__(self, wire: MovingWire) -> None:
        self.wire = wire
        self.link = wire.link
        self.is_known = False  # to the client, as lost or closed
        self.is_noticed = False  # by the server
        self.posts_begun = False  # the first message is the connect
        self.posts: list[bytes] = []  # on their way, and copies of them


class MovingPair:
    """`seed` decides all that happens."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = ManualClock()
        self.broker = VirtualBroker("log", size=100_000, ids=CountingIds("e"))
        self.node = MovingNode(self.broker, self.clock)
        self.client = ClientMachine(ConnectRequest(data=UNSET), jitter=self.random.random)
        self.ends: dict[int, End] = {}
        self.delivered: list[tuple[str, int] | None] = []
        self.answers: dict[int, int] = {}
        self.called: list[int] = []
        self.leaves: list[str] = []
        self.next = 1
        self.asked: list[int] = []
        self.steps = 0
        self.restarts = 0
        self.was_slow = False  # time passed while a channel's presence waited for its client to ask again
        self.client.connect()
        self.client.subscribe(CHANNEL, join_leave=True)
        self.run_client()

    # ---- the client --------------------------------------------------------------------------------------------------

    def run_client(self) -> None:
        while outputs := self.client.take():
            for output in outputs:
                self._carry_out(output)

    def _carry_out(self, output: ClientOutput) -> None:
        match output:
            case OpenWire(number):
                link: VirtualLink[bytes] = VirtualLink()
                wire = MovingWire(self.node, link, is_posts=self.random.random() < 0.5)
                self.ends[number] = End(wire)
                self.client.opened(number, self.clock.now())
            case Transmit(number, commands):
                end = self.ends[number]
                data = b"\n".join(map(encode_command, commands))
                if end.link.is_open and not (end.wire.is_posts and end.posts_begun):
                    end.link.up.send(data)
                if end.wire.is_posts:
                    if end.posts_begun:
                        end.posts.append(data)
                    end.posts_begun = True
            case Pong(number):
                pass
            case CloseWire(number):
                self.ends[number].is_known = True
                self.ends[number].link.down.drop()
            case Delivered(channel, publication):
                position = self.client.subscriptions[channel].position
                assert position is not None
                self.delivered.append((position.epoch, publication.offset))
            case Subscribed(_, recovered, _):
                if recovered is False:
                    self.delivered.append(None)
            case Answered(call, reply):
                assert call not in self.answers, f"{call} was answered twice"
                self.answers[call] = reply.error.code if reply.error is not None else 0
            case CallArrived(number):
                self.called.append(number)
                self.client.answer(number, Raw(b"null"))
            case PresenceChanged(_, _, leave):
                if leave is not None:
                    self.leaves.append(leave.info.client)
            case _:
                pass

    # ---- what can happen ---------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One of the things that can happen now."""
        self.steps += 1
        found = [*self.progress(), *self.trouble()]
        self.do(self.random.choice(found))

    def progress(self) -> list[tuple[str, int]]:
        """What only needs to be let."""
        found = []
        for number, end in self.ends.items():
            session = end.wire.session
            if end.link.up and not end.is_noticed:
                found.append(("up", number))
            if end.posts and end.wire.session.state is not SessionState.NEW:
                found.append(("post", number))
            if end.link.down and not end.is_known:
                found.append(("down", number))
            if not end.is_known and not end.link.down and (end.wire.close_code or not end.link.is_open):
                found.append(("hear the end", number))
            if end.is_known and not end.is_noticed and not end.link.up and session.state is not SessionState.CLOSED:
                found.append(("notice", number))
        found += [("read" if self.node.wants_read(each) else "answer", each) for each in range(len(self.node.calls))]
        if self.broker.to_node:
            found.append(("hear", 0))
        if self.node.has_flush:
            found.append(("flush", 0))
        if self.client.state is ClientState.WAITING:
            found.append(("time", 0))
        return found

    def trouble(self) -> list[tuple[str, int]]:
        found = [("publish", 0), ("rpc", 0), ("own publish", 0)]
        chance = self.random.random()
        if chance < 0.15:
            found.append(("move", 0))
        if chance < 0.05:
            found.append(("time", 0))
        if chance < 0.1:
            found += [("cut", number) for number, end in self.ends.items() if end.link.is_open and not end.is_known]
            found.append(("call", 0))
        if chance < 0.1:
            found += [("copy", number) for number, end in self.ends.items() if end.posts]
        if chance < 0.001:
            found.append(("forget", 0))
        return found

    def do(self, choice: tuple[str, int]) -> None:
        what, number = choice
        node, now = self.node, self.clock.now()
        end = self.ends.get(number)
        match what:
            case "publish":
                self.broker.publish(CHANNEL, b"0")
            case "hear":
                node.hear()
            case "flush":
                node.flush()
            case "read":
                node.read(number)
            case "answer":
                node.answer(number)
            case "rpc" | "own publish":
                data = Raw(str(self.next).encode())
                command = Command(rpc=RpcRequest("echo", data))
                if what == "own publish":
                    command = Command(publish=PublishRequest("own", data))
                self.next += 1
                self.asked.append(self.client.request(command))
            case "move":
                self.client.move((), now)
            case "call":
                for group in node.groups.values():
                    group.resumable.call("m", Raw(b"1"))
                    group.run()
            case "time":
                self._pass_time()
            case "forget":
                self._forget()
            case _ if end is not None:
                self._do_on(what, number, end, now)
        self.run_client()

    def _do_on(self, what: str, number: int, end: End, now: float) -> None:
        match what:
            case "up":
                end.link.up.deliver()
            case "post":
                end.wire.received(end.posts.pop(self.random.randrange(len(end.posts))))
            case "copy":
                end.posts.append(self.random.choice(end.posts))
            case "down":
                for reply in decode_replies(end.link.down.in_flight.popleft()):
                    self.client.received(number, reply, now)
                    self.run_client()
            case "hear the end":
                end.is_known = True
                self.client.lost(number, end.wire.close_code or 1006, "", now)
            case "notice":
                end.is_noticed = True
                end.wire.end()
            case "cut":
                end.link.cut()

    def _pass_time(self) -> None:
        """To the next deadline of anybody, and there everybody's is looked at."""
        machines = [group.resumable for group in self.node.groups.values()]
        sessions = [end.wire.session for end in self.ends.values() if not end.is_noticed]
        due = [self.client.deadline(), *(each.deadline() for each in (*machines, *sessions))]
        at = min((each for each in due if each is not None), default=None)
        if at is None or at == float("inf"):
            return
        self.clock.advance(max(0.0, at - self.clock.now()))
        self.was_slow |= self._is_awaited()
        now = self.clock.now()
        for session in sessions:
            session.tick(now)
        for machine in machines:
            machine.tick(now)
        for end in list(self.ends.values()):
            end.wire.run()
        for group in list(self.node.groups.values()):
            group.run()
        self.client.tick(now)

    def _is_awaited(self) -> bool:
        """Whether the node waits for the client to ask for a channel again."""
        sessions = [group.resumable.current for group in self.node.groups.values()]
        held = [each for session in sessions if session is not None for each in session.subscriptions.values()]
        return any(each.is_awaited or (each.is_in and each.slot is None) for each in held)

    def _forget(self) -> None:
        """The server is killed and begins anew, with another log."""
        self.restarts += 1
        self.node.ended += len(self.node.groups)
        self.node.groups.clear()
        self.node.calls.clear()
        self.node.members.clear()
        self.broker.restart()
        self.broker.to_node.clear()
        for end in self.ends.values():
            end.link.cut()
            end.posts.clear()
            end.is_noticed = True
            end.wire.session.state = SessionState.CLOSED
            for subscription in end.wire.session.subscriptions.values():
                if subscription.slot is not None:
                    self.node.hub.detach(subscription.slot)

    def settle(self, most: int = 20_000) -> None:
        """Let everything happen until nothing is left to happen."""
        for _ in range(most):
            found = self.progress()
            if found:
                self.steps += 1
                self.do(found[0])
            elif self.client.state is not ClientState.CONNECTED or self._is_trial_open():
                self._pass_time()
                self.run_client()
            else:
                if self.was_slow:
                    self.was_slow = False
                    self.node.left.clear()
                    self.leaves.clear()
                return
        raise AssertionError("it does not come to rest")

    def _is_trial_open(self) -> bool:
        return any(group.resumable.has_trial for group in self.node.groups.values())

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        executed = self.node.executed
        assert all(before < after for before, after in pairwise(executed)), f"ran {executed[-10:]}"
        for before, after in pairwise(self.delivered):
            if before is None or after is None:
                continue
            assert before[0] == after[0], f"{after} after {before}: another log, and nobody said so"
            assert after[1] == before[1] + 1, f"{after} after {before}"
        if not self.node.ended:
            assert not any(self.answers.values()), f"answers {self.answers}"
            assert None not in self.delivered, "a gap was said that there was not"
            if not self.was_slow:
                assert self.client.client not in self.node.left, "presence flickered"
                assert self.client.client not in self.leaves, "it was told that it had left"

    def check_at_rest(self) -> None:
        assert self.client.state is ClientState.CONNECTED
        assert set(self.answers) >= set(self.asked), "something was never answered"
        top = self.broker.log(CHANNEL).position
        subscription = self.client.subscriptions[CHANNEL]
        assert subscription.position == top, f"the client stands at {subscription.position}, the log at {top}"
        assert len(self.node.groups) >= 1
        group = self.node.groups[self.client.client]
        assert group.resumable.current is not None
        assert not group.resumable.trials
        current = self.ends[self.client.wire].wire.session
        assert group.resumable.current is current
        if not self.node.ended:
            assert sorted(self.called) == sorted(set(self.called)) == sorted(self.node.answered)
            assert self.node.members == {self.client.client}

    def forget_old_links(self) -> None:
        """Links that both ends have left, so that long runs stay quick."""
        for number, end in list(self.ends.items()):
            is_over = end.wire.session.state is SessionState.CLOSED and not end.posts
            if end.is_known and is_over and number != self.client.wire:
                del self.ends[number]
                if end.wire.group is not None and end.wire in end.wire.group.wires:
                    end.wire.group.wires.remove(end.wire)
