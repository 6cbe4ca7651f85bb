"""An echo over WebSocket on the native host: what a conformance suite talks to. Prints its port, serves until killed.

Whatever arrives goes back, in the same kind of message, as long as the peer reads; it uses the host's public API only.
"""

import asyncio
import sys

import uvloop

from wirehop.abc import Duplex, Exchange
from wirehop.hosts.native import HostOptions, NativeServer

MESSAGE_BYTES = 33_554_432  # the suite's largest message has 16 MiB


class Echo:
    """The listener of one WebSocket."""

    def __init__(self) -> None:
        self.wire: Duplex | None = None

    def received(self, data: bytes, is_binary: bool) -> None:
        assert self.wire is not None  # set before anything is received
        self.wire.send(data, is_binary=is_binary)

    def ponged(self) -> None: ...

    def paused(self) -> None: ...

    def resumed(self) -> None: ...

    def closed(self, code: int, reason: str) -> None: ...


def serve(exchange: Exchange) -> None:
    """Take every request as a handshake."""
    echo = Echo()
    echo.wire = exchange.upgrade(echo, max_message=MESSAGE_BYTES)


async def main() -> None:
    server = NativeServer(serve, options=HostOptions(compression=True))
    await server.start("127.0.0.1", 0)
    print(server.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the test closes it
    await server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
