"""What two participants say to each other about their connection, and what a negotiation wants done.

A `Signal` travels as JSON inside of `rtc.signal`; docs/rtc.md describes it. It knows no room and no server.
"""

from msgspec import UNSET, Struct, UnsetType

MOST_GENERATION = 2**31
"""A generation above it is no generation."""
WAITING_CANDIDATES = 64
"""Candidates of one generation that wait for their description, and local ones that are remembered, at most."""
WAITING_IN_ALL = 192
"""Candidates that wait at a time, of all generations."""


def _lines(sdp: str) -> list[str]:
    return sdp.replace("\r", "\n").split("\n")


class Candidate(
    Struct,
    frozen=True,
    rename={"mid": "sdpMid", "line": "sdpMLineIndex", "fragment": "usernameFragment"},
    omit_defaults=True,
):
    """An ICE candidate, as a browser's `RTCIceCandidate.toJSON()` has it."""

    candidate: str
    mid: str | None = None
    line: int | None = None
    fragment: str | None = None

    def is_of(self, sdp: str) -> bool:
        """Whether it belongs to a description: by its username fragment, if it says one."""
        return not self.fragment or f"a=ice-ufrag:{self.fragment}" in _lines(sdp)

    def stands_in(self, sdp: str) -> bool:
        """Whether the description has it already."""
        return bool(self.candidate) and f"a={self.candidate}" in _lines(sdp)


class Signal(Struct, frozen=True, omit_defaults=True):
    """One of: an offer, an answer, a candidate (None: there are no more), a wish for a restart, a goodbye.

    `instance` is the sender's peer connection. `gen` is the generation of the offer or answer, or the one that a
    candidate belongs to, or the newest that who asks for a restart knows. `of`, of an answer: the peer connection that
    offered. `to`, of an offer: the peer connection that it goes on with; none if it goes with any that is fresh.
    `fixed`: the sender can neither roll back nor restart.
    """

    instance: str
    gen: int = 0
    offer: str = ""
    answer: str = ""
    of: str = ""
    to: str = ""
    candidate: Candidate | UnsetType | None = UNSET
    restart: bool = False
    bye: bool = False
    fixed: bool = False


class Open(Struct, frozen=True):
    """Make a new peer connection, `instance`, and drop the one before it, if there is one."""

    instance: str


class MakeOffer(Struct, frozen=True):
    """Make an offer, set it as the local description, and say `described(number, …)`. `restart`: with fresh ICE."""

    number: int
    restart: bool = False


class MakeAnswer(Struct, frozen=True):
    """The same with an answer."""

    number: int


class Apply(Struct, frozen=True):
    """Set the remote description, rolling back an own offer where there is one, and say `applied(number)`. `type` is
    `offer` or `answer`."""

    number: int
    type: str
    sdp: str


class AddCandidate(Struct, frozen=True):
    """A candidate of the other side, of the remote description that is set. None: there are no more."""

    candidate: Candidate | None


class Send(Struct, frozen=True):
    """Say it to the other participant. What is sent arrives in this order, or the participant is gone."""

    signal: Signal


class Close(Struct, frozen=True):
    """Drop the peer connection. `reason` is `closed` (as asked), `bye` (the other side left) or `failed`."""

    reason: str


class StateChanged(Struct, frozen=True):
    """`state` is `new`, `negotiating`, `stable` or `closed`; `gen` the generation both sides agreed on last."""

    state: str
    gen: int


NegotiationOutput = Open | MakeOffer | MakeAnswer | Apply | AddCandidate | Send | Close | StateChanged
