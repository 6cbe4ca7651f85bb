"""What all connections of one server share. It holds; it decides nothing."""

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from wirehop.abc import Handler, Out
from wirehop.hosts.native.forwarded import Proxies, Scheme
from wirehop.hosts.native.heads import Rendered, date_line
from wirehop.hosts.native.keep_alive import KeepAlive
from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.request_head import HeadReader
from wirehop.hosts.native.timeouts import Phase, Timeouts
from wirehop.hosts.native.uring_batch import Outlet, RingSender

if TYPE_CHECKING:
    from wirehop.hosts.native.guest import Reception

log = logging.getLogger("wirehop.http")


class Wire(Protocol):
    """One open connection, in whatever state."""

    def abort(self, reason: str) -> None:
        """Drop it at once."""
        ...

    def close_if_idle(self) -> None:
        """Close it if nothing has been asked and nothing is being answered."""
        ...


class HostContext:
    """Options, handler, counters, time-outs and the open wires of one server."""

    __slots__ = (
        "_date",
        "_date_until",
        "counters",
        "emptied",
        "guests",
        "handler",
        "heads",
        "is_draining",
        "keep_alive",
        "last_answer",
        "loop",
        "options",
        "proxies",
        "scheme",
        "sender",
        "timeouts",
        "wires",
    )

    def __init__(self, handler: Handler, options: HostOptions, counters: "Counter[str]") -> None:
        self.loop = asyncio.get_running_loop()
        self.handler = handler
        self.options = options
        self.counters = counters
        self.timeouts = Timeouts(
            self.loop,
            {
                Phase.HEAD: options.header_seconds,
                Phase.BODY: options.body_seconds,
                Phase.LINGER: options.linger_seconds,
                Phase.FLUSH: options.close_seconds,
                Phase.CLOSE: options.close_seconds,
            },
        )
        self.keep_alive = KeepAlive(self.loop, options.keep_alive_seconds)
        self.proxies = Proxies(options.trusted_proxies) if options.trusted_proxies else None
        self.heads = HeadReader(options)
        self.last_answer: Rendered | None = None  # at most a second old, and none while the server drains
        self.scheme: Scheme = "http" if options.ssl_context is None else "https"
        self.wires: set[Wire] = set()
        self.sender: RingSender | None = None  # sends to many at once
        self.guests: Reception | None = None  # who takes connections that begin with no HTTP
        self.is_draining = False
        self.emptied: asyncio.Event | None = None  # while the server waits for the last wire
        self._date = ""
        self._date_until = 0.0

    def out(self, transport: asyncio.Transport) -> Out:
        """Where prebuilt bytes for this connection go; `close_out` must follow before the connection ends."""
        return transport if self.sender is None else Outlet(self.sender, transport)

    @staticmethod
    def close_out(out: Out) -> None:
        """What is written to it from here on is forgotten, or as good as."""
        if isinstance(out, Outlet):
            out.close()

    def leave(self, wire: Wire) -> None:
        """The wire is gone."""
        self.wires.discard(wire)
        if self.emptied is not None and not self.wires:
            self.emptied.set()

    def date(self) -> str:
        """The Date header's line, made once a second."""
        now = self.loop.time()
        if now >= self._date_until:
            self._date = date_line(time.time())
            self._date_until = now + 1.0
        return self._date

    def remember(self, answer: Rendered) -> None:
        """Keep the answer for the next ones like it, until its date is old."""
        if self.last_answer is None:
            self.loop.call_at(self._date_until, self._forget)
        self.last_answer = answer

    def drain(self) -> None:
        """Every answer from here on closes its connection."""
        self.is_draining = True
        self.last_answer = None

    def _forget(self) -> None:
        self.last_answer = None

    def refused(self, name: str, address: str, reason: str) -> None:
        """Count and log what was not served."""
        self.counters[name] += 1
        log.info("%s from %s: %s", name, address or "an unknown address", reason)
