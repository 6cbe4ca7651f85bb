"""How two participants agree on a connection, whoever begins: perfect negotiation, of one pair, on one side.

Theory. Either side may offer at any time. Where two offers cross (glare), the *polite* side gives its own up, takes the
other's, and offers again; the *impolite* side ignores what it got. Polite is whose id is the greater. A side that is
*fixed* can neither roll back nor restart: it is impolite, and where both are, the polite one takes a fresh peer
connection instead.

Every offer has a *generation*: greater than all before it in the pair, odd from whose id is the lesser, even from the
other, so that an offer, its answer and their candidates cannot be taken for those of another. What is not newer than
what was heard is dropped. A peer connection is bound to one of the other side, by the first description it takes; each
has an *instance*. An offer without `to` goes with any fresh peer connection; one with `to` goes on with that one.
Where the other side is a new instance (a reload, a failure), a peer connection that was bound is replaced too; who gets
an offer that was not made for its peer connection asks for one with `restart`.

An offer that is not answered within 10 s, doubling to 160, is made again. What the other side says is in order and
not lost while its session lives; it may be late, and it may come twice.

    NEW        ─needed→   OFFERING ─described→ OFFERED ─answer→ COMPLETING ─applied→ STABLE
    NEW,STABLE ─offer→    TAKING   ─applied→   ANSWERING ─described→ STABLE
    OFFERING, OFFERED ─offer→ TAKING (polite) · the same (impolite)
    any        ─bye→      NEW;   any ─close→ CLOSED;   failed three times → CLOSED
"""

from collections import Counter
from collections.abc import Callable

from msgspec import UNSET, structs

from wirehop.rtc.pure.candidates import OurCandidates, TheirCandidates, Waiting
from wirehop.rtc.pure.generations import Generations
from wirehop.rtc.pure.negotiation_states import NegotiationState
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
    StateChanged,
)
from wirehop.rtc.pure.wishes import Wishes

MOST_FAILURES = 3
"""Descriptions that could not be made or set, one after the other, before the pair gives up."""
PAST_INSTANCES = 16
"""Replaced peer connections of the other side whose late words are known as such."""

_S = NegotiationState
_BUSY = (_S.OFFERING, _S.TAKING, _S.ANSWERING, _S.COMPLETING)


