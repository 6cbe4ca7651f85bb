"""A session's states and what leads from one to the other: one table, which the tests enumerate and the docs draw."""

from enum import Enum, auto

from wirehop.core.table import Table


class SessionState(Enum):
    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


class SessionInput(Enum):
    CONNECT = auto()
    ADMIT = auto()
    COMMAND = auto()
    END = auto()


_S, _I = SessionState, SessionInput
SESSION_TABLE: Table[SessionState, SessionInput] = Table(
    "session",
    {
        (_S.NEW, _I.CONNECT): (_S.CONNECTING,),
        (_S.NEW, _I.COMMAND): (_S.CLOSED,),
        (_S.NEW, _I.END): (_S.CLOSED,),
        (_S.CONNECTING, _I.ADMIT): (_S.CONNECTED,),
        (_S.CONNECTING, _I.COMMAND): (_S.CONNECTING, _S.CLOSED),
        (_S.CONNECTING, _I.END): (_S.CLOSED,),
        (_S.CONNECTED, _I.COMMAND): (_S.CONNECTED, _S.CLOSED),
        (_S.CONNECTED, _I.END): (_S.CLOSED,),
        (_S.CLOSED, _I.COMMAND): (_S.CLOSED,),
        (_S.CLOSED, _I.END): (_S.CLOSED,),
    },
)
