"""A negotiation's states and what leads from one to the other: one table, which the tests check and the docs draw."""

from enum import Enum, auto

from wirehop.core.table import Table


class NegotiationState(Enum):
    NEW = auto()
    STABLE = auto()
    OFFERING = auto()
    OFFERED = auto()
    COMPLETING = auto()
    TAKING = auto()
    ANSWERING = auto()
    CLOSED = auto()


class NegotiationInput(Enum):
    NEEDED = auto()
    RESTART = auto()
    OFFER = auto()
    ANSWER = auto()
    ASKED = auto()
    BYE = auto()
    DESCRIBED = auto()
    APPLIED = auto()
    FAILED = auto()
    TICK = auto()
    CLOSE = auto()


_S, _I = NegotiationState, NegotiationInput
_AWAY: dict[tuple[NegotiationState, NegotiationInput], tuple[NegotiationState, ...]] = {
    # a bye, three failures, leaving; and what replaces the peer connection in the middle of something
    **{(state, _I.BYE): (_S.NEW,) for state in _S if state not in (_S.NEW, _S.CLOSED)},
    **{(state, _I.CLOSE): (_S.CLOSED,) for state in _S if state is not _S.CLOSED},
    **{(state, _I.ASKED): (_S.OFFERING,) for state in _S if state not in (_S.OFFERING, _S.CLOSED)},
    (_S.OFFERING, _I.FAILED): (_S.CLOSED,),
    **{(state, _I.FAILED): (_S.OFFERING, _S.TAKING, _S.CLOSED) for state in (_S.COMPLETING, _S.ANSWERING)},
    **{(state, _I.ANSWER): (_S.OFFERING,) for state in (_S.STABLE, _S.TAKING, _S.ANSWERING, _S.COMPLETING)},
}
NEGOTIATION_TABLE: Table[NegotiationState, NegotiationInput] = Table(
    "negotiation",
    {
        (_S.NEW, _I.NEEDED): (_S.OFFERING,),
        (_S.NEW, _I.RESTART): (_S.OFFERING,),
        (_S.NEW, _I.OFFER): (_S.TAKING, _S.STABLE),
        (_S.STABLE, _I.NEEDED): (_S.OFFERING,),
        (_S.STABLE, _I.RESTART): (_S.OFFERING,),
        (_S.STABLE, _I.OFFER): (_S.TAKING,),
        (_S.OFFERING, _I.DESCRIBED): (_S.OFFERED,),
        (_S.OFFERING, _I.OFFER): (_S.TAKING, _S.STABLE),
        (_S.OFFERED, _I.ANSWER): (_S.COMPLETING, _S.OFFERING),
        (_S.OFFERED, _I.OFFER): (_S.TAKING, _S.STABLE, _S.OFFERING),
        (_S.OFFERED, _I.TICK): (_S.OFFERING,),
        (_S.COMPLETING, _I.APPLIED): (_S.STABLE, _S.OFFERING, _S.TAKING),
        (_S.COMPLETING, _I.OFFER): (_S.TAKING, _S.STABLE),
        (_S.TAKING, _I.APPLIED): (_S.ANSWERING,),
        (_S.TAKING, _I.OFFER): (_S.STABLE,),
        (_S.TAKING, _I.FAILED): (_S.OFFERING, _S.CLOSED),
        (_S.ANSWERING, _I.DESCRIBED): (_S.STABLE, _S.OFFERING, _S.TAKING),
        (_S.ANSWERING, _I.OFFER): (_S.TAKING, _S.STABLE),
        **_AWAY,
    },
)
"""What changes the state. Any other input leaves it as it is: what is done to a peer connection ends when it likes, and
what the other side says may be stale."""
