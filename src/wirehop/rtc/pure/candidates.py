"""The candidates of a pair: theirs that wait for their description, and ours that may have to be said again.

It knows generations and descriptions. It does not know which of them are stale: that is the negotiation's matter.
"""

from msgspec import Struct

from wirehop.rtc.pure.signals import WAITING_CANDIDATES, WAITING_IN_ALL, Candidate


class Waiting(Struct, frozen=True):
    """A candidate of peer connection `instance` that waits for the description of generation `gen`."""

    instance: str
    gen: int
    candidate: Candidate | None


class TheirCandidates:
    """Candidates that have come before their description was set: 64 of one generation, 192 in all, then no more."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting) -> bool:
        """Let it wait. False: there are too many."""
        same = sum(each.instance == waiting.instance and each.gen == waiting.gen for each in self._waiting)
        if same >= WAITING_CANDIDATES or len(self._waiting) >= WAITING_IN_ALL:
            return False
        self._waiting.append(waiting)
        return True

    def take(self, instance: str, gen: int) -> tuple[list[Candidate | None], int]:
        """Those of a description that is set now, in order; and how many older ones of that instance went."""
        found = [each.candidate for each in self._waiting if each.instance == instance and each.gen == gen]
        kept = [each for each in self._waiting if each.instance != instance or each.gen > gen]
        gone = len(self._waiting) - len(kept) - len(found)
        self._waiting = kept
        return found, gone

    def forget(self, instance: str) -> int:
        """What a peer connection that is gone has said; how many."""
        kept = [each for each in self._waiting if each.instance != instance]
        gone, self._waiting = len(self._waiting) - len(kept), kept
        return gone


class OurCandidates:
    """Candidates of our peer connection: 64, then the oldest is forgotten.

    They are remembered because a description may take the place of one that the other side has ignored, and with it
    its candidates. Those that stand in the new description are not said again.
    """

    def __init__(self) -> None:
        self._known: list[Candidate] = []
        self._ended = False  # no more are coming, and that was not said yet
        self._sdp = ""

    def clear(self) -> None:
        """The peer connection is another one."""
        self._known, self._ended, self._sdp = [], False, ""

    def remember(self, candidate: Candidate | None) -> int:
        """It will be said with the next description if it belongs to that; how many were forgotten for it."""
        if candidate is None:
            self._ended = True
            return 0
        self._known.append(candidate)
        gone = len(self._known) - WAITING_CANDIDATES
        if gone > 0:
            del self._known[:gone]
        return max(gone, 0)

    def belongs(self, candidate: Candidate | None) -> bool:
        """Whether it is of the local description that was said last."""
        return candidate is None or candidate.is_of(self._sdp)

    def said(self) -> None:
        """That there are no more was said."""
        self._ended = False

    def described(self, sdp: str) -> tuple[list[Candidate | None], int]:
        """There is a new local description: what to say after it, and how many belonged to an older one."""
        self._sdp = sdp
        kept = [each for each in self._known if each.is_of(sdp)]
        gone, self._known = len(self._known) - len(kept), kept
        again: list[Candidate | None] = [each for each in kept if not each.stands_in(sdp)]
        if self._ended:
            again.append(None)
            self._ended = False
        return again, gone
