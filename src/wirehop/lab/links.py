"""The links of one lab page: an impairing proxy for each wire, all of them in the same conditions.

Each wire has a link of its own, so that none takes another's bandwidth or its connections, and what passed is known for
each. The proxies listen on 127.0.0.1, while a page of the lab wants them.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final

from wirehop.checker.faults import BlackHole, Refuse, Tunnel
from wirehop.checker.proxy import ImpairingProxy
from wirehop.checker.traffic import Direction, Recording, Traffic
from wirehop.lab.presets import Conditions

RECORDED: Final = 1 << 20
"""Bytes kept of each wire."""
TURNED: Final = 0.05
"""Seconds between two looks of a tunnel's clock."""


class Links:
    """`ports` by wire. What lasts (a tunnel, a restart) is a task; a new one ends the one before."""

    def __init__(self, host: str, port: int, wires: Iterable[str], *, seed: int = 1) -> None:
        self._proxies = {wire: ImpairingProxy(host, port, seed=seed) for wire in wires}
        self.conditions = Conditions()
        self._lasting: asyncio.Task[None] | None = None
        self._tunnels: asyncio.Task[None] | None = None

    @property
    def ports(self) -> dict[str, int]:
        """Where to connect to, by wire."""
        return {wire: proxy.port for wire, proxy in self._proxies.items()}

    async def start(self) -> "Links":
        """Listen. Raises `OSError`."""
        for proxy in self._proxies.values():
            proxy.record = Recording(RECORDED)
            await proxy.start()
        return self

    async def set(self, conditions: Conditions) -> None:
        """From now on such links. Raises `KeyError` for a proxy that there is none of."""
        faults = conditions.faults()
        await self._end_lasting()
        self.conditions = conditions
        for proxy in self._proxies.values():
            await proxy.set(*faults)
        if conditions.tunnel_every > 0:
            self._tunnels = asyncio.create_task(self._ride(conditions))

    def cut(self) -> int:
        """Reset what is open."""
        return sum(proxy.cut() for proxy in self._proxies.values())

    def roam(self) -> int:
        """The clients come from another address."""
        return sum(proxy.roam() for proxy in self._proxies.values())

    async def tunnel(self, seconds: float) -> None:
        """Nothing passes; what was sent comes late."""
        await self._last(self._each(seconds, Tunnel()))

    async def black_hole(self, seconds: float) -> None:
        """What passes is lost, and its connections are dead from then on."""
        await self._last(self._each(seconds, BlackHole()))

    async def down(self, seconds: float) -> None:
        """As a server that restarts: what is open ends, and for so long nobody answers."""
        restarting = self._each(seconds, Refuse())
        await self._last(restarting)
        await asyncio.sleep(0)  # it has begun
        self.cut()

    def traffic(self) -> Mapping[str, Mapping[Direction, Traffic]]:
        """What passed, by wire."""
        return {wire: proxy.traffic for wire, proxy in self._proxies.items()}

    def counts(self) -> dict[str, int]:
        """How often each fault was applied, all wires together."""
        total: dict[str, int] = {}
        for proxy in self._proxies.values():
            for name, count in proxy.counts.items():
                total[name] = total.get(name, 0) + count
        return total

    def recording(self, wire: str) -> Recording | None:
        """What passed over that wire, as far as it is kept."""
        proxy = self._proxies.get(wire)
        return None if proxy is None else proxy.record

    async def stop(self) -> None:
        """Let go of everything."""
        await self._end_lasting()
        for proxy in self._proxies.values():
            await proxy.stop()

    async def _last(self, work: Coroutine[Any, Any, None]) -> None:
        if self._lasting is not None:
            await _ended(self._lasting)
            await self._all(*self.conditions.faults())
        self._lasting = asyncio.create_task(work)

    async def _each(self, seconds: float, fault: Tunnel | BlackHole | Refuse) -> None:
        faults = self.conditions.faults()
        await self._all(fault, *faults)
        await asyncio.sleep(seconds)
        await self._all(*faults)

    async def _ride(self, conditions: Conditions) -> None:
        """Tunnels, one after the other."""
        while True:
            await asyncio.sleep(conditions.tunnel_every)
            await self._all(Tunnel(), *conditions.faults())
            await asyncio.sleep(conditions.tunnel_seconds)
            await self._all(*conditions.faults())

    async def _all(self, *faults: Any) -> None:
        for proxy in self._proxies.values():
            await proxy.set(*faults)

    async def _end_lasting(self) -> None:
        for task in (self._lasting, self._tunnels):
            if task is not None:
                await _ended(task)
        self._lasting = self._tunnels = None


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
