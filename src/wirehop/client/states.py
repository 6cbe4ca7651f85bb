"""The client's states and what leads from one to the other: one table, which the tests enumerate and the docs draw."""

from enum import Enum, auto

from wirehop.core.table import Table


class ClientState(Enum):
    IDLE = auto()
    OPENING = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    WAITING = auto()
    CLOSED = auto()


class ClientInput(Enum):
    CONNECT = auto()
    OPENED = auto()
    ADMITTED = auto()
    LOST = auto()
    RETRY = auto()
    CLOSE = auto()


_S, _I = ClientState, ClientInput
CLIENT_TABLE: Table[ClientState, ClientInput] = Table(
    "client",
    {
        (_S.IDLE, _I.CONNECT): (_S.OPENING,),
        (_S.OPENING, _I.OPENED): (_S.CONNECTING,),
        (_S.OPENING, _I.LOST): (_S.WAITING, _S.CLOSED),
        (_S.CONNECTING, _I.ADMITTED): (_S.CONNECTED,),
        (_S.CONNECTING, _I.LOST): (_S.WAITING, _S.CLOSED),
        (_S.CONNECTED, _I.OPENED): (_S.CONNECTED,),  # a wire beside the current one
        (_S.CONNECTED, _I.ADMITTED): (_S.CONNECTED,),
        (_S.CONNECTED, _I.LOST): (_S.WAITING, _S.CLOSED, _S.CONNECTED, _S.OPENING, _S.CONNECTING),
        (_S.WAITING, _I.RETRY): (_S.OPENING,),
        **{(state, _I.CLOSE): (_S.CLOSED,) for state in _S},
    },
)
