"""Every way in which one client's wires can race: trials, cuts, late confirmations, repeated commands.

The client here is the least that follows the rules: it sends on the wire it opened last and heard of, names `attach`
until that is confirmed, and sends again what was not answered. The server's side are the real machines. Cables lose
what is in them when they are cut, and the server notices that whenever the walk says.
"""

from collections import deque
from collections.abc import Sequence

import pytest
from msgspec import Raw, Struct

from wirehop.core.conversation import Conversation, Ended, Fenced, Moved, TrialDropped
from wirehop.core.handles import Handles
from wirehop.core.messages import Command, Reply, RpcRequest, RpcResult
from wirehop.core.numbers import CommandNumbers
from wirehop.core.once import OnceOnly
from wirehop.testing.walker import Fault, walk

WINDOW = 60.0


class Up(Struct, frozen=True):
    """Client to server: a connect (`token`), or commands with what is named beside them."""

    token: str | None = None
    attach: int = 0
    acked: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    asks_next: bool = False


class Down(Struct, frozen=True):
    """Server to client: the connect result (`attach`, `token`; or `is_refused`: the token is not good any more, what
    follows would be a new session), the answer to the confirming ping, or a reply."""

    attach: int = 0
    token: str = ""
    is_refused: bool = False
    next: int = 0
    confirms: int = 0
    number: int = 0
    outcome: str = ""


class Cable:
    """One wire and what is in it. Each end learns by itself that it is cut."""

    def __init__(self, shown: str) -> None:
        self.shown = shown  # the token that the client opened it with
        self.up: deque[Up] = deque()
        self.down: deque[Down] = deque()
        self.is_cut = False
        self.is_closed = False  # by the server
        self.attach = 0  # the server's number for it
        self.held: list[Up] = []  # by the server, while it is a trial


