"""The Python client going from wire to wire while publications flow: nothing lost, doubled, or out of order."""

import asyncio
import time
from itertools import pairwise, permutations
from statistics import median
from typing import Any

import pytest
from node_under_test import Server, running
from test_moving import EVERYONE

from wirehop.checker.faults import Delay
from wirehop.checker.proxy import ImpairingProxy
from wirehop.client import Client, ClientState
from wirehop.client.client import WireName
from wirehop.client.outputs import Moved, PresenceChanged, Subscribed
from wirehop.core.errors import Refused
from wirehop.node import Client as Session

pytestmark = pytest.mark.asyncio
KINDS: tuple[WireName, ...] = ("websocket", "sse", "stream", "long-poll", "short-poll")
SECONDS = 20.0
ROUND_TRIP = 0.04
NOISE = 0.15
"""A machine that has other things to do stops for so long now and then."""


class Told:
    """What a client heard beside publications."""

    def __init__(self) -> None:
        self.moved = asyncio.Event()
        self.moves: list[bool] = []
        self.states: list[ClientState] = []
        self.recovered: list[bool | None] = []
        self.left: list[str] = []

    def on_moved(self, moved: Moved) -> None:
        self.moves.append(moved.is_resumed)
        self.moved.set()

    def on_subscribed(self, output: Subscribed) -> None:
        self.recovered.append(output.recovered)

    def on_presence(self, output: PresenceChanged) -> None:
        if output.leave is not None:
            self.left.append(output.leave.info.client)


def client_of(server: Server, told: Told, **options: Any) -> Client:
    return Client(
        f"http://127.0.0.1:{server.port}",
        on_moved=told.on_moved,
        on_state=lambda change: told.states.append(change.state),
        jitter=lambda: 0.0,
        **options,
    )


async def publish_steadily(server: Server, channel: str, rate: float, until: asyncio.Event) -> int:
    """Numbers 1, 2, 3 …, `rate` a second; how many."""
    number, began = 0, time.monotonic()
    while not until.is_set():
        number += 1
        await server.node.publish(channel, number)
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
    return number


async def test_every_ordered_pair_of_wires_under_load() -> None:
    """One session through all of them; the longest silence is what a move costs."""
    told, watched, stop = Told(), Told(), asyncio.Event()
    seen: list[tuple[float, int]] = []
    async with running(namespaces=EVERYONE) as server, asyncio.timeout(60):
        async with (
            client_of(server, watched, wire="websocket") as watcher,
            watcher.subscribe("room", join_leave=True, on_presence=watched.on_presence),
            client_of(server, told, wires=KINDS) as client,
            client.subscribe("room", on_subscribed=told.on_subscribed) as subscription,
        ):
            first = client.id
            publishing = asyncio.create_task(publish_steadily(server, "room", 100, stop))

            async def read() -> None:
                async for publication in subscription:
                    seen.append((time.monotonic(), publication.data))  # noqa: PERF401 - it is read meanwhile

            reading = asyncio.create_task(read())
            pairs = list(permutations(KINDS, 2))
            for old, new in pairs:
                for wanted in (old, new):
                    if client.wire != wanted:
                        told.moved.clear()
                        client.move(wanted)
                        await asyncio.wait_for(told.moved.wait(), SECONDS)
                        assert client.wire == wanted
                assert (await client.publish("own", f"{old} to {new}")).offset
            stop.set()
            count = await publishing
            while not seen or seen[-1][1] < count:  # noqa: ASYNC110 - the reader has no end
                await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert client.id == first
            assert client.moves == len(told.moves)
            assert all(told.moves)
            assert ClientState.WAITING not in told.states
            assert len((await client.history("own", limit=100))[0]) == len(pairs)
            assert subscription.gaps == 0
        numbers = [number for _, number in seen]
        assert numbers == list(range(numbers[0], count + 1))
        assert set(told.recovered[1:]) <= {True}
        assert first not in watched.left[:-1]
        silence = max(after - before for (before, _), (after, _) in pairwise(seen))
        print(f"{client.moves} moves, longest silence {silence * 1000:.0f} ms")
        assert silence < 1.5


