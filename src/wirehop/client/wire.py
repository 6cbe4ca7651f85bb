"""What a wire of the client is: one connection, once.

A wire carries commands up and replies down, and says when it is lost. It decides nothing: what a reply means, and
whether to connect again, is the machine's. To close a wire, cancel its `run`.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from wirehop.client.errors import HttpError, WireLost
from wirehop.client.http import Response
from wirehop.client.messages import ClientReply, decode_replies
from wirehop.core import codes
from wirehop.core.codes import Kind, Retry
from wirehop.core.messages import Command, Error


class Listener(Protocol):
    """Who hears of a wire."""

    def opened(self) -> None:
        """Commands may be sent."""
        ...

    def received(self, replies: Sequence[ClientReply]) -> None:
        """Replies came, in order."""
        ...


class Wire(Protocol):
    """One wire, for one use."""

    name: str

    async def run(self, listener: Listener) -> None:
        """Open, then receive until the end, which is a `WireLost`; cancelling it closes the wire."""
        ...

    def send(self, commands: Sequence[Command]) -> None:
        """Send these in order. What a wire cannot take any more makes it end."""
        ...

    async def finish(self) -> None:
        """The session ends in order: return when what was sent has left, or where closing the wire says it all."""
        ...


class _Refusal(Struct):
    error: Error


def read_replies(data: bytes) -> list[ClientReply]:
    """The replies in one message. Raises `WireLost` for what is not the protocol."""
    try:
        return decode_replies(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireLost(0, f"the server sent what is no reply: {error}") from None


def read_refusal(status: int, body: bytes) -> Error:
    """What an HTTP answer says was wrong; code 0 where it is not wirehop's own word."""
    try:
        return msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Error(0, f"the server answered with HTTP status {status}")


def refused(status: int, body: bytes) -> WireLost:
    """An HTTP answer instead of a wire. It is final only where wirehop itself says so, by a code: what stands before a
    server that restarts answers anything."""
    error = read_refusal(status, body)
    row = codes.find(error.code)
    is_final = row is not None and row.kind is Kind.ERROR and row.retry is Retry.FINAL
    return WireLost(codes.BAD_REQUEST_CLOSE.number if is_final else error.code, f"{error.message} (HTTP {status})")


def checked(response: Response, *expected: int) -> bytes:
    """The body of a response with one of these statuses; anything else is a refusal."""
    if response.status not in expected:
        raise refused(response.status, response.body)
    return response.body


def unreachable(error: HttpError) -> WireLost:
    """No answer at all."""
    return WireLost(0, error.reason)
