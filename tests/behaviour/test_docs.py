"""The Python in the pages of docs/ is run: each block against a node, and none is left out."""

import ast
import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import pytest_asyncio
from msgspec import structs
from node_under_test import OPEN, Server, eventually, running, settings

from wirehop.client import Client
from wirehop.media import Call, TestPicture, join
from wirehop.node import Node
from wirehop.settings.tree import Api, Auth, Settings
from wirehop.site import Site
from wirehop.transports.doctor import PATH as DOCTOR_PATH

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEY = "a key of the server API"
SECRET = "a secret of 32 bytes or more, shared with the server"
BLOCKS = {
    (page.name, number): block
    for page in sorted(DOCS.glob("*.md"))
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
}
SIGN, REVOKE = ("auth.md", 0), ("auth.md", 1)
PUBLISH, FROM_A_THREAD = ("asgi.md", 0), ("asgi.md", 1)
CENT = ("server-api.md", 0)
BOT = ("rtc.md", 0)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with running(Node(settings(auth=Auth(secrets=(SECRET,)), api=Api(key=KEY)))) as server:
        yield server


def compiled(name: tuple[str, int], *changed: tuple[str, str]) -> CodeType:
    """A block, with what a reader has to change."""
    text = BLOCKS[name]
    for before, after in changed:
        assert before in text, f"{name} says no more {before!r}"
        text = text.replace(before, after)
    return compile(text, f"docs/{name[0]}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def ran(code: CodeType, **names: Any) -> dict[str, Any]:
    """The names after it."""
    value = eval(code, names)
    if inspect.isawaitable(value):
        await value
    return names


def test_every_block_of_the_pages_is_run_here() -> None:
    assert set(BLOCKS) == {SIGN, REVOKE, PUBLISH, FROM_A_THREAD, CENT, BOT}


@pytest.mark.asyncio
async def test_the_signed_token_lets_in_until_it_is_revoked_as_the_page_says(server: Server) -> None:
    token = (await ran(compiled(SIGN)))["token"]
    rights = await server.node.auth.connection(token)
    assert rights.user == "ada"
    await ran(compiled(REVOKE), node=server.node)
    with pytest.raises(Exception, match="token"):
        await server.node.auth.connection(token)


@pytest.mark.asyncio
async def test_a_node_publishes_on_the_loop_and_from_a_thread(server: Server) -> None:
    await ran(compiled(PUBLISH), node=server.node)
    await asyncio.to_thread(eval, compiled(FROM_A_THREAD), {"node": server.node})
    page = await server.node.history("news")
    assert [each.data for each in page.publications] == [b'{"hello":"world"}'] * 2


@pytest.mark.asyncio
async def test_cent_publishes(server: Server) -> None:
    code = compiled(CENT, ("http://127.0.0.1:8000/api", f"http://127.0.0.1:{server.port}/api"))
    await asyncio.to_thread(eval, code, {"api_key": KEY})
    page = await server.node.history("news")
    assert [json.loads(each.data) for each in page.publications] == [{"text": "hello"}]


def test_the_page_of_the_protocol_names_every_address_of_it() -> None:
    transports = structs.replace(Settings().transports, jsonp=True)
    site = Site(Node(Settings(auth=Auth(secrets=(SECRET,), cookie="token"), transports=transports)))
    page = (DOCS / "protocol.md").read_text(encoding="utf-8")
    addresses = {each for each in site._routes if each.startswith(("/connection/", "/emulation"))} - {DOCTOR_PATH}
    assert {"/connection/ticket", "/connection/login", "/connection/http_stream"} < addresses
    assert [each for each in sorted(addresses) if each not in page] == []


@pytest.mark.asyncio
async def test_a_participant_in_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def seen(call: Call) -> None:
        others = call.participants
        await eventually(lambda: any("camera" in each.tracks for each in others.values()), "a picture", timeout=30.0)

    room = structs.replace(OPEN, rtc=True)
    async with running(namespaces={"room": room}) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with Client(url) as client, join(client, "room:demo", publish=TestPicture(), name="ann"):
            changes = (
                ("http://127.0.0.1:8000", url),
                ('"recordings"', "recordings"),
                ("asyncio.sleep(10)", "seen(call)"),
            )
            await ran(compiled(BOT, *changes), recordings=tmp_path, seen=seen)
    assert capsys.readouterr().out.startswith("ann {'")
    assert (tmp_path / "ann.webm").exists()
