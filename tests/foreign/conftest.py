"""A node for each test, one process for all JavaScript clients, and clients of every kind."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))  # for `foreign`: tests are no package
sys.path.insert(0, str(Path(__file__).parents[1] / "behaviour"))

from cutting_proxy import CuttingProxy
from node_under_test import Server, running

from foreign import HERE, JS, PYTHON, Driver, JsClient, PythonClient

Foreign = JsClient | PythonClient


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def driver() -> AsyncIterator[Driver]:
    if shutil.which("node") is None or not (HERE / "node_modules").exists():
        pytest.skip("no node, or no `npm ci` in tests/foreign")
    driver = await Driver.start()
    yield driver
    await driver.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A running node. `@pytest.mark.parametrize("server", [dict(…)], indirect=True)` changes its settings."""
    async with running(**getattr(request, "param", {})) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: Server) -> AsyncIterator[CuttingProxy]:
    proxy = await CuttingProxy(server.port).start()
    yield proxy
    await proxy.stop()


@pytest.fixture(params=[*JS, *PYTHON])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def dial(driver: Driver, server: Server, kind: str) -> AsyncIterator[Callable[..., Foreign]]:
    """`dial()`: a client of this test's kind that is connecting. All are closed at the end."""
    opened: list[Foreign] = []

    def dial(kind: str = kind, address: str = "", **options: Any) -> Foreign:
        address = address or f"http://127.0.0.1:{server.port}"
        client: Foreign
        if kind in PYTHON:
            client = PythonClient(address, is_protobuf=kind == "python-protobuf", **options)
        else:
            _, build, transport = kind.split("-")
            client = JsClient(driver, address, build=build, transport=transport, **options)
        opened.append(client)
        return client

    yield dial
    for client in opened:
        await client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def client(dial: Callable[..., Foreign]) -> Foreign:
    """A connected client; its id is `client.id`."""
    client = dial()
    client.id = (await client.events.next("connected"))["client"]
    return client
