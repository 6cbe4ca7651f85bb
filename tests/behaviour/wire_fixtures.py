"""One wire after the other, for tests with a fixture `server`: the node, or in tests/proxies a proxy before it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from node_under_test import Server

from wirehop.testing.wires import WIRES, Conversation, open_wire


@pytest.fixture(params=WIRES)
def wire_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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
