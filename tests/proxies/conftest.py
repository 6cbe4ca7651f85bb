"""A node behind a proxy for each test: the fixtures of tests/behaviour, of which one port is the proxy's."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "behaviour"))  # tests are no package
sys.path.insert(0, str(Path(__file__).parent))

from node_under_test import Server, running
from wire_fixtures import dial, wire, wire_name  # noqa: F401 - fixtures

from proxies import NAMES, Proxy, in_front
from wirehop.hosts.native import HostOptions

for module in (Path(__file__).parents[1] / "behaviour").glob("test_*.py"):
    pytest.register_assert_rewrite(module.stem)
BEHIND = HostOptions(trusted_proxies=("127.0.0.1/32",))


@pytest.fixture(params=NAMES)
def proxy_name(request: pytest.FixtureRequest) -> str:
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
