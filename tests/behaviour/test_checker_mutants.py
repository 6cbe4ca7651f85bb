"""Mutants: a server with one defect each, and the checker names it. Between a real node and its clients stands a relay
that breaks what passes: it loses one, repeats one, swaps two, lies `recovered`, or lets somebody flicker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from node_under_test import running
from test_moving import EVERYONE
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wirehop.checker.adapters.wirehop import WirehopAdapter
from wirehop.checker.run import Outcome, Plan, play
from wirehop.checker.schedule import SCENARIOS

pytestmark = pytest.mark.asyncio
Reply = dict[str, Any]
Mutate = Callable[[list[Reply]], list[Reply]]
"""Replies of one connection as they come; what the client gets instead."""


def publication(reply: Reply) -> Reply | None:
    found: Reply | None = reply.get("push", {}).get("pub")
    return found


class Honest:
    def __call__(self, replies: list[Reply]) -> list[Reply]:
        return replies


class Loses:
    """The tenth publication of each connection."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, replies: list[Reply]) -> list[Reply]:
        kept = []
        for reply in replies:
            self.count += publication(reply) is not None
            if publication(reply) is None or self.count != 10:
                kept.append(reply)
        return kept


class Repeats:
    """The tenth publication comes a second time, as if it were another one. From then on offsets are one higher."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, replies: list[Reply]) -> list[Reply]:
        result = []
        for reply in replies:
            found = publication(reply)
            if found is None:
                result.append(reply)
                continue
            self.count += 1
            if self.count > 10:
                found["offset"] += 1
            result.append(reply)
            if self.count == 10:
                again = json.loads(json.dumps(reply))
                again["push"]["pub"]["offset"] += 1
                result.append(again)
        return result


class Swaps:
    """The tenth and the eleventh change places."""

    def __init__(self) -> None:
        self.count = 0
        self.held: Reply | None = None

    def __call__(self, replies: list[Reply]) -> list[Reply]:
        result = []
        for reply in replies:
            found = publication(reply)
            if found is None:
                result.append(reply)
                continue
            self.count += 1
            if self.count == 10:
                self.held = reply
                continue
            if self.count == 11 and self.held is not None:
                first = self.held["push"]["pub"]
                first["data"], found["data"] = found["data"], first["data"]
                result.append(self.held)
            result.append(reply)
        return result


class Lies:
    """What was missed is left out of a recovery, and `recovered` stays true."""

    def __call__(self, replies: list[Reply]) -> list[Reply]:
        for reply in replies:
            resumed = reply.get("connect", {}).get("wh", {}).get("subs", {})
            for said in (*resumed.values(), reply.get("subscribe", {})):
                said.pop("publications", None)
        return replies


class Flickers:
    """Somebody is said to have left, and to be there again."""

    def __init__(self) -> None:
        self.count = 0
        self.info: Reply | None = None

    def __call__(self, replies: list[Reply]) -> list[Reply]:
        result = []
        for reply in replies:
            result.append(reply)
            push = reply.get("push", {})
            self.info = push["join"]["info"] if "join" in push else self.info
            self.count += publication(reply) is not None
            if self.count == 10 and self.info is not None:
                told = {"info": self.info}
                result += [{"push": {"channel": push["channel"], change: told}} for change in ("leave", "join")]
                self.info = None
        return result


class Relay:
    """Where the checker believes the server to be. It cannot be restarted."""

    host = "127.0.0.1"
    port = 0

    async def restart(self, seconds: float) -> None:
        raise NotImplementedError


@asynccontextmanager
async def mutant(port: int, make: Callable[[], Mutate]) -> AsyncIterator[Relay]:
    """`make` makes what breaks one connection."""

    async def handle(client: ServerConnection) -> None:
        mutate = make()
        assert client.request is not None
        async with connect(f"ws://127.0.0.1:{port}{client.request.path}") as server:

            async def up() -> None:
                async for message in client:
                    await server.send(message)

            async def down() -> None:
                async for message in server:
                    replies = mutate([json.loads(line) for line in message.splitlines() if line])
                    if replies:
                        await client.send("\n".join(json.dumps(reply) for reply in replies))

            tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if client.close_code != 1000:
                server.transport.abort()  # as it came
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if result is not None and not isinstance(result, ConnectionClosed | asyncio.CancelledError):
                    raise result

    async with serve(handle, "127.0.0.1", 0) as relay:
        address = Relay()
        address.port = next(iter(relay.sockets)).getsockname()[1]
        yield address


async def outcome_of(make: Callable[[], Mutate], scenario: str) -> Outcome:
    async with running(namespaces=EVERYONE) as server, mutant(server.port, make) as relay:
        return await play(
            lambda url, number, _wires: WirehopAdapter(url, number, ("websocket",)),
            relay,
            SCENARIOS[scenario],
            Plan(clients=3, seconds=8.0 if scenario == "cuts" else 1.5, rate=30.0),
        )


@pytest.mark.parametrize("scenario", ["calm", "cuts"])
async def test_an_honest_server_has_nothing_wrong_with_it(scenario: str) -> None:
    outcome = await outcome_of(Honest, scenario)
    assert outcome.is_good, outcome.counts
    assert outcome.published == outcome.acknowledged > 40
    assert outcome.deliveries == 3 * outcome.published
    assert (outcome.faults.get("cut", 0) > 0) == (scenario == "cuts")


@pytest.mark.parametrize(
    ("make", "scenario", "kind"),
    [
        (Loses, "calm", "lost"),
        (Repeats, "calm", "doubled"),
        (Swaps, "calm", "out_of_order"),
        (Lies, "cuts", "false_recovered"),
        (Flickers, "calm", "presence_flicker"),
    ],
)
async def test_each_defect_is_named_and_no_other(make: Callable[[], Mutate], scenario: str, kind: str) -> None:
    outcome = await outcome_of(make, scenario)
    wrong = {found for found, count in outcome.counts.items() if count}
    if make is Repeats:  # offsets that are not the server's are a conflict too
        wrong.discard("out_of_order")
    assert wrong == {kind}
    trace = outcome.traces[kind]  # type: ignore[index]
    assert trace.finding.kind == kind
    assert 1 <= len(trace.lines) <= 16
