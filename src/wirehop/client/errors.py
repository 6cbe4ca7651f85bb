"""What can go wrong for who uses the client, as exceptions that carry the code.

WirehopError └── ClientError          code, reason ├── RequestFailed    a publish, rpc, history … was answered
with an error; is_temporary: it may succeed a moment later ├── SubscriptionEnded  the server ended (or never
granted) a subscription; channel ├── ClientClosed     the client is closed for good, or did not connect in the
time it was given └── AddressError     the URL cannot be used (and two that stay inside: HttpError, WireLost)
"""

from wirehop.core import codes
from wirehop.core.errors import WirehopError
from wirehop.core.messages import Error


class ClientError(WirehopError):
    """`code` is a number of the table (docs/codes.md) or an application's own, `reason` the sentence that came with
    it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})" if code else reason)
        self.code = code
        self.reason = reason


class RequestFailed(ClientError):
    """The answer to a request was an error. 120: the wire was lost before the answer, so nobody knows whether it was
    done."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.code, error.message)
        self.is_temporary = error.temporary


class SubscriptionEnded(ClientError):
    """Nothing more will come of this subscription."""

    def __init__(self, channel: str, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.channel = channel


class ClientClosed(ClientError):
    """The client will not connect (again)."""


class AddressError(ClientError):
    """The URL of the server is not one."""

    def __init__(self, reason: str) -> None:
        super().__init__(codes.BAD_REQUEST.number, reason)


class HttpError(ClientError):
    """No whole HTTP answer came: the connection failed, took too long, or carried what is not HTTP."""

    def __init__(self, reason: str) -> None:
        super().__init__(0, reason)


class WireLost(ClientError):
    """A wire ended. With code 0 or below 3500 the client may connect again."""
