"""Every interleaving of a small scope of two negotiations: glare at each step, restarts, replays, reloads, leaving;
long random runs, whose transitions must all stand in the table; and planted faults, which the walk must find."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from negotiating_pair import Illegal, NegotiatingPair, Side

from wirehop.rtc.pure.negotiation import Negotiation
from wirehop.rtc.pure.negotiation_states import NEGOTIATION_TABLE, NegotiationInput, NegotiationState
from wirehop.rtc.pure.signals import AddCandidate, Candidate, Signal
from wirehop.testing.walker import Fault, walk

SCOPES: dict[str, tuple[dict[str, Any], int]] = {
    "both need something at any time": ({"needs": 2}, 8),
    "they begin, and one needs more": ({"needs": 3}, 6),
    "a need and a restart in a connection that stands": ({"begun": True, "needs": 1, "restarts": 1}, 7),
    "two restarts in a connection that stands": ({"begun": True, "restarts": 2}, 8),
    "candidates are not listed in descriptions": ({"begun": True, "lists_candidates": False, "needs": 2}, 7),
    "a signal comes again": ({"needs": 2, "again": 1}, 7),
    "a restart and a replay": ({"begun": True, "restarts": 1, "again": 1}, 7),
    "answers are late": ({"needs": 2, "late": 1}, 7),
    "one side is loaded anew": ({"begun": True, "needs": 1, "reloads": 1}, 8),
    "both sides are loaded anew": ({"begun": True, "reloads": 2}, 8),
    "a side is loaded anew while they begin": ({"needs": 1, "reloads": 1}, 7),
    "a side leaves and comes back": ({"begun": True, "needs": 1, "leaves": 1}, 7),
    "a fixed side, and needs": ({"fixed": "b", "needs": 2}, 8),
    "a fixed side, restarts and needs": ({"fixed": "b", "begun": True, "needs": 1, "restarts": 1}, 8),
    "a fixed side, two restarts": ({"fixed": "b", "begun": True, "restarts": 2}, 8),
    "a fixed side is loaded anew": ({"fixed": "b", "begun": True, "needs": 1, "reloads": 1}, 7),
    "two fixed sides": ({"fixed": "ab", "needs": 2}, 8),
    "two fixed sides, restarts and needs": ({"fixed": "ab", "begun": True, "needs": 1, "restarts": 1}, 7),
}
LOSSES = {"reloads", "leaves", "late"}


class PromptPair(NegotiatingPair):
    """Where nobody went away, nobody has to wait for the clock."""

    def check_at_rest(self) -> None:
        super().check_at_rest()
        assert self.ticks == 0, f"it took {self.ticks} timeouts"


@pytest.mark.parametrize("name", SCOPES)
def test_both_sides_agree_on_every_path(name: str, record_property: Callable[[str, object], None]) -> None:
    scope, depth = SCOPES[name]
    kind = NegotiatingPair if LOSSES & scope.keys() else PromptPair
    walked = walk(lambda: kind(**scope), depth=depth)
    record_property("paths", walked.paths)
    print(f"{name}: {walked.paths} paths, {walked.steps} steps")
    assert walked.paths > 500


# ---- long runs


def scopes() -> st.SearchStrategy[dict[str, Any]]:
    few = st.integers(0, 2)
    return st.fixed_dictionaries(
        {
            "fixed": st.sampled_from(["", "", "a", "b", "ab"]),
            "lists_candidates": st.booleans(),
            "begun": st.booleans(),
            "needs": st.integers(0, 4),
            **dict.fromkeys(("restarts", "reloads", "leaves", "again", "late"), few),
        }
    )


@settings(max_examples=300, deadline=None)
@given(scope=scopes(), picks=st.lists(st.integers(0, 999), max_size=60))
def test_both_sides_agree_after_any_long_run(scope: dict[str, Any], picks: list[int]) -> None:
    pair = NegotiatingPair(**scope)
    for pick in picks:
        choices = pair.choices()
        if not choices:
            break
        pair.do(choices[pick % len(choices)])
        pair.check()
    pair.settle()
    pair.check()
    pair.check_at_rest()


words = st.text("abi12", max_size=2)
candidates = st.builds(Candidate, words, mid=st.none() | words, fragment=st.none() | words)
signals = st.builds(
    Signal,
    instance=words,
    gen=st.integers(-1, 9) | st.integers(2**30, 2**70),
    offer=words,
    answer=words,
    of=words,
    to=words,
    candidate=candidates | st.none(),
    restart=st.booleans(),
    bye=st.booleans(),
    fixed=st.booleans(),
)
inputs = st.one_of(
    st.tuples(st.just("received"), signals),
    st.tuples(st.sampled_from(["needed", "restart", "tick", "close"]), st.none()),
    st.tuples(st.just("candidate"), st.none() | candidates),
    st.tuples(st.sampled_from(["described", "applied", "failed"]), st.integers(0, 3)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(inputs, max_size=40), st.booleans(), st.booleans())
def test_a_peer_may_say_anything(steps: list[tuple[str, Any]], is_greater: bool, is_fixed: bool) -> None:
    """Nothing raises, what waits is bounded, and what was dropped is counted."""
    made = iter(range(1000))
    me, peer = ("b", "a") if is_greater else ("a", "b")
    machine = Negotiation(me, peer, new_instance=lambda: f"mine{next(made)}", is_fixed=is_fixed)
    for now, (what, given_) in enumerate(steps):
        before = machine.dropped.total()
        match what:
            case "received":
                machine.received(given_, now)
            case "described":
                machine.described(machine._number - given_, "a=ice-ufrag:1", now)
            case "applied" | "failed":
                getattr(machine, what)(machine._number - given_, now)
            case "candidate":
                machine.candidate(given_)
            case "close":
                machine.close()
            case _:
                getattr(machine, what)(now)
        outputs = machine.take()
        if what == "received" and given_.instance == "" and not outputs:
            assert machine.dropped.total() > before
        assert machine.generation <= 2**31


# ---- the table


Seen = dict[tuple[NegotiationState, NegotiationInput], set[NegotiationState]]


def kind_of(method: str, arguments: tuple[Any, ...]) -> NegotiationInput | None:
    """Which input of the table a call is; None for one that stands in no table."""
    if method != "received":
        return NegotiationInput[method.upper()] if method.upper() in NegotiationInput.__members__ else None
    signal = arguments[0]
    for what, is_it in (("BYE", signal.bye), ("OFFER", signal.offer), ("ANSWER", signal.answer)):
        if is_it:
            return NegotiationInput[what]
    return NegotiationInput.ASKED if signal.restart else None


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Every transition from now on."""
    noted: Seen = {}
    for method in ("needed", "restart", "received", "described", "applied", "failed", "tick", "close"):
        right = getattr(Negotiation, method)

        def watched(self: Negotiation, *arguments: Any, _right: Any = right, _method: str = method) -> None:
            before = self.state
            _right(self, *arguments)
            given_ = kind_of(_method, arguments)
            if given_ is not None and self.state is not before:
                noted.setdefault((before, given_), set()).add(self.state)

        monkeypatch.setattr(Negotiation, method, watched)
    return noted


