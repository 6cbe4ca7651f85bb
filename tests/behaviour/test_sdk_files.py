"""The browser's SDK as it is served: to anyone, from any origin, in every mode."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from node_under_test import Server, running

from wirehop.node import Node
from wirehop.sdk import FILES, STATIC
from wirehop.settings.tree import Settings

TYPES = {
    "wirehop.js": "text/javascript; charset=utf-8",
    "wirehop.shared.js": "text/javascript; charset=utf-8",
    "wirehop.d.ts": "application/typescript; charset=utf-8",
    "wirehop.rtc.js": "text/javascript; charset=utf-8",
    "wirehop.rtc.d.ts": "application/typescript; charset=utf-8",
    "wirehop.old.js": "text/javascript; charset=utf-8",
}


@pytest_asyncio.fixture(params=[False, True], ids=["closed", "dev"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with running(Node(Settings(dev=request.param))) as server:
        yield server


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FILES)
async def test_a_file_comes_with_its_type_and_for_every_origin(server: Server, name: str) -> None:
    answer = await server.request("GET", f"/sdk/{name}", headers=[("Origin", "https://elsewhere.example")])
    assert answer.status == 200
    assert answer.body == (STATIC / name).read_bytes()
    assert answer.header("content-type") == TYPES[name]
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("cross-origin-resource-policy") == "cross-origin"
    assert answer.header("x-content-type-options") == "nosniff"
    assert "max-age=300" in answer.header("cache-control")


@pytest.mark.asyncio
async def test_a_file_that_is_known_is_not_sent_again(server: Server) -> None:
    etag = (await server.request("GET", "/sdk/wirehop.js")).header("etag")
    assert etag
    again = await server.request("GET", "/sdk/wirehop.js", headers=[("If-None-Match", etag)])
    assert (again.status, again.body) == (304, b"")
    assert again.header("access-control-allow-origin") == "*"
    other = await server.request("GET", "/sdk/wirehop.js", headers=[("If-None-Match", '"other"')])
    assert other.status == 200


@pytest.mark.asyncio
async def test_nothing_but_the_files_is_served(server: Server) -> None:
    for path in ("/sdk/__init__.py", "/sdk/", "/sdk/../wirehop.js", "/sdk/nothing.js"):
        assert (await server.request("GET", path)).status in (400, 404), path
    assert (await server.request("POST", "/sdk/wirehop.js")).status == 405
