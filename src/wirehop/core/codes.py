"""The one table of codes: errors in replies, ends of subscriptions, ends of sessions.

Numbers follow the Centrifuge client protocol where the meaning is the same. A client decides from the code alone
whether to try again, so each row says so. `docs/codes.md` and the TypeScript enum are made from this table.

It knows numbers and words. It does not know who sends them.
"""

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """Where a code travels."""

    ERROR = "error"  # in the reply to one command
    UNSUBSCRIBE = "unsubscribe"  # in the push that ends one subscription
    DISCONNECT = "disconnect"  # in the close frame or the push that ends a wire


class Retry(StrEnum):
    """What a client may do after a code."""

    TEMPORARY = "temporary"  # the same command may succeed a moment later
    RECONNECT = "reconnect"  # connect (or subscribe) again, from the last position
    FINAL = "final"  # the same again will fail again


class Code(Struct, frozen=True, gc=False):
    """One row: `number` on the wire, `name` for programs, `text` for people."""

    number: int
    name: str
    text: str
    kind: Kind
    retry: Retry


def _error(number: int, name: str, text: str, retry: Retry = Retry.FINAL) -> Code:
    return Code(number, name, text, Kind.ERROR, retry)


INTERNAL = _error(100, "internal", "internal error", Retry.TEMPORARY)
UNAUTHORIZED = _error(101, "unauthorized", "unauthorized")
UNKNOWN_CHANNEL = _error(102, "unknown_channel", "unknown channel")
PERMISSION_DENIED = _error(103, "permission_denied", "permission denied")
METHOD_NOT_FOUND = _error(104, "method_not_found", "method not found")
ALREADY_SUBSCRIBED = _error(105, "already_subscribed", "already subscribed")
LIMIT_EXCEEDED = _error(106, "limit_exceeded", "limit exceeded")
BAD_REQUEST = _error(107, "bad_request", "bad request")
NOT_AVAILABLE = _error(108, "not_available", "not available")
TOKEN_EXPIRED = _error(109, "token_expired", "token expired")
EXPIRED = _error(110, "expired", "expired")
TOO_MANY_REQUESTS = _error(111, "too_many_requests", "too many requests", Retry.TEMPORARY)
UNRECOVERABLE_POSITION = _error(112, "unrecoverable_position", "unrecoverable position")
OUTCOME_UNKNOWN = _error(120, "outcome_unknown", "the outcome of this command is not known")

UNSUBSCRIBED = Code(2000, "unsubscribed", "unsubscribed by the server", Kind.UNSUBSCRIBE, Retry.FINAL)
INSUFFICIENT_STATE = Code(
    2500,
    "insufficient_state",
    "publications were missed and could not be recovered",
    Kind.UNSUBSCRIBE,
    Retry.RECONNECT,
)
SUBSCRIPTION_EXPIRED = Code(2501, "subscription_expired", "subscription expired", Kind.UNSUBSCRIBE, Retry.RECONNECT)


def _reconnect(number: int, name: str, text: str) -> Code:
    return Code(number, name, text, Kind.DISCONNECT, Retry.RECONNECT)


def _final(number: int, name: str, text: str) -> Code:
    return Code(number, name, text, Kind.DISCONNECT, Retry.FINAL)


CLOSED = _reconnect(3000, "closed", "connection closed")
SHUTDOWN = _reconnect(3001, "shutdown", "server is shutting down")
SERVER_ERROR = _reconnect(3004, "server_error", "internal server error")
CONNECTION_EXPIRED = _reconnect(3005, "connection_expired", "connection expired")
SUBSCRIPTION_EXPIRED_CLOSE = _reconnect(3006, "subscription_expired_close", "subscription expired")
SLOW = _reconnect(3008, "slow", "slow consumer")
WRITE_ERROR = _reconnect(3009, "write_error", "write error")
INSUFFICIENT_STATE_CLOSE = _reconnect(3010, "insufficient_state_close", "insufficient state")
FORCE_RECONNECT = _reconnect(3011, "force_reconnect", "force reconnect")
NO_PONG = _reconnect(3012, "no_pong", "no answer to a ping")
TOO_MANY_REQUESTS_CLOSE = _reconnect(3013, "too_many_requests_close", "too many requests")
INVALID_TOKEN = _final(3500, "invalid_token", "invalid token")
BAD_REQUEST_CLOSE = _final(3501, "bad_request_close", "bad request")
STALE = _final(3502, "stale", "no connect command in time")
FORCE_DISCONNECT = _final(3503, "force_disconnect", "force disconnect")
CONNECTION_LIMIT = _final(3504, "connection_limit", "connection limit")
CHANNEL_LIMIT = _final(3505, "channel_limit", "channel limit")
INAPPROPRIATE_PROTOCOL = _final(3506, "inappropriate_protocol", "inappropriate protocol")
PERMISSION_DENIED_CLOSE = _final(3507, "permission_denied_close", "permission denied")
NOT_AVAILABLE_CLOSE = _final(3508, "not_available_close", "not available")
TOO_MANY_ERRORS = _final(3509, "too_many_errors", "too many errors")
SUPERSEDED = _final(3600, "superseded", "this wire was superseded by a newer one of the same session")

TABLE: tuple[Code, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Code))
_BY_NUMBER = {code.number: code for code in TABLE}


def find(number: int) -> Code | None:
    """The row with this number; None if the table lacks it (an application's own 4000–4999, say)."""
    return _BY_NUMBER.get(number)


def may_reconnect(number: int) -> bool:
    """Whether a client that was disconnected with `number` may connect again.

    The ranges are those of the protocol: 3000–3499 and 4000–4499 reconnect, 3500–3999 and 4500–4999 are final;
    anything else (a plain WebSocket close such as 1006) is a lost wire, so it reconnects.
    """
    return not (3500 <= number <= 3999 or 4500 <= number <= 4999)