def said_by(side: Side, drawn: random.Random, number: int) -> Signal:
    """What a peer might say that is loaded anew all the time."""
    machine = side.machine
    mine = side.connection.instance if side.connection is not None else ""
    about = drawn.choice([mine, mine, "", "gone"])
    gen = 2 * (machine.generation + number) + (side.me == "b")
    instance, is_fixed = f"x{number // drawn.choice([2, 9])}", drawn.random() < 0.3
    return drawn.choice(
        [
            Signal(instance, gen, offer="offer", to=about, fixed=is_fixed),
            Signal(instance, machine._offers.made, answer="answer", of=about, fixed=is_fixed),
            Signal(instance, 99, restart=True, fixed=is_fixed),
            Signal(instance, bye=True),
        ]
    )


def run_wildly(seed: int) -> None:
    """A long run of one side: what it is asked to do is done, or fails, and the other side says anything."""
    drawn = random.Random(seed)
    me, peer = drawn.choice(["ab", "ba"])
    side = Side(me, peer, make=Negotiation, is_fixed=drawn.random() < 0.3, lists_candidates=True)
    for number in range(drawn.randrange(5, 50)):
        machine, now = side.machine, float(number)
        match drawn.randrange(12):
            case 0 | 1 | 2:
                machine.received(said_by(side, drawn, number), now)
            case 3:
                machine.needed(now)
            case 4:
                machine.restart(now)
            case 5:
                machine.failed(machine._number, now)
            case 6:
                machine.tick(now + 100 if drawn.random() < 0.3 else now)
            case 7 if drawn.random() < 0.1:
                machine.close()
            case 8 | 9:
                machine.described(machine._number, "sdp", now)
            case _:
                machine.applied(machine._number, now)
        side.carry_out()