async def test_a_wanted_move_costs_no_gap() -> None:
    """Over 40 ms there and back: the longest silence at each move between wires that need no pause by their nature."""
    told, stop = Told(), asyncio.Event()
    arrivals: list[float] = []
    kinds = KINDS[:-1]
    silences: dict[tuple[str, str], float] = {}
    async with (
        running(namespaces=EVERYONE) as server,
        ImpairingProxy("127.0.0.1", server.port) as proxy,
        asyncio.timeout(90),
    ):
        await proxy.set(Delay(ROUND_TRIP / 2))
        url = f"http://127.0.0.1:{proxy.port}"
        async with (
            Client(url, wires=kinds, on_moved=told.on_moved) as client,
            client.subscribe("room") as subscription,
        ):
            publishing = asyncio.create_task(publish_steadily(server, "room", 100, stop))

            async def read() -> None:
                async for _ in subscription:
                    arrivals.append(time.monotonic())  # noqa: PERF401 - it is read meanwhile

            async def move(wanted: WireName) -> float:
                """The longest silence from now until half a second after it has moved."""
                told.moved.clear()
                arrivals[:] = arrivals[-1:]
                client.move(wanted)
                await asyncio.wait_for(told.moved.wait(), SECONDS)
                until = time.monotonic() + 0.5
                while arrivals[-1] < until:  # noqa: ASYNC110 - the reader has no end
                    await asyncio.sleep(0.01)
                return max(after - before for before, after in pairwise(arrivals))

            reading = asyncio.create_task(read())
            while not arrivals:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            for old, new in permutations(kinds, 2):
                if client.wire != old:
                    await move(old)
                silences[old, new] = await move(new)
                assert client.wire == new
            stop.set()
            await publishing
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert subscription.gaps == 0
    for (old, new), seconds in silences.items():
        print(f"{old:>10} to {new:<10} {seconds * 1000:4.0f} ms")
    goal = 1.5 * ROUND_TRIP + 0.05
    print(f"goal {goal * 1000:.0f} ms; median {median(silences.values()) * 1000:.0f} ms")
    assert median(silences.values()) < goal + NOISE


@pytest.mark.parametrize("kind", KINDS)
async def test_a_session_comes_back_after_its_wire_was_cut(kind: WireName) -> None:
    told = Told()
    async with running(namespaces=EVERYONE) as server, asyncio.timeout(60):  # noqa: SIM117
        async with client_of(server, told, wire=kind) as client, client.subscribe("room") as subscription:
            who = client.id
            for number in range(1, 4):
                await server.node.publish("room", number)
            cut(client)
            await server.node.publish("room", 4)
            position = await client.publish("room", 5)
            assert position.offset == 5
            got = [(await anext(subscription)).data for _ in range(5)]
            assert got == [1, 2, 3, 4, 5]
            assert client.id == who
            assert told.moves == [True]


def cut(client: Client) -> None:
    """Break the wire without a word."""
    driver: Any = client._driver
    wired = driver._wires.pop(driver.machine.wire)
    wired.task.cancel()
    driver.machine.lost(driver.machine.wire, 1006, "cut", asyncio.get_running_loop().time())
    driver._run()


async def test_the_server_asks_and_the_client_goes() -> None:
    told = Told()
    async with running(namespaces=EVERYONE) as server, asyncio.timeout(60):  # noqa: SIM117
        async with client_of(server, told, wires=("websocket", "sse")) as client:
            assert server.node.move("", client=client.id, to=["sse"]) == 1
            await asyncio.wait_for(told.moved.wait(), SECONDS)
            assert client.wire == "sse"
            assert client.why == "it was asked for"


async def test_a_call_of_the_server_is_answered_once_across_a_move() -> None:
    told, asked = Told(), 0
    sessions: list[Session] = []
    async with running(namespaces=EVERYONE) as server, asyncio.timeout(60):

        @server.node.rpc("hello")
        async def hello(session: Session, data: object) -> None:
            sessions.append(session)

        async with client_of(server, told, wires=("websocket", "sse")) as client:
            go = asyncio.Event()

            @client.on_call("colour")
            async def colour(data: Any) -> str:
                nonlocal asked
                asked += 1
                await go.wait()
                return f"{data} is blue"

            await client.rpc("hello")
            answer = asyncio.create_task(sessions[0].call("colour", "sky"))
            while not asked:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            client.move("sse")
            await asyncio.wait_for(told.moved.wait(), SECONDS)
            go.set()
            assert await answer == "sky is blue"
            assert asked == 1


async def test_a_client_that_closes_in_order_leaves_at_once() -> None:
    async with running(namespaces=EVERYONE) as server, asyncio.timeout(60):
        for kind in KINDS:
            async with client_of(server, Told(), wire=kind) as client, client.subscribe("room"):
                assert len(server.node.resumption) == 1
            while len(server.node.resumption):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert not await server.node.presence("room")


@pytest.mark.parametrize("closes_itself", [False, True])
async def test_closing_does_not_wait_for_a_handler_of_calls(closes_itself: bool) -> None:
    sessions: list[Session] = []
    async with running(namespaces=EVERYONE) as server, asyncio.timeout(20):

        @server.node.rpc("hello")
        async def hello(session: Session, data: object) -> None:
            sessions.append(session)

        async with client_of(server, Told(), wire="websocket") as client:
            asked, ended = asyncio.Event(), asyncio.Event()

            @client.on_call("colour")
            async def colour(data: Any) -> None:
                asked.set()
                try:
                    if closes_itself:
                        await client.close()
                    else:
                        await asyncio.Event().wait()
                finally:
                    ended.set()

            await client.rpc("hello")
            answer = asyncio.create_task(sessions[0].call("colour", "sky"))
            await asked.wait()
            await client.close()
            await ended.wait()
            with pytest.raises(Refused):
                await answer
