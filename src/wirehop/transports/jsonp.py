"""JSONP: polls as scripts, for pages that can load nothing else. `GET /connection/jsonp?callback=NAME&body=JSON`.

Off unless switched on. The callback's name is checked strictly, the content type is a script's, nosniff is set, and the
comment in front keeps the answer from being taken for anything but a script. Cookies are never looked at.
"""

import re

from wirehop.abc import Exchange
from wirehop.core import codes
from wirehop.transports.door import Door, first, parameters, peer_of
from wirehop.transports.poll import PollTransport

NAME = "jsonp"
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*")
_MAX_CALLBACK = 64


def is_callback(name: str) -> bool:
    """Whether it can only be the name of a function, `f` or `a.b`."""
    return len(name) <= _MAX_CALLBACK and _CALLBACK.fullmatch(name) is not None


def script(name: str, body: bytes) -> bytes:
    """The call as a script. U+2028 and U+2029 end a line in old JavaScript, so they are escaped."""
    body = body.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return b"/**/%b(%b);" % (name.encode(), body)


SCRIPT_HEADERS = (
    ("Content-Type", "application/javascript; charset=utf-8"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
)


class JsonpTransport:
    """Implements `abc.Transport`, on top of the poll transport's sessions."""

    name = NAME

    def __init__(self, polls: PollTransport, door: Door) -> None:
        self._polls = polls
        self._door = door

    def open(self, exchange: Exchange) -> None:
        """Serve one script."""
        if exchange.request.method != "GET":
            self._door.wrong_method(exchange, "GET")
            return
        query = parameters(exchange.request)
        callback = first(query, "callback")
        if not is_callback(callback):
            self._door.refuse(exchange, codes.BAD_REQUEST, "callback is not the name of a function")
            return
        self._polls.handle(
            first(query, "body").encode(),
            # a script element sees no status, so errors are calls as well
            lambda _status, body: exchange.respond(200, SCRIPT_HEADERS, script(callback, body)),
            exchange,
            peer_of(exchange.request, NAME),
            name=NAME,
            use="jsonp",
        )
