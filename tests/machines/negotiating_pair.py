"""Two negotiations, the browsers around them, and signaling that is late: the world that the walk of rtc goes through.

The peer connections are models that refuse what a real one refuses (an answer without an offer, a rollback where there
is none, a candidate of another description, a description of somebody else's connection), so a machine that asks for it
is found at once. What is said arrives in order and is not lost, also by a page that was loaded anew; it may come
again to the same page.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from wirehop.rtc.pure.negotiation import Negotiation, NegotiationState
from wirehop.rtc.pure.signals import (
    AddCandidate,
    Apply,
    Candidate,
    Close,
    MakeAnswer,
    MakeOffer,
    NegotiationOutput,
    Open,
    Send,
    Signal,
)

Make = Callable[..., Negotiation]
AGAIN = 3
"""A signal may come again while it is one of so many that came last."""


class Illegal(AssertionError):
    """What a peer connection would refuse."""


class ModelConnection:
    """A peer connection: signaling states, ICE generations and candidates of a browser; `is_fixed`: of aiortc."""

    def __init__(self, instance: str, *, is_fixed: bool, lists_candidates: bool) -> None:
        self.instance = instance
        self.is_fixed = is_fixed
        self.lists_candidates = lists_candidates
        self.is_closed = False
        self.ice = self.newest_ice = 1
        self.local = self.remote = ""  # agreed, or pending
        self.stable = ("", "")
        self.offer = ""  # an own one that is not answered
        self.wants_answer = False
        self.with_whom = ""
        self.before: tuple[int, list[str]] | None = None  # what a rollback goes back to
        self.found: list[str] = []  # own candidates of the newest ICE generation
        self.fragments: set[str] = set()
        self.added: set[str] = set()
        self.serial = count(1)

    @property
    def fragment(self) -> str:
        return f"{self.instance}/{self.ice}"

    def _describe(self, kind: str, needs: int) -> str:
        lines = [f"s={kind} {self.instance} {next(self.serial)} needs {needs} with {self.with_whom or 'anyone'}"]
        lines.append(f"a=ice-ufrag:{self.fragment}")
        if self.lists_candidates:
            lines += [f"a={text}" for text in self.found]
        return "\n".join(lines)

    def make_offer(self, needs: int, *, restart: bool) -> str:
        if self.wants_answer:
            raise Illegal("an offer while the other side's waits for its answer")
        if not self.offer:
            self.before = (self.ice, self.found) if self.stable[0] else None
        if restart:
            if self.is_fixed:
                raise Illegal("a fixed side cannot restart")
            self.ice, self.found = max(self.ice, self.newest_ice) + 1, []
        self.offer = self.local = self._describe("offer", needs)
        return self.offer

    def make_answer(self, needs: int) -> str:
        if not self.wants_answer:
            raise Illegal("an answer without an offer")
        self.wants_answer = False
        self.local = self._describe("answer", needs)
        self.stable = (self.local, self.remote)
        return self.local

    def find(self, number: int) -> Candidate | None:
        """A candidate of the local description; None if there are no more."""
        text = f"candidate:{self.fragment}-{number}"
        if text in self.found or not self.local:
            return None
        self.found.append(text)
        return Candidate(text, mid="0", line=0, fragment=self.fragment)

    def apply(self, kind: str, sdp: str) -> None:
        instance, whom = re.findall(r"s=\w+ (\S+) .* with (\S+)", sdp)[0]
        if self.with_whom not in ("", instance):
            raise Illegal(f"{self.instance} is connected to {self.with_whom}, and gets a description of {instance}")
        if whom not in ("anyone", self.instance):
            raise Illegal(f"a description for {whom} came to {self.instance}")
        if kind == "answer":
            if not self.offer:
                raise Illegal("an answer to nothing")
            self.offer = ""
        else:
            if self.offer and self.is_fixed:
                raise Illegal("a fixed side cannot roll back")
            if self.wants_answer:
                raise Illegal("an offer while the one before waits for its answer")
            if self.offer:
                self._roll_back()
            self.offer, self.wants_answer = "", True
        self.with_whom, self.remote = instance, sdp
        if kind == "answer":
            self.stable = (self.local, self.remote)
        fragments = set(re.findall(r"a=ice-ufrag:(\S+)", sdp))
        if fragments != self.fragments:
            self.fragments, self.added = fragments, set()
        self.added |= set(re.findall(r"a=(candidate:\S+)", sdp))

    def _roll_back(self) -> None:
        """What the offer began is gone, fragments and candidates too."""
        self.newest_ice = max(self.newest_ice, self.ice)
        self.ice, self.found = self.before or (self.newest_ice + 1, [])
        self.local = self.stable[0]

    def add(self, candidate: Candidate | None) -> None:
        if not self.remote:
            raise Illegal("a candidate before the remote description")
        if candidate is not None:
            if candidate.fragment not in self.fragments:
                raise Illegal(f"a candidate of {candidate.fragment}, the description is of {self.fragments}")
            self.added.add(candidate.candidate)


class Side:
    """One participant: its machine, its peer connection, and what was asked of it and is not done yet."""

    def __init__(self, me: str, peer: str, *, make: Make, is_fixed: bool, lists_candidates: bool) -> None:
        self.me, self.peer, self.make = me, peer, make
        self.is_fixed, self.lists_candidates = is_fixed, lists_candidates
        self.instances: Iterator[str] = (f"{me}{number}" for number in count(1))
        self.connection: ModelConnection | None = None
        self.work: deque[tuple[NegotiationOutput | int, ModelConnection]] = deque()
        self.needs = self.met = self.told_needs = 0
        self.restarts: list[str] = []  # fragments that are to be gone
        self.start()

    def start(self) -> None:
        """The page is loaded."""
        self.machine = self.make(self.me, self.peer, new_instance=lambda: next(self.instances), is_fixed=self.is_fixed)
        self.connection = None
        self.work.clear()
        self.met, self.restarts = 0, []
        self.needs = 0

    def carry_out(self) -> list[Signal]:
        """Take what the machine wants; what it says."""
        said = []
        for output in self.machine.take():
            match output:
                case Send(signal):
                    said.append(signal)
                case Open(instance):
                    self._close()
                    self.connection = ModelConnection(
                        instance, is_fixed=self.is_fixed, lists_candidates=self.lists_candidates
                    )
                case Close(_):
                    self._close()
                    self.connection = None
                    self.needs = self.met = 0
                    self.restarts = []
                case MakeOffer() | MakeAnswer() | Apply() | AddCandidate():
                    assert self.connection is not None, f"{output} without a peer connection"
                    self.work.append((output, self.connection))
        return said

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.is_closed = True

    def do_work(self, now: float) -> None:
        """The oldest piece of work is done; one for a peer connection that is gone comes to nothing."""
        output, connection = self.work.popleft()
        if connection.is_closed:
            number = getattr(output, "number", 0)
            self.machine.failed(number, now)
            return
        match output:
            case MakeOffer(number, restart):
                sdp = connection.make_offer(self.needs, restart=restart)
                self.told_needs = self.needs
                self._described(number, sdp, connection, now)
            case MakeAnswer(number):
                self._described(number, connection.make_answer(self.needs), connection, now)
            case Apply(number, kind, sdp):
                connection.apply(kind, sdp)
                if kind == "answer":
                    self.met = max(self.met, self.told_needs)
                self.machine.applied(number, now)
            case AddCandidate(candidate):
                connection.add(candidate)
            case int(number):
                found = connection.find(number)
                if found is not None:
                    self.machine.candidate(found)

    def _described(self, number: int, sdp: str, connection: ModelConnection, now: float) -> None:
        early = connection.find(1)  # an event may be faster than the promise
        if early is not None:
            self.machine.candidate(early)
        self.machine.described(number, sdp, now)
        self.work.append((2, connection))


class NegotiatingPair:
    """`budget` says how often each thing may happen on a path: `needs`, `restarts`, `reloads`, `leaves`, `again`,
    `late`, each for both sides together."""

    def __init__(
        self,
        *,
        make: Make = Negotiation,
        fixed: str = "",
        lists_candidates: bool = True,
        begun: bool = False,
        **budget: int,
    ) -> None:
        self.now = 0.0
        self.sides = {
            me: Side(me, peer, make=make, is_fixed=me in fixed, lists_candidates=lists_candidates)
            for me, peer in (("a", "b"), ("b", "a"))
        }
        self.flying: dict[str, deque[Signal]] = {"a": deque(), "b": deque()}  # to
        self.came: dict[str, deque[Signal]] = {"a": deque(maxlen=AGAIN), "b": deque(maxlen=AGAIN)}
        self.budget: Counter[str] = Counter()
        self.ticks = 0
        if begun:
            self.budget["needs"] = 1
            self.do("a needs")
            self.settle()
        self.budget = Counter(budget)

    # ---- World -------------------------------------------------------------------------------------------------------

    def choices(self) -> Sequence[str]:
        found = []
        for me, side in self.sides.items():
            found += [f"{me} works"] if side.work else []
            found += [f"{me} hears"] if self.flying[me] else []
        for what in ("needs", "restarts", "reloads", "leaves"):
            if self.budget[what]:
                found += [f"{me} {what}" for me in self.sides]
        if self.budget["late"]:
            found += [f"{me} late" for me, side in self.sides.items() if side.machine.deadline() is not None]
        if self.budget["again"]:
            found += [f"{me} again {index}" for me in self.sides for index in range(len(self.came[me]))]
        return found

    def do(self, choice: str) -> None:
        me, what, *index = choice.split()
        side = self.sides[me]
        self.budget[what] -= 1
        match what:
            case "works":
                side.do_work(self.now)
            case "hears":
                signal = self.flying[me].popleft()
                self.came[me].append(signal)
                side.machine.received(signal, self.now)
            case "again":
                side.machine.received(self.came[me][int(*index)], self.now)
            case "needs":
                self._need(side)
            case "restarts":
                connection = side.connection
                if connection is not None and connection.stable[0]:
                    side.restarts.append(connection.fragment)
                    side.machine.restart(self.now)
            case "reloads":
                self._start(side)
            case "leaves":
                side.machine.close()
                self._carry_out(side)
                self._start(side)
            case "late":
                self._tick(side)
        self._carry_out(side)

    def _start(self, side: Side) -> None:
        side.start()
        self.came[side.me].clear()  # a page does not get again what the one before it had answered
        self._need(side)

    def _need(self, side: Side) -> None:
        side.needs += 1
        side.machine.needed(self.now)

    def _carry_out(self, side: Side) -> None:
        self.flying[side.peer].extend(side.carry_out())

    def _tick(self, side: Side) -> None:
        deadline = side.machine.deadline()
        assert deadline is not None
        self.now = max(self.now, deadline)
        side.machine.tick(self.now)
        self._carry_out(side)

    def check(self) -> None:
        for side in self.sides.values():
            assert side.machine.state is not NegotiationState.CLOSED, f"{side.me} has given up"

    def settle(self, most: int = 400) -> None:
        """What was asked is done and what was said arrives; then the clock goes on, while somebody waits for it."""
        for _ in range(most):
            busy = [choice for choice in self.choices() if choice.endswith(("works", "hears"))]
            if busy:
                self.do(busy[0])
                continue
            waiting = [side for side in self.sides.values() if side.machine.deadline() is not None]
            if not waiting:
                return
            self.ticks += 1
            self._tick(min(waiting, key=lambda side: side.machine.deadline() or 0.0))
        raise AssertionError("the two go on and on")

    def check_at_rest(self) -> None:
        a, b = self.sides.values()
        machines = (a.machine, b.machine)
        if all(machine.state is NegotiationState.NEW for machine in machines):
            return
        states = [machine.state.name for machine in machines]
        assert states == ["STABLE", "STABLE"], f"at rest they are {states}"
        generations = [machine.generation for machine in machines]
        assert generations[0] == generations[1] > 0, f"generations {generations}"
        for side, other in ((a, b), (b, a)):
            self._check_side(side, other)

    @staticmethod
    def _check_side(side: Side, other: Side) -> None:
        mine, theirs = side.connection, other.connection
        assert mine is not None
        assert theirs is not None
        assert mine.stable[0] == theirs.stable[1], f"{side.me} said {mine.stable[0]!r}, got {theirs.stable[1]!r}"
        assert not mine.offer, f"{side.me} has an offer that nobody answered"
        assert side.met >= side.needs, f"{side.me} needed {side.needs} times, {side.met} were offered and answered"
        lost = set(mine.found) - theirs.added
        assert len(mine.found) == 2, f"{side.me} was told to find {mine.found}"
        assert not lost, f"{other.me} never heard of {sorted(lost)}"
        for fragment in side.restarts:
            assert mine.fragment != fragment, f"{side.me} wanted a restart and is still at {fragment}"
