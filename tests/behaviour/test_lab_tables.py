"""The rpc that gives the lab's page its tables: over any wire, in any format, or refused by name."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from node_under_test import Server, running, settings

from wirehop.lab.tables import FORMATS, Tables, install_tables, make_tables
from wirehop.measured import load_profile
from wirehop.node import Node
from wirehop.testing.wires import Conversation, open_wire

pytestmark = pytest.mark.asyncio
PATIENCE = 60.0


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Server]:
    node = Node(settings())
    install_tables(node)
    async with running(node) as server:
        yield server


async def asked(server: Server, wire_name: str, data: dict[str, Any]) -> Any:
    wire: Conversation = open_wire(wire_name, server.port)
    try:
        await wire.connect(timeout=PATIENCE)
        return await wire.request("rpc", method="lab.tables", data=data, timeout=PATIENCE)
    finally:
        await wire.close()


@cache
def expected() -> Tables:
    return make_tables(load_profile())


@pytest.mark.parametrize("wire_name", ["websocket", "short-poll"])
async def test_the_tables_come_whole(lab: Server, wire_name: str) -> None:
    reply = await asked(lab, wire_name, {})
    assert msgspec.convert(reply["rpc"]["data"], Tables) == expected()


async def test_each_format_comes_as_a_file(lab: Server) -> None:
    for name, wanted in FORMATS.items():
        reply = await asked(lab, "websocket", {"format": name})
        text = wanted.write(expected())
        assert reply["rpc"]["data"] == {"name": wanted.name, "type": wanted.type, "text": text}


async def test_what_is_no_format_is_refused(lab: Server) -> None:
    for data in ({"format": "docx"}, {"format": 1}, []):
        reply = await asked(lab, "websocket", data)
        assert reply["error"]["code"] == 107, data