def test_what_happens_stands_in_the_table_and_each_row_happens(seen: Seen) -> None:
    for seed in range(9000):
        run_wildly(seed)
    for (state, given_), targets in seen.items():
        for after in targets:
            assert NEGOTIATION_TABLE.allows(state, given_, after), f"{state.name} {given_.name} led to {after.name}"
    missing = {
        (state.name, given_.name, after.name)
        for (state, given_), targets in NEGOTIATION_TABLE.rows.items()
        for after in targets
        if after not in seen.get((state, given_), set())
    }
    assert missing == set()


# ---- planted faults


class Impolite(Negotiation):
    """Never gives way."""

    @property
    def _is_polite(self) -> bool:
        return False


class Polite(Negotiation):
    """Always gives way."""

    @property
    def _is_polite(self) -> bool:
        return True


class Forgetting(Negotiation):
    """Forgets what the offer that it gave up was for."""

    def _give_up_offer(self) -> None:
        super()._give_up_offer()
        self._wishes.is_needed = False


class ForgettingRestarts(Negotiation):
    """Forgets that the offer which it gave up was a restart."""

    def _give_up_offer(self) -> None:
        super()._give_up_offer()
        self._wishes.wants_restart = False


class Believing(Negotiation):
    """Takes every offer for a new one."""

    def _offered(self, signal: Signal, now: float) -> None:
        self._offers.heard = 0
        super()._offered(signal, now)


class Careless(Negotiation):
    """Takes every answer for the one that it waits for."""

    def _answered(self, signal: Signal, now: float) -> None:
        super()._answered(replace(signal, gen=self._offers.made, of=self._mine), now)


class Hasty(Negotiation):
    """Does not let candidates wait for their description."""

    def _add(self, instance: str, gen: int, candidate: Candidate | None) -> None:
        self._out.append(AddCandidate(candidate))


class SayingOnce(Negotiation):
    """Does not say a candidate again whose offer was ignored."""

    def _say_candidates(self, sdp: str) -> None:
        making = self._ours.described(sdp)[0][-1:]
        for candidate in making if self._local == 1 else ():
            self._send(Signal(self._mine, self._local, candidate=candidate))


class Faithful(Negotiation):
    """Goes on with a peer connection whose other side was loaded anew."""

    def _meet(self, instance: str) -> bool:
        bound, self._is_bound = self._is_bound, False
        met = super()._meet(instance)
        self._is_bound = bound
        return met


MUTANTS: list[tuple[type[Negotiation], dict[str, Any]]] = [
    (Impolite, {"needs": 2}),
    (Polite, {"needs": 2}),
    (Forgetting, {"needs": 2}),
    (ForgettingRestarts, {"begun": True, "restarts": 1, "needs": 1}),
    (Believing, {"needs": 1, "again": 1}),
    (Careless, {"begun": True, "needs": 1, "again": 1}),
    (Hasty, {"needs": 2}),
    (SayingOnce, {"needs": 2, "lists_candidates": False}),
    (Faithful, {"begun": True, "reloads": 1}),
]


@pytest.mark.parametrize(("mutant", "scope"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_walk_finds_a_planted_fault(mutant: type[Negotiation], scope: dict[str, Any]) -> None:
    kind = NegotiatingPair if LOSSES & scope.keys() else PromptPair
    with pytest.raises((Fault, Illegal)) as caught:
        walk(lambda: kind(make=mutant, **scope), depth=10)
    print(caught.value)
    if isinstance(caught.value, Fault):  # the right machine passes that path, as far as it can be gone
        world = kind(**scope)
        for choice in caught.value.path:
            if choice in world.choices():
                world.do(choice)
        world.settle()
        world.check()
        world.check_at_rest()
