"""The server: listening, counting, draining, stopping.

    server = NativeServer(handler, options=HostOptions())
    await server.start("127.0.0.1", 0)
    ...
    server.stop_listening()       # new connections go elsewhere; answers say Connection: close
    server.close_idle()           # connections without a request
    await server.close(5.0)       # waits so long for the others, then drops them

It knows sockets and time; what is done with a connection is `connection`'s.
"""

import asyncio
import contextlib
import socket
from collections import Counter

from wirehop.abc import Handler
from wirehop.core.errors import LocalProtocolError
from wirehop.hosts.native.connection import Connection
from wirehop.hosts.native.context import HostContext
from wirehop.hosts.native.guest import Reception
from wirehop.hosts.native.listening import open_sockets, prepare
from wirehop.hosts.native.options import HostOptions
from wirehop.hosts.native.uring_batch import RingSender


class NativeServer:
    """HTTP/1.1 and WebSocket on one port. `counters` counts refusals by name. `sender` is whose batches the `out` of
    streams and WebSockets can join; it stays the caller's. `guests` takes connections that begin with no HTTP."""

    def __init__(
        self,
        handler: Handler,
        *,
        options: HostOptions | None = None,
        sender: RingSender | None = None,
        guests: Reception | None = None,
    ) -> None:
        self.options = HostOptions() if options is None else options
        self.counters: Counter[str] = Counter()
        self._handler = handler
        self._sender = sender
        self._guests = guests
        self._context: HostContext | None = None
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []

    async def start(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        sock: socket.socket | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Listen on `host` (each of its addresses) and `port` (0: the kernel's choice), or on `sock`."""
        if self._context is not None:
            raise LocalProtocolError("server", "started", "start")
        context = self._context = HostContext(self._handler, self.options, self.counters)
        context.guests = self._guests
        loop, options = context.loop, self.options
        if options.ssl_context is None:  # with TLS what is written is not what is sent
            context.sender = self._sender
        self._sockets = [sock] if sock else await open_sockets(loop, host, port, reuse_port=reuse_port)
        for each in self._sockets:
            prepare(each, user_timeout=options.tcp_user_timeout)
            self._servers.append(
                await loop.create_server(
                    lambda: Connection(context),
                    sock=each,
                    backlog=options.backlog,
                    ssl=options.ssl_context,
                    ssl_handshake_timeout=options.header_seconds if options.ssl_context else None,
                    ssl_shutdown_timeout=options.close_seconds if options.ssl_context else None,
                )
            )

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The listening sockets; none after `stop_listening`."""
        return tuple(self._sockets)

    @property
    def port(self) -> int:
        """The first socket's port; 0 on a Unix socket or where nothing listens."""
        name = self._sockets[0].getsockname() if self._sockets else None
        return int(name[1]) if isinstance(name, tuple) else 0

    @property
    def connections(self) -> int:
        """How many connections are open, in whatever state."""
        return len(self._context.wires) if self._context else 0

    def stop_listening(self) -> None:
        """Accept nothing more; what is open goes on, and each HTTP answer closes its connection."""
        if self._context is not None:
            self._context.drain()
            loop = self._context.loop
            for sock in self._sockets:
                with contextlib.suppress(NotImplementedError, RuntimeError):  # uvloop and Windows accept otherwise
                    loop.remove_reader(sock)
            for server in self._servers:
                # One turn later: asyncio forgets, and leaks, what it accepted in this turn if its server is closed.
                loop.call_soon(server.close)
        self._servers.clear()
        self._sockets.clear()

    def close_idle(self) -> None:
        """Close the HTTP connections that have no request begun or unanswered."""
        if self._context is not None:
            for wire in tuple(self._context.wires):
                wire.close_if_idle()

    async def close(self, timeout: float = 0.0) -> None:
        """Stop: wait up to `timeout` seconds for what is open, then abort the rest."""
        self.stop_listening()
        context = self._context
        if context is None:
            return
        self.close_idle()
        if context.wires and timeout > 0:
            context.emptied = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(context.emptied.wait(), timeout)
        for wire in tuple(context.wires):
            wire.abort("the server stops")
        for _ in range(3):  # the loop's turns in which transports say that they are gone
            await asyncio.sleep(0)
        context.timeouts.close()
        context.keep_alive.close()
