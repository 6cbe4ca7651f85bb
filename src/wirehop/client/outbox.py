"""Commands on their way out, where sending may have to wait: a bounded queue, and the task beside the one that
receives."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from wirehop.client.errors import WireLost
from wirehop.codecs.json_lines import encode_command
from wirehop.core import codes
from wirehop.core.messages import Command

UNSENT_BYTES: Final = 1_048_576
MESSAGE_BYTES: Final = 32_768
"""Commands share a message up to this size; servers take 64 KiB."""


class Outbox:
    """At most 1 MiB of commands wait; with more the wire ends (3009), and the machine says so to whoever asked."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0
        self._news = asyncio.Event()
        self._sent = asyncio.Event()

    async def drained(self) -> None:
        """Everything has been taken, and the next one is asked for."""
        while self._lines or not self._sent.is_set():
            await self._sent.wait()

    def add(self, commands: Sequence[Command]) -> None:
        """These go next, in order."""
        lines = [encode_command(command) for command in commands]
        self._lines += lines
        self._size += sum(map(len, lines))
        self._news.set()
        self._sent.clear()

    async def next(self) -> list[bytes]:
        """The next lines, as many as share a message; at least one."""
        while not self._lines:
            self._sent.set()
            self._news.clear()
            await self._news.wait()
        if self._size > UNSENT_BYTES:
            raise WireLost(codes.WRITE_ERROR.number, f"more than {UNSENT_BYTES} bytes of commands wait for the wire")
        count, size = 1, len(self._lines[0])
        while count < len(self._lines) and size + len(self._lines[count]) < MESSAGE_BYTES:
            size += len(self._lines[count]) + 1
            count += 1
        lines, self._lines = self._lines[:count], self._lines[count:]
        self._size -= sum(map(len, lines))
        return lines


async def run_both(receiving: Coroutine[Any, Any, None], sending: Coroutine[Any, Any, None]) -> None:
    """Run both until one fails (receiving always ends so); raise that. The other is cancelled and waited for."""
    tasks = (asyncio.ensure_future(receiving), asyncio.ensure_future(sending))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
