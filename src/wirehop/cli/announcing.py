"""What a run says of itself beside its log, and the orders that it takes: `wirehop run` on a board."""

import asyncio
import contextlib
import time
from typing import Final

import msgspec
from msgspec import Struct, structs

from wirehop.client.client import Client
from wirehop.client.errors import ClientError
from wirehop.client.publication import Publication
from wirehop.jobs.job import Job
from wirehop.jobs.records import Ended, Order, Status, state_of

ALIVE_SECONDS: Final = 20.0
"""Between two words that it still runs."""

LAST_SECONDS: Final = 10.0
"""For the word that it has ended."""


class Where(Struct, frozen=True):
    """A run and its channels; `control` and `status` may be empty."""

    run: str
    name: str
    channel: str
    control: str
    status: str


class Announcer:
    """`async with` it while the job runs. What does not work is a sentence in `problems`: the job goes on."""

    def __init__(self, client: Client, job: Job, where: Where) -> None:
        self.problems: list[str] = []
        self._client = client
        self._job = job
        self._where = where
        self._began = _now()
        self._said = 0
        self._stack = contextlib.AsyncExitStack()
        self._alive: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Announcer":
        where = self._where
        if where.control:
            try:
                await self._stack.enter_async_context(
                    self._client.subscribe(where.control, on_publication=self._ordered)
                )
            except ClientError as error:
                self.problems.append(f"it could not be cancelled from {where.control}: {error}")
                self._where = structs.replace(where, control="")
        if where.status:
            self._alive = asyncio.create_task(self._say_alive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._alive is not None:
            self._alive.cancel()
            await asyncio.gather(self._alive, return_exceptions=True)
        await self._stack.aclose()

    async def ended(self, ended: Ended) -> None:
        """Say how it ended."""
        if self._alive is None:
            return
        self._alive.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._say(
                    state_of(ended), ended=ended.at, lines=ended.lines, code=ended.code, signal=ended.signal
                )

    def _ordered(self, publication: Publication) -> None:
        """Somebody wants it to end."""
        try:
            order = msgspec.json.decode(publication.raw, type=Order)
        except msgspec.DecodeError:
            return
        if order.run == self._where.run and order.do == "cancel":
            self._job.cancel()
        elif order.run == self._where.run and order.do == "kill":
            self._job.kill()

    async def _say_alive(self) -> None:
        await self._job.begun.wait()
        while await self._say("running", lines=self._job.lines):  # noqa: ASYNC110 - nothing is waited for but time
            await asyncio.sleep(ALIVE_SECONDS)

    async def _say(self, state: str, *, ended: int = 0, lines: int = 0, code: int = 0, signal: str = "") -> bool:
        where = self._where
        status = Status(
            where.run, where.name, state, where.channel, where.control, _now(), self._began, ended, lines, code, signal
        )
        self._said += 1
        try:
            await self._client.publish(where.status, status, key=f"{where.run}:status:{self._said}")
        except ClientError as error:
            self.problems.append(f"it could not be announced in {where.status}: {error}")
            return False
        return True


def _now() -> int:
    return int(time.time() * 1000)
