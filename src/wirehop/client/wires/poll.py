"""A session over polls, long or short: `Polling` says what each request carries, this sends them.

A long poll is held by the server; commands that come up meanwhile go with a newer poll, which ends the held one. So
at most two requests are open at a time. A poll that fails is followed by another, which repeats what the failed one
may not have brought.
"""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Sequence
from typing import Final

from wirehop.client.address import Address
from wirehop.client.errors import HttpError, WireLost
from wirehop.client.http import Headers, HttpClient
from wirehop.client.polling import Polling
from wirehop.client.wire import Listener, checked, unreachable
from wirehop.core import codes
from wirehop.core.errors import BadMessage
from wirehop.core.messages import Command

PATH: Final = "/connection/poll"
LONG_WAIT: Final = 25.0
"""Seconds for which a long poll asks to be held."""
INTERVAL: Final = 1.0
"""Seconds between short polls that bring nothing; and the pause of a long poll that came back at once with nothing."""
SOON: Final = 0.1
"""The same while replies to commands are awaited."""
PAUSES: Final = (0.1, 0.5, 1.0, 2.0)
"""Before the polls that follow a failed one; then the wire counts as lost."""
MAX_OPEN: Final = 2
JSON: Final[Headers] = (("Content-Type", "application/json"),)


class PollWire:
    """Implements `Wire`. `is_long`: polls are held until there is something."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None, *, timeout: float, is_long: bool) -> None:
        self.name = "long-poll" if is_long else "short-poll"
        self._polling = Polling(nonce=secrets.token_urlsafe(16), wait=LONG_WAIT if is_long else 0.0)
        self._http = HttpClient(address, tls, timeout=timeout)
        self._news = asyncio.Event()
        self._answered = asyncio.Event()
        self._overflow = ""
        self._failures = 0

    async def finish(self) -> None:
        while self._polling.is_behind:
            self._answered.clear()
            await self._answered.wait()

    def send(self, commands: Sequence[Command]) -> None:
        try:
            self._polling.send(commands)
        except OverflowError as error:
            self._overflow = str(error)
        if self._polling.has_news or self._overflow:
            self._news.set()

    async def run(self, listener: Listener) -> None:
        listener.opened()
        polls: set[asyncio.Task[bytes]] = set()
        try:
            while True:
                if not polls or (self._polling.has_news and len(polls) < MAX_OPEN):
                    self._news.clear()
                    polls.add(asyncio.ensure_future(self._ask(self._polling.poll())))
                polls -= await self._first_of(polls, listener)
        finally:
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)
            await self._http.close()

    async def _first_of(self, polls: set[asyncio.Task[bytes]], listener: Listener) -> set[asyncio.Task[bytes]]:
        """Wait for an answer, or for commands if another poll may carry them; the polls that were answered."""
        news = [asyncio.ensure_future(self._news.wait())] if len(polls) < MAX_OPEN else []
        began = asyncio.get_running_loop().time()
        try:
            done, _ = await asyncio.wait([*polls, *news], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in news:
                each.cancel()
            await asyncio.gather(*news, return_exceptions=True)
        answered = polls & done
        if self._overflow:
            raise WireLost(codes.WRITE_ERROR.number, self._overflow)
        pause = min([self._take(poll, listener) for poll in answered], default=0.0)
        if pause and answered == polls:  # nothing is open, and nothing came
            await self._rest(pause - (asyncio.get_running_loop().time() - began))
        return answered

    def _take(self, poll: "asyncio.Task[bytes]", listener: Listener) -> float:
        """One answer; how long to wait before the next poll if nothing presses."""
        try:
            replies = self._polling.answered(poll.result())
        except HttpError as error:
            if self._failures == len(PAUSES):
                raise unreachable(error) from None
            self._failures += 1
            return PAUSES[self._failures - 1]
        except BadMessage as error:
            raise WireLost(0, error.reason) from None
        self._failures = 0
        self._answered.set()
        listener.received(replies)
        if not self._polling.is_quiet:
            return 0.0
        return SOON if self._polling.is_behind else INTERVAL

    async def _rest(self, seconds: float) -> None:
        """Wait, unless commands come; after a failure they wait as well."""
        if self._failures:
            await asyncio.sleep(seconds)
        elif seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()

    async def _ask(self, body: bytes) -> bytes:
        seconds = self._polling.wait + self._http.timeout
        response = await self._http.request("POST", PATH, headers=JSON, body=body, timeout=seconds)
        if response.status == 404:
            raise WireLost(0, "the server does not know the session any more")
        if response.status >= 500:
            raise HttpError(f"the server answered with HTTP status {response.status}")
        return checked(response, 200)
