"""The client's half of the poll wire, against the server's own machines, over a network that does its worst."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from wirehop.client.polling import MAX_COMMANDS, Polling
from wirehop.codecs.json_lines import JsonLines, encode_reply
from wirehop.core.batches import Batches, Give
from wirehop.core.errors import BadMessage
from wirehop.core.messages import (
    CONNECT_ID,
    FIRST_UNNUMBERED_ID,
    Command,
    ConnectRequest,
    ConnectResult,
    Message,
    PingResult,
    Push,
    Reply,
    ReplyWh,
    RpcRequest,
    RpcResult,
    SendRequest,
    Wh,
)
from wirehop.core.numbers import CommandNumbers

CONNECT = Command(CONNECT_ID, connect=ConnectRequest(wh=Wh()))


def rpc(number: int) -> Command:
    return Command(number, rpc=RpcRequest("m", Raw(b"%d" % number)))


def send(number: int) -> Command:
    return Command(number, send=SendRequest(Raw(b"%d" % number)))


class Server:
    """One poll session, made of the server's pure parts. Every rpc is answered, and pushes come as the test says."""

    def __init__(self) -> None:
        self.batches = Batches(max_bytes=200)
        self.numbers = CommandNumbers(max_count=256, max_bytes=65_536)
        self.run: list[int] = []
        self.pushed = 0
        self.is_connected = False

    def push(self) -> None:
        self.pushed += 1
        self.batches.add(encode_reply(Reply(push=Push(message=Message(Raw(b"%d" % self.pushed))))))

    def poll(self, body: bytes) -> bytes:
        asked = msgspec.json.decode(body)
        verdict = self.batches.poll(asked["poll"], asked["ack"])
        for command in JsonLines().decode_array(msgspec.json.encode(asked.get("commands", []))):
            if command.connect is not None and not self.is_connected:
                self.is_connected = True
                self.batches.add(encode_reply(Reply(CONNECT_ID, connect=ConnectResult(session="s"))))
            for ready in self.numbers.accept(command, 10, 0.0):
                self.execute(ready)
        answer = {"session": "s", "poll": asked["poll"], "replies": []}
        if isinstance(verdict, Give):
            answer["batch"] = verdict.number
            answer["replies"] = [msgspec.json.decode(item) for item in verdict.items]
        return msgspec.json.encode(answer)

    def execute(self, command: Command) -> None:
        if command.ping is not None:
            self.batches.add(encode_reply(Reply(command.id, ping=PingResult(), wh=ReplyWh(self.numbers.next))))
        elif command.connect is None:
            self.run.append(command.id)
            if command.rpc is not None:
                self.batches.add(encode_reply(Reply(command.id, rpc=RpcResult(command.rpc.data))))


class World:
    """Client, server, and the polls and answers that are on their way."""

    def __init__(self) -> None:
        self.client = Polling(nonce="nonce-1234", wait=25.0)
        self.server = Server()
        self.polls: list[bytes] = []
        self.answers: list[bytes] = []
        self.replies: list[int] = []
        self.pushes: list[int] = []
        self.client.send([CONNECT])
        self.sent = 0
        self.rpcs: list[int] = []

    def command(self, *, is_send: bool) -> None:
        self.sent += 1
        if not is_send:
            self.rpcs.append(self.sent)
        self.client.send([send(self.sent) if is_send else rpc(self.sent)])

    def arrive(self, answer: bytes) -> None:
        for reply in self.client.answered(answer):
            if reply.push is not None and reply.push.message is not None:
                self.pushes.append(int(bytes(reply.push.message.data)))
            elif reply.rpc is not None:
                self.replies.append(reply.id)

    def step(self, what: str, at: int) -> None:
        """One thing that can happen."""
        if what in ("send", "rpc"):
            self.command(is_send=what == "send")
        elif what == "push":
            self.server.push()
        elif what == "poll":
            self.polls.append(self.client.poll())
        elif what == "deliver poll" and self.polls:
            self.answers.append(self.server.poll(self.polls.pop(at % len(self.polls))))
        elif what == "double poll" and self.polls:
            self.answers.append(self.server.poll(self.polls[at % len(self.polls)]))
        elif what == "lose poll" and self.polls:
            self.polls.pop(at % len(self.polls))
        elif what == "deliver answer" and self.answers:
            self.arrive(self.answers.pop(at % len(self.answers)))
        elif what == "double answer" and self.answers:
            self.arrive(self.answers[at % len(self.answers)])
        elif what == "lose answer" and self.answers:
            self.answers.pop(at % len(self.answers))

    def settle(self) -> None:
        """A few polls that nothing happens to."""
        for _ in range(8):
            self.arrive(self.server.poll(self.client.poll()))