class Negotiation:
    """One side of a pair. `me` and `peer` are the participants' ids; `new_instance` makes the id of a peer connection,
    a random one; `is_fixed`: this side can neither roll back nor restart.

    What it wants done is to be done in order, one after the other; a number that is no longer the newest may be
    reported all the same, and is ignored. `dropped` counts what came and was not used, by reason: `stale`, `ignored`
    (an offer that lost a glare), `bad` (no generation of the other side), `full` (too many candidates), `foreign` (own
    candidates of a description that is gone).
    """

    def __init__(self, me: str, peer: str, *, new_instance: Callable[[], str], is_fixed: bool = False) -> None:
        self.state = NegotiationState.NEW
        self.is_fixed = is_fixed
        self.generation = 0  # of what both agreed on last
        self.dropped: Counter[str] = Counter()
        self._new_instance = new_instance
        self._is_greater = me > peer
        self._is_peer_fixed = False
        self._mine = ""  # our peer connection
        self._theirs = ""  # the other side's, as far as is known
        self._past: list[str] = []
        self._is_bound = False  # ours has taken a description of theirs
        self._number = 0
        self._offers = Generations(is_greater=self._is_greater)
        self._taken = 0  # of the remote description that is set, or being set
        self._local = 0  # of the local description that was said last; 0: there is none
        self._queued: Signal | None = None
        self._wishes = Wishes()
        self._failures = 0
        self._ours = OurCandidates()
        self._waiting = TheirCandidates()
        self._told = ("new", 0)
        self._out: list[NegotiationOutput] = []

    # ---- what drives it ----------------------------------------------------------------------------------------------

    def take(self) -> list[NegotiationOutput]:
        """What is to be done since the last call, in order."""
        told = (self._words, self.generation)
        if told != self._told:
            self._told = told
            self._out.append(StateChanged(*told))
        out, self._out = self._out, []
        return out

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        return self._wishes.due

    def needed(self, now: float) -> None:
        """Tracks or data channels have changed: an offer made from now on has to go out."""
        if self.state is not _S.CLOSED:
            self._wishes.is_needed = True
            self._go_on(now)

    def restart(self, now: float) -> None:
        """The connection is broken: find new paths. Towards a fixed side, and from one, by a new peer connection."""
        if self.state is not _S.CLOSED:
            self._wishes.wants_restart = True
            self._go_on(now)

    def tick(self, now: float) -> None:
        """Time has passed: what was not answered is said again."""
        if self._wishes.due is None or now < self._wishes.due:
            return
        self._wishes.due = None
        if self.state is _S.OFFERED:
            self._offer_again()
        elif self._wishes.asked >= 0:
            self._ask(now)

    def close(self) -> None:
        """We leave."""
        if self.state is _S.CLOSED:
            return
        self._end("closed")

    # ---- what the other side says ------------------------------------------------------------------------------------

    def received(self, signal: Signal, now: float) -> None:
        """A signal has come."""
        if self.state is _S.CLOSED or signal.instance in self._past or not signal.instance:
            self.dropped["stale"] += 1
            return
        self._is_peer_fixed = self._is_peer_fixed or signal.fixed
        if signal.bye:
            self._left(signal)
        elif signal.offer:
            self._offered(signal, now)
        elif signal.answer:
            self._answered(signal, now)
        elif signal.restart:
            self._was_asked(signal, now)
        elif signal.candidate is not UNSET:
            self._add(signal.instance, signal.gen, signal.candidate)
        else:
            self.dropped["bad"] += 1

    def _offered(self, signal: Signal, now: float) -> None:
        if not self._offers.is_of_theirs(signal.gen):
            self.dropped["bad"] += 1
            return
        if signal.to and signal.to != self._mine:
            self._offered_elsewhere(signal, now)
            return
        is_another = self._meet(signal.instance)
        if not self._offers.is_new(signal.gen):
            self.dropped["stale"] += 1
            return
        if self.state in (_S.NEW, _S.STABLE):
            self._take(signal)
        elif self.state not in (_S.OFFERING, _S.OFFERED):
            self.dropped["stale"] += self._queued is not None
            self._queued = signal
        elif self._is_polite:
            self._give_way(signal, now)
        else:
            self.dropped["ignored"] += 1
            if is_another and not signal.to and self.state is _S.OFFERED:
                self._offer_again()  # it went to the one before

    def _offered_elsewhere(self, signal: Signal, now: float) -> None:
        """The offer goes on with a peer connection of ours that is gone: the other side has to begin anew."""
        self.dropped["stale"] += 1
        self._meet(signal.instance)
        if self.state in (_S.NEW, _S.STABLE) and self._wishes.asked < 0:
            self._ask(now)

    def _give_way(self, signal: Signal, now: float) -> None:
        self._give_up_offer()
        self.state = _S.STABLE
        if not self.is_fixed:
            self._take(signal)
            return
        self._open()
        if signal.to:
            self._ask(now)  # made for what we have just dropped
        else:
            self._take(signal)

    def _answered(self, signal: Signal, now: float) -> None:
        is_other = self._is_bound and signal.instance != self._theirs
        if self.state is _S.OFFERED and signal.gen == self._offers.made and signal.of == self._mine and not is_other:
            self._meet(signal.instance)
            self._is_bound, self._taken, self._wishes.due = True, signal.gen, None
            self.state = _S.COMPLETING
            self._out.append(Apply(self._next_number(), "answer", signal.answer))
            return
        self.dropped["stale"] += 1
        if is_other and signal.of == self._mine:  # it has taken an offer that we gave up for one of its predecessor
            self._meet(signal.instance)
            self._wishes.is_needed = True
            self._go_on(now)

    def _was_asked(self, signal: Signal, now: float) -> None:
        is_another = self._meet(signal.instance)
        if self._is_bound and (signal.gen < self._offers.of_these_two or self._wishes.offers_restart):
            self.dropped["stale"] += 1  # a newer offer is on its way, or was agreed on
        elif self._is_bound:
            self._wishes.wants_restart = True
            self._go_on(now)
        elif self.state is _S.OFFERED and is_another:
            self._offer_again()
        elif self.state in (_S.NEW, _S.STABLE):
            self._wishes.is_needed = True
            self._go_on(now)
        else:
            self.dropped["stale"] += 1  # our offer is under way

    def _left(self, signal: Signal) -> None:
        self._past_is(signal.instance)
        if signal.instance != self._theirs:
            return
        self._theirs = ""
        self._offers.meet_another()
        if self._mine:
            self._out.append(Close("bye"))
        self._drop()
        self._wishes.drop()
        self._mine, self._failures = "", 0
        self.state = _S.NEW

    def _add(self, instance: str, gen: int, candidate: Candidate | None) -> None:
        is_theirs = instance == self._theirs
        is_taken = is_theirs and self._is_bound and gen == self._taken
        if is_taken and self.state not in (_S.TAKING, _S.COMPLETING):
            self._out.append(AddCandidate(candidate))
        elif not is_taken and not self._may_come(gen, is_theirs=is_theirs):
            self.dropped["ignored" if is_theirs and gen == self._offers.heard else "stale"] += 1
        elif not self._waiting.add(Waiting(instance, gen, candidate)):
            self.dropped["full"] += 1

    def _may_come(self, gen: int, *, is_theirs: bool) -> bool:
        """Whether a description of that generation may still be taken."""
        if self._queued is not None and is_theirs and gen == self._queued.gen:
            return True
        if self._offers.is_of_theirs(gen):
            return gen > self._offers.heard or not is_theirs
        return self.state is _S.OFFERED and gen == self._offers.made

    # ---- what was done -----------------------------------------------------------------------------------------------

    def described(self, number: int, sdp: str, now: float) -> None:
        """The offer or answer that was asked for with `number` is the local description now."""
        if number != self._number or self.state not in (_S.OFFERING, _S.ANSWERING):
            return
        if self.state is _S.OFFERING:
            self._local = self._offers.make(self.generation)
            self._wishes.wait(now)
            self.state = _S.OFFERED
            self._send(Signal(self._mine, self._local, offer=sdp, to=self._theirs if self._is_bound else ""))
            self._say_candidates(sdp)
        else:
            self._local = self._taken
            self._send(Signal(self._mine, self._taken, answer=sdp, of=self._theirs))
            self._say_candidates(sdp)
            self._agreed(now)

    def applied(self, number: int, now: float) -> None:
        """The remote description is set."""
        if number != self._number or self.state not in (_S.TAKING, _S.COMPLETING):
            return
        found, gone = self._waiting.take(self._theirs, self._taken)
        self.dropped["stale"] += gone
        self._out += [AddCandidate(candidate) for candidate in found]
        if self.state is _S.TAKING:
            self.state = _S.ANSWERING
            self._out.append(MakeAnswer(self._next_number()))
        else:
            self._wishes.offers_restart = False
            self._agreed(now)

    def failed(self, number: int, now: float) -> None:
        """What was asked for with `number` cannot be done: a new peer connection, and an offer of ours; the third time
        in a row the pair is given up."""
        if number != self._number or self.state not in _BUSY:
            return
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._end("failed")
            return
        if self.state in (_S.OFFERING, _S.COMPLETING):
            self._give_up_offer()
        queued = self._queued
        self._open()
        self.state = _S.STABLE
        self._wishes.is_needed = True
        if queued is not None and not queued.to:
            self._queued = queued
        self._go_on(now)

    def candidate(self, candidate: Candidate | None) -> None:
        """Our peer connection has found a candidate, of its newest local description; None: there are no more."""
        if self.state is _S.CLOSED or not self._mine:
            return
        is_making = self.state in (_S.OFFERING, _S.ANSWERING)
        if candidate is None and not self._local and not is_making:
            self.dropped["foreign"] += 1  # of an offer that was given up
            return
        self.dropped["full"] += self._ours.remember(candidate)
        if is_making or not self._local or not self._ours.belongs(candidate):
            return  # it goes with the next description, if it is of that
        self._ours.said()
        self._send(Signal(self._mine, self._local, candidate=candidate))

    # ---- inside ------------------------------------------------------------------------------------------------------

    @property
    def _words(self) -> str:
        if self.state in (_S.NEW, _S.CLOSED):
            return self.state.name.lower()
        return "stable" if self.state is _S.STABLE and self._is_bound else "negotiating"

    @property
    def _is_polite(self) -> bool:
        return self._is_greater if self.is_fixed == self._is_peer_fixed else self._is_peer_fixed

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _go_on(self, now: float) -> None:
        """At rest, do what is still to be done."""
        if self.state not in (_S.NEW, _S.STABLE):
            return
        queued, self._queued = self._queued, None
        if queued is not None:
            self._take(queued)
        elif self._wishes.wants_restart and self._is_bound and self._is_peer_fixed and not self.is_fixed:
            if self._wishes.asked < self._offers.known:
                self._ask(now)
        elif self._wishes.is_any:
            self._offer()

    def _offer(self) -> None:
        if self.state is _S.NEW or (self.is_fixed and self._wishes.wants_restart and self._is_bound):
            self._open()
        self.state = _S.OFFERING
        restarts = self._wishes.offer(is_bound=self._is_bound)
        self._out.append(MakeOffer(self._next_number(), restarts))

    def _offer_again(self) -> None:
        self._give_up_offer()
        self._offer()

    def _give_up_offer(self) -> None:
        """What it was for is still needed."""
        self._wishes.give_up_offer()
        self._local = 0
        self._number += 1

    def _take(self, signal: Signal) -> None:
        if self.state is _S.NEW:
            self._open()
        self._is_bound, self._taken = True, signal.gen
        self._wishes.rest()
        self.state = _S.TAKING
        self._out.append(Apply(self._next_number(), "offer", signal.offer))

    def _agreed(self, now: float) -> None:
        self.generation = self._taken
        self._failures = 0
        self._wishes.agreed()
        self.state = _S.STABLE
        self._go_on(now)

    def _ask(self, now: float) -> None:
        """Ask the other side for a restart, with what is the newest generation to us."""
        if self.state is _S.NEW:
            self._open()
            self.state = _S.STABLE
        self._wishes.asked = self._offers.known
        self._wishes.wait(now)
        self._send(Signal(self._mine, self._offers.known, restart=True))

    def _meet(self, instance: str) -> bool:
        """The other side's peer connection is this one; whether it takes the place of another."""
        if instance == self._theirs:
            return False
        before, self._theirs = self._theirs, instance
        self._offers.meet_another()
        if before:
            self._past_is(before)
        if self._is_bound:
            if self.state in (_S.OFFERING, _S.OFFERED, _S.COMPLETING):
                self._give_up_offer()
            self._open()
            self.state = _S.STABLE
        return bool(before)

    def _past_is(self, instance: str) -> None:
        self._past = [*self._past, instance][-PAST_INSTANCES:]
        self.dropped["stale"] += self._waiting.forget(instance)

    def _open(self) -> None:
        self._drop()
        self._mine = self._new_instance()
        self._wishes.restarted()
        self._out.append(Open(self._mine))

    def _drop(self) -> None:
        """What belongs to our peer connection goes with it."""
        self._ours.clear()
        self._wishes.rest()
        self._queued, self._is_bound = None, False
        self._taken = self._local = self._offers.sent = 0
        self._number += 1

    def _end(self, reason: str) -> None:
        if self._mine:
            self._send(Signal(self._mine, bye=True))
            self._out.append(Close(reason))
        self._drop()
        self.state = _S.CLOSED

    def _send(self, signal: Signal) -> None:
        self._out.append(Send(structs.replace(signal, fixed=True) if self.is_fixed else signal))

    def _say_candidates(self, sdp: str) -> None:
        again, gone = self._ours.described(sdp)
        self.dropped["foreign"] += gone
        for candidate in again:
            self._send(Signal(self._mine, self._local, candidate=candidate))
