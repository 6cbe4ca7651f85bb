"""The exceptions of wirehop.

    WirehopError
    ├── LocalProtocolError     a machine was called in a state in which that call makes no sense; nothing changed
    ├── BadMessage             bytes of a peer that are not the protocol; carries the code to close with
    ├── Refused                somebody may not do something; carries a code of the table
    ├── PayloadError           what somebody wants to publish is not a payload
    └── SettingsError          a setting is unknown, malformed or contradicts another

Each holds its data as attributes. The text says what happened, which limit, and what to do.
"""

from wirehop.core.codes import BAD_REQUEST, BAD_REQUEST_CLOSE, PERMISSION_DENIED, Code


class WirehopError(Exception):
    """Anything wirehop raises on purpose."""


class LocalProtocolError(WirehopError):
    """A call that makes no sense in the machine's state. `machine`, `state` and `call` say which."""

    def __init__(self, machine: str, state: str, call: str) -> None:
        super().__init__(f"{machine} in state {state} does not take {call}")
        self.machine = machine
        self.state = state
        self.call = call


class BadMessage(WirehopError):
    """A peer sent what is not the protocol. `code` is the disconnect code, `reason` the sentence for the log."""

    def __init__(self, reason: str, code: Code = BAD_REQUEST_CLOSE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Refused(WirehopError):
    """Raise it in a handler to refuse: `code` (an error or, to end the session, a disconnect), and an own `message`.

    Without a code: 103, permission denied. An application's own disconnect numbers are 4000–4499 (may reconnect) and
    4500–4999 (final).
    """

    def __init__(self, code: Code = PERMISSION_DENIED, message: str = "") -> None:
        super().__init__(f"{code.number} {message or code.text}")
        self.code = code
        self.message = message or code.text


class PayloadError(Refused):
    """What was given is not a payload. Code 107."""

    def __init__(self, message: str) -> None:
        super().__init__(BAD_REQUEST, message)


class SettingsError(WirehopError):
    """A setting cannot be used. `key` names it, `origin` says where it came from."""

    def __init__(self, message: str, *, key: str = "", origin: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.origin = origin
