"""Every interleaving of a small scope of the poll wire: polls and answers that are lost, come twice and overtake each
other.

The server's side is the real `Batches` and `CommandNumbers`; the client is the smallest that follows docs/poll.md.
Two commands go up, each answered by a reply, and two pushes come down: nothing is lost, nothing comes twice,
everything is in order.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from msgspec import Struct

from wirehop.core.batches import BadAck, Batches, Give, Hold, Straggler
from wirehop.core.messages import Command, PingRequest
from wirehop.core.numbers import CommandNumbers
from wirehop.testing.walker import Fault, replay, walk


class Poll(Struct, frozen=True):
    """A request: docs/poll.md."""

    number: int
    ack: int
    commands: tuple[int, ...]


class Answer(Struct, frozen=True):
    """`batch` 0: empty."""

    poll: int
    batch: int = 0
    items: tuple[bytes, ...] = ()


class SmallClient:
    """Numbers its commands, repeats what has no reply, acknowledges the last batch, drops what it has."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.open: list[int] = []
        self._next_command = 1
        self._poll = 0
        self._ack = 0

    def command(self) -> None:
        self.open.append(self._next_command)
        self._next_command += 1

    def poll(self) -> Poll:
        self._poll += 1
        return Poll(self._poll, self._ack, tuple(self.open))

    def answered(self, answer: Answer) -> None:
        if answer.batch <= self._ack:
            return
        assert answer.batch == self._ack + 1, f"batch {answer.batch} came after batch {self._ack}"
        self._ack = answer.batch
        for item in answer.items:
            self.received.append(item)
            if item.startswith(b"reply "):
                self.open.remove(int(item[6:]))


class PollServer:
    """The server's half of a poll session: a held poll is answered as soon as there is something."""

    def __init__(self, *, batches: Callable[..., Batches], numbers: Callable[..., CommandNumbers]) -> None:
        self.batches = batches(max_bytes=20)
        self.numbers = numbers(max_count=4, max_bytes=100)
        self.items: list[bytes] = []  # everything that was ever to be given, in order
        self.ran: list[int] = []
        self.held: int | None = None

    def push(self, item: bytes) -> list[Answer]:
        self.items.append(item)
        self.batches.add(item)
        return self._give()

    def polled(self, poll: Poll) -> list[Answer]:
        """What it answers now: perhaps also a poll that it held."""
        answers = []
        match self.batches.poll(poll.number, poll.ack):
            case BadAck():
                raise AssertionError(f"poll {poll.number} acknowledged batch {poll.ack}, which was never given")
            case Straggler():
                answers.append(Answer(poll.number))
            case Give(number, items):
                answers += [*self._release(), Answer(poll.number, number, tuple(items))]
            case Hold():
                answers += self._release()
                self.held = poll.number
        for number in poll.commands:
            for ready in self.numbers.accept(Command(number, ping=PingRequest()), 10, 0.0):
                self.ran.append(ready.id)
                answers += self.push(b"reply %d" % ready.id)
        return answers

    def _release(self) -> list[Answer]:
        held, self.held = self.held, None
        return [] if held is None else [Answer(held)]

    def _give(self) -> list[Answer]:
        if self.held is None:
            return []
        verdict = self.batches.give()
        if not isinstance(verdict, Give):
            return []
        held, self.held = self.held, None
        return [Answer(held, verdict.number, tuple(verdict.items))]


