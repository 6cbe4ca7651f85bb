"""A node behind a proxy for each test: the fixtures of tests/behaviour, of which one port is the proxy's."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "behaviour"))  # tests are no package
sys.path.insert(0, str(Path(__file__).parent))

from node_under_test import Server, running

from proxies import NAMES, Proxy, in_front
from wirehop.hosts.native import HostOptions
from wirehop.testing.wires import WIRES, Conversation, open_wire

for module in (Path(__file__).parents[1] / "behaviour").glob("test_*.py"):
    pytest.register_assert_rewrite(module.stem)
BEHIND = HostOptions(trusted_proxies=("127.0.0.1/32",))


@pytest.fixture(params=NAMES)
def proxy_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WIRES)
def wire_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def behind(
    request: pytest.FixtureRequest, proxy_name: str, tmp_path: Path
) -> AsyncIterator[tuple[Server, Proxy]]:
    """A running node, and the proxy in front of it."""
    async with running(options=BEHIND, **getattr(request, "param", {})) as server:
        with in_front(proxy_name, server.port, tmp_path) as proxy:
            yield server, proxy


@pytest_asyncio.fixture
async def server(behind: tuple[Server, Proxy]) -> Server:
    """A running node whose port is that of the proxy in front of it."""
    server, proxy = behind
    server.port = proxy.port
    return server


@pytest_asyncio.fixture
async def dial(server: Server, wire_name: str) -> AsyncIterator[Callable[..., Conversation]]:
    """`dial()`: a conversation on this test's wire, not connected yet. All are closed at the end."""
    opened: list[Conversation] = []

    def dial(name: str = wire_name, **options: Any) -> Conversation:
        wire = open_wire(name, server.port, **options)
        opened.append(wire)
        return wire

    yield dial
    for wire in opened:
        await wire.close()


@pytest_asyncio.fixture
async def wire(dial: Callable[..., Conversation]) -> Conversation:
    """A connected conversation."""
    wire = dial()
    reply = await wire.connect()
    assert "connect" in reply, reply
    return wire
