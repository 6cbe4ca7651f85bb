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
_WORKING = (_S.OFFERING, _S.OFFERED, _S.COMPLETING, _S.TAKING, _S.ANSWERING)
_AFTER_FAILURE = (_S.OFFERING, _S.TAKING, _S.CLOSED)
NEGOTIATION_TABLE: Table[NegotiationState, NegotiationInput] = Table(
    "negotiation",
    {
        **{(state, _I.NEEDED): (_S.OFFERING,) for state in (_S.NEW, _S.STABLE)},
        **{(state, _I.RESTART): (_S.OFFERING,) for state in (_S.NEW, _S.STABLE)},
        **{(state, given): (state,) for state in (*_WORKING, _S.CLOSED) for given in (_I.NEEDED, _I.RESTART)},
        (_S.STABLE, _I.RESTART): (_S.OFFERING, _S.STABLE),
        (_S.STABLE, _I.NEEDED): (_S.OFFERING, _S.STABLE),
        (_S.NEW, _I.OFFER): (_S.NEW, _S.TAKING, _S.STABLE),
        (_S.STABLE, _I.OFFER): (_S.STABLE, _S.TAKING),
        (_S.OFFERING, _I.OFFER): (_S.OFFERING, _S.TAKING, _S.STABLE),
        (_S.OFFERED, _I.OFFER): (_S.OFFERED, _S.OFFERING, _S.TAKING, _S.STABLE),
        **{(state, _I.OFFER): (state, _S.TAKING, _S.STABLE) for state in (_S.COMPLETING, _S.ANSWERING)},
        (_S.TAKING, _I.OFFER): (_S.TAKING, _S.STABLE),
        **{(state, _I.ANSWER): (state,) for state in _S if state is not _S.OFFERED},
        (_S.OFFERED, _I.ANSWER): (_S.OFFERED, _S.COMPLETING),
        (_S.NEW, _I.ASKED): (_S.NEW, _S.OFFERING),
        (_S.STABLE, _I.ASKED): (_S.STABLE, _S.OFFERING),
        **{(state, _I.ASKED): (state, _S.OFFERING) for state in _WORKING if state is not _S.OFFERING},
        (_S.OFFERING, _I.ASKED): (_S.OFFERING,),
        **{(state, _I.BYE): (state, _S.NEW) for state in (_S.STABLE, *_WORKING)},
        (_S.NEW, _I.BYE): (_S.NEW,),
        **{(_S.CLOSED, given): (_S.CLOSED,) for given in (_I.OFFER, _I.ASKED, _I.BYE)},
        **{(state, _I.DESCRIBED): (state,) for state in _S if state not in (_S.OFFERING, _S.ANSWERING)},
        (_S.OFFERING, _I.DESCRIBED): (_S.OFFERED, _S.OFFERING),
        (_S.ANSWERING, _I.DESCRIBED): (_S.STABLE, _S.OFFERING, _S.TAKING, _S.ANSWERING),
        **{(state, _I.APPLIED): (state,) for state in _S if state not in (_S.COMPLETING, _S.TAKING)},
        (_S.COMPLETING, _I.APPLIED): (_S.STABLE, _S.OFFERING, _S.TAKING, _S.COMPLETING),
        (_S.TAKING, _I.APPLIED): (_S.ANSWERING, _S.TAKING),
        **{(state, _I.FAILED): (state,) for state in (_S.NEW, _S.STABLE, _S.OFFERED, _S.CLOSED)},
        **{(state, _I.FAILED): (state, *_AFTER_FAILURE) for state in (_S.COMPLETING, _S.ANSWERING)},
        **{(state, _I.FAILED): _AFTER_FAILURE for state in (_S.OFFERING, _S.TAKING)},
        **{(state, _I.TICK): (state,) for state in _S if state is not _S.OFFERED},
        (_S.OFFERED, _I.TICK): (_S.OFFERED, _S.OFFERING),
        **{(state, _I.CLOSE): (_S.CLOSED,) for state in _S},
    },
)
