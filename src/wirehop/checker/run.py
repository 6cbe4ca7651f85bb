"""One scenario played: clients connect through the impairing proxy, publish and listen while the schedule goes on, come
to rest, and what they have seen is judged.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

from msgspec import Struct

from wirehop.checker.adapter import Adapter, Capabilities, MakeAdapter, Opened, PublishFailed, Received, Subscribed
from wirehop.checker.history import (
    EVERYBODY,
    Acknowledged,
    Called,
    Closed,
    Failed,
    Faulted,
    History,
    MoveAsked,
    MoveFailed,
    Restarted,
)
from wirehop.checker.index import KINDS, Kind
from wirehop.checker.proxy import ImpairingProxy
from wirehop.checker.schedule import Action, Cut, MoveAll, Restart, Scenario, SetFaults, tour
from wirehop.checker.trace import Trace, shortest
from wirehop.checker.verdict import judge
from wirehop.core.errors import WirehopError

REST_SECONDS: Final = 45.0
"""For everybody to have what was published, once all is well again."""
QUIET_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 45.0
AT_A_TIME: Final = 64
"""Publications of one client without an answer; it publishes no more until there is one."""
CONNECTS_AT_A_TIME: Final = 16


class CheckFailed(WirehopError):
    """The check could not be made; the text says why."""


class ServerUnderCheck(Protocol):
    """Where the server is, and how it is restarted."""

    host: str
    port: int

    async def restart(self, seconds: float) -> None:
        """Kill it, and have it serve again that much later."""
        ...


class Plan(Struct, frozen=True):
    """`rate` is publications a second, of all clients together."""

    clients: int = 10
    seconds: float = 12.0
    rate: float = 50.0
    seed: int = 0


class Outcome(Struct):
    """What one scenario has shown. `counts` are the findings by kind; `longest_silence` (seconds) is the longest time
    between two publications that a client was given."""

    scenario: str
    capabilities: Capabilities
    counts: dict[Kind, int]
    traces: dict[Kind, Trace]
    published: int = 0
    acknowledged: int = 0
    unknown: int = 0
    refused: int = 0
    deliveries: int = 0
    moves: int = 0
    pairs: int = 0
    failed_moves: int = 0
    resumed: int = 0
    anew: int = 0
    recovered: int = 0
    gaps: int = 0
    longest_silence: float = 0.0
    faults: dict[str, int] = {}

    @property
    def is_good(self) -> bool:
        """Nothing is wrong."""
        return not any(self.counts.values())


async def play(make: MakeAdapter, server: ServerUnderCheck, scenario: Scenario, plan: Plan) -> Outcome:
    """Play the scenario. Raises `CheckFailed` where not even the beginning works."""
    async with ImpairingProxy(server.host, server.port, seed=plan.seed) as proxy:
        return await _Play(make, server, scenario, plan, proxy).run()


class _Client:
    def __init__(self, number: int, adapter: Adapter, route: Iterator[str]) -> None:
        self.number = number
        self.adapter = adapter
        self.route = route
        self.tasks: set[asyncio.Task[None]] = set()
        self.moving: asyncio.Task[None] | None = None
        self.last_at = 0.0
        self.newest = 0


class _Play:
    def __init__(
        self, make: MakeAdapter, server: ServerUnderCheck, scenario: Scenario, plan: Plan, proxy: ImpairingProxy
    ) -> None:
        self._server = server
        self._scenario = scenario
        self._plan = plan
        self._proxy = proxy
        self._history = History()
        self._channel = f"check-{secrets.token_hex(4)}"
        self._number = 0
        self._failure: BaseException | None = None
        self._began = 0.0
        probe = make(proxy.url, 0, ("websocket",)).capabilities()
        self._can = probe
        wires = tuple(wire for wire in probe.wires if not scenario.wires or wire in scenario.wires)
        if not wires:
            raise CheckFailed(f"{probe.name} has none of the wires {', '.join(scenario.wires)}")
        self._wires = wires
        self._clients = []
        for number in range(plan.clients):
            first = number % len(wires)
            own = (*wires[first:], *wires[:first])
            self._clients.append(_Client(number, make(proxy.url, number, own), tour(wires, first)))

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def run(self) -> Outcome:
        """From the first connect to the verdict."""
        self._began = asyncio.get_running_loop().time()
        reading = [asyncio.create_task(self._read(client)) for client in self._clients]
        try:
            await self._connect()
            start = self._now()
            publishing = [asyncio.create_task(self._publish(client, start)) for client in self._clients]
            await self._follow_schedule(start)
            await asyncio.gather(*publishing)
            await self._proxy.set()
            await self._come_to_rest()
            if self._failure is not None:
                raise CheckFailed(f"the check itself failed: {self._failure}") from self._failure
        finally:
            await self._close(reading)
        return self._judge()

    async def _connect(self) -> None:
        room = asyncio.Semaphore(CONNECTS_AT_A_TIME)

        async def one(client: _Client) -> None:
            async with room:
                await client.adapter.connect()
                await client.adapter.subscribe(self._channel)

        try:
            await asyncio.gather(*map(one, self._clients))
        except OSError as error:
            raise CheckFailed(f"a client cannot connect: {error}") from error

    async def _close(self, reading: "list[asyncio.Task[None]]") -> None:
        for client in self._clients:
            for task in client.tasks:
                task.cancel()
            await asyncio.gather(*client.tasks, return_exceptions=True)
            self._history.add(self._now(), client.number, Closed())
        await asyncio.gather(*(client.adapter.close() for client in self._clients), return_exceptions=True)
        await asyncio.wait(reading, timeout=QUIET_SECONDS)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    # ---- clients -----------------------------------------------------------------------------------------------------

    async def _read(self, client: _Client) -> None:
        async for happening in client.adapter.events():
            now = self._now()
            self._history.add(now, client.number, happening)
            if isinstance(happening, Received):
                client.newest = max(client.newest, happening.number)
                client.last_at = now

    async def _publish(self, client: _Client, start: float) -> None:
        """Steadily, each client its share, evenly spread."""
        each = self._plan.clients / self._plan.rate
        at = start + each * client.number / self._plan.clients
        while at < start + self._plan.seconds:
            await asyncio.sleep(at - self._now())
            at += each
            if len(client.tasks) < AT_A_TIME:
                self._number += 1
                self._history.add(self._now(), client.number, Called(self._channel, self._number))
                self._spawn(client, self._publish_one(client, self._number))

    async def _publish_one(self, client: _Client, number: int) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await client.adapter.publish(self._channel, number, f"{self._channel}-{number}")
            what = Acknowledged(self._channel, number, answer.epoch, answer.offset)
            self._history.add(self._now(), client.number, what)
        except (PublishFailed, TimeoutError) as error:
            is_unknown = error.is_unknown if isinstance(error, PublishFailed) else True
            failed = Failed(self._channel, number, is_unknown=is_unknown, reason=str(error) or "no answer")
            self._history.add(self._now(), client.number, failed)

    def _spawn(self, client: _Client, work: object) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        client.tasks.add(task)
        task.add_done_callback(lambda done: self._done(client, done))
        return task

    def _done(self, client: _Client, task: "asyncio.Task[None]") -> None:
        client.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error

    async def _move(self, client: _Client, delay: float) -> None:
        await asyncio.sleep(delay)
        wire = next(client.route)
        self._history.add(self._now(), client.number, MoveAsked(wire))
        try:
            await client.adapter.move(wire)
        except OSError as error:
            self._history.add(self._now(), client.number, MoveFailed(str(error)))

    # ---- the schedule ------------------------------------------------------------------------------------------------

    async def _follow_schedule(self, start: float) -> None:
        for at, action in self._scenario.make(self._plan.seconds):
            await asyncio.sleep(start + at - self._now())
            await self._do(action)
        await asyncio.sleep(start + self._plan.seconds - self._now())

    async def _do(self, action: Action) -> None:
        if isinstance(action, MoveAll):
            for client in self._clients:
                if client.moving is None or client.moving.done():  # who is still on the way is not pushed
                    client.moving = self._spawn(client, self._move(client, client.number / self._plan.clients * 0.9))
            return
        if isinstance(action, Restart):
            self._history.add(self._now(), EVERYBODY, Restarted(is_back=False))
            await self._server.restart(action.seconds)
            self._history.add(self._now(), EVERYBODY, Restarted(is_back=True))
            return
        for client in self._clients:
            self._history.add(self._now(), client.number, Faulted(str(action)))
        if isinstance(action, SetFaults):
            await self._proxy.set(*action.faults)
        elif isinstance(action, Cut):
            self._proxy.cut()

    async def _come_to_rest(self) -> None:
        """Until everybody has had the last one and nothing comes any more, or for too long."""
        until = self._now() + REST_SECONDS
        while self._now() < until:
            await asyncio.sleep(0.2)
            last = max((client.last_at for client in self._clients), default=0.0)
            is_answered = not any(client.tasks for client in self._clients)
            if is_answered and self._now() - last > QUIET_SECONDS:
                newest = {client.newest for client in self._clients}
                if len(newest) == 1:  # who has the last one has no wire to wait for
                    return

    # ---- the verdict -------------------------------------------------------------------------------------------------

    def _judge(self) -> Outcome:
        findings = judge(self._history, has_presence=self._can.has_presence)
        counts = Counter(finding.kind for finding in findings)
        outcome = Outcome(
            self._scenario.name,
            self._can,
            {kind: counts[kind] for kind in KINDS},
            shortest(self._history, findings),
            faults=dict(self._proxy.counts),
        )
        pairs: set[tuple[str, str]] = set()
        for number in self._history.clients:
            self._count(number, outcome, pairs)
        outcome.pairs = len(pairs)
        return outcome

    def _count(self, client: int, outcome: Outcome, pairs: set[tuple[str, str]]) -> None:
        wire, last = "", -1.0
        for entry in self._history.of(client):
            match entry.what:
                case Called():
                    outcome.published += 1
                case Acknowledged():
                    outcome.acknowledged += 1
                case Failed(_, _, is_unknown):
                    outcome.unknown += is_unknown
                    outcome.refused += not is_unknown
                case Received():
                    outcome.deliveries += 1
                    if last >= 0:
                        outcome.longest_silence = max(outcome.longest_silence, entry.at - last)
                    last = entry.at
                case Opened(new, _, is_resumed):
                    if wire and new != wire:
                        outcome.moves += 1
                        pairs.add((wire, new))
                    if wire:
                        outcome.resumed += is_resumed
                        outcome.anew += not is_resumed
                    wire = new
                case MoveFailed():
                    outcome.failed_moves += 1
                case Subscribed(_, recovered):
                    outcome.recovered += recovered is True
                    outcome.gaps += recovered is False