WHATS = (
    "send rpc push poll poll deliver_poll deliver_poll double_poll lose_poll "
    "deliver_answer deliver_answer double_answer lose_answer"
)
STEPS = st.lists(
    st.tuples(st.sampled_from([what.replace("_", " ") for what in WHATS.split()]), st.integers(0, 5)), max_size=60
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_the_network_does_every_command_runs_once_in_order_and_every_item_comes_once_in_order(
    steps: list[tuple[str, int]],
) -> None:
    world = World()
    for what, at in steps:
        world.step(what, at)
    world.settle()
    assert world.server.run == list(range(1, world.sent + 1))
    assert world.pushes == list(range(1, world.server.pushed + 1))
    assert sorted(world.replies) == world.rpcs
    assert len(world.replies) == len(set(world.replies))
    assert not world.client.is_behind, "a command is still repeated although everything was accepted"


def body_of(polling: Polling) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(polling.poll())
    return body


def admitted() -> World:
    world = World()
    world.arrive(world.server.poll(world.client.poll()))
    world.arrive(world.server.poll(world.client.poll()))
    return world


def test_first_polls_carry_the_nonce_and_connect_alone_until_the_session_is_known() -> None:
    polling = Polling(nonce="nonce-1234", wait=0.0)
    polling.send([CONNECT, rpc(1)])
    for number in (1, 2):
        body = body_of(polling)
        assert body["nonce"] == "nonce-1234"
        assert body["poll"] == number
        assert body["ack"] == 0
        assert body["wait"] == 0
        commands = body["commands"]
        assert isinstance(commands, list)
        assert [command["id"] for command in commands] == [CONNECT_ID]


def test_commands_wait_for_the_connect_result_and_then_are_news() -> None:
    world = World()
    world.client.send([rpc(1)])
    first = world.server.poll(world.client.poll())  # empty: the connect result comes with the next batch
    world.arrive(first)
    assert not world.client.has_news
    assert "commands" not in body_of(world.client)
    world.arrive(world.server.poll(world.client.poll()))
    assert world.client.has_news
    body = body_of(world.client)
    assert [command["id"] for command in body["commands"]] == [1]  # type: ignore[attr-defined]


def test_a_command_is_repeated_until_a_reply_to_it_or_to_a_later_one_came() -> None:
    world = admitted()
    world.client.send([send(1), rpc(2), rpc(3)])

    def answered(*replies: dict[str, object]) -> None:
        answered.batch += 1  # type: ignore[attr-defined]
        body = {"session": "s", "poll": 3, "batch": answered.batch, "replies": replies}  # type: ignore[attr-defined]
        world.client.answered(msgspec.json.encode(body))

    answered.batch = 1  # type: ignore[attr-defined]
    assert len(body_of(world.client)["commands"]) == 3  # type: ignore[arg-type]
    answered({"id": 2, "rpc": {}})
    assert [c["id"] for c in body_of(world.client)["commands"]] == [3]  # type: ignore[attr-defined]
    answered({"id": 3, "rpc": {}})
    assert "commands" not in body_of(world.client)


def test_sends_alone_travel_with_a_ping_whose_reply_says_that_they_were_accepted() -> None:
    world = admitted()
    world.command(is_send=True)
    world.command(is_send=True)
    ids = [command["id"] for command in body_of(world.client)["commands"]]  # type: ignore[attr-defined]
    assert ids == [1, 2, FIRST_UNNUMBERED_ID]
    world.settle()
    assert not world.client.is_behind


def test_what_is_open_is_bounded() -> None:
    world = admitted()
    world.client.send([rpc(number) for number in range(1, MAX_COMMANDS + 1)])
    with pytest.raises(OverflowError, match="1024 commands"):
        world.client.send([rpc(MAX_COMMANDS + 1)])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", "no answer"),
        (b'{"poll":1}', "no answer"),
        (b'{"session":"other","poll":2,"replies":[]}', "another session"),
        (b'{"session":"s","poll":2,"batch":3,"replies":[{}]}', "batch 3 came after batch 1"),
    ],
)
def test_what_is_no_answer_to_these_polls_is_said(body: bytes, problem: str) -> None:
    with pytest.raises(BadMessage, match=problem):
        admitted().client.answered(body)


def test_it_is_quiet_only_when_the_newest_poll_brought_nothing() -> None:
    world = admitted()
    world.arrive(world.server.poll(world.client.poll()))
    assert world.client.is_quiet
    old = world.client.poll()
    world.client.poll()
    world.arrive(world.server.poll(old))
    assert not world.client.is_quiet, "an older poll that was ended says nothing"
