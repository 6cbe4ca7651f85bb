"""One node for each test, and one wire after the other: a behaviour is written once and runs on all of them."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: tests are no package

from node_under_test import Server, running
from wire_fixtures import dial, wire, wire_name  # noqa: F401 - fixtures

ON_BOTH_HOSTS = {"test_channel_urls", "test_connect", "test_polls", "test_recovery", "test_sse_and_emulation"}
NATIVE = {"test_event_stream_has_exactly_these_headers", "test_the_stream_has_exactly_the_headers_of_an_event_stream"}
"""What only the native host promises."""


@pytest.fixture
def host_name() -> str:
    """The host that serves; the modules of `ON_BOTH_HOSTS` run on each."""
    return "native"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every host for the modules that are about what a wire carries."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if "host_name" in metafunc.fixturenames and module in ON_BOTH_HOSTS and metafunc.function.__name__ not in NATIVE:
        metafunc.parametrize("host_name", ["native", "asgi"])


@pytest_asyncio.fixture
async def server(request: pytest.FixtureRequest, host_name: str) -> AsyncIterator[Server]:
    """A running node. `@pytest.mark.parametrize("server", [dict(limits=…)], indirect=True)` changes its settings."""
    async with running(host_name=host_name, **getattr(request, "param", {})) as server:
        yield server