class PollWorld:
    """Polls and answers in flight, in any order. `budget` says how often each thing may happen on a path."""

    def __init__(
        self,
        *,
        batches: Callable[..., Batches] = Batches,
        numbers: Callable[..., CommandNumbers] = CommandNumbers,
        **budget: int,
    ) -> None:
        self.client = SmallClient()
        self.server = PollServer(batches=batches, numbers=numbers)
        self.budget = Counter({"command": 2, "push": 2, "poll": 3}) + Counter(budget)
        self.polls: list[Poll] = []
        self.answers: list[Answer] = []
        self.pushed = 0

    def choices(self) -> Sequence[str]:
        found = [word for word in ("command", "push", "poll") if self.budget[word]]
        found += [f"arrives {index}" for index in range(len(self.polls))]
        found += [f"answered {index}" for index in range(len(self.answers))]
        for word, flying in (("lose-poll", self.polls), ("lose-answer", self.answers), ("twice", self.polls)):
            if self.budget[word]:
                found += [f"{word} {index}" for index in range(len(flying))]
        return found

    def do(self, choice: str) -> None:
        word, _, index = choice.partition(" ")
        self.budget[word] -= 1
        match word:
            case "command":
                self.client.command()
            case "push":
                self.pushed += 1
                self.answers += self.server.push(b"push %d" % self.pushed)
            case "poll":
                self.polls.append(self.client.poll())
            case "arrives":
                self.answers += self.server.polled(self.polls.pop(int(index)))
            case "answered":
                self.client.answered(self.answers.pop(int(index)))
            case "lose-poll":
                del self.polls[int(index)]
            case "lose-answer":
                del self.answers[int(index)]
            case "twice":
                self.polls.append(self.polls[int(index)])

    def check(self) -> None:
        given, received = self.server.items, self.client.received
        assert received == given[: len(received)], f"given {given}, received {received}"
        assert self.server.ran == [*range(1, len(self.server.ran) + 1)], f"ran {self.server.ran}"

    def settle(self, most: int = 30) -> None:
        """What flies arrives; then the client polls until nothing is left, as it would for ever."""
        for _ in range(most):
            if self.polls:
                self.do("arrives 0")
            elif self.answers:
                self.do("answered 0")
            elif self.client.open or self.server.batches.has_something:
                self.do("poll")
            else:
                return
        raise AssertionError("the client polls and polls")

    def check_at_rest(self) -> None:
        assert self.client.received == self.server.items, f"given {self.server.items}, got {self.client.received}"
        assert not self.client.open


TROUBLE = {
    "nothing goes wrong": ({}, 9),
    "a poll is lost": ({"lose-poll": 1}, 8),
    "an answer is lost": ({"lose-answer": 1}, 8),
    "a poll comes twice": ({"twice": 1}, 7),
    "two answers are lost and a poll comes twice": ({"lose-answer": 2, "twice": 1}, 7),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_every_item_comes_once_and_in_order_on_every_path(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    budget, depth = TROUBLE[name]
    walked = walk(lambda: PollWorld(**budget), depth=depth)
    record_property("paths", walked.paths)
    print(f"{name}: {walked.paths} paths, {walked.steps} steps")
    assert walked.paths > 1000


class ThawingBatches(Batches):
    """Does not freeze: what arrives meanwhile joins the batch that was given already, under the same number."""

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(max_bytes=max_bytes)
        self.items: list[bytes] = []
        self.number = 1

    def add(self, item: bytes, size: int | None = None) -> None:
        self.items.append(item)

    def poll(self, number: int, ack: int) -> Give | Hold | Straggler | BadAck:
        if ack == self.number:
            self.items, self.number = [], self.number + 1
        if number < self.newest_poll:
            return Straggler()
        self.newest_poll = number
        return self.give()

    def give(self) -> Give | Hold:
        return Give(self.number, tuple(self.items)) if self.items else Hold()

    @property
    def has_something(self) -> bool:
        return bool(self.items)


class RepeatingNumbers(CommandNumbers):
    """Runs a command again if it comes again."""

    def accept(self, command: Command, size: int, now: float) -> list[Command]:
        return [command]


class ForgettingBatches(Batches):
    """Takes every poll for an acknowledgement of what was given last."""

    def poll(self, number: int, ack: int) -> Give | Hold | Straggler | BadAck:
        given = self.give() if number == self.newest_poll else Hold()
        return super().poll(number, given.number if isinstance(given, Give) else ack)


@pytest.mark.parametrize(
    "fault",
    [{"batches": ThawingBatches}, {"batches": ForgettingBatches}, {"numbers": RepeatingNumbers}],
    ids=["thawing", "forgetting", "repeating"],
)
def test_the_walk_finds_a_planted_fault(fault: dict[str, type]) -> None:
    budget = {"lose-answer": 1, "twice": 1}
    with pytest.raises(Fault) as caught:
        walk(lambda: PollWorld(**fault, **budget), depth=9)
    print(caught.value)
    # the path is the proof: the right machines pass it
    world = replay(lambda: PollWorld(**budget), [choice for choice in caught.value.path if choice != "at rest"])
    world.settle()
    world.check()
    world.check_at_rest()
