"""What every demo page offers beside its subject: bots that make a crowd, and the demo's own code to read.

rpc demo.bots  {"demo": "market", "count": 200}   so many bots from now on, for everybody who looks at the demo
rpc demo.bots  {"demo": "market"}                 how many there are
rpc demo.code  {"demo": "market"}                 [{"name": …, "text": …}]
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

import wirehop.pages
from wirehop.client import Client
from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.node import Client as Session
from wirehop.node import Node
from wirehop.pages.demos.demo import Bot, Demo

log = logging.getLogger("wirehop.demos")
MOST: Final = 500
"""Bots of one demo."""

AT_ONCE: Final = 10
PAUSE: Final = 0.05
"""Seconds between two lots of `AT_ONCE` bots that come or go."""

AGAIN_SECONDS: Final = 2.0
PAGES: Final = Path(wirehop.pages.__file__).parent


class Wanted(Struct):
    """What is asked for with `demo.bots` and `demo.code`."""

    demo: str
    count: int | None = None


class Running(Struct):
    """How many bots there are, and how many there will be."""

    count: int
    wanted: int
    most: int = MOST


class Source(Struct):
    """A file of a demo."""

    name: str
    text: str


class Bots:
    """The bots of one demo. They connect to the server as any client does."""

    def __init__(self, bot: Bot) -> None:
        self.wanted = 0
        self._bot = bot
        self._tasks: list[asyncio.Task[None]] = []
        self._changing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def want(self, count: int, url: str) -> None:
        """Let there be so many."""
        self.wanted = count
        if self._changing is None or self._changing.done():
            self._changing = asyncio.create_task(self._change(url))

    async def close(self) -> None:
        """End all of them."""
        tasks = [*self._tasks, *filter(None, [self._changing])]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _change(self, url: str) -> None:
        """Not all at once: the pages that look on should stay quick."""
        while len(self._tasks) != self.wanted:
            for _ in range(AT_ONCE):
                if len(self._tasks) < self.wanted:
                    self._tasks.append(asyncio.create_task(self._play(url, len(self._tasks) + 1)))
                elif len(self._tasks) > self.wanted:
                    self._tasks.pop().cancel()
            await asyncio.sleep(PAUSE)

    async def _play(self, url: str, number: int) -> None:
        """One bot; one that stumbles begins again."""
        name = f"bot {number}"
        while True:
            try:
                async with Client(url, data={"name": name}, tls=_without_names(url)) as client:
                    await self._bot(client, number, Random(number))  # noqa: S311 - play
                return
            except Exception as error:
                log.warning("%s has stumbled: %r", name, error)
                await asyncio.sleep(AGAIN_SECONDS)


def _without_names(url: str) -> ssl.SSLContext | None:
    """To this very server, whose certificate names another host."""
    if not url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class DemoTools:
    """The methods. Without `url`, where bots connect to, there are none."""

    def __init__(self, demos: tuple[Demo, ...]) -> None:
        self.url = ""
        self._demos: Mapping[str, Demo] = {demo.name: demo for demo in demos}
        self._bots = {demo.name: Bots(demo.bot) for demo in demos if demo.bot is not None}

    def install(self, node: Node) -> None:
        """Register the methods."""
        node.rpc("demo.bots")(self.bots)
        node.rpc("demo.code")(self.code)

    async def bots(self, _client: Session, wanted: Wanted) -> Running:
        """Set their number, or look."""
        bots = self._bots.get(wanted.demo)
        if bots is None or not self.url:
            raise Refused(codes.NOT_AVAILABLE, "there are no bots here")
        if wanted.count is not None:
            bots.want(max(0, min(wanted.count, MOST)), self.url)
        return Running(len(bots), bots.wanted)

    async def code(self, _client: Session, wanted: Wanted) -> list[Source]:
        """The files of the demo."""
        demo = self._demos.get(wanted.demo)
        if demo is None:
            raise Refused(codes.BAD_REQUEST, f"there is no demo {wanted.demo!r}")
        return [Source(name, (PAGES / name).read_text(encoding="utf-8")) for name in demo.sources]

    async def close(self) -> None:
        """End the bots."""
        for bots in self._bots.values():
            with contextlib.suppress(asyncio.CancelledError):
                await bots.close()
