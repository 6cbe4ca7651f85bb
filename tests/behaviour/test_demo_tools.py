"""What every demo offers beside its subject: bots that come and go, and the demo's own code."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from wirehop.client import Client
from wirehop.client.errors import RequestFailed
from wirehop.core import codes
from wirehop.hosts.native import NativeServer
from wirehop.node import Node
from wirehop.pages.demos import DEMOS
from wirehop.pages.demos.demo import Demo
from wirehop.pages.demos.tools import PAGES, DemoTools
from wirehop.settings.tree import Namespace, Settings
from wirehop.site import Site

pytestmark = pytest.mark.asyncio


async def bot(client: Client, number: int, random: Random) -> None:
    if number == 2 and random.random() >= 0:
        raise ValueError("stumbles")
    async with client.subscribe(f"crowd:{number}"):
        await asyncio.Event().wait()


CROWD = Demo("crowd", {"crowd": Namespace(subscribe="anyone")}, lambda _node: None, ("demos/demo.py",), bot=bot)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[tuple[Node, DemoTools, Client]]:
    node = Node(Settings(namespaces={"crowd": Namespace(subscribe="anyone")}))
    tools = DemoTools((CROWD,))
    tools.install(node)
    server = NativeServer(Site(node).open)
    await node.start()
    await server.start("127.0.0.1", 0)
    tools.url = f"http://127.0.0.1:{server.port}"
    async with Client(tools.url) as client:
        yield node, tools, client
    await tools.close()
    await node.stop()
    await server.close()


async def until_connected(node: Node, count: int) -> None:
    async with asyncio.timeout(20):
        while sum(node.connections().values()) != count:  # noqa: ASYNC110 - a count of the node's, no event
            await asyncio.sleep(0.02)


async def test_bots_come_and_go_as_wanted(stage: tuple[Node, DemoTools, Client]) -> None:
    node, _, client = stage
    found = await client.rpc("demo.bots", {"demo": "crowd", "count": 25})
    assert found["wanted"] == 25
    await until_connected(node, 25)  # the client and 24 bots: one stumbles
    await client.rpc("demo.bots", {"demo": "crowd", "count": 1})
    await until_connected(node, 2)
    assert (await client.rpc("demo.bots", {"demo": "crowd"}))["count"] == 1


async def test_there_are_never_more_bots_than_the_most(stage: tuple[Node, DemoTools, Client]) -> None:
    _, tools, client = stage
    found = await client.rpc("demo.bots", {"demo": "crowd", "count": 1_000_000})
    assert found["wanted"] == found["most"] == 500
    await tools.close()


async def test_bots_of_a_demo_that_has_none_are_refused(stage: tuple[Node, DemoTools, Client]) -> None:
    with pytest.raises(RequestFailed) as caught:
        await stage[2].rpc("demo.bots", {"demo": "nothing", "count": 1})
    assert caught.value.code == codes.NOT_AVAILABLE.number


async def test_the_code_of_a_demo_is_its_files(stage: tuple[Node, DemoTools, Client]) -> None:
    files = await stage[2].rpc("demo.code", {"demo": "crowd"})
    assert files == [{"name": "demos/demo.py", "text": (PAGES / "demos/demo.py").read_text()}]
    with pytest.raises(RequestFailed):
        await stage[2].rpc("demo.code", {"demo": "../../secrets"})


async def test_the_files_of_every_demo_are_there() -> None:
    for demo in DEMOS:
        assert demo.sources
        assert [name for name in demo.sources if not (PAGES / name).is_file()] == []
