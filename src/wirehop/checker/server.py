"""A server to check: one that this process starts, ends without a word and starts again; or one that is there."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from wirehop.checker.run import CheckFailed

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 3.0
HEARTBEAT: Final = "2s"
"""So that a dead wire is noticed within a check."""
HISTORY: Final = 20_000
"""Publications kept, and brought by one recovery: what the longest outage of a schedule leaves behind."""


class ForeignServer:
    """A server that somebody else runs, plain HTTP. It is not restarted."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise CheckFailed(f"{url!r} is no http:// address (the proxy in between reads what passes)")
        self.host = parts.hostname
        self.port = parts.port or 80

    async def look(self) -> None:
        """Raises `CheckFailed` where nobody answers."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except (OSError, TimeoutError) as error:
            raise CheckFailed(f"cannot connect to {self.host}:{self.port}: {error or 'no answer'}") from None
        writer.transport.abort()

    async def restart(self, seconds: float) -> None:
        """It cannot be."""
        raise CheckFailed("the server is not ours to restart")


class OwnServer:
    """A server as a child process: `command` with `{port}` in it. Use it as a context manager."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        self.host = "127.0.0.1"
        self.port = _free_port()
        default = (
            *(sys.executable, "-m", "wirehop", "serve", "--dev", "--port", "{port}"),
            *("--heartbeat-interval", HEARTBEAT, "--server-drain", "100ms"),
            *("--namespace", f"default.history_size={HISTORY}", "--limits-recovery-publications", str(HISTORY)),
        )
        self._command = [part.replace("{port}", str(self.port)) for part in command or default]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "OwnServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, and wait until its port is open. Raises `CheckFailed`."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("WIREHOP_")}
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=quiet, stdout=quiet, stderr=quiet, env=environ, start_new_session=True
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                while self._process.returncode is None:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection(self.host, self.port)
                        writer.close()
                        await writer.wait_closed()
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.stop()
        raise CheckFailed(f"`{' '.join(self._command)}` does not serve")

    async def stop(self) -> None:
        """Terminate it, and kill it if it does not end."""
        await self._end(signal.SIGTERM)

    async def restart(self, seconds: float) -> None:
        """Kill it, and start it again that much later."""
        await self._end(signal.SIGKILL)
        await asyncio.sleep(seconds)
        await self.start()

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _free_port() -> int:
    """Below the range from which the kernel takes source ports, so that it is still free after a restart."""
    for port in random.sample(range(21_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as each:
            each.bind(("127.0.0.1", port))
            return port
    raise CheckFailed("no free port")
