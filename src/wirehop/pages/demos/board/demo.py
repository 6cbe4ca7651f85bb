"""The board's server side: what pages may ask for, and where the rest is published.

rpc board.pipelines                                       what can be started
rpc board.start    {"pipeline": "build", "seed": 1}       the run
rpc board.cancel   {"run": "k3…", "job": ""}              all of it, or one job
rpc board.rerun    {"run": "k3…", "job": ""}              what has not passed, or one job and what needs it

`board:pipelines` has the newest state of each run, `board-log:…` the lines of each job. `wirehop run` announces itself
in `run:all`, writes to `run-log:…` and takes orders from `run-control:…`.
"""

import asyncio
from random import Random
from typing import Annotated
from weakref import WeakKeyDictionary

from msgspec import Meta, Struct

from wirehop.client import Client
from wirehop.core.messages import Position
from wirehop.node import Client as Session
from wirehop.node import Node
from wirehop.pages.demos.board.pipelines import PIPELINES
from wirehop.pages.demos.board.runs import Board
from wirehop.pages.demos.board.states import RunState
from wirehop.pages.demos.demo import Demo
from wirehop.settings.tree import Namespace

LOG = Namespace(history_size=2000, history_age=3600, subscribe="anyone")
RUN_LOG = Namespace(history_size=20_000, history_age=3600, subscribe="anyone", publish="anyone")
boards: WeakKeyDictionary[Node, Board] = WeakKeyDictionary()


class Wanted(Struct):
    pipeline: str
    seed: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class Chosen(Struct):
    run: str
    job: str = ""


def install(node: Node) -> None:
    async def publish(channel: str, data: object, key: str) -> Position:
        return await node.publish(channel, data, key=key)

    board = boards[node] = Board(publish)

    @node.rpc("board.pipelines")
    async def pipelines(_client: Session) -> list[dict[str, str]]:
        return [{"name": each.name, "title": each.title, "about": each.about} for each in PIPELINES.values()]

    @node.rpc("board.start")
    async def start(client: Session, wanted: Wanted) -> RunState:
        return await board.start(wanted.pipeline, client.user or "somebody", wanted.seed)

    @node.rpc("board.cancel")
    async def cancel(_client: Session, chosen: Chosen) -> None:
        await board.cancel(chosen.run, chosen.job)

    @node.rpc("board.rerun")
    async def rerun(_client: Session, chosen: Chosen) -> None:
        await board.rerun(chosen.run, chosen.job)


async def run(node: Node) -> None:
    """What runs does not outlive the server."""
    try:
        await asyncio.Event().wait()
    finally:
        await boards[node].close()


async def viewer(client: Client, _number: int, _random: Random) -> None:
    """A bot: somebody who looks at the board."""
    async with client.subscribe("board:pipelines") as states:
        async for _ in states:
            pass


BOARD = Demo(
    "board",
    {
        "board": Namespace(delivery="latest", key_limit=64, history_age=86_400, subscribe="anyone"),
        "board-log": LOG,
        "run": Namespace(history_size=500, history_age=86_400, subscribe="anyone", publish="anyone"),
        "run-log": RUN_LOG,
        "run-control": Namespace(history_size=100, history_age=60, subscribe="anyone", publish="anyone"),
    },
    install,
    (
        "demos/board/demo.py",
        "demos/board/runs.py",
        "demos/board/pipelines.py",
        "static/board/board.js",
        "static/board/log-follow.js",
    ),
    run,
    viewer,
)