class Moving:
    """The world. `most_wires`, `most_commands`: how large it may grow while it is walked."""

    def __init__(self, *, most_wires: int = 3, most_commands: int = 2, cuts: int = 1) -> None:
        self.handles, self.conversation = Handles(), Conversation(WINDOW)
        self.numbers = CommandNumbers(max_count=64, max_bytes=1 << 20)
        self.once = OnceOnly(max_bytes=1 << 20)
        self.running: list[int] = []
        self.executed: list[int] = []
        self.cables: list[Cable] = []
        self.is_settling = False
        self.most_wires, self.most_commands, self.cuts = most_wires, most_commands, cuts
        # the client
        self.token: str | None = None
        self.sends_on: Cable | None = None
        self.attach = 0
        self.is_confirmed = False
        self.unanswered: dict[int, None] = {}
        self.answers: list[tuple[int, str]] = []
        self.created = 0
        self.has_session = True
        self._open()

    # ---- what can happen ---------------------------------------------------------------------------------------------

    def choices(self) -> Sequence[str]:
        found: list[str] = []
        for index, cable in enumerate(self.cables):
            if cable.up and not cable.is_cut:
                found.append(f"up {index}")
            if cable.down and not cable.is_cut:
                found.append(f"down {index}")
            if self.cuts and not cable.is_cut and not cable.is_closed:
                found.append(f"cut {index}")
            if cable.is_cut and cable.attach and not cable.is_closed:
                found.append(f"notice {index}")
        if self.created < self.most_commands and self.token is not None:
            found.append("command")
        if len(self.cables) < self.most_wires and self.token is not None:
            found.append("open")
        if self.running:
            found.append("finish")
        return found

    def do(self, choice: str) -> None:
        what, _, index = choice.partition(" ")
        cable = self.cables[int(index)] if index else None
        if what == "open":
            self._open()
        elif what == "command":
            self.created += 1
            self.unanswered[self.created] = None
            self._say((self.created,))
        elif what == "finish":
            number = self.running.pop(0)
            reply = Reply(id=number, rpc=RpcResult(Raw(b"1")))
            self.once.answered(number, reply, 1)
            self._tell(Down(number=number, outcome="done"))
        elif cable is not None and what == "up":
            self._arrived(cable, cable.up.popleft())
        elif cable is not None and what == "down":
            self._heard(cable, cable.down.popleft())
        elif cable is not None and what == "cut":
            self.cuts -= 1
            cable.is_cut = True
            cable.up.clear()
            cable.down.clear()
            if self.sends_on is cable:
                self.sends_on = None
        elif cable is not None:
            cable.is_closed = True
            self.conversation.lost(cable.attach, 0.0)
            self._carry_out()

    # ---- the server --------------------------------------------------------------------------------------------------

    def _arrived(self, cable: Cable, message: Up) -> None:
        if message.token is not None:
            is_heard = self.has_session and message.token != "" and self.handles.shown(message.token)
            if message.token and not is_heard:
                cable.down.append(Down(is_refused=True))
                return
            cable.attach = self.conversation.open(0.0, is_heard=is_heard)
            token = f"token {cable.attach}"
            assert self.handles.issue(token) == cable.attach
            self._carry_out()
            cable.down.append(Down(attach=cable.attach, token=token, next=self.numbers.next))
            return
        if message.attach and message.attach != cable.attach:
            return
        if message.attach and self.conversation.confirm(cable.attach, 0.0):
            self.handles.prove(cable.attach)
            self._carry_out()
        if self.conversation.runs(cable.attach):
            self._run(cable, message)
        elif cable.attach in self.conversation.trials:
            cable.held.append(message)

    def _run(self, cable: Cable, message: Up) -> None:
        self.once.acknowledge(message.acked)
        for number in message.numbers:
            command = Command(number, rpc=RpcRequest("m"))
            if number < self.numbers.next:
                kept = self.once.repeated(number)
                if kept is not None:
                    self._tell(Down(number=number, outcome="unknown" if kept.error else "done"))
                continue
            for ready in self.numbers.accept(command, 1, 0.0):
                self.once.begin(ready.id)
                self.executed.append(ready.id)
                self.running.append(ready.id)
        if message.asks_next:
            cable.down.append(Down(confirms=cable.attach, next=self.numbers.next))

    def _tell(self, message: Down) -> None:
        for cable in self.cables:
            if cable.attach and cable.attach == self.conversation.current and not cable.is_cut:
                cable.down.append(message)

    def _carry_out(self) -> None:
        for output in self.conversation.take():
            if isinstance(output, Fenced | TrialDropped):
                cable = self._by_attach(output.wire)
                cable.is_closed = True
                cable.held.clear()
            elif isinstance(output, Moved):
                cable = self._by_attach(output.wire)
                held, cable.held = cable.held, []
                for message in held:
                    self._run(cable, message)
            elif isinstance(output, Ended):
                self.has_session = False

    def _by_attach(self, attach: int) -> Cable:
        return next(cable for cable in self.cables if cable.attach == attach)

    # ---- the client --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        cable = Cable(self.token or "")
        self.cables.append(cable)
        cable.up.append(Up(token=cable.shown))

    def _heard(self, cable: Cable, message: Down) -> None:
        if message.attach:
            if message.attach < self.attach:
                return  # of a wire that it gave up for a newer one
            self.token, self.attach, self.sends_on, self.is_confirmed = message.token, message.attach, cable, False
            cable.up.append(Up(attach=self.attach, numbers=tuple(self.unanswered), asks_next=True, acked=self._acked()))
        elif message.is_refused:
            is_lost = cable.shown == self.token and self.conversation.is_confirmed
            assert not is_lost, "the newest token that the client has is good"
        elif message.confirms:
            self.is_confirmed = self.is_confirmed or message.confirms == self.attach
        elif message.number in self.unanswered:
            del self.unanswered[message.number]
            self.answers.append((message.number, message.outcome))

    def _say(self, numbers: tuple[int, ...]) -> None:
        if self.sends_on is not None:
            attach = 0 if self.is_confirmed else self.attach
            self.sends_on.up.append(Up(attach=attach, numbers=numbers, acked=self._acked()))

    def _acked(self) -> tuple[int, ...]:
        upto = min(self.unanswered, default=self.created + 1) - 1
        return (upto, *(number for number, _ in self.answers if number > upto))

    # ---- what must hold ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        assert self.executed == list(range(1, len(self.executed) + 1)), f"ran {self.executed}"
        assert all(outcome == "done" for _, outcome in self.answers), f"answered {self.answers}"
        assert len({number for number, _ in self.answers}) == len(self.answers)
        assert self.has_session or not self.conversation.is_confirmed, "the session is gone"
        assert len(self.conversation.trials) <= 2

    def settle(self) -> None:
        """All that is in a cable arrives, cuts are noticed; a client without a wire that works opens another."""
        for _ in range(200):
            rest = [each for each in self.choices() if each.split()[0] in ("up", "down", "notice", "finish")]
            if rest:
                self.do(rest[0])
                self.check()
                continue
            works = self.sends_on is not None and not self.sends_on.is_closed and not self.sends_on.is_cut
            if works and self.is_confirmed and not self.unanswered:
                return
            if works and self.is_confirmed:
                raise AssertionError(f"never answered: {list(self.unanswered)}")
            if not self.has_session:
                return
            self._open()
        raise AssertionError("it does not come to rest")

    def check_at_rest(self) -> None:
        if not self.has_session:  # nothing that its client said ever arrived: it begins anew, and loses nothing
            assert self.executed == []
            assert not self.conversation.is_confirmed
            return
        assert sorted(number for number, _ in self.answers) == list(range(1, self.created + 1))
        assert self.executed == list(range(1, self.created + 1))
        assert self.sends_on is not None
        assert self.conversation.current == self.sends_on.attach
        assert self.conversation.trials == ()


@pytest.mark.parametrize(
    ("size", "depth"),
    [
        ({"most_wires": 2, "most_commands": 2, "cuts": 0}, 12),
        ({"most_wires": 3, "most_commands": 1, "cuts": 0}, 10),
        ({"most_wires": 2, "most_commands": 2, "cuts": 1}, 9),
        ({"most_wires": 3, "most_commands": 1, "cuts": 2}, 8),
    ],
    ids=["two wires, nothing is lost", "three wires race", "a cut", "two cuts, three wires"],
)
def test_a_session_that_moves_runs_everything_once_and_answers_it(size: dict[str, int], depth: int) -> None:
    walked = walk(lambda: Moving(**size), depth=depth)
    assert walked.paths > 1_000


class ForgetsWhatRuns(Moving):
    """Asks nobody whether a number has run."""

    def _run(self, cable: Cable, message: Up) -> None:
        for number in message.numbers:
            self.executed.append(number)
            self.running.append(number)


class NeverFences(Moving):
    """Lets the wire that is left behind go on."""

    def _arrived(self, cable: Cable, message: Up) -> None:
        if message.token is None and not message.attach and cable.attach:
            self._run(cable, message)
            return
        super()._arrived(cable, message)

    def _tell(self, message: Down) -> None:
        for cable in self.cables[:1]:
            cable.down.append(message)


@pytest.mark.parametrize("mutant", [ForgetsWhatRuns, NeverFences])
def test_the_walk_finds_what_is_wrong(mutant: type[Moving]) -> None:
    with pytest.raises(Fault):
        walk(lambda: mutant(most_wires=2, most_commands=2, cuts=1), depth=9)
